"""Draws of the parameters: MAP, Laplace and NUTS agree, repeat themselves, and say so when they did not converge."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline.clv.models import ModelFit, expected_purchases, fit_models, population_spend
from clv_pipeline.clv.models.covariates import name_column
from clv_pipeline.clv.models.sampling import diagnose, explain_nonconvergence
from clv_pipeline.schemas.models import Draws
from clv_pipeline_tests.clv.cdnow import fit_sample, make_customers, read_parameters, read_sample

FEW = make_customers([0, 1, 3, 8, 2, 1], [0, 4, 9, 20, 7, 3], [20, 20, 15, 21, 18, 9], [None, 5, 9, 7, 6, 8])


def list_draws(fit: ModelFit, model: str) -> list[dict[str, float]]:
    wide = fit.draws.filter(pl.col("model") == model).pivot("parameter", index="draw", values="value")
    return wide.drop("draw").to_dicts()


def forecast(parameters: dict[str, float]) -> float:
    sample = read_sample()
    columns = sample["frequency"], sample["recency"], sample["T"]
    return float(expected_purchases("bg_nbd", parameters, *columns, horizon=39).sum())


@pytest.mark.parametrize("model", ["bg_nbd", "pareto_nbd"])
def test_laplace_draws_have_the_curvature_of_the_mode_and_repeat_bit_for_bit(model: str) -> None:
    settings: dict[str, Any] = {"transactions": model, "estimation": "laplace", "priors": "flat", "draws": 2000}
    fit = fit_models(read_sample(), **settings)
    again = fit_models(read_sample().sample(fraction=1, shuffle=True, seed=3), **settings)
    assert_frame_equal(fit.draws, again.draws, check_exact=True)
    assert not fit.draws.equals(fit_models(read_sample(), **settings, seed=2).draws)

    logs = fit.draws.group_by("model", "parameter").agg(
        mean=pl.col("value").log().mean(), spread=pl.col("value").log().std()
    )
    joined = fit.parameters.join(logs, on=["model", "parameter"]).filter(pl.col("model") == model)
    spread = (joined["sd"] / joined["estimate"]).to_numpy()
    # Flat priors: centred at the estimate. Four standard errors of 2,000 draws.
    assert np.abs((joined["mean"] - joined["estimate"].log()).to_numpy() / spread).max() < 4 / np.sqrt(2000)
    assert joined["spread"].to_numpy() == pytest.approx(spread, rel=4 / np.sqrt(2 * 2000))
    Draws.validate(fit.draws.with_columns(as_of=pl.lit("1997-09"), version=pl.lit("1")).select(*Draws.empty().columns))


@pytest.mark.slow
def test_map_laplace_and_nuts_agree_on_the_sample() -> None:
    mode = fit_sample("bg_nbd", "default", 1.0, 1.0)
    settings: dict[str, Any] = {"transactions": "bg_nbd", "priors": "default"}
    laplace = fit_models(read_sample(), **settings, estimation="laplace", draws=1000)
    nuts = fit_models(read_sample(), **settings, estimation="mcmc", draws=400, tune=300)

    assert nuts.doubts == {}
    figures = (
        lambda fit: [forecast(draw) for draw in list_draws(fit, "bg_nbd")[:1000]],
        lambda fit: [population_spend(draw) for draw in list_draws(fit, "gamma_gamma")[:1000]],
    )
    points = forecast(read_parameters(mode, "bg_nbd")), population_spend(read_parameters(mode, "gamma_gamma"))
    for figure, point in zip(figures, points, strict=True):
        normal, sampled = np.array(figure(laplace)), np.array(figure(nuts))
        # Draws of NUTS are worth about half as many independent ones.
        error = np.sqrt(normal.var() / len(normal) + 2 * sampled.var() / len(sampled))
        assert abs(normal.mean() - sampled.mean()) < 4 * error
        assert normal.std() == pytest.approx(sampled.std(), rel=0.2)
        # The mode of the parameters is not their mean, but nothing to tell apart from it.
        assert abs(point - sampled.mean()) < 0.5 * sampled.std()


def test_mcmc_repeats_bit_for_bit_and_doubts_short_chains() -> None:
    settings: dict[str, Any] = {"transactions": "bg_nbd", "estimation": "mcmc", "priors": "default"} | {
        "draws": 60,
        "tune": 60,
    }
    fit = fit_models(FEW, **settings, chains=2)

    assert_frame_equal(fit.draws, fit_models(FEW, **settings, chains=2).draws, check_exact=True)
    assert fit.draws.group_by("model").len().sort("model")["len"].to_list() == [120 * 4, 120 * 3]
    assert fit.draws.filter(parameter="q")["value"].min() > 1  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    assert set(fit.evaluation.filter(split="sampling")["metric"]) == {
        "chains",
        "draws",
        "rhat",
        "ess_bulk",
        "ess_tail",
        "divergences",
    }
    assert set(fit.doubts) == {"bg_nbd", "gamma_gamma"}


@pytest.mark.parametrize("estimation", ["map", "laplace", "mcmc"])
def test_a_month_is_fitted_alike_whatever_was_fitted_before(estimation: str) -> None:
    settings: dict[str, Any] = {"transactions": "bg_nbd", "estimation": estimation, "priors": "default"}
    settings |= {"draws": 40, "tune": 40, "chains": 2}
    months = [FEW, FEW.head(5)]
    forth = [fit_models(month, **settings) for month in months]
    back = [fit_models(month, **settings) for month in reversed(months)]

    for one, other in zip(forth, reversed(back), strict=True):
        assert_frame_equal(one.parameters, other.parameters, check_exact=True)
        assert_frame_equal(one.draws, other.draws, check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "covariate"), [("mbg_nbd", False), ("pareto_nbd", False), ("bg_nbd", True)])
def test_nuts_of_every_model_agrees_with_laplace(model: str, covariate: bool) -> None:
    customers = read_sample().gather_every(2)
    if covariate:
        kinds = ["web", "store", "store"] * customers.height
        customers = customers.with_columns(pl.Series(name_column("channel"), kinds[: customers.height]))
    settings: dict[str, Any] = {"transactions": model, "priors": "default"}
    laplace = fit_models(customers, **settings, estimation="laplace", draws=1000)
    sampling = {"estimation": "mcmc", "draws": 120, "tune": 150, "chains": 2}
    nuts = fit_models(customers, **settings, **sampling)

    if model == "pareto_nbd":
        assert_frame_equal(nuts.draws, fit_models(customers, **settings, **sampling).draws, check_exact=True)
    sampled = dict(nuts.evaluation.filter(model=model, split="sampling").select("metric", "value").iter_rows())
    assert sampled["rhat"] < 1.05
    assert sampled["divergences"] <= 2
    for parameter in laplace.draws.filter(model=model)["parameter"].unique():
        normal, drawn = (
            found.draws.filter(model=model, parameter=parameter)["value"].to_numpy() for found in (laplace, nuts)
        )
        # The posterior of what few customers tell has a longer tail than a normal one: medians say whether it is there.
        apart = abs(np.median(normal) - np.median(drawn)) / normal.std()
        assert apart < 0.5, parameter


def test_chains_that_went_apart_have_not_converged() -> None:
    draws = np.random.default_rng(1).standard_normal((4, 500, 2))
    good = diagnose(draws) | {"divergences": 2.0}
    apart = diagnose(draws + np.array([0, 0, 0, 1.0])[:, None, None]) | {"divergences": 0.0}

    assert explain_nonconvergence(good) is None
    assert explain_nonconvergence(good | {"divergences": 3.0}) == "0.15% of the draws diverged, more than 0.1%"
    assert "R-hat" in (explain_nonconvergence(apart) or "")
