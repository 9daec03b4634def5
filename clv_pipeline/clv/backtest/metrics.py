"""How good a forecast was.

Belongs here: numbers from what was forecast and what happened, overall and by group. Does not belong here: forecasts,
or the distribution around them (`calibration.py`).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]
type Codes = NDArray[np.int64]
type Measures = dict[str, float]

_TOP_SHARE = 0.1
DECILES = 10


def measure_all(actual: Vector, forecast: Vector) -> Measures:
    """Every metric over all customers; one that is undefined (nobody bought, all forecasts equal) is left out.

    customers, actual, forecast: totals. total_error: (forecast - actual) / actual, signed; arpe is its size. mae, rmse:
    per customer. r_squared: 1 - squared error / squared deviation from the mean actual, below 0 for worse than that
    mean. spearman: rank correlation, ties at their mean rank. gini, lift: see `compute_gini`, `compute_lift`. mape:
    mean |forecast - actual| / actual over the customers who bought, the only ones it is defined for; mape_deciles: that
    over the deciles by forecast in which somebody bought.
    """
    error = forecast - actual
    around = float(((actual - actual.mean()) ** 2).sum())
    measures = _measure(len(actual), float(actual.sum()), float(forecast.sum()), error)
    if around > 0:
        measures["r_squared"] = 1 - float((error**2).sum()) / around
        if np.ptp(forecast) > 0:
            measures["spearman"] = _correlate_ranks(forecast, actual)
            measures["gini"] = compute_gini(actual, forecast)
    if actual.sum() > 0:
        bought = actual > 0
        measures["arpe"] = abs(measures["total_error"])
        measures["mape"] = float(np.mean(np.abs(error[bought]) / actual[bought]))
        measures["lift"] = compute_lift(actual, forecast)
        deciles = measure_groups(actual, forecast, cut_deciles(forecast), DECILES)
        errors = [abs(decile["total_error"]) for decile in deciles if "total_error" in decile]
        measures["mape_deciles"] = float(np.mean(errors))
    return measures


def measure_groups(actual: Vector, forecast: Vector, codes: Codes, groups: int) -> list[Measures]:
    """customers, actual, forecast, mae, rmse and total_error of each group 0..groups-1; empty for an empty group."""
    error = forecast - actual
    sizes = np.bincount(codes, minlength=groups)
    sums = [np.bincount(codes, of, minlength=groups) for of in (actual, forecast, np.abs(error), error**2)]
    return [_name(int(size), *(float(of[group]) for of in sums)) if size else {} for group, size in enumerate(sizes)]


def _correlate_ranks(one: Vector, other: Vector) -> float:
    ranks = [pl.Series(values).rank("average").to_numpy() for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])


def compute_gini(actual: Vector, forecast: Vector) -> float:
    """How well the forecast sorts customers by what they do: 1 as well as hindsight, 0 not at all, below 0 inversely.

    The Gini of the actuals in the order of the forecast over that in their own order; customers with equal forecasts
    share their mean, so that the order of rows does not matter.
    """
    return _concentrate(actual, forecast) / _concentrate(actual, actual)


def compute_lift(actual: Vector, forecast: Vector, share: float = _TOP_SHARE) -> float:
    """What the best `share` of customers by forecast bring, over what as many customers bring on average.

    Where equal forecasts lie across the limit, as many of them as still fit count at their mean.
    """
    sizes, sums = _group_equal(actual, forecast)
    wanted = share * len(actual)
    before = len(actual) - np.cumsum(sizes)
    taken = np.clip(wanted - before, 0, sizes)
    return float((taken * sums / sizes).sum() / wanted / actual.mean())


def cut_deciles(forecast: Vector) -> Codes:
    """Decile 0 (highest forecasts) to 9 of each customer, equally large; equal forecasts by position."""
    order = np.argsort(-forecast, kind="stable")
    codes = np.empty(len(forecast), dtype=np.int64)
    codes[order] = np.arange(len(forecast)) * DECILES // len(forecast)
    return codes


def name_frequencies(largest: int = 7) -> Sequence[str]:
    """'0'..'6', '7+': frequencies as they are told apart."""
    return [*(str(n) for n in range(largest)), f"{largest}+"]


def _measure(size: int, actual: float, forecast: float, error: Vector) -> Measures:
    return _name(size, actual, forecast, float(np.abs(error).sum()), float((error**2).sum()))


def _name(size: int, actual: float, forecast: float, absolute: float, squared: float) -> Measures:
    measures = {
        "customers": float(size),
        "actual": actual,
        "forecast": forecast,
        "mae": absolute / size,
        "rmse": (squared / size) ** 0.5,
    }
    return measures | ({"total_error": forecast / actual - 1} if actual > 0 else {})


def _concentrate(actual: Vector, forecast: Vector) -> float:
    """The area between the line of equality and the curve of actuals, lowest forecast first."""
    sizes, sums = _group_equal(actual, forecast)
    people = np.concatenate([[0.0], np.cumsum(sizes) / len(actual)])
    brought = np.concatenate([[0.0], np.cumsum(sums) / actual.sum()])
    return 0.5 - float(np.trapezoid(brought, people))


def _group_equal(actual: Vector, forecast: Vector) -> tuple[Vector, Vector]:
    """The number of customers and their sum of actuals for each distinct forecast, lowest first."""
    _, position = np.unique(forecast, return_inverse=True)
    return np.bincount(position).astype(np.float64), np.bincount(position, actual).astype(np.float64)
