"""Contracts of lens 3: how a cohort evolves, by age, week and year.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage), or value to
date (`lens3_value.py`).
"""

import datetime

import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import CALENDAR_PERIOD, GRAINS, equal, margin_is_profit, product_is_spend
from clv_pipeline.validation import pa

COHORT_OR_ALL = rf"^all$|{COHORT}"


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


class Lens3SecondPurchase(Table):
    """One row per as_of, grain, cohort, unit and age ('period': cohort periods, 'day': days, up to 365)."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    unit: str = pa.Field(isin=("period", "day"))
    age: int = pa.Field(ge=0, description="periods or days since acquisition")
    complete: bool = pa.Field(description="whether every customer of the cohort has been seen for that long")
    cohort_size: int = pa.Field(ge=1)
    customers: int = pa.Field(ge=0, description="customers with a second order by that age")
    share_customers: float = pa.Field(
        in_range=(0, 1), description="share of the cohort with a second order by that age"
    )

    has_key = require_key("as_of", "grain", "cohort", "unit", "age")


class Lens3WeeklySales(Table):
    """One row per as_of, grain, cohort and calendar week, which starts on Monday."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    week_start: datetime.date
    first_orders: int = pa.Field(ge=0)
    repeat_orders: int = pa.Field(ge=0)
    first_spend: Money
    repeat_spend: Money

    has_key = require_key("as_of", "grain", "cohort", "week_start")
    starts_on_monday = require_rows("a week does not start on Monday", pl.col("week_start").dt.weekday() == 1)
    nothing_without_orders = require_rows(
        "spend without an order",
        ((pl.col("first_orders") > 0) | (pl.col("first_spend") == 0))
        & ((pl.col("repeat_orders") > 0) | (pl.col("repeat_spend") == 0)),
    )


class Lens3Interpurchase(Table):
    """One row per as_of, grain, cohort (or 'all') and number of an order, 10 for the tenth and every later one."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT_OR_ALL)
    from_order: int = pa.Field(in_range=(1, 10))
    orders: int = pa.Field(ge=1, description="orders with that number")
    intervals: int = pa.Field(ge=0)
    share_followed: float = pa.Field(in_range=(0, 1), description="share of these orders that another has followed")
    mean_weeks: float = pa.Field(ge=0, nullable=True)
    median_weeks: float = pa.Field(ge=0, nullable=True)

    has_key = require_key("as_of", "grain", "cohort", "from_order")


class Lens3InterpurchaseBands(Table):
    """One row per as_of, grain, cohort (or 'all'), number of an order and band (lower_weeks, upper_weeks]."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT_OR_ALL)
    from_order: int = pa.Field(in_range=(1, 10))
    band: int = pa.Field(in_range=(1, 9))
    lower_weeks: float = pa.Field(ge=0)
    upper_weeks: float = pa.Field(ge=0, nullable=True)
    intervals: int = pa.Field(ge=0)
    share_intervals: float = pa.Field(in_range=(0, 1), nullable=True)
    share_of_orders: float = pa.Field(
        in_range=(0, 1), description="share of the orders with that number that another followed within upper_weeks"
    )

    has_key = require_key("as_of", "grain", "cohort", "from_order", "band")


class Lens3RepeatBuying(Table):
    """One row per as_of, grain, cohort (or 'all') and calendar period that another follows."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT_OR_ALL)
    age: int = pa.Field(ge=0, nullable=True)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    next_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool = pa.Field(description="whether the next period has ended")
    active: int = pa.Field(ge=0)
    active_again: int = pa.Field(ge=0)
    repeat_buying_rate: float = pa.Field(in_range=(0, 1), nullable=True)

    has_key = require_key("as_of", "grain", "cohort", "calendar_period")
    again_is_part = require_rows("more active again than active", pl.col("active_again") <= pl.col("active"))


class Lens3ActivityPatterns(Table):
    """One row per as_of, grain, cohort, alignment of the years and patterns, one letter a year since acquisition."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    alignment: str = pa.Field(isin=("age", "calendar"))
    years: int = pa.Field(ge=1)
    complete: bool = pa.Field(description="whether the last year has ended")
    pattern: str = pa.Field(str_matches=r"^[YN]+$", description="a letter a year, Y: active")
    repeat_pattern: str = pa.Field(
        str_matches=r"^[YN]+$", description="the same, but for the first year, Y: more than one order"
    )
    seen_again: bool = pa.Field(description="whether they bought again once acquired: any Y in repeat_pattern")
    customers: int = pa.Field(ge=1, description="customers of the cohort with this pattern")
    cohort_size: int = pa.Field(ge=1)
    share_customers: float = pa.Field(in_range=(0, 1), description="share of the cohort")

    has_key = require_key("as_of", "grain", "cohort", "alignment", "pattern", "repeat_pattern")
    letter_a_year = require_rows(
        "a pattern without one letter for each year", pl.col("pattern").str.len_chars() == pl.col("years")
    )
    share_is_of_the_cohort = require_rows(
        "share_customers is not customers / cohort_size",
        equal(pl.col("share_customers") * pl.col("cohort_size"), pl.col("customers").cast(pl.Float64)),
    )
