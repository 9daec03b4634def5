"""Tables behind the pictures of a fit: they hold their own customers, and say what the closed forms say."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import p_alive
from clv_pipeline.clv.models.diagnostics import build_alive_matrix, build_spend_fit
from clv_pipeline.clv.models.estimates import Estimate
from clv_pipeline.renderings import render_sampling
from clv_pipeline_tests.clv.cdnow import DOLLARS, WEEKS, fit_sample, read_parameters, read_sample


def test_the_predictive_check_holds_what_happened_in_the_sample() -> None:
    table = fit_sample("bg_nbd", "flat", WEEKS, DOLLARS).repeat_purchases

    assert (table["lower"] < table["expected"]).all()
    assert (table["expected"] < table["upper"]).all()
    # Chance alone in one count of n customers of N with share p has a deviation of sqrt(N p (1 - p)).
    share = table["expected"].to_numpy() / 2357
    width = (table["upper"] - table["lower"]).to_numpy() / (2 * 1.96)
    assert width == pytest.approx(np.sqrt(2357 * share * (1 - share)), rel=0.35)


def test_the_matrix_is_p_alive_of_the_oldest_customers() -> None:
    fit = fit_sample("pareto_nbd", "flat", WEEKS, DOLLARS)
    oldest = float(read_sample()["T"].to_numpy().max())
    row = fit.alive_matrix.filter(frequency=2).row(6, named=True)

    assert fit.alive_matrix.height == 1 + 12 * 10
    assert (row["recency"], row["weeks_silent"]) == pytest.approx((0.7 * oldest, 0.3 * oldest))
    parameters = read_parameters(fit, "pareto_nbd")
    assert row["p_alive"] == pytest.approx(float(p_alive("pareto_nbd", parameters, 2, 0.7 * oldest, oldest)))


def test_no_customer_of_the_matrix_has_bought_after_the_last_day() -> None:
    parameters = {"r": 0.2, "alpha": 4.4, "a": 0.8, "b": 2.4}
    fitted = Estimate("bg_nbd", parameters, [], 0.0, 1, np.empty((0, 4)), {})
    for day in range(1, 2000):
        matrix = build_alive_matrix(pl.DataFrame({"T": [day / 7]}), fitted)
        assert matrix.filter(pl.col("frequency") > 0)["weeks_silent"].min() == 0


def test_the_spend_of_customers_from_the_model_fits_it_and_every_customer_is_in_a_bin() -> None:
    fit = fit_sample("bg_nbd", "flat", WEEKS, DOLLARS)
    named = read_parameters(fit, "gamma_gamma")
    repeaters = read_sample().filter(read_sample()["frequency"] > 0)
    x, draw = repeaters["frequency"].to_numpy(), np.random.default_rng(3)
    mean = draw.gamma(named["p"] * x) / draw.gamma(named["q"], size=len(x)) * named["gamma"] / x
    simulated = build_spend_fit(repeaters.with_columns(monetary_value=mean), named)

    for table in (fit.spend_fit, simulated):
        assert table["actual"].sum() == 946
        assert table["expected"].sum() == pytest.approx(946)
    gap = np.abs(simulated["actual"].to_numpy() - simulated["expected"].to_numpy())
    assert (gap < 4 * np.sqrt(simulated["expected"].to_numpy()) + 1).all()


def test_traces_and_ranks_are_one_small_image() -> None:
    fit = fit_sample("bg_nbd", "flat", WEEKS, DOLLARS)
    names = list(read_parameters(fit, "bg_nbd"))
    draws = pl.DataFrame({"draw": range(400)}).join(pl.DataFrame({"parameter": names}), how="cross")
    noise = np.random.default_rng(1).standard_normal(draws.height)
    png = render_sampling(draws.with_columns(model=pl.lit("bg_nbd"), value=pl.Series(noise)), 4)

    assert png.startswith(b"\x89PNG")
    assert len(png) < 150_000
