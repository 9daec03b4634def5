"""Contracts of lens 2: what changed since the last window.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import equal, margin_is_profit, product_is_spend
from clv_pipeline.schemas.lenses.lens1 import MEASURES
from clv_pipeline.validation import pa

GROUPS = ("first_only", "both", "new", "returning")
BRIDGE_ITEMS = ("window_1", "did_not_return", "change_in_both", "new", "returning", "window_2")
FACTORS = ("customers", "aof", "aov", "margin")
CHANGED = (*FACTORS, "orders", "spend", "profit", "spend_per_customer", "profit_per_customer")


def _factor(measure: str) -> pl.Expr:
    return 1 + pl.col("relative_change").filter(pl.col("measure") == measure).first().over("as_of")


class Lens2Headline(Table):
    """One row per as_of and window: 2 ends at as_of, 1 just before it."""

    as_of: str = pa.Field(str_matches=MONTH)
    window_number: int = pa.Field(isin=(1, 2))
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

    has_key = require_key("as_of", "window_number")
    window_2_ends_at_as_of = require_rows(
        "window 2 does not end at as_of, or window 1 reaches into it",
        pl.when(pl.col("window_number") == 2)
        .then(pl.col("window_end") == pl.col("as_of"))
        .otherwise(pl.col("window_end") < pl.col("as_of")),
    )
    active_have_orders = require_rows("fewer orders than active customers", pl.col("customers") <= pl.col("orders"))
    product_is_spend = require_rows("customers x aof x aov is not spend", product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens2Changes(Table):
    """One row per as_of and measure of the headline; relative to window 1 where that is positive."""

    as_of: str = pa.Field(str_matches=MONTH)
    measure: str = pa.Field(isin=CHANGED)
    window_1: float = pa.Field(nullable=True)
    window_2: float = pa.Field(nullable=True)
    change: float = pa.Field(nullable=True)
    relative_change: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "measure")
    factors_multiply = require_rows(
        "the changes of customers, aof, aov and margin do not multiply to that of profit",
        equal(
            pl.reduce(lambda product, factor: product * factor, [_factor(name) for name in FACTORS]), _factor("profit")
        ),
    )


class Lens2Histograms(Table):
    """One row per as_of, window, measure and bin, as in lens 1; the bins of both windows are the same."""

    as_of: str = pa.Field(str_matches=MONTH)
    window_number: int = pa.Field(isin=(1, 2))
    measure: str = pa.Field(isin=MEASURES)
    bin: int = pa.Field(ge=0, description="position of the bin; 0 is below zero")
    lower: float = pa.Field(nullable=True, description="values above it, zero included; null: no lower end")
    upper: float = pa.Field(nullable=True, description="values up to it; null: no upper end")
    customers: int = pa.Field(ge=0)
    share: float = pa.Field(ge=0, le=1, nullable=True)

    has_key = require_key("as_of", "window_number", "measure", "bin")
    same_bins = require_rows(
        "a bin has other edges in the other window",
        (pl.col("lower").n_unique().over("as_of", "measure", "bin") == 1)
        & (pl.col("upper").n_unique().over("as_of", "measure", "bin") == 1),
    )


class Lens2Groups(Table):
    """One row per as_of and group of customers, by the windows (_1 before _2) they were active in."""

    as_of: str = pa.Field(str_matches=MONTH)
    customer_group: str = pa.Field(isin=GROUPS)
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    orders_1: int = pa.Field(ge=0)
    spend_1: Money
    profit_1: Money
    share_customers_1: float = pa.Field(ge=0, le=1, nullable=True)
    share_spend_1: float = pa.Field(nullable=True)
    share_profit_1: float = pa.Field(nullable=True)
    aof_1: float = pa.Field(ge=1, nullable=True)
    aov_1: float = pa.Field(nullable=True)
    margin_1: float = pa.Field(nullable=True)
    profit_per_customer_1: float = pa.Field(nullable=True)
    orders_2: int = pa.Field(ge=0)
    spend_2: Money
    profit_2: Money
    share_customers_2: float = pa.Field(ge=0, le=1, nullable=True)
    share_spend_2: float = pa.Field(nullable=True)
    share_profit_2: float = pa.Field(nullable=True)
    aof_2: float = pa.Field(ge=1, nullable=True)
    aov_2: float = pa.Field(nullable=True)
    margin_2: float = pa.Field(nullable=True)
    profit_per_customer_2: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "customer_group")
    active_where_named = require_rows(
        "a group has orders in a window it was not active in, or none where it was",
        (
            (pl.col("orders_1") > 0)
            == ((pl.col("customers") > 0) & pl.col("customer_group").is_in(["first_only", "both"]))
        )
        & ((pl.col("orders_2") > 0) == ((pl.col("customers") > 0) & (pl.col("customer_group") != "first_only"))),
    )
    nothing_without_orders = require_rows(
        "spend or profit in a window without an order",
        ((pl.col("orders_1") > 0) | ((pl.col("spend_1") == 0) & (pl.col("profit_1") == 0)))
        & ((pl.col("orders_2") > 0) | ((pl.col("spend_2") == 0) & (pl.col("profit_2") == 0))),
    )
    product_is_spend_1 = require_rows(
        "customers x aof x aov is not spend in window 1", product_is_spend("_1", pl.col("customers"))
    )
    product_is_spend_2 = require_rows(
        "customers x aof x aov is not spend in window 2", product_is_spend("_2", pl.col("customers"))
    )
    margin_is_profit_1 = require_rows("spend x margin is not profit in window 1", margin_is_profit("_1"))
    margin_is_profit_2 = require_rows("spend x margin is not profit in window 2", margin_is_profit("_2"))


class Lens2Bridge(Table):
    """One row per as_of and step: steps 1 and 6 are the profit of the windows, 2 to 5 the signed changes between."""

    as_of: str = pa.Field(str_matches=MONTH)
    step: int = pa.Field(in_range=(1, 6))
    item: str = pa.Field(isin=BRIDGE_ITEMS)
    profit: Money

    has_key = require_key("as_of", "step")
