"""One model's estimate: the mode, the uncertainty around it, and draws of the parameters, in natural units.

Belongs here: from a compiled posterior to parameters, bounds and draws. Does not belong here: which rows a model sees
(`fit.py`), the search (`modes.py`) or the samplers (`sampling.py`).

The mode is that of the density of the parameters, so that flat priors give the maximum likelihood estimate. Draws are
of their logarithms, whose density has its mode elsewhere: the Laplace draws are centred there, as the posterior is
(flat priors have no such density, and their draws are centred at the estimate). Coefficients of covariates stand beside
the log-parameters as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import exp
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models.covariates import name_coefficients
from clv_pipeline.clv.models.likelihoods import Evaluate, compile_posterior, copy_posterior
from clv_pipeline.clv.models.modes import Mode, Near, Objective, find_mode
from clv_pipeline.clv.models.priors import PARAMETERS, Priors, prior_modes
from clv_pipeline.clv.models.result import DRAW_SCHEMA, ModelError
from clv_pipeline.clv.models.sampling import Draws, Estimation, Vector, draw_laplace, draw_nuts, seed_of

type ParameterRow = tuple[str, str, float, float | None, float | None, float | None]
"""Model, parameter, estimate, sd, lower, upper."""

# Which parameters carry a unit, to be multiplied by the unit of time or money.
_WITH_UNIT = frozenset({"alpha", "beta", "gamma"})
# On more distinct rows than this the search runs on every k-th of them, and only its last steps on all.
_MANY_ROWS = 3_000
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class _Posterior:
    """The posterior of a model on some data, as a function of log-parameters and, after them, coefficients."""

    model: str
    priors: Priors
    columns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (*PARAMETERS[self.model], *name_coefficients(self.model, self.columns))

    @property
    def logged(self) -> NDArray[np.bool_]:
        """Which of `names` are parameters that stand as their logarithms."""
        return np.arange(len(self.names)) < len(PARAMETERS[self.model])

    @property
    def floors(self) -> Vector:
        """What draws stay above: the mean of a Gamma-Gamma is infinite where q <= 1."""
        return np.array([0.0 if (self.model, name) == ("gamma_gamma", "q") else -np.inf for name in self.names])

    def compile(self, mode: str = "FAST_COMPILE") -> Evaluate:
        return compile_posterior(self.model, self.priors, mode, len(self.columns))


@dataclass(frozen=True)
class Estimate:
    """A fitted model: parameters in natural units, their table rows, and the log-likelihood in these units.

    `draws` is one row per draw and one column per parameter (no row with 'map'), `sampling` the diagnostics of NUTS.
    """

    model: str
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
    columns: Sequence[str] = (),
) -> Estimate:
    """The estimate of `model` from counted rows: `scaled` is `data` with time or money divided by `unit`.

    `columns` are those of the matrix of covariates, where there is one before the counts.
    'map' and 'laplace': the mode, sd and 95% bounds from the curvature there. 'mcmc': median, sd and 95% bounds of the
    draws. Raises ModelError when there is no finite mode, or nothing to sample from under flat priors.
    """
    posterior = _Posterior(model, priors, tuple(columns))
    names, logged = posterior.names, posterior.logged
    if estimation.kind == "mcmc" and priors is None:
        raise ModelError("models.estimation = 'mcmc' cannot sample under models.priors = 'flat': use 'default'")
    mode = _search(posterior, scaled)
    units = np.log([unit if name in _WITH_UNIT else 1.0 for name in names])
    drawn, sampling = _draw(posterior, mode, scaled, estimation)
    draws = drawn + units
    draws[:, logged] = np.exp(draws[:, logged])
    place, sds = (mode.theta + units).tolist(), np.sqrt(np.diag(mode.covariance)).tolist()
    rows = [
        (_describe if is_log else _describe_coefficient)(model, name, at, sd)
        for name, at, sd, is_log in zip(names, place, sds, logged, strict=True)
    ]
    if estimation.kind == "mcmc":
        rows = [_summarise(model, name, column) for name, column in zip(names, draws.T, strict=True)]
    parameters = {row[1]: row[2] for row in rows}
    at = np.array(list(parameters.values()))
    at[logged] = np.log(at[logged])
    log_likelihood = float(posterior.compile()(at, *data)[1])
    return Estimate(model, parameters, rows, log_likelihood, len(data[0]), draws, sampling)


def tabulate_draws(model: str, names: Sequence[str], draws: Draws) -> pl.DataFrame:
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


def _describe_coefficient(model: str, name: str, value: float, sd: float) -> ParameterRow:
    half = _NORMAL_95 * sd
    return model, name, value, sd, value - half, value + half


def _summarise(model: str, name: str, draws: Vector) -> ParameterRow:
    lower, median, upper = (float(value) for value in np.quantile(draws, [0.025, 0.5, 0.975]))
    return model, name, median, float(draws.std(ddof=1)), lower, upper


def _draw(
    posterior: _Posterior, mode: Mode, data: tuple[Vector, ...], estimation: Estimation
) -> tuple[Draws, Mapping[str, float]]:
    """Log-parameters and coefficients, and the diagnostics of their sampling."""
    model, floors = posterior.model, posterior.floors
    # A mode with an infinite mean is not used, so that its draws are not wanted either.
    if estimation.kind == "map" or (estimation.kind == "laplace" and (mode.theta <= floors).any()):
        return np.empty((0, len(mode.theta))), {}
    generator = np.random.default_rng([estimation.seed, *model.encode()])
    if estimation.kind == "laplace":
        centre = mode if posterior.priors is None else _centre(posterior, data, mode)
        return draw_laplace(centre, estimation, generator, floors), {}
    # Thousands of evaluations repay the longer compilation.
    compiled = posterior.compile("NUMBA")
    build = partial(_bind_copy, compiled, data)
    theta, metrics = draw_nuts(mode, posterior.logged, build, estimation, seed_of(generator))
    kept = np.flatnonzero((theta > floors).all(axis=1))
    lost = len(theta) - len(kept)
    if 0 < lost < len(kept):
        theta = np.concatenate([theta[kept], theta[generator.choice(kept, lost)]])
    return theta, metrics


def _bind_copy(compiled: Evaluate, data: tuple[Vector, ...]) -> Objective:
    return _bind(copy_posterior(compiled), data)


def _centre(posterior: _Posterior, data: tuple[Vector, ...], mode: Mode) -> Mode:
    """The mode of the density of the log-parameters, which is larger by the product of the parameters."""
    plain, logged = _bind(posterior.compile(), data), posterior.logged
    shifted = Objective(
        value=lambda theta: plain.value(theta) - float(theta[logged].sum()),
        gradient=lambda theta: plain.gradient(theta) - logged,
    )
    return find_mode(shifted, [mode.theta], near=Near(mode.theta)) or mode


def _search(posterior: _Posterior, data: tuple[Vector, ...]) -> Mode:
    model, compiled = posterior.model, posterior.compile()
    likely = np.zeros(len(posterior.names))
    likely[posterior.logged] = np.log(prior_modes(model))
    starts = [likely, likely - posterior.logged, likely + posterior.logged]
    near = None
    rows = len(data[0])
    if rows > _MANY_ROWS:
        few = tuple(column[:: -(-2 * rows // _MANY_ROWS)] for column in data)
        if thinned := find_mode(_bind(compiled, few), starts):
            more = float(data[-1].sum() / few[-1].sum())
            near = Near(thinned.theta, np.asarray(np.linalg.inv(thinned.covariance) * more, np.float64))
    mode = find_mode(_bind(compiled, data), [near.theta, *starts] if near else starts, near=near)
    if mode is None:
        way_out = (
            "use models.priors = 'default'"
            if posterior.priors is None
            else "choose models.priors without bounds, or 'default'"
        )
        raise ModelError(f"{model} has no finite best estimate for these {int(data[-1].sum()):,} customers: {way_out}")
    return mode


def _bind(compiled: Evaluate, data: tuple[Vector, ...]) -> Objective:
    latest: dict[bytes, list[Any]] = {}

    def evaluate(theta: Vector) -> list[Any]:
        # Value and gradient come together, and are asked for one after the other.
        if (place := theta.tobytes()) not in latest:
            latest.clear()
            latest[place] = compiled(theta, *data)
        return latest[place]

    return Objective(
        value=lambda theta: float(evaluate(theta)[0]),
        gradient=lambda theta: evaluate(theta)[2],
    )
