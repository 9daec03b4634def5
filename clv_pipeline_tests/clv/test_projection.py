"""The projection of cohorts against the closed forms it sums, and the growth plan by hand."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.lenses import projection
from clv_pipeline.clv.lenses.projection import VERDICTS, plan_growth, project_cohorts
from clv_pipeline.clv.models import PURCHASE_MODELS
from clv_pipeline.clv.scores import score_customers
from clv_pipeline.clv.scores.recalibration import UNCHANGED, Recalibration
from clv_pipeline_tests.clv.test_scores import make_parameters

TARGETS = (0.0, 0.05, 0.1, 0.2)


def make_customers(number: int) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    frequency = rng.poisson(1.5, number)
    T = np.round(rng.uniform(20, 60, number), 2)
    return pl.DataFrame(
        {
            "customer_id": [f"c{row:05d}" for row in range(number)],
            "cohort": rng.choice(["1997Q1", "1997Q2"], number),
            "frequency": frequency,
            "recency": np.where(frequency > 0, np.round(T * rng.uniform(0.2, 1, number), 2), 0.0),
            "T": T,
            "monetary_value": [float(value) if x else None for x, value in zip(frequency, 10 + 5 * T, strict=True)],
        }
    )


def _project(
    customers: pl.DataFrame, parameters: pl.DataFrame, recalibration: Recalibration = UNCHANGED
) -> pl.DataFrame:
    return project_cohorts(
        customers, parameters, window_months=12, margin=0.3, orders_per_purchase=1.25, recalibration=recalibration
    )


@pytest.mark.parametrize("learnt", [UNCHANGED, Recalibration(pace=0.8, spend_level=1.1)], ids=["plain", "corrected"])
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_the_next_year_is_that_of_the_scores(model: str, learnt: Recalibration) -> None:
    customers, parameters = make_customers(300), make_parameters(model)
    scores = score_customers(
        customers, parameters, horizon_months=12, annual_discount_rate=0.0, margin=0.3, recalibration=learnt
    )
    [row] = _project(customers, parameters, learnt).filter(cohort="all", windows_ahead=1).to_dicts()
    assert row["customers"] == 300
    assert row["expected_purchases"] == pytest.approx(scores["expected_purchases"].sum())
    assert row["expected_orders"] == pytest.approx(1.25 * row["expected_purchases"])
    assert row["expected_profit"] == pytest.approx(scores["clv"].sum())


@pytest.mark.parametrize("pace", [1.0, 0.6])
@pytest.mark.parametrize("mean", [None, 40.0], ids=["gamma_gamma", "mean_spend"])
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_futures_are_drawn_from_the_models(model: str, mean: float | None, pace: float) -> None:
    # The closed form and the draws know nothing of each other: the interval of a year must sit around the expectation.
    projected = _project(
        make_customers(1500), make_parameters(model, mean=mean), Recalibration(pace=pace, spend_level=2 - pace)
    )
    for name in ("purchases", "profit"):
        middle = (projected[f"{name}_lower"] + projected[f"{name}_upper"]) / 2
        expected, width = projected[f"expected_{name}"], projected[f"{name}_upper"] - projected[f"{name}_lower"]
        assert ((middle - expected).abs() < 0.15 * width).all()


@pytest.mark.parametrize("customers", [300, 3000], ids=["by percentiles", "by variance"])
def test_what_moves_everybody_widens_every_range(customers: int) -> None:
    people, parameters = make_customers(customers), make_parameters("bg_nbd")
    wide, narrow = (_project(people, parameters, Recalibration(total_sd=sd)) for sd in (0.3, 0.0))
    half, chance = (
        ((frame["profit_upper"] - frame["profit_lower"]) / 2 / frame["expected_profit"]).to_numpy()
        for frame in (wide, narrow)
    )
    assert half == pytest.approx(np.sqrt(chance**2 + (1.96 * 0.3) ** 2), rel=0.12)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_the_pace_ends_with_the_months_that_it_was_learnt_for(model: str) -> None:
    customers, parameters = make_customers(400), make_parameters(model)
    settings = {"window_months": 3, "margin": 0.3, "orders_per_purchase": 1.0}
    plain, paced = (
        project_cohorts(customers, parameters, **settings, recalibration=learnt, paced_months=6).filter(cohort="all")
        for learnt in (UNCHANGED, Recalibration(pace=2.0))
    )
    ratio = (paced["expected_purchases"] / plain["expected_purchases"]).to_list()
    assert min(ratio[:2]) > 1.3
    assert ratio[2] == 1.0
    # The draws behind the ranges follow, but for who left sooner as he bought faster.
    middle = (paced["purchases_lower"] + paced["purchases_upper"]) / 2 / paced["expected_purchases"]
    assert middle.to_list() == pytest.approx([1.0, 1.0, 1.0], abs=0.25)


def test_cohorts_sum_to_all() -> None:
    projected = _project(make_customers(200), make_parameters("bg_nbd"))
    sums = projected.group_by("windows_ahead", pl.col("cohort") == "all").agg(
        pl.col("customers").sum(), pl.col("expected_purchases", "expected_profit").sum().round(6)
    )
    assert sums.drop("cohort").unique().height == 3


def test_few_draws_give_nearly_the_bounds_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    customers, parameters = make_customers(2000), make_parameters("bg_nbd")
    many = _project(customers, parameters)
    monkeypatch.setattr(projection, "_BUDGET", 0)
    few = _project(customers, parameters)
    bounds = pl.col("purchases_upper") - pl.col("purchases_lower")
    assert few.select(bounds).to_series().to_list() == pytest.approx(many.select(bounds).to_series().to_list(), rel=0.2)


def test_the_order_of_customers_says_nothing() -> None:
    customers, parameters = make_customers(50), make_parameters("mbg_nbd")
    assert _project(customers.reverse(), parameters).equals(_project(customers, parameters))


def test_the_plan_by_hand() -> None:
    plan = plan_growth(
        last_profit=1000.0, expected_profit=970.0, profit_of_new=300.0, acquired=30, most_acquired=12, targets=TARGETS
    )
    # A new customer brings 10.00: 3 for the same profit, 8 for 5% more, 13 for 10% and 23 for 20%.
    assert plan["new_customers_needed"].to_list() == [3, 8, 13, 23]
    assert plan["verdict"].to_list() == [VERDICTS[1], VERDICTS[1], VERDICTS[2], VERDICTS[2]]


def test_a_plan_without_new_customers_to_go_by_is_not_known() -> None:
    plan = plan_growth(
        last_profit=100.0, expected_profit=102.0, profit_of_new=0.0, acquired=0, most_acquired=5, targets=TARGETS
    )
    assert plan["verdict"].to_list() == [VERDICTS[0], VERDICTS[3], VERDICTS[3], VERDICTS[3]]
