"""Fits the models of one as-of to its customers.

Belongs here: which rows each model sees, and the units inside the fit. Does not belong here: the estimates with their
uncertainty (`estimates.py`), or what is reported beside the parameters (`evaluation.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import polars as pl

from clv_pipeline.clv.models.covariates import (
    Design,
    build_matrix,
    describe_design,
    encode,
    learn_design,
    list_column_names,
    list_columns,
    require_support,
)
from clv_pipeline.clv.models.diagnostics import build_alive_matrix, build_repeat_purchases, build_spend_fit
from clv_pipeline.clv.models.estimates import Estimate, ParameterRow, estimate, tabulate_draws
from clv_pipeline.clv.models.evaluation import (
    describe_customers,
    evaluate_gamma_gamma,
    evaluate_mean_spend,
    evaluate_purchases,
    evaluate_sampling,
)
from clv_pipeline.clv.models.likelihoods import compile_posterior
from clv_pipeline.clv.models.priors import PARAMETERS, Priors, resolve_priors
from clv_pipeline.clv.models.purchases import PURCHASE_MODELS
from clv_pipeline.clv.models.result import SPEND_SCHEMA, ModelError, ModelFit
from clv_pipeline.clv.models.sampling import Estimation, Vector, explain_nonconvergence

_FEWEST_REPEATERS_FOR_SPEND = 3
_latest_spend: dict[tuple[bytes, Priors, Estimation], Estimate] = {}

PARAMETER_SCHEMA = {
    "model": pl.String,
    "parameter": pl.String,
    "estimate": pl.Float64,
    "sd": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}


def fit_models(
    customers: pl.DataFrame,
    *,
    transactions: str,
    estimation: str,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
    draws: int = 500,
    chains: int = 4,
    tune: int = 500,
    seed: int = 1,
) -> ModelFit:
    """Fits a purchase model and the spend model on distinct rows with their counts.

    `customers`: one row each with frequency (repeat purchase days), recency and T (weeks; any unit gives the same
    forecast), monetary_value (mean spend per repeat purchase, null at frequency 0) and spend; the purchase model uses
    the attributes that there are beside them (`covariates.name_column`).
    `transactions`: bg_nbd, mbg_nbd or pareto_nbd. `estimation`: map (the mode; sd and 95% bounds from the curvature
    there, as of normally distributed log-parameters), laplace (also `draws` from that distribution) or mcmc (`chains`
    of NUTS with `draws` each after `tune` steps; median, sd and 95% bounds of the draws). `seed` decides the draws.
    `priors`: see `resolve_priors`; 'flat' gives the maximum likelihood estimate.

    The Gamma-Gamma is fitted to the customers with a repeat purchase and positive monetary_value. With fewer than
    three of them, or where its mean is infinite (q <= 1), model 'mean_spend' takes its place: spend per purchase day.
    Raises ModelError for an unknown setting, for customers that cannot be, and when no finite estimate exists.
    """
    _check_settings(transactions, estimation)
    rows = _read_customers(customers)
    design = _learn_design(rows, transactions)
    rows = encode(rows, design)
    purchase_priors = resolve_priors(transactions, priors, covariates=bool(list_column_names(design)))
    spend_priors = resolve_priors("gamma_gamma", priors)
    how = Estimation(estimation, draws, chains, tune, seed)
    purchases = _fit_purchases(rows, transactions, purchase_priors, how, design)
    seen = [(transactions, name, value, None, None, None) for name, value in describe_design(design).items()]
    notes = describe_customers(rows, transactions, flat=purchase_priors is None) + _describe_unused(design)
    spend = _fit_spend(rows, spend_priors, how)
    evaluation = evaluate_purchases(rows, purchases, design)
    sampled = {transactions: purchases.sampling, "gamma_gamma": spend.sampling}
    doubts = {model: explain_nonconvergence(metrics) for model, metrics in sampled.items() if metrics}
    return ModelFit(
        parameters=pl.DataFrame([*purchases.rows, *seen, *spend.rows], schema=PARAMETER_SCHEMA, orient="row"),
        evaluation=pl.concat([evaluation, evaluate_sampling(transactions, purchases.sampling), spend.evaluation]),
        repeat_purchases=build_repeat_purchases(rows, purchases, design),
        alive_matrix=build_alive_matrix(rows, purchases),
        spend_fit=spend.fit,
        notes=notes + spend.notes,
        draws=pl.concat([tabulate_draws(transactions, list(purchases.parameters), purchases.draws), spend.draws]),
        doubts={model: doubt for model, doubt in doubts.items() if doubt},
    )


def prepare_models(models: Sequence[str], priors: str | Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
    """Compiles ahead what `fit_models` will want for any of `models`, without covariates; raises what it raises."""
    for model in (*models, "gamma_gamma"):
        compile_posterior(model, resolve_priors(model, priors))


@dataclass(frozen=True)
class _Spend:
    """The rows of a spend model for the tables, as in ModelFit."""

    rows: list[ParameterRow]
    evaluation: pl.DataFrame
    draws: pl.DataFrame
    notes: list[str]
    fit: pl.DataFrame
    sampling: Mapping[str, float] = field(default_factory=dict)


def _check_settings(transactions: str, estimation: str) -> None:
    if transactions == "auto":
        raise ModelError("models.transactions = 'auto' needs a backtest to choose: use 'bg_nbd'")
    if transactions not in PURCHASE_MODELS:
        raise ModelError(f"models.transactions = '{transactions}' is unknown: use {', '.join(PURCHASE_MODELS)}")
    if estimation not in ("map", "laplace", "mcmc"):
        raise ModelError(f"models.estimation = '{estimation}' is unknown: use 'map', 'laplace' or 'mcmc'")


def _read_customers(customers: pl.DataFrame) -> pl.DataFrame:
    if customers.is_empty():
        raise ModelError("there is no customer to fit the models to: load transactions with a customer id first")
    floats = ("recency", "T", "monetary_value", "spend")
    rows = customers.select(
        pl.col("frequency").cast(pl.Int64),
        *(pl.col(name).cast(pl.Float64) for name in floats),
        *(pl.col(name).cast(pl.String) for name in list_columns(customers)),
    )
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


def _learn_design(rows: pl.DataFrame, model: str) -> Design:
    if list_columns(rows):
        require_support(model)
    return learn_design(rows)


def _describe_unused(design: Design) -> list[str]:
    return [
        f"Covariate '{covariate.name}' is not used: no two of its values have 20 customers each."
        for covariate in design
        if not covariate.columns
    ]


def _fit_purchases(rows: pl.DataFrame, model: str, priors: Priors, how: Estimation, design: Design) -> Estimate:
    if priors is None and rows["frequency"].max() == 0:
        raise ModelError(
            f"models.priors = 'flat' cannot fit {model}, no customer has a repeat purchase yet: use 'default'"
        )
    seen = ["frequency", "recency", "T"]
    distinct = _count_distinct(rows, [*seen, *list_columns(rows)])
    frequency, recency, T, counts = _read_vectors(distinct, [*seen, "customers"])
    columns = list_column_names(design)
    others = (build_matrix(distinct, design), counts) if columns else (counts,)
    weeks = float(np.average(T, weights=counts)) or 1.0
    data, scaled = (frequency, recency, T, *others), (frequency, recency / weeks, T / weeks, *others)
    return estimate(model, priors, data, scaled, unit=weeks, estimation=how, columns=columns)


def _fit_spend(rows: pl.DataFrame, priors: Priors, how: Estimation) -> _Spend:
    repeaters = rows.filter((pl.col("frequency") > 0) & (pl.col("monetary_value") > 0))
    if repeaters.height < _FEWEST_REPEATERS_FOR_SPEND:
        reason = f"customers with a repeat purchase of positive spend: {repeaters.height}, at least 3 are needed"
        return _take_mean_spend(rows, reason, how)
    seen = ["frequency", "monetary_value"]
    data = _read_vectors(_count_distinct(repeaters, seen), [*seen, "customers"])
    frequency, monetary_value, counts = data
    unit = float(np.average(monetary_value, weights=frequency * counts))
    model = "gamma_gamma"
    key = (sha256(np.stack(data).tobytes()).digest(), priors, how)
    if key not in _latest_spend:
        # A backtest fits one purchase model after another, always with the same spend.
        _latest_spend.clear()
        scaled = (frequency, monetary_value / unit, counts)
        _latest_spend[key] = estimate(model, priors, data, scaled, unit=unit, estimation=how)
    fit = _latest_spend[key]
    if fit.parameters["q"] <= 1:
        return _take_mean_spend(rows, f"the Gamma-Gamma has no finite mean (q = {fit.parameters['q']:.3f} <= 1)", how)
    evaluation = evaluate_gamma_gamma(repeaters, fit.parameters, fit.log_likelihood, fit.distinct_rows)
    evaluation = pl.concat([evaluation, evaluate_sampling(model, fit.sampling)])
    shape = build_spend_fit(repeaters, fit.parameters)
    return _Spend(fit.rows, evaluation, tabulate_draws(model, PARAMETERS[model], fit.draws), [], shape, fit.sampling)


def _take_mean_spend(rows: pl.DataFrame, reason: str, how: Estimation) -> _Spend:
    mean = max(float(rows["spend"].sum()), 0.0) / float((rows["frequency"] + 1).sum())
    note = f"No Gamma-Gamma: {reason}. Every customer is expected to spend the mean per purchase day, {mean:,.2f}."
    draws = tabulate_draws("mean_spend", ("mean",), np.full((how.kept_draws, 1), mean))
    return _Spend(
        [("mean_spend", "mean", mean, None, None, None)],
        evaluate_mean_spend(rows),
        draws,
        [note],
        pl.DataFrame(schema=SPEND_SCHEMA),
    )


def _count_distinct(rows: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The distinct rows and how many customers share each, sorted so that sums do not depend on the input order."""
    return rows.group_by(columns).agg(pl.len().alias("customers")).sort(columns)


def _read_vectors(rows: pl.DataFrame, columns: list[str]) -> tuple[Vector, ...]:
    return tuple(rows[name].cast(pl.Float64).to_numpy() for name in columns)
