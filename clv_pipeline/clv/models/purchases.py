"""What the fitted purchase models say about a customer: P(alive), expected and possible numbers of purchases.

Belongs here: closed forms of BG/NBD, MBG/NBD and Pareto/NBD in numpy, and of the NBD as a baseline. Does not belong
here: fitting them, spend, or tables of customers.

All times are in weeks, all arguments broadcast. The formulas are written with hypergeometric functions after Euler's
transformation, 2F1(a, b; c; z) = (1-z)^(c-a-b) 2F1(c-a, c-b; c; z), whose terms stay moderate however many purchases a
customer made; what remains large is kept as a logarithm.
"""

from collections.abc import Mapping

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, expit, gammaln, hyp2f1, xlogy

from clv_pipeline.clv.models.result import ModelError

type Vector = NDArray[np.float64]
type Parameters = Mapping[str, float | Vector]
"""By name; one number, or one for each customer where covariates make them differ."""

PURCHASE_MODELS = ("bg_nbd", "mbg_nbd", "pareto_nbd")
# Without dropout: a baseline, not a model to score with.
BASELINE = "nbd"

# The parameter of the predictive distribution that no likelihood of a fit holds: the variance by which the logarithm of
# a customer's rate wanders in a week (see `spread_rate`).
VOLATILITY = "volatility"
# Another: by how much everybody buys faster after T than until T (see `quicken`). It leaves P(alive) as it is.
PACE = "pace"

_NODES = 16
# Closer than this to a removable singularity (a = 1, a + b = 1), the mean of the values on both sides stands in.
_SINGULAR = 1e-5


def p_alive(model: str, parameters: Parameters, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Vector:
    """P(alive at T | frequency, recency, T).

    BG/NBD: Fader, Hardie, Lee (2008), "Computing P(alive) using the BG/NBD model", equation 1; it is 1 for a customer
    without a repeat purchase. MBG/NBD: the same with dropout possible after the first purchase. Pareto/NBD: Fader and
    Hardie (2005), note 009, equation 28.
    """
    _check_model(model)
    x, t_x, T = _as_floats(frequency, recency, T)
    if model == BASELINE:
        return np.ones(x.shape)
    if model == "pareto_nbd":
        return _pareto_p_alive(parameters, x, t_x, T)
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    silence = (r + x) * np.log((alpha + T) / (alpha + t_x))
    if model == "mbg_nbd":
        return expit(np.log(b + x) - np.log(a) - silence)
    repeated = x > 0
    past = np.where(repeated, b + x - 1, 1.0)
    return np.where(repeated, expit(np.log(past) - np.log(a) - silence), 1.0)


def expected_purchases(
    model: str,
    parameters: Parameters,
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    *,
    horizon: ArrayLike,
) -> Vector:
    """E[purchases in (T, T + horizon] | frequency, recency, T]. It contains P(alive): do not multiply again.

    BG/NBD: Fader, Hardie, Lee (2005), equation 10. Pareto/NBD: note 009, equation 41. A new customer's expectation is
    the case frequency = recency = T = 0.
    """
    alive = p_alive(model, parameters, frequency, recency, T)
    return alive * expected_purchases_if_alive(model, parameters, frequency, T, horizon=horizon)


def expected_purchases_if_alive(
    model: str, parameters: Parameters, frequency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike
) -> Vector:
    """E[purchases in (T, T + horizon] | frequency, T, alive at T]; recency does not matter any more."""
    _check_model(model)
    x, T, t = _as_floats(frequency, T, horizon)
    if model == BASELINE:
        return (parameters["r"] + x) / quicken(parameters, parameters["alpha"] + T) * t
    if model == "pareto_nbd":
        r, alpha, s, beta = (parameters[name] for name in ("r", "alpha", "s", "beta"))
        length = np.log1p(t / (beta + T))
        exposure = length if np.all(s == 1) else -np.expm1((1 - s) * length) / (s - 1)
        return (r + x) * (beta + T) / quicken(parameters, alpha + T) * exposure
    b = _posterior_b(model, parameters, x)
    return _expect_beta_geometric(
        parameters["r"] + x, quicken(parameters, parameters["alpha"] + T), parameters["a"], b, t
    )


def purchase_probabilities(
    model: str, parameters: Parameters, frequency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike, most: int
) -> NDArray[np.float64]:
    """P(n purchases in (T, T + horizon] | frequency, T, alive at T) for n = 0..most, one row per customer.

    BG/NBD and MBG/NBD: equation 8 of Fader, Hardie, Lee (2005) with the posterior parameters of the customer.
    Pareto/NBD: the NBD over the time until death or the horizon, integrated over the time of death.
    With a `volatility` among the parameters, rates wander (see `spread_rate`); with a `pace`, everybody buys faster.
    """
    _check_model(model)
    x, T, t = (np.atleast_1d(values) for values in _as_floats(frequency, T, horizon))
    shape, scale = spread_rate(parameters, parameters["r"] + x, parameters["alpha"] + T, T, t)
    if model == BASELINE:
        return _nbd_probabilities(shape, scale, t, most)
    if model != "pareto_nbd":
        return _beta_geometric_probabilities(
            shape, scale, parameters["a"], _posterior_b(model, parameters, x), t, most=most
        )
    rate, n = parameters["beta"] + T, np.arange(most + 1)
    return _integrate_deaths(shape[:, None], scale[:, None], (parameters["s"], rate[:, None]), t[:, None], n)


def count_probability(
    model: str, parameters: Parameters, frequency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike, n: ArrayLike
) -> Vector:
    """P(n purchases in (T, T + horizon] | frequency, T, alive at T), of one number `n` for each customer.

    The same as `purchase_probabilities`, without those of all smaller numbers.
    """
    _check_model(model)
    x, T, t, n = _as_floats(frequency, T, horizon, n)
    shape, scale = spread_rate(parameters, parameters["r"] + x, parameters["alpha"] + T, T, t)
    if model == "pareto_nbd":
        return _integrate_deaths(shape, scale, (parameters["s"], parameters["beta"] + T), t, n)
    nbd = _nbd_probability(shape, scale, t, n)
    if model == BASELINE:
        return nbd
    a, b = parameters["a"], _posterior_b(model, parameters, x)
    before, some = betaln(a, b), np.maximum(n, 1.0)
    dropped = np.exp(betaln(a + 1, b + some - 1) - before) * betainc(some, shape, t / (scale + t))
    return np.exp(betaln(a, b + n) - before) * nbd + np.where(n > 0, dropped, 0.0)


def spread_rate(
    parameters: Parameters, shape: Vector, scale: Vector, T: Vector, horizon: ArrayLike
) -> tuple[Vector, Vector]:
    """Shape and scale (weeks) of a gamma distributed rate within the horizon, whose mean is that of the rate until T
    times the pace.

    The logarithm of the rate is a random walk with the variance `volatility` a week: its means over the T weeks before
    and the `horizon` weeks after now differ by a variance of volatility (T + horizon) / 3. That factor, with mean 1, is
    independent of what is not known of the rate until T, so that the squared coefficients of variation compound. The
    same shape without a volatility.
    """
    scale = quicken(parameters, scale)
    if not (volatility := parameters.get(VOLATILITY, 0.0)):
        return shape, scale
    less = shape / (1 + volatility * (T + np.asarray(horizon)) / 3 * (1 + shape))
    return less, scale * less / shape


def quicken(parameters: Parameters, scale: Vector) -> Vector:
    """The scale (weeks) of rates within the horizon, those until T times the `pace` among the parameters."""
    return scale / parameters[PACE] if PACE in parameters else scale


def as_columns(parameters: Parameters) -> Parameters:
    """The parameters for arguments with one row for each customer and several columns."""
    return {name: value[:, None] if isinstance(value, np.ndarray) else value for name, value in parameters.items()}


def _check_model(model: str) -> None:
    if model not in (*PURCHASE_MODELS, BASELINE):
        raise ModelError(f"'{model}' is no purchase model: use one of {', '.join(PURCHASE_MODELS)}")


def _as_floats(*values: ArrayLike) -> tuple[Vector, ...]:
    return tuple(np.broadcast_arrays(*(np.asarray(value, dtype=np.float64) for value in values)))


def _posterior_b(model: str, parameters: Parameters, frequency: Vector) -> Vector:
    """Chances to drop out that a customer alive at T survived: each purchase, with MBG/NBD the first one too."""
    return parameters["b"] + frequency + (1 if model == "mbg_nbd" else 0)


def _pareto_p_alive(parameters: Parameters, x: Vector, t_x: Vector, T: Vector) -> Vector:
    r, alpha, s, beta = (parameters[name] for name in ("r", "alpha", "s", "beta"))

    larger, second = np.maximum(alpha, beta), np.where(np.greater_equal(alpha, beta), r + x, s + 1)

    def scaled_integral(t: Vector) -> Vector:
        series = hyp2f1(1.0, second, r + s + x + 1, np.abs(np.subtract(alpha, beta)) / (larger + t))
        return (alpha + t) / (larger + t) * series

    silence = (r + x) * np.log((alpha + T) / (alpha + t_x)) + s * np.log((beta + T) / (beta + t_x))
    # Beyond exp(700) the customer is dead in every digit.
    died = np.exp(np.minimum(silence, 700.0)) * scaled_integral(t_x) - scaled_integral(T)
    return 1 / (1 + s / (r + s + x) * np.maximum(died, 0.0))


def _expect_beta_geometric(shape: Vector, scale: Vector, a: float | Vector, b: Vector, t: Vector) -> Vector:
    singular = np.abs(np.subtract(a, 1)) < _SINGULAR
    if np.any(singular):
        aside = 2 * _SINGULAR
        places = [np.where(singular, 1 + side, a) for side in (-aside, aside)]
        sides = [_expect_beta_geometric(shape, scale, place, b, t) for place in places]
        return (sides[0] + sides[1]) / 2
    total = a + b - 1
    total = np.where(np.abs(total) < _SINGULAR**2, _SINGULAR**2, total)
    z = t / (scale + t)
    power = np.exp((1 - a) * np.log1p(t / scale))
    return total / (a - 1) * (1 - power * hyp2f1(total - shape, a - 1, total, z))


def _beta_geometric_probabilities(
    shape: Vector, scale: Vector, a: float | Vector, b: Vector, t: Vector, *, most: int
) -> NDArray[np.float64]:
    nbd = _nbd_probabilities(shape, scale, t, most)
    n = np.arange(most + 1)
    before = betaln(a, b)[:, None]
    a = np.atleast_1d(a)[:, None]
    probabilities = np.exp(betaln(a, b[:, None] + n) - before) * nbd
    reached = 1 - np.cumsum(nbd, axis=1)[:, :-1]
    dropped = np.exp(betaln(a + 1, b[:, None] + n[1:] - 1) - before)
    probabilities[:, 1:] += dropped * np.maximum(reached, 0.0)
    return probabilities


def _integrate_deaths(
    shape: Vector, scale: Vector, dropout: tuple[float | Vector, Vector], t: Vector, n: Vector | NDArray[np.int64]
) -> Vector:
    """P(n purchases within t) over the time until death, which is Pareto; `dropout` is s and beta + T."""
    s, rate = dropout
    survives = np.exp(-s * np.log1p(t / rate))
    probabilities = survives * _nbd_probability(shape, scale, t, n)
    # Over g = 1 - (1 + u/rate)^-k the density of the time of death u is smooth, whether s is small or large.
    k = np.minimum(s, 1.0)
    end = -np.expm1(-k * np.log1p(t / rate))
    nodes, weights = leggauss(_NODES)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        log_left = np.log1p(-node * end)
        death = np.minimum(rate * np.expm1(-log_left / k), t)
        density = weight * end * s / k * np.exp(log_left * (s - k) / k)
        probabilities += density * _nbd_probability(shape, scale, death, n)
    return probabilities


def _nbd_probabilities(shape: Vector, scale: Vector, t: Vector, most: int) -> NDArray[np.float64]:
    return _nbd_probability(shape[:, None], scale[:, None], t[:, None], np.arange(most + 1))


def _nbd_probability(shape: Vector, scale: Vector, t: Vector, n: Vector | NDArray[np.int64]) -> Vector:
    return np.exp(
        gammaln(shape + n) - gammaln(shape) - gammaln(n + 1) - shape * np.log1p(t / scale) + xlogy(n, t / (scale + t))
    )
