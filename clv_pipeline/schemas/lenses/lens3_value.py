"""Contracts of lens 3: value to date of the customers of a cohort.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.clv.lenses.values import BINS, HISTOGRAMS, MEASURES, PERCENTS
from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import CALENDAR_PERIOD, GRAINS, margin_is_profit, product_is_spend
from clv_pipeline.validation import pa

STATISTICS = (
    "customers",
    "mean",
    "min",
    *(f"p{percent:02d}" for percent in PERCENTS),
    "median",
    "max",
    "share_below_mean",
)
STATISTIC = "what is said of the measure over customers; p05 to p95: percentiles"


class Lens3ValueStatistics(Table):
    """One row per as_of, grain, cohort, measure to date and statistic of it over the cohort's customers."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    measure: str = pa.Field(isin=tuple(MEASURES))
    statistic: str = pa.Field(isin=STATISTICS, description=STATISTIC)
    value: float

    has_key = require_key("as_of", "grain", "cohort", "measure", "statistic")


class Lens3ValueHistogram(Table):
    """One row per as_of, grain, cohort, measure to date and bin (lower, upper]; bin 0 is below zero."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    measure: str = pa.Field(isin=HISTOGRAMS)
    bin: int = pa.Field(in_range=(0, BINS + 1), description="position of the bin; 0 is below zero")
    lower: float = pa.Field(nullable=True, description="lower end of the bin, not part of it but for zero")
    upper: float = pa.Field(nullable=True, description="upper end of the bin")
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(in_range=(0, 1), description="share of the cohort")

    has_key = require_key("as_of", "grain", "cohort", "measure", "bin")


class Lens3ValueDeciles(Table):
    """One row per as_of, grain, cohort and tenth of the cohort's profit to date, 1 the best; no row where empty."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    decile: int = pa.Field(in_range=(1, 10), description="tenth of the value, 1 the best customers")
    customers: int = pa.Field(ge=1, description="customers of the decile")
    orders: int = pa.Field(ge=1)
    spend: Money
    profit: Money
    highest_profit: Money
    lowest_profit: Money
    threshold: Money = pa.Field(
        nullable=True, description="highest profit below the decile: the threshold to the next; null in the last"
    )
    share_customers: float = pa.Field(gt=0, le=1, description="share of the cohort")
    share_orders: float = pa.Field(gt=0, le=1)
    share_spend: float = pa.Field(nullable=True)
    share_profit: float = pa.Field(nullable=True)
    spend_per_customer: float
    profit_per_customer: float
    aof: float = pa.Field(ge=1, description="orders per customer to date")
    aov: float
    margin: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "grain", "cohort", "decile")
    product_is_spend = require_rows("customers x aof x aov is not spend", product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())
    thresholds_in_order = require_rows(
        "the ends of a decile are not highest_profit >= lowest_profit > threshold",
        (pl.col("highest_profit") >= pl.col("lowest_profit"))
        & pl.when(pl.col("threshold").is_null()).then(True).otherwise(pl.col("lowest_profit") > pl.col("threshold")),
    )


class Lens3ValueDecileActivity(Table):
    """One row per as_of, grain, cohort, value decile and year since acquisition, 1 the year of acquisition."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    decile: int = pa.Field(in_range=(1, 10), description="tenth of the value, 1 the best customers")
    year: int = pa.Field(ge=1, description="year since acquisition, from 1")
    complete: bool = pa.Field(description="whether the year has ended")
    customers: int = pa.Field(ge=1, description="customers of the decile")
    active: int = pa.Field(ge=0)
    pct_active: float = pa.Field(in_range=(0, 1), description="active per customer of the decile")

    has_key = require_key("as_of", "grain", "cohort", "decile", "year")


class Lens3Rfm(Table):
    """One row per as_of, grain, cohort, last active period, number of orders and band of profit per order."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_matches=COHORT)
    last_active: str = pa.Field(str_matches=CALENDAR_PERIOD)
    frequency: int = pa.Field(ge=1, description="orders to date, from this number on")
    orders_to: int = pa.Field(ge=1, nullable=True, description="up to this number; null: and more")
    profit_band: int = pa.Field(ge=0)
    profit_per_order_over: float = pa.Field(nullable=True)
    profit_per_order_to: float = pa.Field(nullable=True)
    customers: int = pa.Field(ge=1)
    share_customers: float = pa.Field(gt=0, le=1, description="share of the cohort")
    orders: int = pa.Field(ge=1)
    spend: Money
    profit: Money

    has_key = require_key("as_of", "grain", "cohort", "last_active", "frequency", "profit_band")
