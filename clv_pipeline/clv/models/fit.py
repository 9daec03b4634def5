"""Fits the models of one as-of to its customers.

Belongs here: which rows each model sees, the units inside the fit, and the estimates with their uncertainty. Does not
belong here: the likelihoods (`likelihoods.py`), the search (`modes.py`), or what is reported beside the parameters
(`evaluation.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models.evaluation import (
    build_repeat_purchases,
    describe_customers,
    evaluate_gamma_gamma,
    evaluate_mean_spend,
    evaluate_purchases,
)
from clv_pipeline.clv.models.likelihoods import compile_posterior, has_gradient
from clv_pipeline.clv.models.modes import Mode, Objective, find_mode
from clv_pipeline.clv.models.priors import PARAMETERS, Priors, prior_modes, resolve_priors
from clv_pipeline.clv.models.purchases import PURCHASE_MODELS
from clv_pipeline.clv.models.result import ModelError, ModelFit

type Vector = NDArray[np.float64]
type ParameterRow = tuple[str, str, float, float | None, float | None, float | None]
"""Model, parameter, estimate, sd, lower, upper."""

# Which parameters carry a unit, to be multiplied by the unit of time or money.
_WITH_UNIT = frozenset({"alpha", "beta", "gamma"})
_FEWEST_REPEATERS_FOR_SPEND = 3
# On more distinct rows than this the search runs on every k-th of them, and only its last steps on all.
_MANY_ROWS = 50_000
_NORMAL_95 = 1.959963984540054

PARAMETER_SCHEMA = {
    "model": pl.String,
    "parameter": pl.String,
    "estimate": pl.Float64,
    "sd": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


@dataclass(frozen=True)
class _Estimate:
    """A fitted model: its parameters in natural units, their table rows, and the log-likelihood in these units."""

    parameters: dict[str, float]
    rows: list[ParameterRow]
    log_likelihood: float
    distinct_rows: int


def fit_models(
    customers: pl.DataFrame,
    *,
    transactions: str,
    estimation: str,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
) -> ModelFit:
    """Fits a purchase model and the spend model by maximum a posteriori on distinct rows with their counts.

    `customers`: one row each with frequency (repeat purchase days), recency and T (weeks; any unit gives the same
    forecast), monetary_value (mean spend per repeat purchase, null at frequency 0) and spend.
    `transactions`: bg_nbd, mbg_nbd or pareto_nbd. `estimation`: map or laplace; both give the mode, and sd and the 95%
    bounds from the curvature there: a normal distribution of the log-parameters, sd = estimate x sd(log).
    `priors`: see `resolve_priors`; 'flat' gives the maximum likelihood estimate.

    The Gamma-Gamma is fitted to the customers with a repeat purchase and positive monetary_value. With fewer than
    three of them, or where its mean is infinite (q <= 1), model 'mean_spend' takes its place: spend per purchase day.
    Raises ModelError for an unknown setting, for customers that cannot be, and when no finite estimate exists.
    """
    _check_settings(transactions, estimation)
    rows = _read_customers(customers)
    purchase_priors = resolve_priors(transactions, priors)
    spend_priors = resolve_priors("gamma_gamma", priors)
    purchases = _fit_purchases(rows, transactions, purchase_priors)
    notes = describe_customers(rows, transactions, flat=purchase_priors is None)
    spend, spend_evaluation, spend_notes = _fit_spend(rows, spend_priors)
    evaluation = evaluate_purchases(
        rows, transactions, purchases.parameters, purchases.log_likelihood, purchases.distinct_rows
    )
    return ModelFit(
        parameters=pl.DataFrame(purchases.rows + spend, schema=PARAMETER_SCHEMA, orient="row"),
        evaluation=pl.concat([evaluation, spend_evaluation]),
        repeat_purchases=build_repeat_purchases(rows, transactions, purchases.parameters),
        notes=notes + spend_notes,
    )


def _check_settings(transactions: str, estimation: str) -> None:
    if transactions == "auto":
        raise ModelError("models.transactions = 'auto' needs the backtest, which is not built yet: use 'bg_nbd'")
    if transactions not in PURCHASE_MODELS:
        raise ModelError(f"models.transactions = '{transactions}' is unknown: use {', '.join(PURCHASE_MODELS)}")
    if estimation == "mcmc":
        raise ModelError("models.estimation = 'mcmc' is not built yet: use 'laplace'")
    if estimation not in ("map", "laplace"):
        raise ModelError(f"models.estimation = '{estimation}' is unknown: use 'map' or 'laplace'")


def _read_customers(customers: pl.DataFrame) -> pl.DataFrame:
    if customers.is_empty():
        raise ModelError("there is no customer to fit the models to: load transactions with a customer id first")
    floats = ("recency", "T", "monetary_value", "spend")
    rows = customers.select(pl.col("frequency").cast(pl.Int64), *(pl.col(name).cast(pl.Float64) for name in floats))
    possible = (
        (pl.col("frequency") >= 0)
        & (pl.col("recency") >= 0)
        & (pl.col("recency") <= pl.col("T"))
        & pl.col("T").is_finite()
        & ((pl.col("frequency") > 0) == (pl.col("recency") > 0))
    )
    impossible = rows.filter(~possible.fill_null(value=False)).height
    if impossible:
        raise ModelError(
            f"{impossible:,} customers cannot be: need 0 <= recency <= T, and recency > 0 if and only if frequency > 0"
        )
    return rows


def _fit_purchases(rows: pl.DataFrame, model: str, priors: Priors) -> _Estimate:
    if priors is None and rows["frequency"].max() == 0:
        raise ModelError(
            f"models.priors = 'flat' cannot fit {model}, no customer has a repeat purchase yet: use 'default'"
        )
    data = _count_rows(rows, ["frequency", "recency", "T"])
    weeks = float(np.average(data[2], weights=data[3])) or 1.0
    frequency, recency, T, counts = data
    return _estimate(model, priors, data, (frequency, recency / weeks, T / weeks, counts), unit=weeks)


def _fit_spend(rows: pl.DataFrame, priors: Priors) -> tuple[list[ParameterRow], pl.DataFrame, list[str]]:
    repeaters = rows.filter((pl.col("frequency") > 0) & (pl.col("monetary_value") > 0))
    if repeaters.height < _FEWEST_REPEATERS_FOR_SPEND:
        reason = f"customers with a repeat purchase of positive spend: {repeaters.height}, at least 3 are needed"
        return _take_mean_spend(rows, reason)
    data = _count_rows(repeaters, ["frequency", "monetary_value"])
    frequency, monetary_value, counts = data
    unit = float(np.average(monetary_value, weights=frequency * counts))
    fit = _estimate("gamma_gamma", priors, data, (frequency, monetary_value / unit, counts), unit=unit)
    if fit.parameters["q"] <= 1:
        return _take_mean_spend(rows, f"the Gamma-Gamma has no finite mean (q = {fit.parameters['q']:.3f} <= 1)")
    evaluation = evaluate_gamma_gamma(repeaters, fit.parameters, fit.log_likelihood, fit.distinct_rows)
    return fit.rows, evaluation, []


def _take_mean_spend(rows: pl.DataFrame, reason: str) -> tuple[list[ParameterRow], pl.DataFrame, list[str]]:
    mean = max(float(rows["spend"].sum()), 0.0) / float((rows["frequency"] + 1).sum())
    note = f"No Gamma-Gamma: {reason}. Every customer is expected to spend the mean per purchase day, {mean:,.2f}."
    return [("mean_spend", "mean", mean, None, None, None)], evaluate_mean_spend(rows), [note]


def _count_rows(rows: pl.DataFrame, columns: list[str]) -> tuple[Vector, ...]:
    """The distinct rows and how many customers share each, sorted so that sums do not depend on the input order."""
    distinct = rows.group_by(columns).agg(pl.len().alias("customers")).sort(columns)
    return tuple(distinct[name].cast(pl.Float64).to_numpy() for name in [*columns, "customers"])


def _estimate(
    model: str, priors: Priors, data: tuple[Vector, ...], scaled: tuple[Vector, ...], *, unit: float
) -> _Estimate:
    mode = _search(model, priors, scaled)
    logs = mode.theta + np.log([unit if name in _WITH_UNIT else 1.0 for name in PARAMETERS[model]])
    sds = np.sqrt(np.diag(mode.covariance))
    rows = [
        _describe_parameter(model, name, float(log), float(sd))
        for name, log, sd in zip(PARAMETERS[model], logs, sds, strict=True)
    ]
    log_likelihood = float(compile_posterior(model, priors)(logs, *data)[1])
    parameters = {name: float(value) for name, value in zip(PARAMETERS[model], np.exp(logs), strict=True)}
    return _Estimate(parameters, rows, log_likelihood, len(data[0]))


def _describe_parameter(model: str, name: str, log: float, sd: float) -> ParameterRow:
    estimate, half = exp(log), _NORMAL_95 * sd
    return model, name, estimate, estimate * sd, estimate * exp(-half), estimate * exp(half)


def _search(model: str, priors: Priors, data: tuple[Vector, ...]) -> Mode:
    likely = np.log(prior_modes(model))
    starts = [likely, likely - 1.0, likely + 1.0]
    near = False
    rows = len(data[0])
    if rows > _MANY_ROWS:
        every = -(-2 * rows // _MANY_ROWS)
        thinned = find_mode(_bind(model, priors, tuple(column[::every] for column in data)), starts)
        near = thinned is not None
        starts = [thinned.theta, *starts] if thinned is not None else starts
    mode = find_mode(_bind(model, priors, data), starts, near=near)
    if mode is None:
        way_out = (
            "use models.priors = 'default'" if priors is None else "choose models.priors without bounds, or 'default'"
        )
        raise ModelError(f"{model} has no finite best estimate for these {int(data[-1].sum()):,} customers: {way_out}")
    return mode


def _bind(model: str, priors: Priors, data: tuple[Vector, ...]) -> Objective:
    posterior = compile_posterior(model, priors)
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
