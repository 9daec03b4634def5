"""Metrics of a forecast on a handful of customers, by hand, and their identities.

Belongs here: numbers from forecasts and actuals. Does not belong here: forecasts (`test_backtest.py`).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_pipeline.clv.backtest.calibration import accumulate, measure_coverage, share_bins, sum_log_likelihood
from clv_pipeline.clv.backtest.metrics import compute_gini, compute_lift, cut_deciles, measure_all, measure_groups
from clv_pipeline.clv.scores import Probabilities

ACTUAL = np.array([0.0, 0.0, 1.0, 3.0])
FORECAST = np.array([0.5, 0.0, 0.5, 2.0])

amounts = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=3, max_size=25).filter(
    lambda rows: len({actual for actual, _ in rows}) > 1
)


def test_metrics_of_four_customers_by_hand() -> None:
    measures = measure_all(ACTUAL, FORECAST)

    assert measures["customers"] == 4
    assert (measures["actual"], measures["forecast"]) == (4.0, 3.0)
    assert measures["total_error"] == -0.25
    assert measures["mae"] == 0.5  # (.5 + 0 + .5 + 1) / 4
    assert measures["rmse"] == pytest.approx(np.sqrt(1.5 / 4))
    assert measures["r_squared"] == pytest.approx(1 - 1.5 / 6)  # around the mean 1: 1 + 1 + 0 + 4
    # Ranks of actuals 1.5 1.5 3 4, of forecasts 2.5 1 2.5 4: covariance 3.75, variances 4.5.
    assert measures["spearman"] == pytest.approx(3.75 / 4.5)
    # Areas: forecast order 0 | (.5, .5) | 2 brings 0, 1/4, 1 at 1/4, 3/4, 1; own order 0, 0, 1/4, 1.
    assert measures["gini"] == pytest.approx((0.5 - 7 / 32) / (0.5 - 6 / 32))
    # A tenth of four customers is 0.4 of the best one, who brings 3 against a mean of 1.
    assert measures["lift"] == pytest.approx(3.0)


def test_ties_share_their_mean() -> None:
    flat = np.full(4, 0.7)

    assert compute_lift(ACTUAL, flat) == pytest.approx(1.0)
    assert compute_gini(ACTUAL, flat) == pytest.approx(0.0)
    # The best half: one above, and half of the two that tie at .5 (mean .5): 3 + .5 against 2 x 1.
    assert compute_lift(ACTUAL, FORECAST, share=0.5) == pytest.approx(3.5 / 2)


def test_relative_errors_by_hand() -> None:
    found = measure_all(np.array([0.0, 2.0, 4.0]), np.array([1.0, 1.0, 3.0]))

    assert (found["total_error"], found["arpe"]) == pytest.approx((-1 / 6, 1 / 6))
    # Of the two who bought: 1 of 2 and 1 of 4.
    assert found["mape"] == pytest.approx((0.5 + 0.25) / 2)


def test_what_is_undefined_is_left_out() -> None:
    nobody = measure_all(np.zeros(3), np.array([0.1, 0.2, 0.3]))

    assert set(nobody) == {"customers", "actual", "forecast", "mae", "rmse"}
    assert "spearman" not in measure_all(ACTUAL, np.ones(4))
    assert measure_groups(ACTUAL, FORECAST, np.array([0, 0, 2, 2]), 3)[1] == {}


@given(amounts)
def test_groups_add_up_and_order_does_not_matter(rows: list[tuple[int, int]]) -> None:
    actual, forecast = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    whole = measure_all(actual, forecast)
    deciles = [found for found in measure_groups(actual, forecast, cut_deciles(forecast), 10) if found]

    for name in ("customers", "actual", "forecast"):
        assert sum(found[name] for found in deciles) == whole[name]
    assert sum(found["mae"] * found["customers"] for found in deciles) == pytest.approx(whole["mae"] * len(rows))
    assert measure_all(actual[::-1], forecast[::-1]).get("gini") == pytest.approx(whole.get("gini"))
    assert compute_lift(actual[::-1], forecast[::-1]) == pytest.approx(whole["lift"])
    assert compute_gini(actual, actual) == pytest.approx(1.0)


def test_transform_spreads_atoms_evenly() -> None:
    # One who buys nothing with probability .5 and did so, one in the band from .5 to .98, one without an atom.
    located = Probabilities(np.array([0.0, 0.5, 0.96]), np.array([0.5, 0.98, 0.96]))

    assert accumulate(located, np.array([0.0, 0.25, 0.74, 1.0])) == pytest.approx([0.0, 0.5 / 3, 1.5 / 3, 1.0])
    # Within (.25, .75): half of the first, .25 of .48 of the second, nothing of the third.
    assert measure_coverage(located)["coverage_50"] == pytest.approx((0.5 + 0.25 / 0.48) / 3)
    assert share_bins(located)[[0, 9, 19]] == pytest.approx([0.1 / 3, 0.1 / 3, (0.03 / 0.48 + 1) / 3])
    assert sum_log_likelihood(Probabilities(located.below[:2], located.up_to[:2])) == pytest.approx(np.log(0.24))
