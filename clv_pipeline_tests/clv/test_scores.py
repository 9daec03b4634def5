"""Scores against closed forms worked by hand and against simulated customers."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_pipeline.clv.models import PARAMETERS, PURCHASE_MODELS, ModelError, expected_purchases, p_alive
from clv_pipeline.clv.scores import Models, Recalibration, bound_customers, score_customers
from clv_pipeline.schemas.scores import Scores

ESTIMATES = {
    "bg_nbd": (0.243, 4.414, 0.793, 2.426),
    "mbg_nbd": (0.525, 6.183, 0.891, 1.614),
    "pareto_nbd": (0.553, 10.578, 0.606, 11.669),
}
GAMMA_GAMMA = {"p": 6.25, "q": 3.74, "gamma": 15.44}
MONTH = 365.25 / 12 / 7
VALUE = {"horizon_months": 12, "annual_discount_rate": 0.1, "margin": 0.3}

CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["new", "once", "twice", "seven", "often", "stress", "gone"],
        "frequency": [0, 0, 2, 7, 29, 221, 30],
        "recency": [0.0, 0.0, 30.43, 35.0, 38.0, 103.43, 30.0],
        "T": [0.0, 38.86, 38.86, 38.0, 38.86, 103.57, 150.0],
        "monetary_value": [None, None, 22.35, 60.0, 30.0, 20.0, 0.0],
    }
)


def make_parameters(model: str, time: float = 1.0, money: float = 1.0, mean: float | None = None) -> pl.DataFrame:
    units = {"alpha": time, "beta": time, "gamma": money}
    rows = [(model, name, value) for name, value in zip(PARAMETERS[model], ESTIMATES[model], strict=True)]
    rows += [("gamma_gamma", *item) for item in GAMMA_GAMMA.items()] if mean is None else [("mean_spend", "mean", mean)]
    scaled = [(model, name, value * units.get(name, 1.0)) for model, name, value in rows]
    return pl.DataFrame(scaled, schema=["model", "parameter", "estimate"], orient="row")


def score(customers: pl.DataFrame, parameters: pl.DataFrame, **changes: float) -> pl.DataFrame:
    return score_customers(customers, parameters, **(VALUE | changes))  # pyright: ignore[reportArgumentType]


def simulate_spend(model: str, customer: dict[str, float], draws: int) -> np.ndarray:
    """What the customer of these models spends in the 12 months after T, by their stories, purchase by purchase."""
    random = np.random.default_rng(11)
    named = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    x, T, weeks = customer["frequency"], customer["T"], 12 * MONTH
    rate = random.gamma(named["r"] + x, 1 / (named["alpha"] + T), draws)
    if model == "pareto_nbd":
        dies = random.exponential(1 / random.gamma(named["s"], 1 / (named["beta"] + T), draws))
        purchases = random.poisson(rate * np.minimum(dies, weeks))
    else:
        survived = x + (1 if model == "mbg_nbd" else 0)
        drops_after = random.geometric(random.beta(named["a"], named["b"] + survived, draws))
        purchases = np.minimum(random.poisson(rate * weeks), drops_after)
    alive = p_alive(model, named, x, customer["recency"], T)
    purchases = np.where(random.random(draws) < alive, purchases, 0)
    mean = customer["monetary_value"] or 0.0
    scale = random.gamma(GAMMA_GAMMA["q"] + GAMMA_GAMMA["p"] * x, 1 / (GAMMA_GAMMA["gamma"] + x * mean), draws)
    return np.where(purchases > 0, random.gamma(GAMMA_GAMMA["p"] * np.maximum(purchases, 1), 1 / scale), 0.0)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_scores_meet_their_contract_on_easy_and_hard_customers(model: str) -> None:
    scores = score(CUSTOMERS, make_parameters(model))

    stamp = {"as_of": pl.lit("1997-09"), "model_version": pl.lit("1")}
    Scores.validate(scores.with_columns(**stamp), lazy=True)
    assert scores["customer_id"].to_list() == CUSTOMERS["customer_id"].to_list()
    assert scores["p_alive"][5] > 0.9
    assert scores["p_alive"][6] < 0.01


def test_one_month_by_hand() -> None:
    scores = score(CUSTOMERS, make_parameters("bg_nbd"), horizon_months=1, annual_discount_rate=0.21, margin=0.5)

    named = dict(zip(PARAMETERS["bg_nbd"], ESTIMATES["bg_nbd"], strict=True))
    purchases = float(expected_purchases("bg_nbd", named, 2, 30.43, 38.86, horizon=MONTH))
    spend = (6.25 * (15.44 + 2 * 22.35)) / (6.25 * 2 + 3.74 - 1)
    twice = scores.row(by_predicate=pl.col("customer_id") == "twice", named=True)
    assert twice["expected_purchases"] == pytest.approx(purchases)
    assert twice["expected_spend"] == pytest.approx(spend)
    assert twice["clv"] == pytest.approx(purchases * spend * 0.5 / 1.21 ** (1 / 12))
    assert scores["expected_spend"][:2].to_list() == pytest.approx([6.25 * 15.44 / 2.74] * 2)


def test_discounting_lowers_only_the_value() -> None:
    now, later = (score(CUSTOMERS, make_parameters("bg_nbd"), annual_discount_rate=rate) for rate in (0.0, 0.1))

    assert later["expected_purchases"].equals(now["expected_purchases"])
    assert now["clv"].to_list() == pytest.approx(
        (now["expected_purchases"] * now["expected_spend"] * 0.3).to_list(), rel=1e-12
    )
    ratio = (later["clv"] / now["clv"]).to_list()
    assert max(ratio) < 1.1 ** (-1 / 12)
    assert min(ratio) > 1 / 1.1


@pytest.mark.parametrize("model", PURCHASE_MODELS)
@pytest.mark.parametrize("position", range(6))
def test_bounds_hold_as_much_simulated_spend_as_they_say(model: str, position: int) -> None:
    customer = CUSTOMERS.row(position, named=True)
    simulated = simulate_spend(model, customer, 200_000)

    scored = score(CUSTOMERS, make_parameters(model), annual_discount_rate=0.0, margin=1.0).row(position, named=True)

    assert simulated.mean() == pytest.approx(scored["clv"], rel=0.05)
    assert simulated.std() == pytest.approx(scored["clv_sd"], rel=0.1)
    tails = {"": 0.1, "_50": 0.25, "_95": 0.025}
    bounds = [(f"clv_lower{name}", tail) for name, tail in tails.items()]
    bounds += [(f"clv_upper{name}", 1 - tail) for name, tail in tails.items()]
    for bound, tail in bounds:
        below, up_to = (simulated < scored[bound]).mean(), (simulated <= scored[bound]).mean()
        assert below - 0.005 <= tail <= up_to + 0.005


def test_bounds_in_purchases_are_quantiles_of_the_count() -> None:
    """A Poisson-like customer: r, alpha large at rate 1 a week, and hardly any dropout; 10% and 90% of Poisson(4)."""
    steady = {"r": 1e7, "alpha": 1e7, "a": 1e-9, "b": 1.0}
    one = np.ones(1)

    models = Models("bg_nbd", steady, "mean_spend", {"mean": 1.0})
    bounds = bound_customers(models, frequency=0 * one, T=0 * one, alive=one, horizon=4.0)

    for ((lower, upper),) in (bounds.spend, bounds.purchases):
        assert (lower.item(), upper.item()) == (2.0, 7.0)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_scores_are_the_same_bits_in_any_order_of_the_rows(model: str) -> None:
    random = np.random.default_rng(8)
    many = CUSTOMERS.sample(2_000, with_replacement=True, seed=1).with_columns(
        pl.Series("customer_id", [f"{i:04}" for i in range(2_000)]),
        pl.col("T") + random.integers(0, 100, 2_000) / 7,
    )

    one, other = (score(rows, make_parameters(model)) for rows in (many, many.sample(fraction=1, shuffle=True, seed=2)))

    assert one.equals(other.sort("customer_id"))


def test_mean_spend_is_everybodys_spend() -> None:
    scores = score(CUSTOMERS, make_parameters("bg_nbd", mean=12.5), annual_discount_rate=0.0, margin=1.0)

    assert scores["expected_spend"].unique().to_list() == [12.5]
    assert scores["clv"].to_list() == pytest.approx((scores["expected_purchases"] * 12.5).to_list())
    assert (scores["clv_upper"] / 12.5).round(9).to_list() == (scores["clv_upper"] / 12.5).round(0).to_list()


def test_deciles_rank_by_value_and_break_ties_by_customer_id() -> None:
    """Twelve equal customers after one of higher value: ranks by id, floor(10 (rank - 1) / 13) + 1."""
    equal = CUSTOMERS.filter(customer_id="twice")
    many = pl.concat([equal.with_columns(customer_id=pl.lit(f"{i:02}")) for i in reversed(range(12))])
    best = CUSTOMERS.filter(customer_id="often")

    scores = score(pl.concat([many, best]), make_parameters("bg_nbd")).sort("customer_id")

    assert scores["customer_id"][-1] == "often"
    assert scores["decile"].to_list() == [1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 1]


@pytest.mark.parametrize("model", PURCHASE_MODELS)
@settings(max_examples=25)
@given(
    frequency=st.integers(0, 300),
    last=st.floats(0.01, 1.0),
    T=st.floats(0.1, 300.0),
    mean=st.floats(0.01, 1e6),
    time=st.floats(0.01, 100.0),
    money=st.floats(0.001, 1000.0),
)
def test_units_of_time_and_money_do_not_change_the_forecast(  # noqa: PLR0917
    model: str, frequency: int, last: float, T: float, mean: float, time: float, money: float
) -> None:
    named = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    scaled = {name: value * (time if name in {"alpha", "beta"} else 1.0) for name, value in named.items()}
    recency = last * T if frequency else 0.0

    here = expected_purchases(model, named, frequency, recency, T, horizon=52)
    there = expected_purchases(model, scaled, frequency, recency * time, T * time, horizon=52 * time)

    assert float(there) == pytest.approx(float(here), rel=1e-6, abs=1e-300)
    assert 0 <= float(p_alive(model, named, frequency, recency, T)) <= 1
    customer = pl.DataFrame(
        {"customer_id": ["c"], "frequency": [frequency], "recency": [recency], "T": [T], "monetary_value": [mean]}
    )
    dear = customer.with_columns(pl.col("monetary_value") * money)
    in_money = pl.col("^clv.*|residual_clv|expected_spend$")
    in_one = score(customer, make_parameters(model)).select(in_money).row(0)
    in_other = score(dear, make_parameters(model, money=money)).select(in_money).row(0)
    assert in_other == pytest.approx([value * money for value in in_one], rel=1e-9)
    assert len(in_one) == 13


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_million_customers_are_scored_in_seconds() -> None:
    random = np.random.default_rng(2)
    size = 1_000_000
    frequency = np.minimum(random.geometric(0.3, size) - 1, 60)
    T = random.integers(1, 156 * 7, size) / 7
    recency = np.where(frequency > 0, np.ceil(random.random(size) * T * 7) / 7, 0.0)
    customers = pl.DataFrame(
        {"customer_id": np.arange(size).astype(str), "frequency": frequency, "recency": recency, "T": T}
    ).with_columns(monetary_value=pl.when(pl.col("frequency") > 0).then(random.gamma(4.0, 9.0, size).round(2)))

    scores = score(customers, make_parameters("pareto_nbd"))

    assert scores["decile"].value_counts(sort=False)["count"].to_list() == [size // 10] * 10
    assert scores.null_count().sum_horizontal().item() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon_months": 0}, "value.horizon_months = 0"),
        ({"annual_discount_rate": -1.0}, "value.annual_discount_rate = -1.0"),
        ({"margin": float("nan")}, "value.margin = nan"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        score(CUSTOMERS, make_parameters("bg_nbd"), **changes)


def test_parameters_of_no_or_two_purchase_models_are_refused() -> None:
    both = pl.concat([make_parameters("bg_nbd"), make_parameters("mbg_nbd")])

    for parameters in (both, both.filter(model="gamma_gamma")):
        with pytest.raises(ModelError, match="exactly one purchase model"):
            score(CUSTOMERS, parameters)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_pace_reaches_no_further_than_the_horizon(model: str) -> None:
    parameters = make_parameters(model)
    plain, paced = (
        score_customers(CUSTOMERS, parameters, recalibration=learnt, **VALUE)  # pyright: ignore[reportArgumentType]
        for learnt in (Recalibration(), Recalibration(pace=1.5))
    )
    later = (plain["residual_clv"] - plain["clv"]).to_list()
    assert (paced["residual_clv"] - paced["clv"]).to_list() == pytest.approx(later, rel=1e-9, abs=1e-9)
    assert (paced["clv"] > plain["clv"]).all()
    assert paced["clv_uncorrected"].to_list() == plain["clv"].to_list()
