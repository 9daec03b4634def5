"""What a holdout teaches about intervals: rates that wander, and levels that hold what they say."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.backtest.calibration import locate_purchases, locate_spend, measure_coverage
from clv_pipeline.clv.backtest.learning import learn_recalibration, learn_total_sd, tabulate_recalibrations
from clv_pipeline.clv.models import PURCHASE_MODELS, purchase_probabilities
from clv_pipeline.clv.models.purchases import VOLATILITY, count_probability, spread_rate
from clv_pipeline.clv.scores import Models, Probabilities, Recalibration, read_recalibration, score_customers
from clv_pipeline.clv.scores.recalibration import LEVELS, UNCHANGED
from clv_pipeline_tests.clv.cdnow import PUBLISHED
from clv_pipeline_tests.clv.test_scores import CUSTOMERS, make_parameters

FAITHFUL = Models(
    "bg_nbd", {"r": 2.0, "alpha": 4.0, "a": 1e-6, "b": 1.0}, "gamma_gamma", {"p": 6.25, "q": 3.74, "gamma": 15.44}
)
WEEKS = 26.0


def simulate(size: int, volatility: float, seed: int) -> pl.DataFrame:
    """Customers of FAITHFUL after a year, whose rates of then are not quite those of the half year that follows."""
    random = np.random.default_rng(seed)
    T = random.integers(20, 53, size).astype(float)
    rate = random.gamma(2.0, 1 / 4.0, size)
    scale = random.gamma(3.74, 1 / 15.44, size)
    x = random.poisson(rate * T)
    variance = volatility * (T + WEEKS) / 3
    wandered = rate * np.exp(random.normal(-variance / 2, np.sqrt(variance)))
    n = random.poisson(wandered * WEEKS)
    return pl.DataFrame(
        {
            "customer_id": [f"{number:05}" for number in range(size)],
            "frequency": x,
            "recency": np.where(x > 0, T * 0.98, 0.0),
            "T": T,
            "monetary_value": random.gamma(6.25 * np.maximum(x, 1), 1 / scale) / np.maximum(x, 1),
            "actual_purchases": n,
            "actual_spend": random.gamma(6.25 * np.maximum(n, 1), 1 / scale) * (n > 0),
        }
    ).with_columns(pl.when(pl.col("frequency") > 0).then(pl.col("monetary_value")))


def test_a_rate_that_wanders_keeps_its_mean_and_adds_its_variance() -> None:
    shape, scale = spread_rate({VOLATILITY: 0.12}, np.array([2.0]), np.array([4.0]), np.array([10.0]), 5.0)

    # 0.12 (10 + 5) / 3 = 0.6: squared coefficients of variation compound to (1 + 1/2) (1 + 0.6) - 1 = 1.4.
    assert 1 / shape.item() == pytest.approx(1.4)
    assert (shape / scale).item() == pytest.approx(0.5)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_one_probability_is_that_of_the_table(model: str) -> None:
    parameters = PUBLISHED[model][0] | {VOLATILITY: 0.01}
    x, T, n = np.array([0, 2, 7, 29]), np.array([38.86, 30.0, 38.0, 38.86]), np.array([0, 3, 1, 40])

    table = purchase_probabilities(model, parameters, x, T, horizon=39, most=60)
    one = count_probability(model, parameters, x, T, horizon=39, n=n)

    assert one.tolist() == pytest.approx(table[np.arange(4), n].tolist(), rel=1e-9)
    assert table.sum(axis=1)[:2].tolist() == pytest.approx([1.0, 1.0], abs=1e-3)


def test_what_one_half_of_the_customers_teaches_holds_for_the_other() -> None:
    learnt = learn_recalibration(FAITHFUL, simulate(4_000, 0.01, seed=1), WEEKS)
    others = simulate(4_000, 0.01, seed=2)
    assert learnt.volatility == pytest.approx(0.01, rel=0.2)

    for models, correction, low, high in (
        (FAITHFUL, UNCHANGED, 0.5, 0.8),
        (learnt.vary(FAITHFUL), learnt, 0.885, 0.915),
    ):
        purchases = locate_purchases(models, others, WEEKS)
        spend = locate_spend(models, others, WEEKS, purchases)
        for target, located in (("purchases", purchases), ("spend", spend)):
            assert low < measure_coverage(correction.correct(target, located))["coverage_90"] < high


def test_where_the_models_are_right_nothing_is_corrected() -> None:
    learnt = learn_recalibration(FAITHFUL, simulate(4_000, 0.0, seed=3), WEEKS)

    assert learnt.volatility < 2e-4
    for reached in learnt.reached.values():
        assert np.abs(reached - LEVELS).max() < 0.03


def test_few_customers_move_the_levels_little() -> None:
    few = simulate(5, 0.05, seed=4)
    learnt = learn_recalibration(FAITHFUL, few, WEEKS)

    for reached in learnt.reached.values():
        assert np.abs(reached - LEVELS).max() <= 5 / 105 + 1e-12
        assert (np.diff(reached) > 0).all()


def test_a_total_is_as_unsure_as_totals_were_off() -> None:
    # One fold more than there are, off by a tenth; log(1.2) = 0.1823, log(0.9) = -0.1054.
    assert learn_total_sd([]) == pytest.approx(0.1)
    assert learn_total_sd([0.2, -0.1]) == pytest.approx(((0.01 + 0.1823**2 + 0.1054**2) / 3) ** 0.5, rel=1e-3)
    assert learn_total_sd([-1.0]) == pytest.approx(0.1)
    # Five years from folds of three months: as unsure as five steps of a year; a year from three months: as they were.
    assert learn_total_sd([], 13.0, 5 * 52.18) == pytest.approx(0.1 * 5**0.5, rel=1e-3)
    assert learn_total_sd([], 13.0, 52.0) == pytest.approx(0.1)


def test_levels_by_hand() -> None:
    # 5% below the 2.5% level, 98% below the 97.5% level: the rest straight between.
    reached = np.interp(LEVELS, [0.0, 0.025, 0.975, 1.0], [0.0, 0.05, 0.98, 1.0])
    learnt = Recalibration(0.0, {"purchases": reached, "spend": LEVELS})

    assert learnt.find_level("purchases", 0.05) == pytest.approx(0.025)
    assert learnt.find_level("purchases", 0.025) == pytest.approx(0.0125)
    assert learnt.find_level("spend", 0.3) == pytest.approx(0.3)
    corrected = learnt.correct("purchases", Probabilities(np.array([0.025]), np.array([0.975])))
    assert [part.item() for part in corrected] == pytest.approx([0.05, 0.98])
    again = read_recalibration(tabulate_recalibrations({"bg_nbd": learnt}, 10), ["bg_nbd", "gamma_gamma"])
    assert again.volatility == 0.0
    assert again.find_level("purchases", 0.98) == pytest.approx(0.975)
    assert read_recalibration(tabulate_recalibrations({"bg_nbd": learnt}, 10), ["mbg_nbd"]) is UNCHANGED


def test_corrected_scores_have_other_bounds_and_the_same_expectations() -> None:
    value = {"horizon_months": 12, "annual_discount_rate": 0.1, "margin": 0.3}
    learnt = Recalibration(0.01, {"purchases": LEVELS, "spend": LEVELS})
    before, after = (
        score_customers(CUSTOMERS, make_parameters("bg_nbd"), **value, recalibration=it)  # pyright: ignore[reportArgumentType]
        for it in (UNCHANGED, learnt)
    )

    kept = ["p_alive", "expected_purchases", "expected_spend", "clv", "residual_clv", "decile"]
    assert after.select(kept).equals(before.select(kept))
    often = [frame.row(by_predicate=pl.col("customer_id") == "often", named=True) for frame in (before, after)]
    for low, high in (("expected_purchases_lower", "expected_purchases_upper"), ("clv_lower_50", "clv_upper_90")):
        assert often[1][low] <= often[0][low]
        assert often[1][high] > often[0][high]
    assert often[1]["clv_sd"] > often[0]["clv_sd"]
