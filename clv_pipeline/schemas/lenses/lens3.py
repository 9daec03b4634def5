"""Contracts of lens 3: how a cohort evolves.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import CALENDAR_PERIOD, margin_is_profit, product_is_spend


class Lens3CohortAge(Table):
    """One row per as_of, cohort and age in cohort periods; the cohort 'before <data start>' has no size."""

    as_of: str = pa.Field(str_matches=MONTH)
    cohort: str = pa.Field(str_matches=COHORT)
    cohort_start: str = pa.Field(str_matches=MONTH, nullable=True)
    age: int = pa.Field(ge=0)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    cohort_size: int = pa.Field(ge=1, nullable=True)
    complete: bool
    active: int = pa.Field(ge=0)
    pct_active: float = pa.Field(ge=0, le=1, nullable=True)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    profit_per_acquired: float = pa.Field(nullable=True)
    cumulative_profit_per_acquired: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "cohort", "age")
    size_is_known = require_rows(
        "cohort_size, pct_active and the values per acquired customer must be there exactly when the start is",
        (pl.col("cohort_start").is_null() == pl.col("cohort_size").is_null())
        & (pl.col("cohort_start").is_null() == pl.col("pct_active").is_null())
        & (pl.col("cohort_start").is_null() == pl.col("profit_per_acquired").is_null())
        & (pl.col("cohort_start").is_null() == pl.col("cumulative_profit_per_acquired").is_null()),
    )
    starts_at_its_label = require_rows(
        "age 0 is not the cohort's own calendar period",
        (pl.col("age") != 0) | pl.col("cohort_start").is_null() | (pl.col("calendar_period") == pl.col("cohort")),
    )
    active_have_orders = require_rows("fewer orders than active customers", pl.col("active") <= pl.col("orders"))
    product_is_spend = require_rows(
        "cohort_size x pct_active x aof x aov is not spend",
        product_is_spend("", pl.col("cohort_size") * pl.col("pct_active")),
    )
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())
