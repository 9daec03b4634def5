"""The NBD without dropout reproduces the published numbers."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import expected_purchases, fit_nbd, p_alive, purchase_probabilities
from clv_pipeline_tests.clv.cdnow import make_customers, read_sample


def test_the_nbd_is_the_published_one() -> None:
    sample = read_sample()
    parameters, log_likelihood = fit_nbd(sample)

    assert {name: round(value, 3) for name, value in parameters.items()} == {"r": 0.385, "alpha": 12.072}
    assert round(log_likelihood, 1) == -9763.7
    forecast = expected_purchases("nbd", parameters, sample["frequency"], sample["recency"], sample["T"], horizon=39)
    error = forecast - sample["holdout"].to_numpy()
    assert forecast.sum() == pytest.approx(2930, abs=0.6)
    assert np.round([np.abs(error).mean(), np.sqrt((error**2).mean())], 3).tolist() == [1.041, 1.86]


def test_its_probabilities_have_its_mean_and_nobody_leaves() -> None:
    parameters = {"r": 0.385, "alpha": 12.072}
    probabilities = purchase_probabilities("nbd", parameters, [0, 4], [38.0, 20.0], horizon=39, most=400)

    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert p_alive("nbd", parameters, [0, 4], [0, 9], [38, 20]).tolist() == [1, 1]
    means = expected_purchases("nbd", parameters, [0, 4], [0, 9], [38, 20], horizon=39)
    assert probabilities @ np.arange(401) == pytest.approx(means.tolist())


def test_days_or_weeks_and_nobody_who_came_back() -> None:
    weeks, days = (fit_nbd(read_sample().with_columns(pl.col("T") * unit))[0] for unit in (1, 7))
    assert days == pytest.approx({"r": weeks["r"], "alpha": 7 * weeks["alpha"]}, rel=1e-7)
    nobody, log_likelihood = fit_nbd(make_customers([0, 0], [0, 0], [5, 9], [None, None]))
    assert nobody["r"] / nobody["alpha"] < 1e-8
    assert log_likelihood == pytest.approx(0, abs=1e-6)
