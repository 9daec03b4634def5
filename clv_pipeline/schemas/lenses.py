"""Contracts of the lens tables: keys, ranges, and the identities that hold on one row.

Belongs here: what one row of a lens must satisfy. Does not belong here: totals over rows (the bridge, the deciles).
A ratio is null where its denominator is zero, so a product of ratios is compared only where all of them exist.
"""

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import COHORT, MONTH, Money, Table, require_key, require_rows

CALENDAR_PERIOD = r"^\d{4}(-(0[1-9]|1[0-2])|Q[1-4])?$"
GROUPS = ("first_only", "both", "new", "returning")
BRIDGE_ITEMS = ("window_1", "did_not_return", "change_in_both", "new", "returning", "window_2")


def _equal(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Equal but for the rounding of floats; null where either is null."""
    return (left - right).abs() <= 1e-6 + 1e-9 * right.abs()


def _money(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64)


def _product_is_spend(suffix: str, customers: pl.Expr) -> pl.Expr:
    return _equal(customers * pl.col(f"aof{suffix}") * pl.col(f"aov{suffix}"), _money(f"spend{suffix}"))


def _margin_is_profit(suffix: str = "") -> pl.Expr:
    return _equal(_money(f"spend{suffix}") * pl.col(f"margin{suffix}"), _money(f"profit{suffix}"))


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
    product_is_spend = require_rows("customers x aof x aov is not spend", _product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", _margin_is_profit())


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
    product_is_spend = require_rows("customers x aof x aov is not spend", _product_is_spend("", pl.col("customers")))
    margin_is_profit = require_rows("spend x margin is not profit", _margin_is_profit())


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
        "customers x aof x aov is not spend in window 1", _product_is_spend("_1", pl.col("customers"))
    )
    product_is_spend_2 = require_rows(
        "customers x aof x aov is not spend in window 2", _product_is_spend("_2", pl.col("customers"))
    )
    margin_is_profit_1 = require_rows("spend x margin is not profit in window 1", _margin_is_profit("_1"))
    margin_is_profit_2 = require_rows("spend x margin is not profit in window 2", _margin_is_profit("_2"))


class Lens2Bridge(Table):
    """One row per as_of and step: steps 1 and 6 are the profit of the windows, 2 to 5 the signed changes between."""

    as_of: str = pa.Field(str_matches=MONTH)
    step: int = pa.Field(in_range=(1, 6))
    item: str = pa.Field(isin=BRIDGE_ITEMS)
    profit: Money

    has_key = require_key("as_of", "step")


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
        _product_is_spend("", pl.col("cohort_size") * pl.col("pct_active")),
    )
    margin_is_profit = require_rows("spend x margin is not profit", _margin_is_profit())


class Lens5CohortCalendar(Table):
    """One row per as_of, cohort and calendar period (C3), with the cohort's shares of the period."""

    as_of: str = pa.Field(str_matches=MONTH)
    cohort: str = pa.Field(str_matches=COHORT)
    calendar_period: str = pa.Field(str_matches=CALENDAR_PERIOD)
    complete: bool
    active: int = pa.Field(ge=0)
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    share_active: float = pa.Field(ge=0, le=1, nullable=True)
    share_profit: float = pa.Field(nullable=True)

    has_key = require_key("as_of", "cohort", "calendar_period")
    active_have_orders = require_rows("fewer orders than active customers", pl.col("active") <= pl.col("orders"))
    active_have_a_share = require_rows(
        "a cohort with active customers has no share of them, or the reverse",
        (pl.col("active") > 0) == (pl.col("share_active").fill_null(0) > 0),
    )
