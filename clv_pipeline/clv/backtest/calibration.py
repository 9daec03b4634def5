"""Whether what happened is as likely as the forecast distribution says.

Belongs here: the probability integral transform, coverage of intervals, log-likelihood of the holdout. Does not belong
here: the distributions (`clv/scores/predictive.py`), or errors of point forecasts (`metrics.py`).

Most customers buy nothing, so an interval of 90% can only hold more or fewer than 90% of them. The randomised transform
u = F(y-) + v (F(y) - F(y-)), v uniform, is uniform when the distribution is right, whatever its atoms. Here every
customer counts with the expectation over v, which spreads each atom evenly (Czado, Gneiting and Held 2009, "Predictive
model assessment for count data", section 2.1): the same in expectation, without the noise and without a seed.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betainc

from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.scores import Models, Probabilities, purchase_cdf, spend_cdf

type Vector = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9, 0.95)
PIT_BINS = 20
# A customer whom a model thinks all but impossible must not decide alone.
LEAST_PROBABILITY = 1e-12
# The share of a larger base whose spend is transformed: it tells a coverage to half a point.
MOST_TRANSFORMED = 4_000
_NEXT_TO_NOTHING = 1e-9


def locate_purchases(models: Models, customers: pl.DataFrame, weeks: float) -> Probabilities:
    """Where the actual purchases lie in each customer's predictive distribution."""
    seen = (read_vector(customers, name) for name in ("frequency", "recency", "T"))
    n = read_vector(customers, "actual_purchases")
    return purchase_cdf(models.purchase_model, models.given(customers).purchases, *seen, horizon=weeks, n=n)


def locate_spend(models: Models, customers: pl.DataFrame, weeks: float, purchases: Probabilities) -> Probabilities:
    """Where the actual spend lies; `purchases` is what `locate_purchases` gives for the same customers.

    Who bought nothing spent nothing: the atom at 0 is that of no purchase. What was bought for nothing counts as next
    to nothing.
    """
    bought = read_vector(customers, "actual_purchases") > 0
    below, up_to = np.zeros(len(bought)), purchases.up_to.copy()
    if not bought.any():
        return Probabilities(below, up_to)
    buyers = customers.filter(pl.Series(bought))
    seen = (read_vector(buyers, name) for name in ("frequency", "recency", "T", "monetary_value"))
    y = np.maximum(read_vector(buyers, "actual_spend"), _NEXT_TO_NOTHING)
    below[bought], up_to[bought] = spend_cdf(models.given(buyers), *seen, horizon=weeks, y=y)
    return Probabilities(below, up_to)


def locate_nbd_purchases(nbd: tuple[float, float], customers: pl.DataFrame, weeks: float) -> Probabilities:
    """Where the actual purchases lie in the NBD of customers who never leave."""
    r, alpha = nbd
    x, T, n = (read_vector(customers, name) for name in ("frequency", "T", "actual_purchases"))
    stays = (alpha + T) / (alpha + T + weeks)
    # P(N <= n) of the negative binomial; nobody buys fewer than none.
    return Probabilities(
        np.where(n > 0, betainc(r + x, np.maximum(n, 1.0), stays), 0.0), betainc(r + x, n + 1.0, stays)
    )


def sum_log_likelihood(located: Probabilities) -> float:
    """The log-probability of all actual values, none counted as less likely than 1e-12."""
    return float(np.log(np.maximum(located.up_to - located.below, LEAST_PROBABILITY)).sum())


def accumulate(located: Probabilities, points: Vector) -> Vector:
    """The distribution function of the transform at each of `points`: the identity when the distributions are right."""
    width = located.up_to - located.below
    steps = [
        np.divide(point - located.below, width, out=(located.up_to <= point).astype(np.float64), where=width > 0)
        for point in points
    ]
    return np.array([np.clip(step, 0.0, 1.0).mean() for step in steps])


def measure_coverage(located: Probabilities) -> dict[str, float]:
    """The share of customers inside the central interval of each coverage, as 'coverage_90'."""
    levels = np.array(COVERAGES)
    inside = accumulate(located, (1 + levels) / 2) - accumulate(located, (1 - levels) / 2)
    return {f"coverage_{round(100 * level)}": float(share) for level, share in zip(levels, inside, strict=True)}


def share_bins(located: Probabilities) -> Vector:
    """The share of customers in each twentieth of the transform: all about equal when the distributions are right."""
    return np.diff(accumulate(located, np.linspace(0.0, 1.0, PIT_BINS + 1)))
