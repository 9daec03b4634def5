"""Contracts of lens 5's look ahead: the projection and the plan.

Belongs here: what one row must satisfy. Does not belong here: what has already happened (`lens5.py`).
"""

import polars as pl

from clv_pipeline.clv.lenses.projection import VERDICTS, WINDOWS_AHEAD
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.schemas.lenses.lens3 import COHORT_OR_ALL
from clv_pipeline.schemas.scores import INFINITY
from clv_pipeline.validation import pa


class Lens5Projection(Table):
    """One row per as_of, cohort (or 'all') and window ahead; bounds hold with 95% probability given the parameters."""

    as_of: str = pa.Field(str_matches=MONTH)
    cohort: str = pa.Field(str_matches=COHORT_OR_ALL)
    windows_ahead: int = pa.Field(in_range=(1, WINDOWS_AHEAD))
    window_start: str = pa.Field(str_matches=MONTH)
    window_end: str = pa.Field(str_matches=MONTH)
    customers: int = pa.Field(ge=1, description="existing customers")
    expected_purchases: float = pa.Field(ge=0, lt=INFINITY, description="days with a purchase expected in the window")
    purchases_lower: float = pa.Field(ge=0, lt=INFINITY)
    purchases_upper: float = pa.Field(ge=0, lt=INFINITY)
    expected_orders: float = pa.Field(ge=0, lt=INFINITY)
    expected_profit: float = pa.Field(ge=0, lt=INFINITY)
    profit_lower: float = pa.Field(ge=0, lt=INFINITY)
    profit_upper: float = pa.Field(ge=0, lt=INFINITY)

    has_key = require_key("as_of", "cohort", "windows_ahead")
    bounds = require_rows(
        "a lower bound is above the upper",
        (pl.col("purchases_lower") <= pl.col("purchases_upper")) & (pl.col("profit_lower") <= pl.col("profit_upper")),
    )


class Lens5GrowthPlan(Table):
    """One row per as_of and growth of profit over the last window that the next one is to bring."""

    as_of: str = pa.Field(str_matches=MONTH)
    growth: float = pa.Field(ge=0)
    acquired_window: str = pa.Field(str_matches=MONTH)
    last_profit: float
    target_profit: float
    expected_profit: float = pa.Field(ge=0, description="profit expected of existing customers in the next window")
    profit_per_new_customer: float = pa.Field(gt=0, nullable=True)
    new_customers_needed: int = pa.Field(ge=0, nullable=True)
    acquired: int = pa.Field(ge=0, description="customers acquired in that window")
    most_acquired: int = pa.Field(ge=0)
    verdict: str = pa.Field(isin=VERDICTS)

    has_key = require_key("as_of", "growth")
