"""Contracts of lens 5: how healthy the whole base is.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import AGAIN, CALENDAR_PERIOD, GRAINS, REPEAT_RATE, margin_is_profit, product_is_spend
from clv_pipeline.validation import pa


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


class Shares(Table):
    """A cohort, of whatever kind, in a calendar period: what it did, and its shares of the period."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool
    acquired: int = pa.Field(ge=0, description="customers of the cohort acquired in the period")
    active: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    share_active: float = pa.Field(in_range=(0, 1), nullable=True)
    share_orders: float = pa.Field(in_range=(0, 1), nullable=True)
    share_spend: float = pa.Field(nullable=True)
    share_profit: float = pa.Field(nullable=True)
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    profit_per_active: float = pa.Field(nullable=True)
    active_again: int = pa.Field(ge=0, description=AGAIN)
    repeat_buying_rate: float = pa.Field(in_range=(0, 1), nullable=True, description=REPEAT_RATE)
    active_to_before: float = pa.Field(
        ge=0, nullable=True, description="active customers relative to the cohort's period before"
    )
    profit_to_before: float = pa.Field(
        nullable=True, description="profit relative to the cohort's period before, where that earned something"
    )

    has_key = require_key("as_of", "grain", "cohort", "calendar_period")
    again_is_part = require_rows("more active again than active", pl.col("active_again") <= pl.col("active"))
    product_is_spend = require_rows("active x aof x aov is not spend", product_is_spend("", pl.col("active")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens5CohortShares(Shares):
    """One row per as_of, grain, cohort and calendar period (C3), with the cohort's shares of the period."""

    cohort: str = pa.Field(str_matches=COHORT)


class _Base(Table):
    """The whole base in some stretch of time: its newest cohort is who was acquired in it."""

    as_of: str = pa.Field(str_matches=MONTH)
    acquired: int = pa.Field(ge=0)
    active: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    profit_per_active: float = pa.Field(nullable=True)
    active_newest: int = pa.Field(ge=0)
    share_active_newest: float = pa.Field(in_range=(0, 1), nullable=True)
    share_profit_newest: float = pa.Field(nullable=True)
    profit_earlier: Money
    carry_over: float = pa.Field(nullable=True)
    carry_over_active: float = pa.Field(
        ge=0, nullable=True, description="active customers acquired earlier / all active customers before"
    )
    active_again: int = pa.Field(ge=0, description=AGAIN)
    repeat_buying_rate: float = pa.Field(in_range=(0, 1), nullable=True, description=REPEAT_RATE)

    newest_are_part = require_rows(
        "more of the newest cohort active than were acquired or active",
        (pl.col("active_newest") <= pl.col("active")) & (pl.col("active_newest") <= pl.col("acquired")),
    )
    again_is_part = require_rows("more active again than active", pl.col("active_again") <= pl.col("active"))
    product_is_spend = require_rows("active x aof x aov is not spend", product_is_spend("", pl.col("active")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens5Periods(_Base):
    """One row per as_of, grain and calendar period since the data start."""

    grain: str = pa.Field(isin=GRAINS)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool
    share_spend_newest: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "grain", "calendar_period")


class Lens5Windows(_Base):
    """One row per as_of and lens window, 0 the latest; only customers active in the window count."""

    windows_back: int = pa.Field(ge=0)
    window_start: str = pa.Field(str_matches=MONTH)
    window_end: str = pa.Field(str_matches=MONTH)
    window_complete: bool

    has_key = require_key("as_of", "windows_back")
