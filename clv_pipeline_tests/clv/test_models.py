"""Fits reproduce the published numbers of the CDNOW sample, in any unit."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from scipy.special import betaln, gammaln

from clv_pipeline.clv.models import PURCHASE_MODELS, expected_purchases, expected_spend, fit_models
from clv_pipeline.schemas.models import Evaluation, Parameters, RepeatPurchases
from clv_pipeline_tests.clv.cdnow import (
    CENTS,
    DAYS,
    DOLLARS,
    PUBLISHED,
    WEEKS,
    fit_sample,
    make_customers,
    read_metric,
    read_parameters,
    read_sample,
)

HOLDOUT = {"bg_nbd": (1653, 0.785, 1.608), "mbg_nbd": (1577, 0.765, 1.607), "pareto_nbd": (1665, 0.755, 1.603)}


def decimals(value: float) -> int:
    return len(str(value).split(".")[1])


@pytest.mark.parametrize(("time", "money"), [(WEEKS, DOLLARS), (DAYS, CENTS)])
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_flat_priors_reproduce_the_published_parameters(model: str, time: float, money: float) -> None:
    fit = fit_sample(model, "flat", time, money)

    for name, unit in ((model, {"alpha": time, "beta": time}), ("gamma_gamma", {"gamma": money})):
        published = PUBLISHED[name][0]
        found = {key: value / unit.get(key, 1.0) for key, value in read_parameters(fit, name).items()}
        assert {key: round(value, decimals(published[key])) for key, value in found.items()} == published


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_flat_priors_reproduce_the_published_log_likelihoods(model: str) -> None:
    fit = fit_sample(model, "flat", WEEKS, DOLLARS)

    for name in (model, "gamma_gamma"):
        assert round(read_metric(fit, name, "log_likelihood"), 1) == PUBLISHED[name][1]


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_holdout_forecast_is_the_published_one(model: str) -> None:
    sample = read_sample()
    fitted = read_parameters(fit_sample(model, "flat", WEEKS, DOLLARS), model)

    forecast = expected_purchases(model, fitted, sample["frequency"], sample["recency"], sample["T"], horizon=39)

    error = forecast - sample["holdout"].to_numpy()
    assert sample["holdout"].sum() == 1882
    assert forecast.sum() == pytest.approx(HOLDOUT[model][0], abs=0.6)
    assert np.round([np.abs(error).mean(), np.sqrt((error**2).mean())], 3).tolist() == list(HOLDOUT[model][1:])


def test_holdout_forecast_by_frequency_is_the_published_one() -> None:
    sample = read_sample()
    fitted = read_parameters(fit_sample("bg_nbd", "flat", WEEKS, DOLLARS), "bg_nbd")
    forecast = expected_purchases("bg_nbd", fitted, sample["frequency"], sample["recency"], sample["T"], horizon=39)

    by_frequency = (
        sample.select(pl.col("frequency").clip(upper_bound=7), "holdout", forecast=forecast)
        .group_by("frequency")
        .mean()
        .sort("frequency")
    )

    assert by_frequency["holdout"].round(3).to_list() == [0.237, 0.697, 1.393, 1.56, 2.532, 2.947, 3.862, 6.359]
    assert by_frequency["forecast"].round(3).to_list() == [0.225, 0.523, 1.044, 1.52, 2.164, 2.654, 3.504, 6.157]


def test_expected_spend_of_the_note() -> None:
    fitted = read_parameters(fit_sample("bg_nbd", "flat", WEEKS, DOLLARS), "gamma_gamma")

    spend = expected_spend("gamma_gamma", fitted, [2, 0], [22.345, np.nan])

    assert spend == pytest.approx([24.65, 35.17], abs=0.005)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_default_priors_do_not_depend_on_units_and_stay_near_maximum_likelihood(model: str) -> None:
    weeks, days = (fit_sample(model, "default", *units) for units in ((WEEKS, DOLLARS), (DAYS, CENTS)))
    flat = fit_sample(model, "flat", WEEKS, DOLLARS)
    units = weeks.parameters["parameter"].replace_strict(
        {"alpha": DAYS, "beta": DAYS, "gamma": CENTS}, default=1.0, return_dtype=pl.Float64
    )

    assert (days.parameters["estimate"] / units).to_list() == pytest.approx(
        weeks.parameters["estimate"].to_list(), rel=1e-7
    )
    assert weeks.parameters["estimate"].to_list() == pytest.approx(flat.parameters["estimate"].to_list(), rel=0.03)


def bg_nbd_log_likelihood(logs: np.ndarray) -> float:
    """Fader, Hardie, Lee (2005), equation 6, summed over the sample."""
    r, alpha, a, b = np.exp(logs)
    x, t_x, T = (read_sample()[name].to_numpy().astype(np.float64) for name in ("frequency", "recency", "T"))
    with np.errstate(divide="ignore"):
        repeated = np.where(
            x > 0, np.log(a) - np.log(np.maximum(b + x - 1, b)) - (r + x) * np.log(alpha + t_x), -np.inf
        )
    purchases = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    survival = betaln(a, b + x) - betaln(a, b)
    return float((purchases + survival + np.logaddexp(-(r + x) * np.log(alpha + T), repeated)).sum())


def test_standard_deviations_come_from_the_curvature_of_the_log_likelihood() -> None:
    parameters = fit_sample("bg_nbd", "flat", WEEKS, DOLLARS).parameters.head(4)
    logs, steps = parameters["estimate"].log().to_numpy(), np.eye(4) * 1e-3
    information = [
        [
            sum(-i * j * bg_nbd_log_likelihood(logs + i * row + j * column) for i in (-1, 1) for j in (-1, 1)) / 4e-6
            for column in steps
        ]
        for row in steps
    ]

    sd = np.sqrt(np.diag(np.linalg.inv(information)))

    assert bg_nbd_log_likelihood(logs) == pytest.approx(-9582.43, abs=0.005)
    assert (parameters["sd"] / parameters["estimate"]).to_list() == pytest.approx(sd.tolist(), rel=1e-4)
    for bound, sign in (("lower", -1), ("upper", 1)):
        distance = (parameters[bound] / parameters["estimate"]).log().to_list()
        assert distance == pytest.approx((sign * 1.959964 * sd).tolist(), rel=1e-4)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_customer_counts_as_often_as_it_occurs(model: str) -> None:
    once = make_customers([0, 1, 3, 8], [0, 4, 9, 20], [20, 20, 15, 21], [None, 5, 9, 7])
    thrice = pl.concat([once, once, once])

    fit = fit_models(thrice, transactions=model, estimation="map", priors="default")

    # The counts weigh the likelihood, so the estimate moves away from the priors as with three times the customers.
    shuffled = fit_models(
        thrice.sample(fraction=1, shuffle=True, seed=1), transactions=model, estimation="map", priors="default"
    )
    assert fit.parameters.equals(shuffled.parameters)
    assert read_metric(fit, model, "customers") == 12
    assert read_metric(fit, model, "distinct_rows") == 4
    single = fit_models(once, transactions=model, estimation="map", priors="default")
    assert read_metric(fit, model, "log_likelihood") > 3 * read_metric(single, model, "log_likelihood")


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_expected_repeat_purchases_are_counts_of_customers(model: str) -> None:
    table = fit_sample(model, "flat", WEEKS, DOLLARS).repeat_purchases

    assert table["actual"].to_list() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert table["expected"].sum() == pytest.approx(2357)
    assert table["expected"].to_list() == pytest.approx(table["actual"].to_list(), rel=0.25)


def test_the_tables_meet_their_contracts() -> None:
    fit = fit_sample("pareto_nbd", "default", WEEKS, DOLLARS)
    stamp = {"as_of": pl.lit("1997-09"), "version": pl.lit("1")}

    for table, contract in (
        (fit.parameters, Parameters),
        (fit.evaluation, Evaluation),
        (fit.repeat_purchases, RepeatPurchases),
    ):
        contract.validate(table.with_columns(**stamp), lazy=True)


def test_importing_the_domain_does_not_import_pymc() -> None:
    program = (
        "import sys; import clv_pipeline.clv.models, clv_pipeline.clv.scores, clv_pipeline.clv.drift; "
        "print([name for name in sys.modules if name.split('.')[0] in ('pymc', 'pymc_marketing', 'pytensor')])"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
