"""How much customers will really buy and spend within a horizon: bounds of the predictive distribution.

Belongs here: quantiles of the distribution of `predictive.py`. Does not belong here: the distribution itself, or
uncertainty of the parameters, which is small beside it (`totals.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.scores.pair import Models
from clv_pipeline.clv.scores.predictive import split_by_frequency, tabulate_counts, tabulate_spend
from clv_pipeline.clv.scores.recalibration import UNCHANGED, Recalibration

type Vector = NDArray[np.float64]


class Bounds(NamedTuple):
    """Pairs of lower and upper bounds of spend and of purchases, and E[N^2 | alive] of the purchases N."""

    spend: list[tuple[Vector, Vector]]
    purchases: list[tuple[Vector, Vector]]
    squared_purchases: Vector


def bound_customers(
    models: Models,
    *,
    frequency: Vector,
    T: Vector,
    alive: Vector,
    horizon: float,
    coverages: Sequence[float] = (0.8,),
    recalibration: Recalibration = UNCHANGED,
) -> Bounds:
    """Lower and upper predictive bounds of spend and purchases in (T, T + horizon], one pair for each of `coverages`.

    They hold it with that probability, and leave as much above as below. One entry per row of `frequency`, `T` (weeks)
    and `alive` (P(alive)); spend in the units of `Models.spend_unit`. A lower bound of 0 is the normal case: it says
    that no purchase at all has at least probability (1 - coverage) / 2. So can the upper bound be 0 where the
    expectation is not. Bounds of spend are interpolated on a grid, to about 0.2%.
    """
    models = recalibration.vary(models)
    spend = [(np.zeros(len(frequency)), np.zeros(len(frequency))) for _ in coverages]
    purchases = [(np.zeros(len(frequency)), np.zeros(len(frequency))) for _ in coverages]
    squared = np.zeros(len(frequency))
    for group in split_by_frequency(models.purchases, frequency, T):
        probabilities = tabulate_counts(models, group, horizon)
        counts = np.arange(probabilities.shape[1], dtype=np.float64)
        squared[group.rows] = (probabilities @ counts**2)[group.position]
        values, below = tabulate_spend(probabilities, models.gamma_gamma, group.frequency)
        tables = (
            ("purchases", purchases, counts, np.cumsum(probabilities, axis=1), True),
            ("spend", spend, values, below, models.gamma_gamma is None),
        )
        for target, pairs, values, below, steps in tables:
            for pair, coverage in zip(pairs, coverages, strict=True):
                for result, share in zip(pair, ((1 - coverage) / 2, (1 + coverage) / 2), strict=True):
                    # The share of the alive that may lie above the bound, for the tail to hold over alive and dead.
                    with np.errstate(divide="ignore"):
                        above = (1 - recalibration.find_level(target, share)) / alive[group.rows]
                    result[group.rows] = _invert(values, below, group.position, 1 - above, steps=steps)
    return Bounds(spend, purchases, squared)


def _invert(
    values: Vector, below: NDArray[np.float64], position: NDArray[np.intp], level: Vector, *, steps: bool
) -> Vector:
    """The value at which each row's distribution, `below[position]`, reaches its level; the first of them is 0."""
    found = np.zeros(len(level))
    # Most levels are reached at 0.
    beyond = np.flatnonzero(below[position, 0] < level - 1e-12)
    if beyond.size:
        found[beyond] = _search(values, below, position[beyond], level[beyond], steps=steps)
    return found


def _search(
    values: Vector, below: NDArray[np.float64], position: NDArray[np.intp], level: Vector, *, steps: bool
) -> Vector:
    reached = _count_below(below, position, level - 1e-12)
    last = len(values) - 1
    high = np.minimum(reached, last)
    if steps:
        return values[high]
    low = np.maximum(high - 1, 0)
    width = below[position, high] - below[position, low]
    part = np.clip((level - below[position, low]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
    # Within the grid the distribution is smooth over the logarithm; its first cell starts at 0.
    first = values[high] * part
    within = values[np.maximum(low, 1)] ** (1 - part) * values[high] ** part
    return np.where(reached == 0, 0.0, np.where(low == 0, first, within))


def _count_below(below: NDArray[np.float64], position: NDArray[np.intp], level: Vector) -> NDArray[np.intp]:
    """How many entries of each row's distribution are below its level, by bisection: they rise along the row."""
    low = np.zeros(len(level), dtype=np.intp)
    high = np.full(len(level), below.shape[1], dtype=np.intp)
    for _ in range(int(below.shape[1]).bit_length()):
        middle = (low + high) // 2
        open_still = low < high
        less = open_still & (below[position, np.minimum(middle, below.shape[1] - 1)] < level)
        low, high = np.where(less, middle + 1, low), np.where(open_still & ~less, middle, high)
    return low
