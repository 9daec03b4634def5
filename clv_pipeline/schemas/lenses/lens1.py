"""Contracts of lens 1: how different are our customers.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import equal, margin_is_profit, product_is_spend, to_float
from clv_pipeline.validation import pa

MEASURES = ("spend", "profit", "orders", "spend_per_order", "margin")
ORDER_CLASS = r"^([1-9]|10\+)$"


def _statistic_of_measure(name: str) -> pl.Expr:
    return pl.col("value").filter(pl.col("statistic") == name).first().over("as_of", "measure")


class Lens1Headline(Table):
    """One row per as_of: the active customers of the window and their averages."""

    as_of: str = pa.Field(str_matches=MONTH, unique=True)
    window_start: str = pa.Field(str_matches=MONTH)
    window_end: str = pa.Field(str_matches=MONTH)
    window_complete: bool
    customers: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    spend_per_customer: float = pa.Field(nullable=True)
    profit_per_customer: float = pa.Field(nullable=True)
    returned_by_inactive: Money

    window_ends_at_as_of = require_rows(
        "the window does not end at as_of",
        (pl.col("window_end") == pl.col("as_of")) & (pl.col("window_start") <= pl.col("window_end")),
    )
    active_have_orders = require_rows("fewer orders than active customers", pl.col("customers") <= pl.col("orders"))
    product_is_spend = require_rows("customers x aof x aov is not spend", product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens1Statistics(Table):
    """One row per as_of, measure and statistic over the active customers; null where undefined."""

    as_of: str = pa.Field(str_matches=MONTH)
    measure: str = pa.Field(isin=MEASURES)
    statistic: str = pa.Field(description="what is said of the measure over customers; p05 to p95: percentiles")
    value: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "measure", "statistic")
    shares_are_shares = require_rows(
        "a share lies outside 0 to 1",
        ~pl.col("statistic").str.starts_with("share_") | pl.col("value").is_between(0, 1),
    )
    correlation_is_one = require_rows(
        "a correlation lies outside -1 to 1",
        ~pl.col("statistic").str.starts_with("correlation_") | pl.col("value").is_between(-1 - 1e-9, 1 + 1e-9),
    )
    between_extremes = require_rows(
        "a mean or percentile lies outside min to max",
        ~pl.col("statistic").str.contains(r"^(mean|median|p\d\d)$")
        | pl.col("value").is_between(_statistic_of_measure("min"), _statistic_of_measure("max")),
    )


class Lens1Histograms(Table):
    """One row per as_of, measure and bin: customers with lower < value <= upper; bin 0 is below zero, the last open."""

    as_of: str = pa.Field(str_matches=MONTH)
    measure: str = pa.Field(isin=MEASURES)
    bin: int = pa.Field(ge=0, description="position of the bin; 0 is below zero")
    lower: float = pa.Field(nullable=True, description="values above it, zero included; null: no lower end")
    upper: float = pa.Field(nullable=True, description="values up to it; null: no upper end")
    customers: int = pa.Field(ge=0)
    share: float = pa.Field(ge=0, le=1, nullable=True)

    has_key = require_key("as_of", "measure", "bin")
    in_order = require_rows("a bin ends before it starts", pl.col("lower") < pl.col("upper"))
    adjacent = require_rows(
        "a bin does not start where the one before ends",
        pl.col("lower") == pl.col("upper").shift(1).over("as_of", "measure", order_by="bin"),
    )


class Lens1SpendByOrders(Table):
    """One row per as_of and number of orders (1 to 9, 10+); aov is of the totals, the others over customers."""

    as_of: str = pa.Field(str_matches=MONTH)
    number_of_orders: str = pa.Field(str_matches=ORDER_CLASS)
    orders_from: int = pa.Field(in_range=(1, 10))
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    aov: float = pa.Field(nullable=True)
    mean_spend_per_order: float = pa.Field(nullable=True)
    sd_spend_per_order: float = pa.Field(ge=0, nullable=True)
    min_spend_per_order: float = pa.Field(nullable=True)
    p05_spend_per_order: float = pa.Field(nullable=True)
    median_spend_per_order: float = pa.Field(nullable=True)
    p95_spend_per_order: float = pa.Field(nullable=True)
    max_spend_per_order: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "number_of_orders")
    orders_are_of_class = require_rows(
        "orders do not fit the number of orders",
        pl.when(pl.col("orders_from") < 10)
        .then(pl.col("orders") == pl.col("customers") * pl.col("orders_from"))
        .otherwise(pl.col("orders") >= pl.col("customers") * pl.col("orders_from")),
    )
    product_is_spend = require_rows(
        "orders x aov is not spend", equal(pl.col("orders") * pl.col("aov"), to_float("spend"))
    )


class _Deciles(Table):
    """The columns of both kinds of deciles."""

    as_of: str = pa.Field(str_matches=MONTH)
    decile: int = pa.Field(in_range=(1, 10))
    customers: int = pa.Field(ge=1)
    orders: int = pa.Field(ge=1)
    spend: Money
    profit: Money
    share_customers: float = pa.Field(gt=0, le=1)
    share_orders: float = pa.Field(gt=0, le=1)
    share_spend: float = pa.Field(nullable=True)
    share_profit: float = pa.Field(nullable=True)
    spend_per_customer: float
    profit_per_customer: float
    aof: float = pa.Field(ge=1)
    aov: float
    margin: float = pa.Field(nullable=True)
    highest_profit: Money
    lowest_profit: Money
    threshold: Money = pa.Field(
        nullable=True, description="highest profit below the decile: the threshold to the next; null in the last"
    )

    has_key = require_key("as_of", "decile")
    product_is_spend = require_rows("customers x aof x aov is not spend", product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())
    in_order = require_rows(
        "a customer earned more than one of a better decile",
        pl.col("highest_profit") <= pl.col("lowest_profit").shift(1).over("as_of", order_by="decile"),
    )


class Lens1CustomerDeciles(_Deciles):
    """One row per as_of and customer decile by profit, 1 the best; an empty decile has no row."""

    decile: int = pa.Field(in_range=(1, 10), description="tenth of the customers by profit, 1 the best")


class Lens1ValueDeciles(_Deciles):
    """One row per as_of and tenth of the cumulated profit, the best customers first; an empty tenth has no row."""

    decile: int = pa.Field(in_range=(1, 10), description="tenth of the profit, 1 from the best customers")

    above_threshold = require_rows(
        "a customer earned no more than the threshold to the next decile",
        pl.col("lowest_profit") > pl.col("threshold"),
    )


class Lens1Concentration(Table):
    """One row per as_of, measure and cut of the customers ranked by it; null where no half of a total can be made."""

    as_of: str = pa.Field(str_matches=MONTH)
    measure: str = pa.Field(isin=("profit", "spend"))
    cut: str = pa.Field(isin=("top 1%", "top 5%", "top 10%", "top 20%", "top 50%", "half of the total"))
    customers: int = pa.Field(ge=1, nullable=True)
    share_customers: float = pa.Field(gt=0, le=1, nullable=True)
    value: Money = pa.Field(nullable=True, description="what they bring together")
    share_value: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "measure", "cut")
    half_is_half = require_rows(
        "half of the total is less than half",
        (pl.col("cut") != "half of the total") | (pl.col("share_value") >= 0.5),
    )
