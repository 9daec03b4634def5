"""Prior densities of the model parameters, in scale-free units.

Belongs here: the default priors and reading the `[models] priors` setting. Does not belong here: the likelihoods.

A prior speaks about a parameter after time has been divided by the mean of T and money by the mean spend per repeat
purchase, so that days or weeks, dollars or cents give the same forecast.

The defaults are Gamma densities of shape 1.5: proper, zero at zero (no parameter collapses), an exponential tail (none
runs away), and so wide that on the 2,357 customers of the CDNOW sample they move no parameter of the BG/NBD by more
than 2% from its maximum likelihood estimate. Their modes lie where published fits tend to lie. Coefficients of
covariates are Normal(0, 1), as in pymc-marketing: a level may well buy at e times the pace of the base.
"""

from collections.abc import Mapping

from clv_pipeline.clv.models.covariates import DROPOUT, EFFECTS, PURCHASE
from clv_pipeline.clv.models.result import ModelError

type Prior = tuple[str, tuple[tuple[str, float], ...]]
"""A distribution of pymc by name, with its arguments in a hashable form."""

type Priors = tuple[tuple[str, Prior], ...] | None
"""The prior of each parameter of one model; None for flat priors (maximum likelihood)."""

PARAMETERS: dict[str, tuple[str, ...]] = {
    "bg_nbd": ("r", "alpha", "a", "b"),
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
    "gamma_gamma": ("p", "q", "gamma"),
}

# The mode of each default prior, in scale-free units.
_MODES: dict[str, dict[str, float]] = {
    "bg_nbd": {"r": 0.5, "alpha": 0.5, "a": 1.0, "b": 2.0},
    "mbg_nbd": {"r": 0.5, "alpha": 0.5, "a": 1.0, "b": 2.0},
    "pareto_nbd": {"r": 0.5, "alpha": 0.5, "s": 0.5, "beta": 0.5},
    "gamma_gamma": {"p": 5.0, "q": 4.0, "gamma": 0.5},
}
_SHAPE = 1.5
_OF_COEFFICIENTS: Prior = ("Normal", (("mu", 0.0), ("sigma", 1.0)))


def resolve_priors(
    model: str, priors: str | Mapping[str, Mapping[str, Mapping[str, object]]], *, covariates: bool = False
) -> Priors:
    """The priors of `model` under the setting: 'default', 'flat', or a table per model and parameter.

    A table entry is `{dist = "Weibull", alpha = 2, beta = 1}`: a distribution of pymc with its arguments, in scale-free
    units. Parameters that the table leaves out keep their default. With `covariates` there are two more,
    'purchase_coefficient' and 'dropout_coefficient', for all coefficients of their kind.
    Raises ModelError when a model, a parameter or the form of an entry is unknown.
    """
    if isinstance(priors, str):
        if priors == "flat":
            return None
        if priors != "default":
            raise ModelError(f"models.priors = '{priors}' is unknown: use 'default', 'flat' or a table per model")
        return _default_priors(model, covariates=covariates)
    _check_names(priors)
    chosen = dict(_default_priors(model, covariates=covariates))
    for parameter, entry in priors.get(model, {}).items():
        chosen[parameter] = _read_entry(f"models.priors.{model}.{parameter}", entry)
    return tuple((parameter, chosen[parameter]) for parameter in _list_parameters(model, covariates=covariates))


def prior_modes(model: str) -> list[float]:
    """The modes of the default priors in the order of PARAMETERS: where the search for an estimate starts."""
    return [_MODES[model][parameter] for parameter in PARAMETERS[model]]


def _list_parameters(model: str, *, covariates: bool) -> tuple[str, ...]:
    return (*PARAMETERS[model], *([PURCHASE, DROPOUT] if covariates and model in EFFECTS else []))


def _default_priors(model: str, *, covariates: bool) -> tuple[tuple[str, Prior], ...]:
    of_parameters = {
        parameter: ("Gamma", (("alpha", _SHAPE), ("beta", (_SHAPE - 1) / mode)))
        for parameter, mode in _MODES[model].items()
    }
    names = _list_parameters(model, covariates=covariates)
    return tuple((name, of_parameters.get(name, _OF_COEFFICIENTS)) for name in names)


def _check_names(priors: Mapping[str, Mapping[str, object]]) -> None:
    for model, entries in priors.items():
        if model not in PARAMETERS:
            raise ModelError(f"models.priors.{model} is unknown: use one of {', '.join(PARAMETERS)}")
        if not isinstance(entries, Mapping):
            raise ModelError(f"models.priors.{model} must be a table of parameters, not {entries!r}")
        for parameter in entries:
            if parameter not in (listed := _list_parameters(model, covariates=True)):
                known = ", ".join(listed)
                raise ModelError(f"models.priors.{model}.{parameter} is unknown: {model} has {known}")


def _read_entry(setting: str, entry: object) -> Prior:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("dist"), str):
        raise ModelError(f'{setting} must name a distribution, for example {{dist = "Gamma", alpha = 2, beta = 1}}')
    arguments: list[tuple[str, float]] = []
    for name, value in entry.items():
        if name == "dist":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ModelError(f"{setting}.{name} must be a number, not {value!r}")
        arguments.append((name, float(value)))
    return str(entry["dist"]), tuple(sorted(arguments))
