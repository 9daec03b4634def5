"""Draws from a posterior whose mode is known: from the normal distribution there (Laplace), or by NUTS.

Belongs here: the two samplers, and what tells whether NUTS converged. Does not belong here: the mode (`modes.py`), or
what is made of the draws (`estimates.py`).

NUTS moves in coordinates in which the curvature at the mode is the identity: the posterior is nearly a standard normal
distribution there, whatever the correlations of the parameters, so that a tree needs few steps and tuning is short.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.models.modes import Mode, Objective
from clv_pipeline.clv.models.result import ModelError

type Vector = NDArray[np.float64]
type Draws = NDArray[np.float64]
"""Log-parameters: draws x parameters, chain after chain."""

LARGEST_RHAT = 1.01
SMALLEST_ESS = 400
LARGEST_SHARE_OF_DIVERGENCES = 0.001

_TAILS = (0.05, 0.95)
# Starts are spread over this many standard deviations either way, so that R-hat can tell chains apart.
_SPREAD = 2.0
_REDRAWS = 100
# Chains are made at most so many times as long to reach the effective sample size, with something to spare.
_LONGEST, _SPARE = 4, 1.25


@dataclass(frozen=True)
class Estimation:
    """How a posterior is described: kind 'map', 'laplace' or 'mcmc', where `draws` and `tune` are per chain."""

    kind: str = "laplace"
    draws: int = 500
    chains: int = 4
    tune: int = 500
    seed: int = 1

    @property
    def kept_draws(self) -> int:
        """Draws of all chains together; none with 'map'."""
        return {"map": 0, "laplace": self.draws, "mcmc": self.chains * self.draws}[self.kind]


class _OutOfRangeError(ValueError):
    """Tells nutpie that the step, not the program, went wrong."""

    is_recoverable = True


def draw_laplace(mode: Mode, estimation: Estimation, generator: np.random.Generator, floors: Vector) -> Draws:
    """`draws` x parameters from the normal distribution of the log-parameters around the mode, all above `floors`."""
    turn = np.linalg.cholesky(mode.covariance).T
    kept = np.empty((0, len(mode.theta)))
    for _ in range(_REDRAWS):
        drawn = mode.theta + generator.standard_normal((estimation.draws, len(mode.theta))) @ turn
        kept = np.concatenate([kept, drawn[(drawn > floors).all(axis=1)]])
        if len(kept) >= estimation.draws:
            return kept[: estimation.draws]
    raise ModelError("too few draws have a finite mean: use models.estimation = 'map', or tighter models.priors")


def seed_of(generator: np.random.Generator) -> int:
    """A seed for a sampler that takes a number."""
    return int(generator.integers(2**32))


def draw_nuts(
    mode: Mode, logged: NDArray[np.bool_], build_objective: Callable[[], Objective], estimation: Estimation, seed: int
) -> tuple[Draws, dict[str, float]]:
    """`chains x draws` x parameters by NUTS, and the worst diagnostics over the parameters.

    `build_objective` gives each chain an objective of its own, since a compiled function serves one thread at a time.
    The prior is a density of the parameters; those that are `logged` stand as their logarithms, so that the density
    there is larger by their product.
    Where the chains mix so slowly that their effective sample is too small, as those of a Pareto/NBD with a long tail
    of beta do, they are made anew up to four times as long and thinned: nobody has to find out how many draws it takes.
    Metrics: chains, draws (per chain, before they are thinned), rhat, ess_bulk, ess_tail, divergences. Same seed and
    data, same draws.
    """
    nutpie, size = import_module("nutpie"), len(mode.theta)
    from_pyfunc = import_module("nutpie.compiled_pyfunc").from_pyfunc
    turn = np.linalg.cholesky(mode.covariance)

    def make_density() -> Callable[[Vector], tuple[float, Vector]]:
        objective = build_objective()
        highest = objective.value(mode.theta)

        def density(place: Vector) -> tuple[float, Vector]:
            with np.errstate(all="ignore"):
                theta = mode.theta + turn @ place
                value = objective.value(theta)
                force = turn.T @ (logged - objective.gradient(theta))
            if not np.isfinite(value) or not np.isfinite(force).all():
                raise _OutOfRangeError("no finite density here")
            return float(highest - value + (theta - mode.theta)[logged].sum()), force

        return density

    model = from_pyfunc(
        size,
        make_density,
        lambda *_: lambda place: {"theta": mode.theta + turn @ place},
        [np.dtype(np.float64)],
        [(size,)],
        ["theta"],
        make_initial_point_fn=lambda chain_seed: np.random.default_rng(chain_seed).uniform(-_SPREAD, _SPREAD, size),
    )

    def sample(draws: int) -> tuple[Draws, dict[str, float]]:
        trace = nutpie.sample(
            model,
            draws=draws,
            tune=estimation.tune,
            chains=estimation.chains,
            cores=min(estimation.chains, os.cpu_count() or 1),
            seed=seed,
            save_warmup=False,
            progress_bar=False,
        )
        theta = np.asarray(trace.posterior["theta"])
        return theta, diagnose(theta) | {"divergences": float(trace.sample_stats["diverging"].sum())}

    theta, metrics = sample(estimation.draws)
    if (longer := _lengthen(metrics)) > 1:
        theta, metrics = sample(longer * estimation.draws)
    return theta[:, ::longer].reshape(-1, size), metrics


def _lengthen(metrics: Mapping[str, float]) -> int:
    """How many times as long chains of these diagnostics have to be; 1 where no length that is in reason would do."""
    smallest = min(metrics["ess_bulk"], metrics["ess_tail"])
    if not 0 < smallest < SMALLEST_ESS:
        return 1
    longer = int(np.ceil(_SPARE * SMALLEST_ESS / smallest))
    return longer if longer <= _LONGEST else 1


def diagnose(theta: NDArray[np.float64]) -> dict[str, float]:
    """Chains, draws, and the worst R-hat (rank-normalised) and effective sample sizes of chains x draws x parameters.

    Vehtari, Gelman, Simpson, Carpenter, Buerkner (2021), "Rank-normalization, folding, and localization".
    """
    statistics: Any = import_module("arviz_stats.base").array_stats
    axes = {"chain_axis": 0, "draw_axis": 1}
    return {
        "chains": float(theta.shape[0]),
        "draws": float(theta.shape[1]),
        "rhat": float(np.max(statistics.rhat(theta, **axes))),
        "ess_bulk": float(np.min(statistics.ess(theta, method="bulk", **axes))),
        "ess_tail": float(np.min(statistics.ess(theta, method="tail", prob=_TAILS, **axes))),
    }


def explain_nonconvergence(metrics: Mapping[str, float]) -> str | None:
    """Why the draws of these diagnostics are not to be relied on; None when they are."""
    if not metrics["rhat"] <= LARGEST_RHAT:
        return f"R-hat {metrics['rhat']:.3f} is above {LARGEST_RHAT}"
    if not min(metrics["ess_bulk"], metrics["ess_tail"]) >= SMALLEST_ESS:
        return f"the effective sample size {min(metrics['ess_bulk'], metrics['ess_tail']):.0f} is below {SMALLEST_ESS}"
    share = metrics["divergences"] / (metrics["chains"] * metrics["draws"])
    if share > LARGEST_SHARE_OF_DIVERGENCES:
        return f"{share:.2%} of the draws diverged, more than {LARGEST_SHARE_OF_DIVERGENCES:.1%}"
    return None
