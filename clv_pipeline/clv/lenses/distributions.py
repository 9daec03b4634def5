"""How a measure is distributed over customers: the figures of lens 1 that describe it.

Belongs here: mean, percentiles, counts of remarkable customers. Does not belong here: bins (`histograms.py`).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from clv_pipeline.clv.lenses.measures import MEASURES, Vector, list_values, measure_customers, take_percentile

PERCENTILES = tuple(range(5, 100, 5))
# So that a value which is the mean but for the last bit of the division does not count as below it.
_ROUNDING = 1e-12

type _Row = tuple[str, str, float | None]


def describe_distributions(customers: pl.DataFrame) -> pl.DataFrame:
    """measure, statistic, value (null where undefined) of each measure over customers (see `clv.lenses`).

    Of every measure: customers (with a value), min, max, mean, median, share_below_mean, p05 to p95 (as PERCENTILE.INC:
    linear between the two nearest ranks). Means of ratios are means over customers, not ratios of totals. Besides: who
    bought once, lost money (profit below zero) or spent nothing, as count and share; and Pearson's correlation of
    orders with spend per order.
    """
    # One order of the rows, so that sums of floats are the same whatever order they come in.
    measured = measure_customers(customers.sort("orders", "spend", "profit"))
    rows: list[_Row] = []
    for measure in MEASURES:
        rows += [(measure, name, value) for name, value in _describe(list_values(measured, measure)).items()]
        rows += _describe_special(measured, measure)
    return pl.DataFrame(rows, schema={"measure": pl.String, "statistic": pl.String, "value": pl.Float64}, orient="row")


def _describe(values: Vector) -> Mapping[str, float | None]:
    names = ["min", "max", "mean", "median", "share_below_mean", *(f"p{percent:02d}" for percent in PERCENTILES)]
    if not len(values):
        return {"customers": 0.0} | dict.fromkeys(names)
    # A mean beyond the extremes is one of rounding: all values are equal.
    mean = float(np.clip(values.sum() / len(values), values[0], values[-1]))
    below = int(np.searchsorted(values, mean - abs(mean) * _ROUNDING, side="left"))
    median, *others = (take_percentile(values, percent) for percent in (50, *PERCENTILES))
    figures = [float(values[0]), float(values[-1]), mean, median, below / len(values), *others]
    return dict(zip(["customers", *names], [float(len(values)), *figures], strict=True))


def _describe_special(measured: pl.DataFrame, measure: str) -> list[_Row]:
    match measure:
        case "orders":
            return _count(measured, measure, "bought_once", pl.col("orders") == 1)
        case "profit":
            return _count(measured, measure, "lost_money", pl.col("profit") < 0)
        case "spend":
            return _count(measured, measure, "zero_spend", pl.col("spend") == 0)
        case "spend_per_order":
            return [(measure, "correlation_with_orders", _correlate(measured))]
        case _:
            return []


def _count(measured: pl.DataFrame, measure: str, name: str, special: pl.Expr) -> list[_Row]:
    count = measured.select(special.sum()).item()
    share = count / measured.height if measured.height else None
    return [(measure, name, float(count)), (measure, f"share_{name}", share)]


def _correlate(measured: pl.DataFrame) -> float | None:
    """Pearson's correlation of orders and spend per order; None where one of them does not vary."""
    if measured["orders"].n_unique() < 2 or measured["spend_per_order"].n_unique() < 2:
        return None
    return float(np.corrcoef(measured["orders"].to_numpy(), measured["spend_per_order"].to_numpy())[0, 1])
