"""Whether what happened is as likely as the forecast distribution says.

Belongs here: the probability integral transform, coverage of intervals, log-likelihood of the holdout. Does not belong
here: the distributions (`clv/scores/predictive.py`), or errors of point forecasts (`metrics.py`).

Most customers buy nothing, so an interval of 90% can only hold more or fewer than 90% of them. The randomised transform
(Czado, Gneiting and Held 2009, section 2) spreads each such atom evenly: u = F(y-) + v (F(y) - F(y-)) with v uniform is
uniform when the distribution is right, whatever its atoms.
"""

from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import nbinom

from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.scores import Models, Probabilities, purchase_cdf, spend_cdf

type Vector = NDArray[np.float64]

COVERAGES = (0.5, 0.8, 0.9, 0.95)
PIT_BINS = 20
# A customer whom a model thinks all but impossible must not decide alone.
_LEAST_PROBABILITY = 1e-12
# The share of a larger base whose spend is transformed: it tells a coverage to 0.3 points.
MOST_TRANSFORMED = 20_000


def locate_purchases(models: Models, customers: pl.DataFrame, weeks: float) -> Probabilities:
    """Where the actual purchases lie in each customer's predictive distribution."""
    seen = (read_vector(customers, name) for name in ("frequency", "recency", "T"))
    n = read_vector(customers, "actual_purchases")
    return purchase_cdf(models.purchase_model, models.purchases, *seen, horizon=weeks, n=n)


def locate_spend(models: Models, customers: pl.DataFrame, weeks: float) -> Probabilities:
    """Where the actual spend lies; bought for nothing is next to no spend, which no purchase at all would be too."""
    seen = (read_vector(customers, name) for name in ("frequency", "recency", "T", "monetary_value"))
    bought = read_vector(customers, "actual_purchases") > 0
    y = np.where(bought, np.maximum(read_vector(customers, "actual_spend"), 1e-9), 0.0)
    return spend_cdf(models, *seen, horizon=weeks, y=y)


def locate_nbd_purchases(nbd: tuple[float, float], customers: pl.DataFrame, weeks: float) -> Probabilities:
    """Where the actual purchases lie in the NBD of customers who never leave."""
    r, alpha = nbd
    x, T, n = (read_vector(customers, name) for name in ("frequency", "T", "actual_purchases"))
    stays = (alpha + T) / (alpha + T + weeks)
    return Probabilities(nbinom.cdf(n - 1, r + x, stays), nbinom.cdf(n, r + x, stays))


def sum_log_likelihood(located: Probabilities) -> float:
    """The log-probability of all actual values, none counted as less likely than 1e-12."""
    return float(np.log(np.maximum(located.up_to - located.below, _LEAST_PROBABILITY)).sum())


def transform(located: Probabilities, shuffle: Vector) -> Vector:
    """The randomised probability integral transform; `shuffle` is uniform in [0, 1)."""
    return located.below + shuffle * (located.up_to - located.below)


def measure_coverage(pit: Vector) -> dict[str, float]:
    """The share of customers inside the central interval of each coverage, as 'coverage_90'."""
    return {f"coverage_{round(100 * level)}": float(np.mean(np.abs(pit - 0.5) <= level / 2)) for level in COVERAGES}


def count_bins(pit: Vector) -> NDArray[np.int64]:
    """Customers by twentieth of the transform: all about equally many when the distributions are right."""
    return np.bincount(np.minimum((pit * PIT_BINS).astype(np.int64), PIT_BINS - 1), minlength=PIT_BINS)


def shuffle_customers(customer_ids: pl.Series, purpose: str) -> Vector:
    """A number in [0, 1) for each customer that depends on nothing but the id and the purpose."""
    digests = (blake2b(f"{purpose}:{customer}".encode(), digest_size=8).digest() for customer in customer_ids)
    return np.array([int.from_bytes(digest, "big") for digest in digests], dtype=np.float64) / 2**64
