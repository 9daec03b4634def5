"""One model's estimate: the mode, the uncertainty around it, and draws of the parameters, in natural units.

Belongs here: from a compiled posterior to parameters, bounds and draws. Does not belong here: which rows a model sees
(`fit.py`), the search (`modes.py`) or the samplers (`sampling.py`).

The mode is that of the density of the parameters, so that flat priors give the maximum likelihood estimate. Draws are
of their logarithms, whose density has its mode elsewhere: the Laplace draws are centred there, as the posterior is
(flat priors have no such density, and their draws are centred at the estimate).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import exp
from typing import Any

import numpy as np
import polars as pl

from clv_pipeline.clv.models.likelihoods import Evaluate, compile_posterior, copy_posterior, has_gradient
from clv_pipeline.clv.models.modes import Mode, Objective, find_mode
from clv_pipeline.clv.models.priors import PARAMETERS, Priors, prior_modes
from clv_pipeline.clv.models.result import DRAW_SCHEMA, ModelError
from clv_pipeline.clv.models.sampling import Draws, Estimation, Vector, draw_laplace, draw_nuts, seed_of

type ParameterRow = tuple[str, str, float, float | None, float | None, float | None]
"""Model, parameter, estimate, sd, lower, upper."""

# Which parameters carry a unit, to be multiplied by the unit of time or money.
_WITH_UNIT = frozenset({"alpha", "beta", "gamma"})
# On more distinct rows than this the search runs on every k-th of them, and only its last steps on all.
_MANY_ROWS = 5_000
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A fitted model: parameters in natural units, their table rows, and the log-likelihood in these units.

    `draws` is one row per draw and one column per parameter (no row with 'map'), `sampling` the diagnostics of NUTS.
    """

    parameters: dict[str, float]
    rows: list[ParameterRow]
    log_likelihood: float
    distinct_rows: int
    draws: Draws
    sampling: Mapping[str, float]


def estimate(
    model: str,
    priors: Priors,
    data: tuple[Vector, ...],
    scaled: tuple[Vector, ...],
    *,
    unit: float,
    estimation: Estimation,
) -> Estimate:
    """The estimate of `model` from counted rows: `scaled` is `data` with time or money divided by `unit`.

    'map' and 'laplace': the mode, sd and 95% bounds from the curvature there. 'mcmc': median, sd and 95% bounds of the
    draws. Raises ModelError when there is no finite mode, or nothing to sample from under flat priors.
    """
    names = PARAMETERS[model]
    if estimation.kind == "mcmc" and priors is None:
        raise ModelError("models.estimation = 'mcmc' cannot sample under models.priors = 'flat': use 'default'")
    mode = _search(model, priors, scaled)
    units = np.log([unit if name in _WITH_UNIT else 1.0 for name in names])
    logs, sampling = _draw(model, priors, mode, scaled, estimation)
    draws = np.exp(logs + units)
    place, sds = mode.theta + units, np.sqrt(np.diag(mode.covariance))
    rows = [_describe(model, *described) for described in zip(names, place.tolist(), sds.tolist(), strict=True)]
    if estimation.kind == "mcmc":
        rows = [_summarise(model, name, column) for name, column in zip(names, draws.T, strict=True)]
    parameters = {row[1]: row[2] for row in rows}
    place = np.log(list(parameters.values()))
    log_likelihood = float(compile_posterior(model, priors)(place, *data)[1])
    return Estimate(parameters, rows, log_likelihood, len(data[0]), draws, sampling)


def tabulate_draws(model: str, names: tuple[str, ...], draws: Draws) -> pl.DataFrame:
    """The draws as rows: model, draw (from 0), parameter, value."""
    count = len(draws)
    columns = {
        "model": [model] * count * len(names),
        "draw": np.repeat(np.arange(count), len(names)),
        "parameter": list(names) * count,
        "value": draws.reshape(-1),
    }
    return pl.DataFrame(columns, schema=DRAW_SCHEMA)


def _describe(model: str, name: str, log: float, sd: float) -> ParameterRow:
    value, half = exp(log), _NORMAL_95 * sd
    return model, name, value, value * sd, value * exp(-half), value * exp(half)


def _summarise(model: str, name: str, draws: Vector) -> ParameterRow:
    lower, median, upper = (float(value) for value in np.quantile(draws, [0.025, 0.5, 0.975]))
    return model, name, median, float(draws.std(ddof=1)), lower, upper


def _draw(
    model: str, priors: Priors, mode: Mode, data: tuple[Vector, ...], estimation: Estimation
) -> tuple[Draws, Mapping[str, float]]:
    """Log-parameters and the diagnostics of their sampling."""
    floors = _floors(model)
    # A mode with an infinite mean is not used, so that its draws are not wanted either.
    if estimation.kind == "map" or (estimation.kind == "laplace" and (mode.theta <= floors).any()):
        return np.empty((0, len(mode.theta))), {}
    generator = np.random.default_rng([estimation.seed, *model.encode()])
    if estimation.kind == "laplace":
        centre = mode if priors is None else _centre(model, priors, data, mode)
        return draw_laplace(centre, estimation, generator, floors), {}
    # Thousands of evaluations repay the longer compilation; that of hyp2f1 gains nothing by it.
    posterior = compile_posterior(model, priors, "NUMBA" if has_gradient(model) else "FAST_COMPILE")
    build = partial(_bind_copy, model, posterior, data)
    theta, metrics = draw_nuts(mode, build, estimation, seed_of(generator))
    kept = np.flatnonzero((theta > floors).all(axis=1))
    lost = len(theta) - len(kept)
    if 0 < lost < len(kept):
        theta = np.concatenate([theta[kept], theta[generator.choice(kept, lost)]])
    return theta, metrics


def _bind_copy(model: str, posterior: Evaluate, data: tuple[Vector, ...]) -> Objective:
    return _bind(model, copy_posterior(posterior), data)


def _floors(model: str) -> Vector:
    """The log-parameters that draws stay above: the mean of a Gamma-Gamma is infinite where q <= 1."""
    return np.array([0.0 if (model, name) == ("gamma_gamma", "q") else -np.inf for name in PARAMETERS[model]])


def _centre(model: str, priors: Priors, data: tuple[Vector, ...], mode: Mode) -> Mode:
    """The mode of the density of the log-parameters, which is larger by the product of the parameters."""
    plain = _bind(model, compile_posterior(model, priors), data)
    gradient = plain.gradient
    shifted = Objective(
        value=lambda theta: plain.value(theta) - float(theta.sum()),
        gradient=(lambda theta: gradient(theta) - 1.0) if gradient else None,
    )
    return find_mode(shifted, [mode.theta], near=True) or mode


def _search(model: str, priors: Priors, data: tuple[Vector, ...]) -> Mode:
    posterior = compile_posterior(model, priors)
    likely = np.log(prior_modes(model))
    starts = [likely, likely - 1.0, likely + 1.0]
    near = False
    rows = len(data[0])
    if rows > _MANY_ROWS:
        every = -(-2 * rows // _MANY_ROWS)
        thinned = find_mode(_bind(model, posterior, tuple(column[::every] for column in data)), starts)
        near = thinned is not None
        starts = [thinned.theta, *starts] if thinned is not None else starts
    mode = find_mode(_bind(model, posterior, data), starts, near=near)
    if mode is None:
        way_out = (
            "use models.priors = 'default'" if priors is None else "choose models.priors without bounds, or 'default'"
        )
        raise ModelError(f"{model} has no finite best estimate for these {int(data[-1].sum()):,} customers: {way_out}")
    return mode


def _bind(model: str, posterior: Evaluate, data: tuple[Vector, ...]) -> Objective:
    latest: dict[bytes, list[Any]] = {}

    def evaluate(theta: Vector) -> list[Any]:
        # Value and gradient come together, and are asked for one after the other.
        if (place := theta.tobytes()) not in latest:
            latest.clear()
            latest[place] = posterior(theta, *data)
        return latest[place]

    return Objective(
        value=lambda theta: float(evaluate(theta)[0]),
        gradient=(lambda theta: evaluate(theta)[2]) if has_gradient(model) else None,
    )
