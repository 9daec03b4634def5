"""Contracts of lens 2's moves: deciles on common cut-offs, who moved between them, and what went up.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.validation import pa

DIRECTIONS = ("up", "same", "down")
_DIRECTION = "where {} went from window 1 to window 2"


class Lens2CommonDeciles(Table):
    """One row per as_of, window and decile: customers with lower < profit <= upper, null where open."""

    as_of: str = pa.Field(str_matches=MONTH)
    window_number: int = pa.Field(isin=(1, 2))
    decile: int = pa.Field(in_range=(1, 10))
    lower: Money = pa.Field(nullable=True, description="profit above it; null: no lower end")
    upper: Money = pa.Field(nullable=True, description="profit up to it; null: no upper end")
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    profit: Money
    share_profit: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "window_number", "decile")
    in_order = require_rows("a decile ends before it starts", pl.col("lower") <= pl.col("upper"))
    within_ends = require_rows(
        "profit per customer lies outside the decile",
        ((pl.col("customers") == 0) | (pl.col("profit") > pl.col("lower") * pl.col("customers")))
        & (pl.col("profit") <= pl.col("upper") * pl.col("customers")),
    )


class Lens2Migration(Table):
    """One row per as_of, decile_1 and decile_2 on common cut-offs; null: not active in that window."""

    as_of: str = pa.Field(str_matches=MONTH)
    customer_group: str = pa.Field(isin=("both", "first_only", "second_only"))
    decile_1: int = pa.Field(in_range=(1, 10), nullable=True)
    decile_2: int = pa.Field(in_range=(1, 10), nullable=True)
    customers: int = pa.Field(ge=0)
    share_of_decile_1: float = pa.Field(ge=0, le=1, nullable=True)
    profit_1: Money
    profit_2: Money

    has_key = require_key("as_of", "decile_1", "decile_2")
    group_says_where_active = require_rows(
        "a decile in a window that the group was not active in, or none where it was",
        (pl.col("decile_1").is_null() == (pl.col("customer_group") == "second_only"))
        & (pl.col("decile_2").is_null() == (pl.col("customer_group") == "first_only")),
    )
    nothing_without_activity = require_rows(
        "profit in a window without an order",
        (pl.col("decile_1").is_not_null() | (pl.col("profit_1") == 0))
        & (pl.col("decile_2").is_not_null() | (pl.col("profit_2") == 0)),
    )


class Lens2UpDown(Table):
    """One row per as_of and combination of directions that occurs, of the customers active in both windows."""

    as_of: str = pa.Field(str_matches=MONTH)
    profit_direction: str = pa.Field(isin=DIRECTIONS, description=_DIRECTION.format("profit"))
    orders_direction: str = pa.Field(isin=DIRECTIONS, description=_DIRECTION.format("the number of orders"))
    spend_per_order_direction: str = pa.Field(isin=DIRECTIONS, description=_DIRECTION.format("spend per order"))
    margin_direction: str = pa.Field(
        isin=(*DIRECTIONS, "undefined"), description=_DIRECTION.format("margin") + "; undefined at zero spend"
    )
    pattern: str = pa.Field(
        str_matches=r"^[UD]{4}$",
        description="profit, orders, spend per order, margin: U as much as before or more, D less (or undefined)",
    )
    customers: int = pa.Field(ge=1)
    share_customers: float = pa.Field(gt=0, le=1)
    profit_1: Money
    profit_2: Money
    profit_change: Money

    has_key = require_key(
        "as_of", "profit_direction", "orders_direction", "spend_per_order_direction", "margin_direction"
    )
    change_is_difference = require_rows(
        "profit_change is not profit_2 - profit_1",
        pl.col("profit_change") == pl.col("profit_2") - pl.col("profit_1"),
    )
    direction_is_of_the_group = require_rows(
        "profit moved against its direction",
        pl.when(pl.col("profit_direction") == "up")
        .then(pl.col("profit_change") > 0)
        .when(pl.col("profit_direction") == "down")
        .then(pl.col("profit_change") < 0)
        .otherwise(pl.col("profit_change") == 0),
    )
