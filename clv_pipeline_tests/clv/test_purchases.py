"""Closed forms of the purchase models against the papers, integrals and sums."""

import numpy as np
import pytest
from scipy.integrate import quad

from clv_pipeline.clv.models import (
    PARAMETERS,
    PURCHASE_MODELS,
    expected_purchases,
    expected_purchases_if_alive,
    p_alive,
    purchase_probabilities,
)
from clv_pipeline_tests.clv.cdnow import PUBLISHED


@pytest.mark.parametrize(("model", "purchases", "alive"), [("bg_nbd", 1.226, 0.7266), ("pareto_nbd", 1.455, 0.8692)])
def test_a_customer_of_the_paper(model: str, purchases: float, alive: float) -> None:
    published = PUBLISHED[model][0]

    assert round(float(expected_purchases(model, published, 2, 30.43, 38.86, horizon=39)), 3) == pytest.approx(
        purchases
    )
    assert round(float(p_alive(model, published, 2, 30.43, 38.86)), 4) == pytest.approx(alive, abs=1.01e-4)


def draw_parameters(model: str, seed: int) -> dict[str, float]:
    random = np.random.default_rng(seed)
    return dict(zip(PARAMETERS[model], np.exp(random.normal([-1.0, 1.5, -0.3, 1.0], 1.0)), strict=True))


@pytest.mark.parametrize("frequency", [0, 1, 20, 221, 1000])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_expectation_is_the_mean_of_the_probabilities(model: str, seed: int, frequency: int) -> None:
    """Two closed forms that share no step: hypergeometric functions against sums of binomial terms."""
    parameters = draw_parameters(model, seed)

    probabilities = purchase_probabilities(model, parameters, frequency, 103.57, horizon=26, most=4000)[0]

    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    mean = float(probabilities @ np.arange(4001))
    assert float(expected_purchases_if_alive(model, parameters, frequency, 103.57, horizon=26)) == pytest.approx(
        mean, rel=1e-6
    )


@pytest.mark.parametrize("seed", range(8))
def test_pareto_p_alive_is_the_integral_over_the_time_of_death(seed: int) -> None:
    parameters = draw_parameters("pareto_nbd", seed)
    r, alpha, s, beta = parameters.values()
    x, t_x, T = 7, 35.0, 77.86

    died, _ = quad(
        lambda u: s / (beta + u) * ((alpha + T) / (alpha + u)) ** (r + x) * ((beta + T) / (beta + u)) ** s, t_x, T
    )

    assert float(p_alive("pareto_nbd", parameters, x, t_x, T)) == pytest.approx(1 / (1 + died), rel=1e-9)


def test_pareto_discounted_transactions_of_the_clv_paper() -> None:
    """Fader, Hardie, Lee (2005), JMR 42:415: 1.864183 at .0027 a week, continuously; here in small steps."""
    parameters = {"r": 0.5629966, "alpha": 12.559037, "s": 0.4081095, "beta": 10.5148048}
    ends = np.concatenate([np.arange(1, 20_001) / 4, np.geomspace(5_000, 20_000, 400)[1:]])

    until = expected_purchases("pareto_nbd", parameters, 7, 35, 77.86, horizon=np.concatenate([[0], ends]))

    middle = (ends + np.concatenate([[0], ends[:-1]])) / 2
    assert float(np.diff(until) @ np.exp(-0.0027 * middle)) == pytest.approx(1.864183, abs=2e-5)


@pytest.mark.parametrize("shift", [0.0, 1e-12, 1e-7, 1e-5])
def test_expectation_passes_smoothly_through_its_removable_singularity(shift: float) -> None:
    at, near = ({"r": 0.5, "alpha": 5.0, "a": a, "b": 2.0} for a in (1.0 + shift, 1.0 + 1e-3))

    values = [float(expected_purchases_if_alive("bg_nbd", parameters, 3, 30, horizon=52)) for parameters in (at, near)]

    assert values[0] == pytest.approx(values[1], rel=1e-3)
