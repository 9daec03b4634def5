"""The NBD: customers who buy at their own rate and never leave, as a baseline for the models with dropout.

Belongs here: its fit by maximum likelihood. Does not belong here: what it says about a customer (`purchases.py`, where
it goes by the name 'nbd').
"""

import numpy as np
import polars as pl
from scipy.special import digamma, gammaln

from clv_pipeline.clv.models.modes import Objective, Vector, find_mode
from clv_pipeline.clv.models.result import ModelError


def fit_nbd(customers: pl.DataFrame) -> tuple[dict[str, float], float]:
    """Parameters r and alpha (in the unit of T) by maximum likelihood, and the log-likelihood.

    `customers`: one row each with frequency and T. Ehrenberg (1959); without the factor T^x / x!, as in Fader, Hardie,
    Lee (2005), table 2, so that the log-likelihood compares with that of BG/NBD and Pareto/NBD.
    Raises ModelError when no finite estimate exists, as when nobody came back.
    """
    distinct = customers.group_by("frequency", "T").agg(pl.len().alias("customers")).sort("frequency", "T")
    x, T, n = (distinct[name].cast(pl.Float64).to_numpy() for name in ("frequency", "T", "customers"))
    unit = float(np.average(T, weights=n)) or 1.0
    time = T / unit

    def value(theta: Vector) -> float:
        return -_log_likelihood(np.exp(theta), x, time, n)

    def gradient(theta: Vector) -> Vector:
        r, alpha = np.exp(theta)
        by_r = digamma(r + x) - digamma(r) + np.log(alpha / (alpha + time))
        by_alpha = r / alpha - (r + x) / (alpha + time)
        return -np.array([r * (n * by_r).sum(), alpha * (n * by_alpha).sum()])

    mode = find_mode(Objective(value, gradient), [np.log([0.5, 0.5])])
    if mode is None:
        raise ModelError(f"the NBD has no finite best estimate for these {customers.height:,} customers: load more")
    r, alpha = (float(number) for number in np.exp(mode.theta) * [1.0, unit])
    return {"r": r, "alpha": alpha}, _log_likelihood(np.array([r, alpha]), x, T, n)


def _log_likelihood(parameters: Vector, x: Vector, T: Vector, n: Vector) -> float:
    r, alpha = parameters
    each = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    return float((n * each).sum())
