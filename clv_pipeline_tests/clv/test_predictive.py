"""The predictive distribution against customers simulated by the stories of the models."""

import numpy as np
import pytest
from numpy.typing import NDArray

from clv_pipeline.clv.models import PARAMETERS, PURCHASE_MODELS, purchase_probabilities
from clv_pipeline.clv.scores import Models, Probabilities, purchase_cdf, spend_cdf
from clv_pipeline_tests.clv.test_scores import ESTIMATES, GAMMA_GAMMA, MONTH

WEEKS = 12 * MONTH
type Vector = NDArray[np.float64]


def make_models(model: str) -> Models:
    purchases = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    return Models(model, purchases, "gamma_gamma", GAMMA_GAMMA)


def simulate_base(model: str, customers: int, seed: int) -> dict[str, Vector]:
    """Histories of up to 78 weeks and what follows in the next 52, drawn from the population, purchase by purchase."""
    random = np.random.default_rng(seed)
    named = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    T = random.integers(26 * 7, 78 * 7, customers) / 7
    rate = random.gamma(named["r"], 1 / named["alpha"], customers)
    waits = random.exponential(1 / rate[:, None], (customers, 400))
    times = waits.cumsum(axis=1)
    if model == "pareto_nbd":
        ends = random.exponential(1 / random.gamma(named["s"], 1 / named["beta"], customers))
        times = np.where(times <= ends[:, None], times, np.inf)
    else:
        survives = random.geometric(random.beta(named["a"], named["b"], customers)) - (model == "mbg_nbd")
        times = np.where(np.arange(400) < survives[:, None], times, np.inf)
    mean = 1 / random.gamma(GAMMA_GAMMA["q"], 1 / GAMMA_GAMMA["gamma"], customers)
    spends = random.gamma(GAMMA_GAMMA["p"], mean[:, None], times.shape)
    before, after = times <= T[:, None], (times > T[:, None]) & (times <= T[:, None] + WEEKS)
    frequency = before.sum(axis=1).astype(np.float64)
    with np.errstate(invalid="ignore"):
        monetary_value = (spends * before).sum(axis=1) / frequency
    return {
        "frequency": frequency,
        "recency": np.where(before, times, 0.0).max(axis=1),
        "T": T,
        "monetary_value": monetary_value,
        "purchases": after.sum(axis=1).astype(np.float64),
        "spend": (spends * after).sum(axis=1),
    }


def randomise(probabilities: Probabilities, seed: int) -> Vector:
    share = np.random.default_rng(seed).random(len(probabilities.below))
    return probabilities.below + share * (probabilities.up_to - probabilities.below)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_ninety_percent_intervals_cover_ninety_percent_of_simulated_customers(model: str) -> None:
    base = simulate_base(model, 12_000, seed=4)
    models = make_models(model)
    seen = (base["frequency"], base["recency"], base["T"])

    counted = purchase_cdf(model, models.purchases, *seen, horizon=WEEKS, n=base["purchases"])
    spent = spend_cdf(models, *seen, base["monetary_value"], horizon=WEEKS, y=base["spend"])

    for probabilities in (counted, spent):
        pit = randomise(probabilities, seed=5)
        assert ((pit > 0.05) & (pit < 0.95)).mean() == pytest.approx(0.9, abs=0.01)
        assert np.histogram(pit, 10, range=(0.0, 1.0))[0] / len(pit) == pytest.approx(0.1, abs=0.012)
        buyers = base["purchases"] > 0
        assert probabilities.up_to[buyers].std() > 0.02
    assert (spent.below[base["spend"] == 0] == 0).all()


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_probabilities_of_purchases_add_up(model: str) -> None:
    """Against the probabilities given alive, for a customer whose number is not the largest of those asked for."""
    models = make_models(model)
    n = np.array([-1.0, 0.0, 3.0, 10_000.0])
    x, t_x, T = np.full(4, 2.0), np.full(4, 30.43), np.full(4, 38.86)

    below, up_to = purchase_cdf(model, models.purchases, x, t_x, T, horizon=39, n=n)

    alive = purchase_probabilities(model, models.purchases, 2, 38.86, horizon=39, most=3)[0]
    assert below[0] == up_to[0] == below[1] == 0
    assert up_to[2] - below[2] == pytest.approx((up_to[1] - 1) / (alive[0] - 1) * alive[3])
    assert below[3] == up_to[3] == pytest.approx(1, abs=1e-9)


def test_a_mean_spend_is_counted_in_purchases_and_refunds_are_below_all() -> None:
    named = make_models("bg_nbd").purchases
    models = Models("bg_nbd", named, "mean_spend", {"mean": 0.1})
    y = np.array([-5.0, 0.0, 0.1 + 0.1 + 0.1, 0.25])
    seen = (np.full(4, 2.0), np.full(4, 30.43), np.full(4, 38.86))

    below, up_to = spend_cdf(models, *seen, np.full(4, np.nan), horizon=39, y=y)

    counts = purchase_cdf("bg_nbd", named, *seen, horizon=39, n=np.array([0.0, 2.0, 3.0, 4.0])).up_to
    assert below.tolist() == [0, 0, counts[1], counts[1]]
    assert up_to.tolist() == [0, counts[0], counts[2], counts[1]]
