"""How much a customer will really spend within a horizon: bounds of the predictive distribution.

Belongs here: the compound distribution of future purchases and their spend. Does not belong here: its expectation
(`customers.py`), or uncertainty of the parameters, which is small beside it.

Given that a customer is alive, n purchases follow with the probabilities of the purchase model. Given n, the spend of
a Gamma-Gamma customer is Gamma(p n, nu) with nu ~ Gamma(q + p x, gamma + x m) after x purchases of mean m, so that

    P(spend <= y | n) = I_w(p n, q + p x),   w = y / (y + gamma + x m),

the regularised incomplete beta function. In units of (gamma + x m) it depends on x and n alone, and the mixture over n
on x and T: one table per frequency, one row per distinct (frequency, T), serve all customers.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from clv_pipeline.clv.models import purchase_probabilities

type Vector = NDArray[np.float64]

_GRID = 256
# Counts are told apart up to here and gathered into groups of growing width beyond.
_SINGLE_COUNTS = 48
_COUNT_GROUPS = 48


def bound_spend(
    model: str,
    parameters: Mapping[str, float],
    spend: Mapping[str, float] | None,
    *,
    frequency: Vector,
    T: Vector,
    alive: Vector,
    horizon: float,
    coverage: float = 0.8,
) -> tuple[Vector, Vector]:
    """Lower and upper predictive bounds of the spend in (T, T + horizon], which hold it with probability `coverage`.

    One entry per row of `frequency`, `T` (weeks) and `alive` (P(alive)). With `spend`, the Gamma-Gamma parameters, in
    units of gamma + frequency x monetary_value; without, in purchases. A lower bound of 0 is the normal case: it says
    that no purchase at all has at least probability (1 - coverage) / 2. So can the upper bound be 0 where the
    expectation is not. Interpolated on a grid, to about 0.2%.
    """
    tail = (1 - coverage) / 2
    lower, upper = np.zeros(len(frequency)), np.zeros(len(frequency))
    order = np.argsort(frequency, kind="stable")
    starts = np.flatnonzero(np.diff(frequency[order], prepend=-1.0))
    for rows in np.split(order, starts[1:]):
        ages, position = np.unique(T[rows], return_inverse=True)
        x = float(frequency[rows[0]])
        most = _count_worth_telling(parameters, x, ages, horizon)
        probabilities = purchase_probabilities(model, parameters, x, ages, horizon=horizon, most=most)
        values, below = _tabulate(probabilities, spend, x)
        # The share of the alive that may lie above the bound, for the tail to hold over alive and dead together.
        with np.errstate(divide="ignore"):
            above = np.stack([(1 - tail) / alive[rows], tail / alive[rows]])
        for bounds, share in zip((lower, upper), above, strict=True):
            bounds[rows] = _invert(values, below, position, 1 - share, steps=spend is None)
    return lower, upper


def _count_worth_telling(parameters: Mapping[str, float], x: float, ages: Vector, horizon: float) -> int:
    """A count that even customers who never drop out exceed with at most 6% probability (Cantelli's inequality)."""
    shape = parameters["r"] + x
    mean = float(shape * horizon / (parameters["alpha"] + ages.min()))
    return int(np.ceil(mean + 4 * np.sqrt(mean + mean**2 / shape))) + 2


def _tabulate(
    probabilities: NDArray[np.float64], spend: Mapping[str, float] | None, x: float
) -> tuple[Vector, NDArray[np.float64]]:
    """Values, starting with 0, and P(spend <= value | alive): one row per row of `probabilities`."""
    counts = np.arange(probabilities.shape[1], dtype=np.float64)
    if spend is None:
        return counts, np.cumsum(probabilities, axis=1)
    counts, probabilities = _gather_counts(counts, probabilities)
    p, q = spend["p"], spend["q"] + spend["p"] * x
    ends = betaincinv(p * counts[[1, -1]], q, [1e-3, 0.99])
    ends = ends / (1 - ends)
    values = np.geomspace(ends[0], ends[1], _GRID)
    below = np.ones((len(counts), _GRID + 1))
    below[1:, 0] = 0.0
    below[1:, 1:] = betainc(p * counts[1:, None], q, values / (1 + values))
    return np.concatenate([[0.0], values]), probabilities @ below


def _gather_counts(counts: Vector, probabilities: NDArray[np.float64]) -> tuple[Vector, NDArray[np.float64]]:
    if len(counts) <= _SINGLE_COUNTS + _COUNT_GROUPS:
        return counts, probabilities
    edges = np.geomspace(_SINGLE_COUNTS, len(counts), _COUNT_GROUPS + 1)[:-1]
    firsts = np.unique(np.concatenate([np.arange(_SINGLE_COUNTS), np.round(edges).astype(np.int64)]))
    sizes = np.diff(np.append(firsts, len(counts)))
    return np.add.reduceat(counts, firsts) / sizes, np.add.reduceat(probabilities, firsts, axis=1)


def _invert(
    values: Vector, below: NDArray[np.float64], position: NDArray[np.intp], level: Vector, *, steps: bool
) -> Vector:
    """The value at which each row's distribution, `below[position]`, reaches its level."""
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
