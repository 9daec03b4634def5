"""Customers by how often they ordered in a window: is the frequent buyer also the bigger spender?

Belongs here: the classes 1 to 9 and 10+ orders, and spend per order in each. Does not belong here: recency (`rfm.py`).
"""

import polars as pl

MOST_ORDERS = 10
MONEY = pl.Decimal(18, 2)


def compare_by_orders(customers: pl.DataFrame) -> pl.DataFrame:
    """One row per number of orders of the customers (see `clv.lenses`), always ten: 1 to 9, and 10 or more.

    number_of_orders ('10+' the last), orders_from, customers, share_customers, orders, spend, profit, aov (spend /
    orders, of the totals), mean_spend_per_order (the mean over customers of each one's own).
    """
    exact = customers.group_by("orders").agg(pl.len().alias("customers"), pl.col("spend", "profit").sum())
    # In the order of orders, so that the sum of floats is always the same.
    by_class = (
        exact.sort("orders")
        .with_columns(
            orders_from=pl.col("orders").clip(upper_bound=MOST_ORDERS),
            averages=pl.col("spend").cast(pl.Float64) / pl.col("orders"),
        )
        .group_by("orders_from", maintain_order=True)
        .agg(
            pl.col("customers").sum().cast(pl.Int64),
            (pl.col("orders") * pl.col("customers")).sum().alias("orders"),
            pl.col("spend", "profit").sum(),
            pl.col("averages").sum(),
        )
    )
    filled = list_order_classes().join(by_class, on="orders_from", how="left", maintain_order="left")
    return filled.with_columns(pl.col("customers", "orders", "spend", "profit").fill_null(0)).select(
        "number_of_orders",
        "orders_from",
        "customers",
        share_of_all("customers"),
        pl.col("orders").cast(pl.Int64),
        pl.col("spend", "profit").cast(MONEY),
        aov=pl.when(pl.col("orders") > 0).then(pl.col("spend").cast(pl.Float64) / pl.col("orders")),
        mean_spend_per_order=pl.when(pl.col("customers") > 0).then(pl.col("averages") / pl.col("customers")),
    )


def list_order_classes() -> pl.DataFrame:
    """orders_from 1 to 10 and number_of_orders, its name: '1' to '9' and '10+'."""
    numbers = range(1, MOST_ORDERS + 1)
    names = [str(number) if number < MOST_ORDERS else f"{number}+" for number in numbers]
    return pl.DataFrame({"orders_from": numbers, "number_of_orders": names}, schema_overrides={"orders_from": pl.Int64})


def share_of_all(column: str) -> pl.Expr:
    """`share_<column>`: the part of its sum; null where that is zero."""
    total = pl.col(column).cast(pl.Float64).sum()
    return pl.when(total != 0).then(pl.col(column).cast(pl.Float64) / total).alias(f"share_{column}")
