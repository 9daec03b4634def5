"""Residual lifetime value against the published number, closed forms and simulation."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import hyperu

from clv_pipeline.clv.models import PARAMETERS, PURCHASE_MODELS, p_alive
from clv_pipeline.clv.scores.residual import convert_rate, discount_residual_purchases
from clv_pipeline_tests.clv.test_scores import CUSTOMERS, ESTIMATES, make_parameters, score

PAPER = {"r": 0.5629966, "alpha": 12.559037, "s": 0.4081095, "beta": 10.5148048}


def test_discounted_residual_transactions_of_the_paper() -> None:
    """Fader, Hardie, Lee (2005), JMR 42:415: x = 7, t_x = 35, T = 77.86, d = .0027 a week: 1.864183."""
    alive = p_alive("pareto_nbd", PAPER, 7, 35, 77.86)

    residual = discount_residual_purchases(
        "pareto_nbd", PAPER, np.array([7.0]), np.array([77.86]), weekly_rate=0.0027
    ).item()

    assert round(float(alive) * residual, 6) == pytest.approx(1.864183)
    closed = (7 + PAPER["r"]) / (PAPER["alpha"] + 77.86) * (PAPER["beta"] + 77.86)
    closed *= hyperu(1, 2 - PAPER["s"], 0.0027 * (PAPER["beta"] + 77.86))
    assert residual == pytest.approx(closed, rel=1e-9)


def test_a_year_is_discounted_by_the_annual_rate() -> None:
    assert np.exp(-convert_rate(0.1) * 365.25 / 7) == pytest.approx(1 / 1.1)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
def test_residual_purchases_of_the_beta_geometric_models_by_simulation(model: str) -> None:
    """Purchases at rate lambda until one of them is the last: E of the sum of exp(-d t), in closed form given both."""
    named = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    random = np.random.default_rng(3)
    rate = random.gamma(named["r"] + 2, 1 / (named["alpha"] + 38.86), 400_000)
    drop = random.beta(named["a"], named["b"] + 2 + (model == "mbg_nbd"), 400_000)
    simulated = rate / (0.0027 + rate * drop)

    residual = discount_residual_purchases(model, named, np.array([2.0]), np.array([38.86]), weekly_rate=0.0027)

    assert residual.item() == pytest.approx(simulated.mean(), abs=5 * simulated.std() / 400_000**0.5)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_the_rest_of_a_lifetime_is_worth_more_than_its_next_year(model: str) -> None:
    scores = score(CUSTOMERS, make_parameters(model))

    assert scores.filter(pl.col("residual_clv") < pl.col("clv") * (1 - 1e-12)).is_empty()
    assert scores["residual_clv"].is_finite().all()
    for rate in (0.0, -0.05):
        assert score(CUSTOMERS, make_parameters(model), annual_discount_rate=rate)["residual_clv"].null_count() == 7


@pytest.mark.parametrize("model", PURCHASE_MODELS)
@settings(max_examples=20)
@given(frequency=st.integers(0, 300), T=st.floats(0.0, 300.0), unit=st.floats(0.01, 100.0))
def test_the_unit_of_time_does_not_matter(model: str, frequency: int, T: float, unit: float) -> None:
    named = dict(zip(PARAMETERS[model], ESTIMATES[model], strict=True))
    scaled = {name: value * (unit if name in {"alpha", "beta"} else 1.0) for name, value in named.items()}
    x = np.array([float(frequency)])

    here = discount_residual_purchases(model, named, x, np.array([T]), weekly_rate=0.0018)
    there = discount_residual_purchases(model, scaled, x, np.array([T * unit]), weekly_rate=0.0018 / unit)

    assert there.item() == pytest.approx(here.item(), rel=1e-6)
