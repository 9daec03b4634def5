"""Contracts of lens 4: do cohorts differ.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.clv.lenses.trend import DIRECTIONS, MEASURES
from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import CALENDAR_PERIOD, GRAINS, equal, margin_is_profit, product_is_spend
from clv_pipeline.validation import pa

COMPARED = ("pct_active", "aof", "aov", "margin", "profit_per_active", "profit_per_acquired", "profit_index")


class Lens4CohortGrid(Table):
    """One row per as_of, grain, cohort and age, which is also a calendar period of the cohort."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    cohort_start: str = pa.Field(str_matches=MONTH, nullable=True)
    age: int = pa.Field(ge=0)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool
    cohort_size: int = pa.Field(ge=1, nullable=True)
    active: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    pct_active: float = pa.Field(in_range=(0, 1), nullable=True)
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    profit_per_active: float = pa.Field(nullable=True)
    profit_index: float = pa.Field(nullable=True)
    profit_per_acquired: float = pa.Field(nullable=True)
    cumulative_spend_per_acquired: float = pa.Field(nullable=True)
    cumulative_profit_per_acquired: float = pa.Field(nullable=True)
    pct_second_order: float = pa.Field(in_range=(0, 1), nullable=True)

    has_key = require_key("as_of", "grain", "cohort", "age")
    one_age_a_period = require_key("as_of", "grain", "cohort", "calendar_period")
    size_is_known = require_rows(
        "what is per customer acquired must be there exactly when the cohort's start is",
        pl.all_horizontal(
            pl.col("cohort_start").is_null() == pl.col(column).is_null()
            for column in ("cohort_size", "pct_active", "cumulative_profit_per_acquired", "pct_second_order")
        ),
    )
    product_is_spend = require_rows(
        "cohort_size x pct_active x aof x aov is not spend",
        product_is_spend("", pl.col("cohort_size") * pl.col("pct_active")),
    )
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens4Comparison(Table):
    """One row per as_of, alignment, grain, cohort, age and measure; the first cohort has no earlier value."""

    as_of: str = pa.Field(str_matches=MONTH)
    alignment: str = pa.Field(isin=("age", "calendar"))
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    age: int = pa.Field(ge=0)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    measure: str = pa.Field(isin=COMPARED)
    complete: bool
    value: float = pa.Field(nullable=True, description="the measure of the cohort")
    earlier_value: float = pa.Field(nullable=True)
    difference: float = pa.Field(nullable=True, description="value less earlier_value")

    has_key = require_key("as_of", "alignment", "grain", "cohort", "age", "measure")


class Lens4Trend(Table):
    """One row per as_of, grain, age and measure: newer cohorts against older ones, with a 95% bootstrap interval."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    age: int = pa.Field(ge=0)
    measure: str = pa.Field(isin=MEASURES)
    older_first: str = pa.Field(str_matches=COHORT)
    older_last: str = pa.Field(str_matches=COHORT)
    older_customers: int = pa.Field(ge=1)
    newer_first: str = pa.Field(str_matches=COHORT)
    newer_last: str = pa.Field(str_matches=COHORT)
    newer_customers: int = pa.Field(ge=1)
    older: float = pa.Field(nullable=True)
    newer: float = pa.Field(nullable=True)
    difference: float = pa.Field(nullable=True, description="newer less older")
    difference_lower: float = pa.Field(nullable=True)
    difference_upper: float = pa.Field(nullable=True)
    direction: str = pa.Field(isin=DIRECTIONS, nullable=True)

    has_key = require_key("as_of", "grain", "age", "measure")
    older_come_first = require_rows(
        "the older cohorts reach into the newer", pl.col("older_last") < pl.col("newer_first")
    )
    difference_is_the_difference = require_rows(
        "difference is not newer less older", equal(pl.col("difference"), pl.col("newer") - pl.col("older"))
    )
    interval_in_order = require_rows(
        "an interval ends before it starts", pl.col("difference_lower") <= pl.col("difference_upper")
    )
