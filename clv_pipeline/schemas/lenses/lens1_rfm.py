"""Contracts of lens 1's RFM: when, how often and for how much the customers of the window ordered.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses.lens1 import ORDER_CLASS
from clv_pipeline.validation import pa


class Lens1Rfm(Table):
    """One row per as_of, part of the window with the last order, and number of orders; zeros included."""

    as_of: str = pa.Field(str_matches=MONTH)
    last_active_from: str = pa.Field(str_matches=MONTH)
    last_active_to: str = pa.Field(str_matches=MONTH)
    number_of_orders: str = pa.Field(str_matches=ORDER_CLASS)
    orders_from: int = pa.Field(in_range=(1, 10))
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money

    has_key = require_key("as_of", "last_active_from", "number_of_orders")
    in_order = require_rows("a part ends before it starts", pl.col("last_active_from") <= pl.col("last_active_to"))
    orders_are_of_class = require_rows(
        "orders do not fit the number of orders", pl.col("orders") >= pl.col("customers") * pl.col("orders_from")
    )


class Lens1RfmMonetary(Table):
    """One row per as_of and band of profit per order, lower < value <= upper; band 0 is below zero, the last open."""

    as_of: str = pa.Field(str_matches=MONTH)
    band: int = pa.Field(ge=0)
    lower: float = pa.Field(nullable=True, description="values above it, zero included; null: no lower end")
    upper: float = pa.Field(nullable=True, description="values up to it; null: no upper end")
    customers: int = pa.Field(ge=0)
    share_customers: float = pa.Field(ge=0, le=1, nullable=True)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money

    has_key = require_key("as_of", "band")
    in_order = require_rows("a band ends before it starts", pl.col("lower") < pl.col("upper"))
    active_have_orders = require_rows("fewer orders than customers", pl.col("customers") <= pl.col("orders"))
