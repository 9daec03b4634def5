"""Customers by how often they ordered in a window: is the frequent buyer also the bigger spender?

Belongs here: the classes 1 to 9 and 10+ orders, and spend per order in each. Does not belong here: recency (`rfm.py`).
"""

import numpy as np
import polars as pl

from clv_pipeline.clv.lenses.measures import Vector, list_values, measure_customers, take_percentile

MOST_ORDERS = 10
MONEY = pl.Decimal(18, 2)
_SPREAD = {f"{name}_spend_per_order": pl.Float64 for name in ("mean", "sd", "min", "p05", "median", "p95", "max")}


def compare_by_orders(customers: pl.DataFrame) -> pl.DataFrame:
    """One row per number of orders of the customers (see `clv.lenses`), always ten: 1 to 9, and 10 or more.

    number_of_orders ('10+' the last), orders_from, customers, share_customers, orders, spend, profit, aov (spend /
    orders, of the totals); and of each customer's own spend per order, over customers: mean_spend_per_order, and as
    sd_ (of a sample), min_, p05_, median_, p95_ (as PERCENTILE.INC) and max_ the others.
    """
    placed = customers.with_columns(orders_from=pl.col("orders").clip(upper_bound=MOST_ORDERS).cast(pl.Int64))
    by_class = placed.group_by("orders_from").agg(
        pl.len().cast(pl.Int64).alias("customers"), pl.col("orders", "spend", "profit").sum()
    )
    filled = list_order_classes().join(by_class, on="orders_from", how="left", maintain_order="left")
    own = measure_customers(customers).select("spend_per_order", orders_from=placed["orders_from"])
    spread = [
        _describe(list_values(own.filter(orders_from=start), "spend_per_order")) for start in filled["orders_from"]
    ]
    return pl.concat([_sum(filled), pl.DataFrame(spread, schema=_SPREAD)], how="horizontal")


def list_order_classes() -> pl.DataFrame:
    """orders_from 1 to 10 and number_of_orders, its name: '1' to '9' and '10+'."""
    numbers = range(1, MOST_ORDERS + 1)
    names = [str(number) if number < MOST_ORDERS else f"{number}+" for number in numbers]
    return pl.DataFrame({"orders_from": numbers, "number_of_orders": names}, schema_overrides={"orders_from": pl.Int64})


def share_of_all(column: str) -> pl.Expr:
    """`share_<column>`: the part of its sum; null where that is zero."""
    total = pl.col(column).cast(pl.Float64).sum()
    return pl.when(total != 0).then(pl.col(column).cast(pl.Float64) / total).alias(f"share_{column}")


def _sum(filled: pl.DataFrame) -> pl.DataFrame:
    return filled.with_columns(pl.col("customers", "orders", "spend", "profit").fill_null(0)).select(
        "number_of_orders",
        "orders_from",
        "customers",
        share_of_all("customers"),
        pl.col("orders").cast(pl.Int64),
        pl.col("spend", "profit").cast(MONEY),
        aov=pl.when(pl.col("orders") > 0).then(pl.col("spend").cast(pl.Float64) / pl.col("orders")),
    )


def _describe(values: Vector) -> dict[str, float | None]:
    """The figures of `_SPREAD` of values that ascend; no standard deviation of a single one."""
    if not len(values):
        return dict.fromkeys(_SPREAD)
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
    lower, middle, upper = (take_percentile(values, percent) for percent in (5, 50, 95))
    ends = float(values[0]), float(values[-1])
    figures = (float(values.sum()) / len(values), deviation, ends[0], lower, middle, upper, ends[1])
    return dict(zip(_SPREAD, figures, strict=True))
