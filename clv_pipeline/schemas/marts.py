"""Contracts of the marts: orders, customer-months, the company's months, customers.

Belongs here: what one row of a mart must satisfy. Does not belong here: sums between the marts.
"""

import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Quantity, Table, require_key, require_rows
from clv_pipeline.validation import pa


def _month_of(timestamp: str) -> pl.Expr:
    return pl.col(timestamp).dt.strftime("%Y-%m")


class Orders(Table):
    """One row per order of a month; an order without a customer has a null customer_id."""

    period: str = pa.Field(str_matches=MONTH)
    order_id: str
    customer_id: str = pa.Field(nullable=True)
    order_ts: pl.Datetime
    spend: Money
    profit: Money
    quantity: Quantity
    products: int = pa.Field(ge=0)
    lines: int = pa.Field(ge=1)

    has_key = require_key("period", "order_id", "customer_id")
    in_its_month = require_rows("order_ts lies outside the period", _month_of("order_ts") == pl.col("period"))
    products_have_lines = require_rows("more products than lines", pl.col("products") <= pl.col("lines"))


class CustomerPeriods(Table):
    """One row per customer and month; orders = 0 means returns that belong to no order."""

    period: str = pa.Field(str_matches=MONTH)
    customer_id: str
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    quantity: Quantity
    order_days: int = pa.Field(ge=0)
    first_order: pl.Datetime = pa.Field(nullable=True)
    last_order: pl.Datetime = pa.Field(nullable=True)
    first_day_spend: Money = pa.Field(nullable=True)
    returned: Money

    has_key = require_key("period", "customer_id")
    days_have_orders = require_rows("more order days than orders", pl.col("order_days") <= pl.col("orders"))
    orders_have_days = require_rows(
        "orders without an order day, or the reverse", (pl.col("orders") > 0) == (pl.col("order_days") > 0)
    )
    orders_are_dated = require_rows(
        "first_order, last_order and first_day_spend must be there exactly when there are orders",
        ((pl.col("orders") > 0) == pl.col("first_order").is_not_null())
        & ((pl.col("orders") > 0) == pl.col("last_order").is_not_null())
        & ((pl.col("orders") > 0) == pl.col("first_day_spend").is_not_null()),
    )
    in_its_month = require_rows(
        "an order lies outside the period",
        (_month_of("first_order") == pl.col("period")) & (_month_of("last_order") == pl.col("period")),
    )
    in_order = require_rows("first_order is after last_order", pl.col("first_order") <= pl.col("last_order"))
    returns_are_spend = require_rows(
        "without an order, spend must be what was returned",
        (pl.col("orders") > 0) | (pl.col("spend") == pl.col("returned")),
    )
    one_day_is_the_first = require_rows(
        "with one order day, spend must be first_day_spend plus returned",
        (pl.col("order_days") != 1) | (pl.col("spend") == pl.col("first_day_spend") + pl.col("returned")),
    )


class Periods(Table):
    """One row per month of the company; customers are those with an order, returned is what belongs to no order."""

    period: str = pa.Field(str_matches=MONTH, unique=True)
    lines: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    customers: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    quantity: Quantity
    lines_without_customer: int = pa.Field(ge=0)
    spend_without_customer: Money
    returned: Money

    orders_have_lines = require_rows("more orders than lines", pl.col("orders") <= pl.col("lines"))
    customers_have_orders = require_rows("more customers than orders", pl.col("customers") <= pl.col("orders"))
    without_customer_is_a_part = require_rows(
        "more lines without a customer than lines", pl.col("lines_without_customer") <= pl.col("lines")
    )


class Customers(Table):
    """One row per customer with an order up to the as-of month; cohort_start is null for 'before <data start>'."""

    customer_id: str = pa.Field(unique=True)
    acquisition_ts: pl.Datetime
    acquired_before_data: bool
    cohort: str = pa.Field(str_matches=COHORT)
    cohort_start: str = pa.Field(str_matches=MONTH, nullable=True)
    first_order: pl.Datetime
    last_order: pl.Datetime

    acquired_first = require_rows("acquired after the first order", pl.col("acquisition_ts") <= pl.col("first_order"))
    in_order = require_rows("first_order is after last_order", pl.col("first_order") <= pl.col("last_order"))
    cohort_is_known = require_rows(
        "a cohort has a start exactly when it was acquired in the data",
        (pl.col("acquired_before_data") == pl.col("cohort_start").is_null())
        & (pl.col("acquired_before_data") == pl.col("cohort").str.starts_with("before ")),
    )
    cohort_starts_first = require_rows(
        "acquired before the cohort starts", pl.col("cohort_start") <= _month_of("acquisition_ts")
    )
