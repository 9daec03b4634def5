"""Value to date of the customers of a cohort: its distribution, and bands of frequency and profit per order.

Belongs here: percentiles, histogram bins and bands over customers. Does not belong here: value deciles (SQL), or the
customers of one window (lens 1).
"""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

MEASURES = {
    "profit": pl.col("profit"),
    "spend": pl.col("spend"),
    "orders": pl.col("orders"),
    "spend_per_order": pl.col("spend").cast(pl.Float64) / pl.col("orders"),
    "margin": pl.when(pl.col("spend") != 0).then(pl.col("profit").cast(pl.Float64) / pl.col("spend").cast(pl.Float64)),
}
HISTOGRAMS = ("profit", "spend", "orders")
BINS = 20
PERCENTS = range(5, 100, 5)


def describe_values(values: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """One row per `keys`, measure and statistic of rows of orders, spend and profit, one a customer: its `value`.

    Statistics: customers, mean, min, p05 to p95 by 5, median, max, share_below_mean (0 to 1). Percentiles interpolate
    as PERCENTILE.INC does. A measure that a customer does not have (margin at zero spend) leaves the customer out.
    """
    measured = values.select(*keys, *(measure.cast(pl.Float64).alias(name) for name, measure in MEASURES.items()))
    rows = [
        (*group, name, statistic, value)
        for group, of_group in measured.partition_by(keys, as_dict=True, include_key=False).items()
        for name in MEASURES
        for statistic, value in _describe(of_group[name].drop_nulls().to_numpy()).items()
    ]
    names = {key: values.schema[key] for key in keys}
    return pl.DataFrame(
        rows, schema=names | {"measure": pl.String, "statistic": pl.String, "value": pl.Float64}, orient="row"
    )


def _describe(x: NDArray[np.float64]) -> dict[str, float]:
    if not len(x):
        return {}
    # Sorted first, so that the mean adds up in an order that does not depend on how the rows came.
    x = np.sort(x)
    mean = float(x.sum()) / len(x)
    shares = [0.0, *(percent / 100 for percent in PERCENTS), 0.5, 1.0]
    names = ["min", *(f"p{percent:02d}" for percent in PERCENTS), "median", "max"]
    position = (len(x) - 1) * np.array(shares)
    below = np.floor(position).astype(np.int64)
    low, high = x[below], x[np.minimum(below + 1, len(x) - 1)]
    percentiles = low + (high - low) * (position - below)
    return {
        "customers": float(len(x)),
        "mean": mean,
        **dict(zip(names, percentiles.tolist(), strict=True)),
        "share_below_mean": float(np.searchsorted(x, mean)) / len(x),
    }


def count_bins(values: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """One row per `keys`, measure and bin (lower, upper], empty ones too: customers and share_customers.

    Bin 0 is below zero (lower null), bins 1 to 20 have the same round width in every group so that groups can be
    laid over each other (bin 1 holds zero), and bin 21 is what is above (upper null).
    """
    return pl.concat([_count(values, keys, measure) for measure in HISTOGRAMS])


def _count(values: pl.DataFrame, keys: Sequence[str], measure: str) -> pl.DataFrame:
    known = values.select(*keys, MEASURES[measure].cast(pl.Float64).alias("x"))
    width = choose_width(known["x"], whole=measure == "orders")
    steps = (pl.col("x") / width).ceil().clip(1, BINS + 1).cast(pl.Int64)
    counted = known.group_by(*keys, pl.when(pl.col("x") < 0).then(0).otherwise(steps).alias("bin")).len("customers")
    bins = pl.DataFrame({"bin": range(BINS + 2)}, schema={"bin": pl.Int64}).with_columns(
        lower=pl.when(pl.col("bin") > 0).then((pl.col("bin") - 1) * width),
        upper=pl.when(pl.col("bin") <= BINS).then(pl.col("bin") * width),
    )
    return (
        known.select(keys)
        .unique()
        .join(bins, how="cross")
        .join(counted, on=[*keys, "bin"], how="left")
        .with_columns(pl.col("customers").cast(pl.Int64).fill_null(0))
        .with_columns(share_customers=pl.col("customers") / pl.col("customers").sum().over(keys))
        .select(*keys, pl.lit(measure).alias("measure"), "bin", "lower", "upper", "customers", "share_customers")
        .sort([*keys, "bin"])
    )


def choose_width(x: pl.Series, *, whole: bool = False) -> float:
    """The least of 1, 2 and 5 times a power of ten with which 20 bins reach the 95th percentile of what is above 0."""
    reach = x.filter(x > 0).quantile(0.95, "linear") or float(BINS)
    width = reach / BINS
    power = 10.0 ** math.floor(math.log10(width))
    # The tolerance keeps 20 of 5 at 100: a quotient may come out a last digit too large.
    nice = next((step * power for step in (1, 2, 5) if step * power >= width * (1 - 1e-12)), 10 * power)
    return max(nice, 1.0) if whole else nice


def band_customers(
    values: pl.DataFrame, keys: Sequence[str], *, profit_edges: Sequence[float], order_starts: Sequence[int]
) -> pl.DataFrame:
    """One row per `keys` and band of orders and of profit per order: customers, orders, spend, profit, share_customers.

    A band of orders goes from `frequency`, one of `order_starts`, to `orders_to` (null: and more). profit_band is 0
    below zero, then 1, 2, ... between the `profit_edges` (lower, upper]; band 1 holds zero, and the last is open.
    """
    per_order = pl.col("profit").cast(pl.Float64) / pl.col("orders")
    above = pl.sum_horizontal([pl.lit(1), *((per_order > edge).cast(pl.Int64) for edge in profit_edges)])
    lower, upper = [None, 0.0, *profit_edges], [0.0, *profit_edges, None]
    bands = pl.DataFrame(
        {"profit_band": range(len(lower)), "lower": lower, "upper": upper},
        schema={"profit_band": pl.Int64, "lower": pl.Float64, "upper": pl.Float64},
    )
    of_orders = pl.DataFrame(
        {"frequency": order_starts, "orders_to": [*(start - 1 for start in order_starts[1:]), None]},
        schema={"frequency": pl.Int64, "orders_to": pl.Int64},
    )
    cohort = [key for key in keys if key != "last_active_index"]
    return (
        values.with_columns(
            # Orders are counted from 1, and so are the bands.
            frequency=pl.max_horizontal(
                pl.when(pl.col("orders") >= start).then(pl.lit(start, pl.Int64)) for start in order_starts
            ),
            profit_band=pl.when(per_order < 0).then(0).otherwise(above).cast(pl.Int64),
        )
        .group_by(*keys, "frequency", "profit_band")
        .agg(pl.len().cast(pl.Int64).alias("customers"), pl.col("orders", "spend", "profit").sum())
        .with_columns(share_customers=pl.col("customers") / pl.col("customers").sum().over(cohort))
        .join(bands, on="profit_band")
        .join(of_orders, on="frequency")
        .sort([*keys, "frequency", "profit_band"])
    )


def choose_edges(values: pl.DataFrame) -> list[float]:
    """Edges of profit per order: its 20th, 40th, 60th and 80th percentiles above zero, to two digits, each once."""
    per_order = values.select(pl.col("profit").cast(pl.Float64) / pl.col("orders")).to_series()
    above = per_order.filter(per_order > 0)
    found = [above.quantile(share, "linear") for share in (0.2, 0.4, 0.6, 0.8)] if len(above) else []
    return sorted({float(f"{edge:.2g}") for edge in found if edge is not None})
