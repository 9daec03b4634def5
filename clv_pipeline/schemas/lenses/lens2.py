"""Contracts of lens 2: what changed since the last window.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import margin_is_profit, product_is_spend

GROUPS = ("first_only", "both", "new", "returning")
BRIDGE_ITEMS = ("window_1", "did_not_return", "change_in_both", "new", "returning", "window_2")


class Lens2Groups(Table):
    """One row per as_of and group of customers, by the windows (_1 before _2) they were active in."""

    as_of: str = pa.Field(str_matches=MONTH)
    customer_group: str = pa.Field(isin=GROUPS)
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    orders_1: int = pa.Field(ge=0)
    spend_1: Money
    profit_1: Money
    aof_1: float = pa.Field(ge=1, nullable=True)
    aov_1: float = pa.Field(nullable=True)
    margin_1: float = pa.Field(nullable=True)
    profit_per_customer_1: float = pa.Field(nullable=True)
    orders_2: int = pa.Field(ge=0)
    spend_2: Money
    profit_2: Money
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
