"""What customers will buy in the rest of their lifetimes, discounted: DERT, discounted expected residual transactions.

Belongs here: the infinite horizon. Does not belong here: value within a finite one (`customers.py`), money.

With M(u), the expected purchases until u of a customer alive at T, and a continuous rate d,

    DERT / P(alive) = integral of exp(-d u) dM(u) = integral over u > 0 of d exp(-d u) M(u),

by parts. Nobody buys faster than without dropout: 0 <= M(u) <= u (r + x) / (alpha + T), for each of the models. So the
integral converges for every d > 0, to at most (r + x) / (alpha + T) / d, and what lies beyond u = 40 / d is below
41 exp(-40) = 2e-16 of that. For the Pareto/NBD it is the integral of the confluent hypergeometric function in the
closed form of Fader, Hardie and Lee (2005), JMR 42:415, equation 4; scipy's own of that function is not a number from
s = 10 on, and wrong by 2% at s = 2. Substituting u = (alpha + T) (exp(v) - 1) makes the integrand smooth: 32
Gauss-Legendre nodes give 9 digits at yearly rates of 1% and above.
"""

from math import log1p

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from clv_pipeline.clv.models import expected_purchases_if_alive
from clv_pipeline.clv.models.purchases import Parameters, as_columns
from clv_pipeline.clv.scores.pair import WEEKS_PER_YEAR

type Vector = NDArray[np.float64]

_NODES = 32
_NOTHING_LEFT = 40.0


def convert_rate(annual_rate: float) -> float:
    """The continuous rate a week that discounts a year (52.18 weeks) as the annual rate does."""
    return log1p(annual_rate) / WEEKS_PER_YEAR


def discount_residual_purchases(
    model: str, parameters: Parameters, frequency: Vector, T: Vector, *, weekly_rate: float
) -> Vector:
    """DERT of customers who are alive at T (weeks), one for each entry; multiply by P(alive) for DERT itself.

    `weekly_rate` is continuous and must be above 0: without discounting, an endless life has no finite value.
    """
    nodes, weights = leggauss(_NODES)
    scale = (parameters["alpha"] + T)[:, None]
    end = np.log1p(_NOTHING_LEFT / (weekly_rate * scale))
    v = (nodes + 1) / 2 * end
    u = scale * np.expm1(v)
    until = expected_purchases_if_alive(model, as_columns(parameters), frequency[:, None], T[:, None], horizon=u)
    density = weights / 2 * end * weekly_rate * np.exp(-weekly_rate * u) * (scale + u)
    return (until * density).sum(axis=1)
