"""The Pareto/NBD log-likelihood as a sum that can be differentiated.

Belongs here: that one likelihood. Does not belong here: what is compiled from it (`likelihoods.py`).

pymc-marketing's ParetoNBD is written with the Gaussian hypergeometric function, whose derivatives by its parameters
are series: 9 s to compile, and slower than differences of the value. Before the series stands an integral over the time
of dropout (Schmittlein, Morrison and Colombo 1987, equation A9; Fader and Hardie 2005, "A note on deriving the
Pareto/NBD model", equation 18), which Gauss-Legendre quadrature gives to rounding:

    L = G(r+x)/G(r) alpha^r beta^s [ (alpha+T)^-(r+x) (beta+T)^-s
                                     + s int_{t_x}^T (alpha+y)^-(r+x) (beta+y)^-(s+1) dy ].

In v = log((low + y) / (low + t_x)), low = min(alpha, beta), the integrand is exp(-m v) times a power of a ratio of at
most 1, and no singularity comes closer to the real line than pi.
"""

from importlib import import_module
from typing import Any

import numpy as np
from scipy.special import roots_legendre

_NODES, _WEIGHTS = (np.asarray(part) for part in roots_legendre(16))
# The integrand is cut where it has fallen to exp(-30) of its start.
_CUT = 30.0
_SLOWEST = 1e-3


def pareto_log_likelihood(values: dict[str, Any], frequency: Any, recency: Any, T: Any) -> Any:
    """The log-likelihood of each customer as an expression of pytensor.

    `values`: r, alpha, s, beta as expressions, scalars or one entry per customer; the rest are vectors. Equal to
    pymc-marketing's ParetoNBD to 1e-9 wherever that is finite.
    """
    pt: Any = import_module("pytensor.tensor")
    r, alpha, s, beta = (values[name] + pt.zeros_like(T) for name in ("r", "alpha", "s", "beta"))
    low, gap = pt.minimum(alpha, beta), pt.abs(alpha - beta)
    power = pt.switch(pt.le(alpha, beta), s + 1, r + frequency)
    fall = r + s + frequency
    start = low + recency
    excess = gap / start
    head = pt.log1p(excess)
    rate = fall - power * excess / (1 + excess)
    end = pt.minimum(pt.log((low + T) / start), _CUT / pt.maximum(rate, _SLOWEST))
    v = end[:, None] * ((_NODES + 1) / 2)
    ratio = pt.log1p(excess[:, None] * pt.exp(-v)) - head[:, None]
    # A sum and no product of matrices: a BLAS in several threads may add in another order the next time.
    gone = end * (pt.exp(-fall[:, None] * v - power[:, None] * ratio) * (_WEIGHTS / 2)).sum(axis=1)
    scale = fall * pt.log(start) + power * head
    there = scale - (r + frequency) * pt.log(alpha + T) - s * pt.log(beta + T)
    constant = pt.gammaln(r + frequency) - pt.gammaln(r) + r * pt.log(alpha) + s * pt.log(beta)
    return constant - scale + pt.log(pt.exp(there) + s * gone)
