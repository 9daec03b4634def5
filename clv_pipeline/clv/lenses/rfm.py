"""Recency, frequency and monetary value within one window, as distributions over the customers.

Belongs here: the cells of R x F and the bands of M. Does not belong here: scores 1 to 5 (`sql/3_rfm/`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.lenses.histograms import bound_bins, choose_edges, place
from clv_pipeline.clv.lenses.measures import list_values, measure_customers
from clv_pipeline.clv.lenses.orders import MONEY, list_order_classes, share_of_all

_SUMS = ("customers", "orders", "spend", "profit")


def cross_recency_frequency(sums: pl.DataFrame, window_start: str, window_end: str) -> pl.DataFrame:
    """R x F: one row per part of the window (a quarter of it, at least a month) and number of orders, zeros included.

    `sums` has one row per last_active (month, YYYY-MM) and orders_from (1 to 10): customers, orders, spend, profit.
    Gives last_active_from and last_active_to (months), number_of_orders, orders_from, customers, share_customers,
    orders, spend, profit.
    """
    first, last = _number_month(window_start), _number_month(window_end)
    length = max((last - first + 1) // 4, 1)
    starts = range(first, last + 1, length)
    parts = pl.DataFrame(
        {
            "part": range(len(starts)),
            "last_active_from": [_name_month(start) for start in starts],
            "last_active_to": [_name_month(start + length - 1) for start in starts],
        },
        schema_overrides={"part": pl.Int64},
    )
    month = pl.col("last_active").str.slice(0, 4).cast(pl.Int64) * 12 + pl.col("last_active").str.slice(5).cast(
        pl.Int64
    )
    by_cell = sums.group_by(((month - 1 - first) // length).alias("part"), "orders_from").agg(pl.col(_SUMS).sum())
    cells = parts.join(list_order_classes(), how="cross")
    return (
        cells.join(by_cell, on=["part", "orders_from"], how="left", maintain_order="left")
        .with_columns(pl.col(_SUMS).fill_null(0))
        .select(
            "last_active_from",
            "last_active_to",
            "number_of_orders",
            "orders_from",
            "customers",
            share_of_all("customers"),
            "orders",
            pl.col("spend", "profit").cast(MONEY),
        )
    )


def band_profit_per_order(customers: pl.DataFrame, upper_edges: Sequence[float] = ()) -> pl.DataFrame:
    """M: one row per band (lower, upper] of profit per order, numbered like the bins of `count_histograms`.

    `upper_edges` are those above zero; without any they are chosen. Gives

    band, lower, upper, customers (see `clv.lenses`), share_customers, orders, spend, profit; empty without customers.
    """
    measured = measure_customers(customers)
    edges = [0.0, *upper_edges] if upper_edges else choose_edges(list_values(measured, "profit_per_order"))
    lower, upper = bound_bins(edges)
    bands = pl.DataFrame(
        {"band": range(len(lower)), "lower": lower, "upper": upper},
        schema={"band": pl.Int64, "lower": pl.Float64, "upper": pl.Float64},
    ).head(len(lower) if customers.height else 0)
    placed = customers.with_columns(
        band=pl.Series(place(measured["profit_per_order"].to_numpy(), edges), dtype=pl.Int64)
    )
    sums = placed.group_by("band").agg(
        pl.len().cast(pl.Int64).alias("customers"), pl.col("orders", "spend", "profit").sum()
    )
    return (
        bands.join(sums, on="band", how="left", maintain_order="left")
        .with_columns(pl.col(_SUMS).fill_null(0))
        .select(
            "band",
            "lower",
            "upper",
            "customers",
            share_of_all("customers"),
            "orders",
            pl.col("spend", "profit").cast(MONEY),
        )
    )


def _number_month(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _name_month(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
