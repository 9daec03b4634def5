"""The NBD: customers who buy at their own rate and never leave, as a baseline for the models with dropout.

Belongs here: its fit by maximum likelihood. Does not belong here: what it says about a customer (`purchases.py`, where
it goes by the name 'nbd').
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import digamma, gammaln

type Vector = NDArray[np.float64]

_LARGEST_LOG = 12.0


def fit_nbd(customers: pl.DataFrame) -> tuple[dict[str, float], float]:
    """Parameters r and alpha (in the unit of T) by maximum likelihood, and the log-likelihood.

    `customers`: one row each with frequency and T. Ehrenberg (1959); without the factor T^x / x!, as in Fader, Hardie,
    Lee (2005), table 2, so that the log-likelihood compares with that of BG/NBD and Pareto/NBD. Where no maximum exists
    (no repeat purchase, or no more spread than chance) the search ends at its bounds: a baseline always has an answer.
    """
    distinct = customers.group_by("frequency", "T").agg(pl.len().alias("customers")).sort("frequency", "T")
    x, T, n = (distinct[name].cast(pl.Float64).to_numpy() for name in ("frequency", "T", "customers"))
    unit = float(np.average(T, weights=n)) or 1.0
    time = T / unit

    def descend(theta: Vector) -> tuple[float, Vector]:
        r, alpha = np.exp(theta)
        by_r = digamma(r + x) - digamma(r) - np.log1p(time / alpha)
        by_alpha = r / alpha - (r + x) / (alpha + time)
        return -_log_likelihood(r, alpha, x, time, n), -np.array([r * (n @ by_r), alpha * (n @ by_alpha)])

    bounds = [(-_LARGEST_LOG, _LARGEST_LOG)] * 2
    options = {"ftol": 1e-15, "gtol": 1e-9}
    from scipy.optimize import minimize  # noqa: PLC0415 - only a fit needs it

    found = minimize(descend, np.log([0.5, 0.5]), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    r, alpha = (float(number) for number in np.exp(found.x) * [1.0, unit])
    return {"r": r, "alpha": alpha}, _log_likelihood(r, alpha, x, T, n)


def _log_likelihood(r: float, alpha: float, x: Vector, T: Vector, n: Vector) -> float:
    return float(n @ (gammaln(r + x) - gammaln(r) - r * np.log1p(T / alpha) - x * np.log(alpha + T)))
