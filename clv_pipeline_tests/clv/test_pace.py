"""The pace: what earlier years' errors in total say about everybody's rate, and what it does to a forecast."""

from dataclasses import replace
from math import exp, log

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.backtest import Fold, judge_folds, rounds
from clv_pipeline.clv.backtest.holdout import forecast_candidate
from clv_pipeline.clv.backtest.pace import Miss, believe, find_pace, learn_pace, measure_miss
from clv_pipeline.clv.models import (
    PURCHASE_MODELS,
    ModelFit,
    expected_purchases,
    expected_purchases_if_alive,
    p_alive,
    purchase_probabilities,
)
from clv_pipeline.clv.models.fit import PARAMETER_SCHEMA
from clv_pipeline.clv.models.purchases import PACE
from clv_pipeline.clv.scores import Models, Recalibration, score_customers
from clv_pipeline.clv.scores.recalibration import quicken_models
from clv_pipeline_tests.clv.cdnow import PUBLISHED
from clv_pipeline_tests.clv.test_scores import CUSTOMERS, make_parameters

SPEND = {"p": 6.25, "q": 3.74, "gamma": 15.44}
NOBODY = pl.DataFrame()
WEEKS = 26.0


def make_models(model: str) -> Models:
    return Models(model, PUBLISHED[model][0], "gamma_gamma", SPEND)


def make_fold(seed: int, *, level: float, size: int = 2_000, name: str = "pareto_nbd") -> Fold:
    """Customers who bought `level` times what the published model expects of them."""
    random = np.random.default_rng(seed)
    T = random.integers(20, 60, size).astype(float)
    x = random.poisson(random.gamma(0.6, 1 / 10.0, size) * T)
    recency = np.where(x > 0, T * random.uniform(0.5, 1.0, size), 0.0)
    expected = expected_purchases(name, PUBLISHED[name][0], x, recency, T, horizon=WEEKS)
    n = random.poisson(expected * level)
    customers = pl.DataFrame(
        {
            "customer_id": [f"{number:05}" for number in range(size)],
            "cohort": "2023",
            "frequency": x,
            "recency": recency,
            "T": T,
            "monetary_value": np.where(x > 0, 30.0, np.nan),
            "spend": 30.0 * (x + 1),
            "last_purchases": x,
            "last_spend": 30.0 * x,
            "actual_purchases": n,
            "actual_spend": 30.0 * n,
        }
    ).with_columns(pl.col("monetary_value").fill_nan(None))
    return Fold(customers, NOBODY, NOBODY, WEEKS, 52.0)


def miss(error: float, chance: float = 0.0, model: str = "pareto_nbd") -> Miss:
    found = measure_miss(make_models(model), make_fold(1, level=1.0))
    assert found is not None
    return replace(found, error=error, chance=chance)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_pace_is_a_factor_on_rates_alone(model: str) -> None:
    own, seen = PUBLISHED[model][0], (np.array([0, 2, 7]), np.array([0.0, 30.0, 20.0]), np.array([38.0, 38.0, 35.0]))
    quick = {**own, PACE: 1.5}
    assert p_alive(model, quick, *seen).tolist() == p_alive(model, own, *seen).tolist()

    table = purchase_probabilities(model, quick, seen[0], seen[2], horizon=39, most=150)
    mean = expected_purchases_if_alive(model, quick, seen[0], seen[2], horizon=39)
    assert (table @ np.arange(151)).tolist() == pytest.approx(mean.tolist(), rel=1e-3)
    ratio = mean / expected_purchases_if_alive(model, own, seen[0], seen[2], horizon=39)
    if model == "pareto_nbd":
        assert ratio.tolist() == pytest.approx([1.5] * 3)
    else:
        # Who buys faster comes sooner to the purchase after which he leaves.
        assert ((ratio > 1.2) & (ratio < 1.5)).all()
        longer = expected_purchases_if_alive(model, own, seen[0], seen[2], horizon=39 * 1.5)
        assert mean.tolist() == pytest.approx(longer.tolist())


@pytest.mark.parametrize("model", PURCHASE_MODELS)
@pytest.mark.parametrize("change", [-0.4, 0.3])
def test_the_pace_that_is_found_changes_the_total_as_asked(model: str, change: float) -> None:
    it = miss(0.0, model=model)
    quick = quicken_models(it.models, find_pace(it, change))

    totals = [forecast_candidate(models, it.customers, WEEKS).purchases.sum() for models in (it.models, quick)]
    assert totals[1] / totals[0] == pytest.approx(exp(change), rel=1e-5)


def test_what_lasts_is_believed_by_its_share_of_the_variance() -> None:
    assert learn_pace([]) == 1.0
    assert learn_pace([None, miss(0.2)]) == 1.0
    # Variances: 0.04 lasts, 0.0225 does not; chance of 0.2 adds 0.04 to the latter.
    assert learn_pace([miss(0.2)]) == pytest.approx(exp(0.2 * 0.04 / 0.0625))
    assert learn_pace([miss(0.2, 0.2)]) == pytest.approx(exp(0.2 * 0.04 / 0.1025))


def test_years_that_agree_are_believed_more_and_years_that_do_not_less() -> None:
    once, twice = (log(learn_pace([miss(0.2)] * number)) for number in (1, 2))
    assert twice == pytest.approx(0.2 * 0.04 / (0.04 + 0.0225 / 2))
    assert twice > once
    assert log(learn_pace([miss(0.2), miss(-0.1)])) == pytest.approx(0.05 * 0.04 / (0.04 + 0.0225 / 2))
    assert learn_pace([miss(0.2), None]) == pytest.approx(exp(once))
    # Shops that were closed for half a year are no season.
    assert learn_pace([miss(-1.5)]) == learn_pace([miss(-0.6)])


def test_the_mean_of_what_lasts_is_that_of_the_joint_normal_distribution() -> None:
    misses = [miss(0.3, 0.05), miss(-0.1, 0.3)]
    covariance = np.full((2, 2), 0.2**2) + np.diag([0.15**2 + it.chance**2 for it in misses])
    mean = np.full(2, 0.2**2) @ np.linalg.solve(covariance, [it.error for it in misses])
    assert believe(misses) == pytest.approx(mean)


def test_a_miss_is_the_logarithm_of_actual_over_forecast_with_its_chance() -> None:
    fold = make_fold(3, level=1.4)
    found = measure_miss(make_models("pareto_nbd"), fold)

    assert found is not None
    bought, before = (float(fold.customers[name].to_numpy().sum()) for name in ("actual_purchases", "frequency"))
    assert found.error == pytest.approx(log(1.4), abs=4 / np.sqrt(bought))
    # Purchases are Poisson here: the chance of a total is that of its square root, before the origin and after it.
    assert found.chance == pytest.approx(np.sqrt(1 / bought + 1 / before), rel=0.1)
    nothing = replace(fold, customers=fold.customers.with_columns(actual_purchases=0))
    assert measure_miss(make_models("pareto_nbd"), nothing) is None


def know(_customers: pl.DataFrame, *, transactions: str, **_settings: object) -> ModelFit:
    rows = [
        (name, parameter, value, None, None, None)
        for name in (transactions, "gamma_gamma")
        for parameter, value in PUBLISHED[name][0].items()
    ]
    return ModelFit(pl.DataFrame(rows, schema=PARAMETER_SCHEMA, orient="row"), pl.DataFrame(), pl.DataFrame(), [])


def test_a_season_that_comes_back_is_forecast_better_and_both_errors_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "fit_models", know)
    folds = [make_fold(4, level=1.5), make_fold(5, level=1.5), make_fold(6, level=1.5)]
    settings = {"priors": "default", "recalibrate": True}
    corrected = judge_folds(folds[:1], folds[1:2], [folds[:1], folds[2:]], ["pareto_nbd"], **settings)  # pyright: ignore[reportArgumentType]
    plain = judge_folds(folds[:1], folds[1:2], [[], []], ["pareto_nbd"], **settings)  # pyright: ignore[reportArgumentType]

    measured, before = (
        dict(
            found.results[0]
            .measures.filter(model="pareto_nbd", target="purchases", segment="all")
            .select("metric", "value")
            .iter_rows()
        )
        for found in (corrected, plain)
    )
    assert measured["uncorrected_total_error"] == pytest.approx(before["total_error"])
    assert abs(measured["total_error"]) < 0.7 * abs(before["total_error"])
    assert measured["pace"] == corrected.paces["pareto_nbd"] > 1.1
    assert "pace" not in before
    assert plain.recalibrations["pace"].unique().to_list() == [1.0]
    assert corrected.recalibrations["pace"][0] > 1.1
    # What a level that was missed adds is not taken for ranges that are too narrow.
    assert corrected.recalibrations["volatility"][0] <= plain.recalibrations["volatility"][0] + 1e-6


def test_scores_tell_what_they_would_be_without_the_pace() -> None:
    settings = {"horizon_months": 12, "annual_discount_rate": 0.1, "margin": 0.3}
    plain = score_customers(CUSTOMERS, make_parameters("bg_nbd"), **settings)  # pyright: ignore[reportArgumentType]
    quick = score_customers(
        CUSTOMERS,
        make_parameters("bg_nbd"),
        **settings,  # pyright: ignore[reportArgumentType]
        recalibration=Recalibration(pace=1.2),
    )

    assert plain["clv"].to_list() == plain["clv_uncorrected"].to_list() == quick["clv_uncorrected"].to_list()
    assert (quick["clv"] > 1.1 * quick["clv_uncorrected"]).all()
    for same in ("p_alive", "expected_spend"):
        assert quick[same].to_list() == plain[same].to_list()
    product = quick["expected_purchases"] * quick["expected_spend"] * quick["margin"] * quick["discount"]
    assert quick["clv"].to_list() == pytest.approx(product.to_list())
    assert (quick["residual_clv"] >= quick["clv"]).all()
    assert (quick["clv_upper_95"] >= plain["clv_upper_95"]).all()
