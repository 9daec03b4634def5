"""Contracts of lens 1: how different are our customers.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import margin_is_profit, product_is_spend


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


class Lens1CustomerDeciles(Table):
    """One row per as_of and customer decile by profit, 1 the best; an empty decile has no row."""

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
    profit_per_customer: float
    aof: float = pa.Field(ge=1)
    aov: float
    margin: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "decile")
    product_is_spend = require_rows("customers x aof x aov is not spend", product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())
