"""Compiled posteriors of the models on counted distinct rows.

Belongs here: the likelihoods of pymc-marketing as functions of the log-parameters and of the data. Does not belong
here: how their maximum is found (`modes.py`) or what is made of it (`fit.py`).

The library is imported when a posterior is compiled: it costs seconds, and only a fit needs it.
"""

import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.models.covariates import EFFECTS
from clv_pipeline.clv.models.pareto import pareto_log_likelihood
from clv_pipeline.clv.models.priors import PARAMETERS, Prior, Priors
from clv_pipeline.clv.models.result import ModelError

type Vector = NDArray[np.float64]


class Evaluate(Protocol):
    """Log-parameters and data columns in; (minus log posterior, log-likelihood, gradient of the first) out."""

    def __call__(self, theta: Vector, /, *data: Vector) -> list[Any]: ...  # noqa: D102


def copy_posterior(posterior: Evaluate) -> Evaluate:
    """The same compiled function for another thread: one serves a thread at a time."""
    return cast(Any, posterior).copy()


def compile_posterior(model: str, priors: Priors, mode: str = "FAST_COMPILE", coefficients: int = 0) -> Evaluate:
    """The posterior of `model` as a function of log-parameters and data, compiled once per process.

    Data columns are float64 vectors with one entry per distinct row: (frequency, recency, T, customers) for the
    purchase models, (frequency, monetary_value, customers) for the Gamma-Gamma. The log-likelihood is the sum over
    customers, so a row counts as often as it occurs. The prior is a density of the parameters themselves, not of
    their logarithms: flat priors give the maximum likelihood estimate. With `coefficients` of covariates of each kind
    (`covariates.py`), these follow the log-parameters, as they are, and a matrix of as many columns precedes customers.
    `mode` is that of pytensor: NUMBA takes seconds longer to be ready, and a third of the time to evaluate.
    Raises ModelError when a prior is not a distribution of pymc with those arguments.
    """
    return _compile_once(model, priors, mode, coefficients)


@lru_cache(maxsize=16)
def _compile_once(model: str, priors: Priors, mode: str, coefficients: int) -> Evaluate:
    with warnings.catch_warnings():
        # Deprecations inside the library and its dependencies are theirs to mend.
        warnings.simplefilter("ignore")
        pytensor = _load("pytensor")
        # Even with a Python linker, folding constants would call the C compiler: 9 s, and files in the home directory.
        with pytensor.config.change_flags(cxx=""):
            return _compile(model, priors, mode, coefficients)


def _compile(model: str, priors: Priors, mode: str, coefficients: int) -> Evaluate:
    pytensor, pt = _load("pytensor"), _load("pytensor.tensor")
    theta = pt.dvector("theta")
    values = {name: pt.exp(theta[i]) for i, name in enumerate(PARAMETERS[model])}
    matrix, own, weights = pt.dmatrix("covariates"), dict(values), {}
    for kind, effect in enumerate(EFFECTS[model] if coefficients else ()):
        first = len(values) + kind * coefficients
        weights[effect] = theta[first : first + coefficients]
        own[effect.parameter] = values[effect.parameter] * pt.exp(effect.sign * pt.dot(matrix, weights[effect]))
    columns = ("frequency", "monetary_value") if model == "gamma_gamma" else ("frequency", "recency", "T")
    data = [pt.dvector(name) for name in columns]
    customers = pt.dvector("customers")
    log_likelihood = (customers * _LIKELIHOODS[model](own, *data)).sum()
    objective = -log_likelihood
    for name, prior in priors or ():
        places = [values[name]] if name in values else [weights[it] for it in weights if it.prior == name]
        for place in places:
            objective -= _log_prior(f"models.priors.{model}.{name}", prior, place).sum()
    outputs = [objective, log_likelihood, pytensor.grad(objective, theta)]
    # Measured from scratch: FAST_COMPILE is ready after 0.3 s, NUMBA after 5 s, C after 14 s; it needs no compiler and
    # no cache on disk, and an evaluation on half a million distinct rows still takes 0.13 s.
    inputs = [theta, *data, *([matrix] if coefficients else []), customers]
    return pytensor.function(inputs, outputs, mode=mode)


def _log_prior(setting: str, prior: Prior, value: Any) -> Any:
    pm = _load("pymc")
    name, arguments = prior
    try:
        distribution = getattr(pm, name).dist(**dict(arguments))
        pm.logp(distribution, 1.0).eval(mode="FAST_COMPILE")  # Refuses arguments out of range.
        return pm.logp(distribution, value)
    except (AttributeError, TypeError, ValueError, NotImplementedError) as error:
        given = ", ".join(f"{key} = {number:g}" for key, number in arguments)
        raise ModelError(f"{setting}: pymc has no distribution {name}({given})") from error


def _bg_nbd(values: dict[str, Any], frequency: Any, recency: Any, T: Any) -> Any:
    return _library_log_likelihood("BetaGeoNBD", values, frequency, recency, T)


def _mbg_nbd(values: dict[str, Any], frequency: Any, recency: Any, T: Any) -> Any:
    return _library_log_likelihood("ModifiedBetaGeoNBD", values, frequency, recency, T)


def _library_log_likelihood(distribution: str, values: dict[str, Any], frequency: Any, recency: Any, T: Any) -> Any:
    library = _load_distributions()
    rows = _load("pytensor.tensor").stack([recency, frequency], axis=-1)
    return _load("pymc").logp(getattr(library, distribution).dist(**values, T=T), rows)


def _gamma_gamma(values: dict[str, Any], frequency: Any, monetary_value: Any) -> Any:
    """Equation 1a of Fader and Hardie (2013), note 025, as in pymc-marketing's GammaGammaModel.

    The library has it inside a model that takes one row per customer, and no distribution to call.
    """
    pt = _load("pytensor.tensor")
    p, q, gamma = values["p"], values["q"], values["gamma"]
    px = p * frequency
    return (
        pt.gammaln(px + q)
        - pt.gammaln(px)
        - pt.gammaln(q)
        + q * pt.log(gamma)
        + (px - 1) * pt.log(monetary_value)
        + px * pt.log(frequency)
        - (px + q) * pt.log(frequency * monetary_value + gamma)
    )


def load_libraries() -> None:
    """Imports what a fit needs, ahead of the fit."""
    for module in ("pytensor", "pymc", "scipy.optimize"):
        _load(module)
    _load_distributions()


@lru_cache(maxsize=1)
def _load_distributions() -> Any:
    """The module `pymc_marketing.clv.distributions` alone.

    Importing it by name runs its package too, media mix models and plots included: three quarters of the time.
    """
    package = find_spec("pymc_marketing")
    folder = Path(next(iter(package.submodule_search_locations or []))) if package else Path()
    place = folder / "clv" / "distributions.py"
    spec = spec_from_file_location("clv_pipeline.clv.models.pymc_marketing_distributions", place)
    if spec is None or spec.loader is None:
        raise ImportError(f"pymc_marketing has no {place.name}")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load(module: str) -> Any:
    """A module that costs seconds to import and whose types the checker cannot follow."""
    return import_module(module)


_LIKELIHOODS: dict[str, Callable[..., Any]] = {
    "bg_nbd": _bg_nbd,
    "mbg_nbd": _mbg_nbd,
    "pareto_nbd": pareto_log_likelihood,
    "gamma_gamma": _gamma_gamma,
}
