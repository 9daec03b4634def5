"""Contracts of lens 5: how healthy the whole base is.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import CALENDAR_PERIOD


class Lens5CohortCalendar(Table):
    """One row per as_of, cohort and calendar period (C3), with the cohort's shares of the period."""

    as_of: str = pa.Field(str_matches=MONTH)
    cohort: str = pa.Field(str_matches=COHORT)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool
    active: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    share_active: float = pa.Field(ge=0, le=1, nullable=True)
    share_profit: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "cohort", "calendar_period")
    active_have_orders = require_rows("fewer orders than active customers", pl.col("active") <= pl.col("orders"))
    active_have_a_share = require_rows(
        "a cohort with active customers has no share of them, or the reverse",
        (pl.col("active") > 0) == (pl.col("share_active").fill_null(0) > 0),
    )
