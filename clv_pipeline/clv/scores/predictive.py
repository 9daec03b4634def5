"""How much customers may buy and spend within a horizon: the predictive distribution given the parameters.

Belongs here: its probabilities, of purchases and of their spend. Does not belong here: its expectation
(`customers.py`), its quantiles (`bounds.py`), or uncertainty of the parameters (`totals.py`).

Given that a customer is alive, n purchases follow with the probabilities of the purchase model. Given n, the spend of
a Gamma-Gamma customer is Gamma(p n, nu) with nu ~ Gamma(q + p x, gamma + x m) after x purchases of mean m, so that

    P(spend <= y | n) = I_w(p n, q + p x),   w = y / (y + gamma + x m),

the regularised incomplete beta function. In units of (gamma + x m) it depends on x and n alone, and the mixture over n
on x and T: one table per frequency, one row per distinct (frequency, T), serve all customers.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, gammainccinv

from clv_pipeline.clv.models import p_alive, purchase_probabilities
from clv_pipeline.clv.models.purchases import Parameters, spread_rate
from clv_pipeline.clv.models.spend import LEVEL
from clv_pipeline.clv.scores.pair import Models

type Vector = NDArray[np.float64]
type Grid = NDArray[np.float64]

_GRID = 256
# Counts are told apart up to here and gathered into groups of growing width beyond.
_SINGLE_COUNTS = 48
_COUNT_GROUPS = 48
# Distinct ages in one table: bounds the memory where no two customers share a first day.
_AGES = 20_000
# What the counts beyond a table hold together; it is added to the last of them.
_TAIL = 1e-4
_EXACT_TAIL = 1e-12


class Probabilities(NamedTuple):
    """P(value < the customer's) and P(value <= the customer's); they differ by the atom there."""

    below: Vector
    up_to: Vector


class Ages(NamedTuple):
    """Customers of one frequency: their places in the input, distinct ages T, and each one's place among these.

    `parameters` are those of the purchase model. Where covariates make them differ there is one number for each of
    `ages`, of which only those with the same parameters are taken together then.
    """

    frequency: float
    rows: NDArray[np.intp]
    ages: Vector
    position: NDArray[np.intp]
    parameters: Parameters


def purchase_cdf(
    model: str,
    parameters: Parameters,
    frequency: Vector,
    recency: Vector,
    T: Vector,
    *,
    horizon: float,
    n: Vector,
) -> Probabilities:
    """P(N < n) and P(N <= n) of each customer's number N of purchases in (T, T + horizon], alive or not.

    All vectors have one entry per customer; times are in weeks, `n` holds whole numbers, below 0 gives 0.
    """
    alive = p_alive(model, parameters, frequency, recency, T)
    below, up_to = np.zeros(len(n)), np.zeros(len(n))
    for group in split_by_frequency(parameters, frequency, T):
        wanted = n[group.rows].astype(np.int64)
        enough = count_enough(group, horizon, _EXACT_TAIL)
        most = int(min(max(wanted.max(), 0), enough))
        probabilities = purchase_probabilities(
            model, group.parameters, group.frequency, group.ages, horizon=horizon, most=most
        )
        # One column of zeros in front serves the numbers below 0, one of ones behind those beyond every chance.
        reached = np.pad(np.cumsum(probabilities, axis=1), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        for result, shift in ((below, 0), (up_to, 1)):
            column = np.clip(wanted + shift, 0, most + 2)
            dead = np.where(column > 0, 1 - alive[group.rows], 0.0)
            result[group.rows] = np.minimum(dead + alive[group.rows] * reached[group.position, column], 1.0)
    return Probabilities(below, up_to)


def spend_cdf(
    models: Models,
    frequency: Vector,
    recency: Vector,
    T: Vector,
    monetary_value: Vector,
    *,
    horizon: float,
    y: Vector,
) -> Probabilities:
    """P(S < y) and P(S <= y) of what each customer spends, S, in (T, T + horizon], alive or not.

    All vectors have one entry per customer; times are in weeks, money in the currency of the parameters, an unknown
    monetary_value is nan. S = 0 has the probability of no purchase; a y below 0, as after refunds, gives 0 and 0.
    With mean_spend every purchase brings the mean.
    """
    unit = models.spend_unit(frequency, monetary_value)
    if models.gamma_gamma is None:
        return _count_spend_cdf(models, frequency, recency, T, horizon=horizon, y=y)
    alive = p_alive(models.purchase_model, models.purchases, frequency, recency, T)
    below, up_to = np.zeros(len(y)), np.zeros(len(y))
    for group in split_by_frequency(models.purchases, frequency, T):
        counts, probabilities = _gather_counts(tabulate_counts(models, group, horizon))
        wanted = np.maximum(y[group.rows] / unit[group.rows], 0.0)
        within = _spend_at_most(counts, models.gamma_gamma, group.frequency, wanted[:, None])
        reached = np.minimum((probabilities[group.position] * within).sum(axis=1), 1.0)
        possible = 1 - alive[group.rows] + alive[group.rows] * reached
        below[group.rows] = np.where(y[group.rows] > 0, possible, 0.0)
        up_to[group.rows] = np.where(y[group.rows] >= 0, possible, 0.0)
    return Probabilities(below, up_to)


def split_by_frequency(parameters: Parameters, frequency: Vector, T: Vector) -> Iterator[Ages]:
    """The customers by frequency, and by age where one frequency has very many distinct ages."""
    order = np.argsort(frequency, kind="stable")
    starts = np.flatnonzero(np.diff(frequency[order], prepend=-1.0))
    for rows in np.split(order, starts[1:]):
        alike = _find_alike(parameters, T, rows)
        ages, position = T[rows[alike.first]], alike.position
        x = float(frequency[rows[0]])
        for first in range(0, len(ages), _AGES):
            chosen = (position >= first) & (position < first + _AGES)
            own = _take(parameters, rows[alike.first[first : first + _AGES]])
            yield Ages(x, rows[chosen], ages[first : first + _AGES], position[chosen] - first, own)


class _Alike(NamedTuple):
    """Rows that differ in nothing: the first of each kind, and each one's kind."""

    first: NDArray[np.intp]
    position: NDArray[np.intp]


def _find_alike(parameters: Parameters, T: Vector, rows: NDArray[np.intp]) -> _Alike:
    varied = [value[rows] for value in parameters.values() if isinstance(value, np.ndarray)]
    if not varied:
        return _Alike(*np.unique(T[rows], return_index=True, return_inverse=True)[1:])
    columns = np.stack([T[rows], *varied], axis=1)
    return _Alike(*np.unique(columns, axis=0, return_index=True, return_inverse=True)[1:])


def _take(parameters: Parameters, rows: NDArray[np.intp]) -> Parameters:
    return {name: value[rows] if isinstance(value, np.ndarray) else value for name, value in parameters.items()}


def count_enough(group: Ages, horizon: float, tail: float) -> int:
    """A count that even customers who never drop out exceed with no more than about the probability `tail`."""
    parameters = group.parameters
    shapes = np.full(len(group.ages), parameters["r"] + group.frequency)
    shape, scale = spread_rate(parameters, shapes, parameters["alpha"] + group.ages, group.ages, horizon)
    mean = float(np.max(gammainccinv(shape, tail) / scale) * horizon)
    return int(np.ceil(mean + 6 * np.sqrt(mean))) + 6


def tabulate_counts(models: Models, group: Ages, horizon: float) -> Grid:
    """P(n purchases | alive) for n = 0, 1, ..., one row per age; the last holds all that may lie beyond."""
    most = count_enough(group, horizon, _TAIL)
    probabilities = purchase_probabilities(
        models.purchase_model, group.parameters, group.frequency, group.ages, horizon=horizon, most=most
    )
    probabilities[:, -1] += np.maximum(1 - probabilities.sum(axis=1), 0.0)
    return probabilities


def tabulate_spend(probabilities: Grid, spend: Mapping[str, float] | None, x: float) -> tuple[Vector, Grid]:
    """Values, starting with 0, and P(spend <= value | alive): one row per row of `probabilities`.

    With `spend`, the Gamma-Gamma parameters, values are in units of gamma + x m; without, in purchases.
    """
    if spend is None:
        return np.arange(probabilities.shape[1], dtype=np.float64), np.cumsum(probabilities, axis=1)
    counts, probabilities = _gather_counts(probabilities)
    ends = betaincinv(spend["p"] * counts[[1, -1]], spend["q"] + spend["p"] * x, [1e-3, 0.99])
    ends = ends / (1 - ends)
    values = np.append(0.0, np.geomspace(ends[0], ends[1], _GRID))
    return values, probabilities @ _spend_at_most(counts, spend, x, values).T


def _spend_at_most(counts: Vector, spend: Mapping[str, float], x: float, values: Grid) -> Grid:
    """P(spend <= value | n purchases) by value and by each n of `counts`, the first of which is 0."""
    values = values.reshape(-1, 1)
    p, q = spend["p"], spend["q"] + spend["p"] * x
    return np.hstack([np.ones_like(values), betainc(p * counts[1:], q, values / (1 + values))])


def _gather_counts(probabilities: Grid) -> tuple[Vector, Grid]:
    """Counts, and their probabilities by row: beyond some the counts come in groups, with their mean."""
    counts = np.arange(probabilities.shape[1], dtype=np.float64)
    if len(counts) <= _SINGLE_COUNTS + _COUNT_GROUPS:
        return counts, probabilities
    edges = np.geomspace(_SINGLE_COUNTS, len(counts), _COUNT_GROUPS + 1)[:-1]
    firsts = np.unique(np.concatenate([np.arange(_SINGLE_COUNTS), np.round(edges).astype(np.int64)]))
    sizes = np.diff(np.append(firsts, len(counts)))
    return np.add.reduceat(counts, firsts) / sizes, np.add.reduceat(probabilities, firsts, axis=1)


def _count_spend_cdf(
    models: Models, frequency: Vector, recency: Vector, T: Vector, *, horizon: float, y: Vector
) -> Probabilities:
    mean = models.spend["mean"] * models.spend.get(LEVEL, 1.0)
    # A total of k purchases has lost or won a last digit on its way.
    purchases = np.divide(y, mean, out=np.where(y > 0, 1e15, np.where(y < 0, -1.0, 0.0)), where=mean > 0)
    purchases = np.clip(purchases, -1.0, 1e15)
    seen = (models.purchase_model, models.purchases, frequency, recency, T)
    up_to = purchase_cdf(*seen, horizon=horizon, n=np.floor(purchases + 1e-9)).up_to
    return Probabilities(purchase_cdf(*seen, horizon=horizon, n=np.ceil(purchases - 1e-9)).below, up_to)
