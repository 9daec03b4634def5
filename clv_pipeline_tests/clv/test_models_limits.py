"""Fits to hardly any data give a sensible result, and what cannot be fitted is refused in one line."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import PURCHASE_MODELS, ModelError, fit_models
from clv_pipeline_tests.clv.cdnow import make_customers, read_parameters


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_without_repeat_purchases_the_priors_decide_and_flat_priors_refuse(model: str) -> None:
    customers = make_customers([0, 0, 0], [0, 0, 0], [3, 8, 12], [None, None, None]).with_columns(spend=10.0)

    fit = fit_models(customers, transactions=model, estimation="laplace", priors="default")

    assert fit.parameters["estimate"].is_finite().all()
    assert "No customer has a repeat purchase" in fit.notes[0]
    with pytest.raises(ModelError, match=r"'flat' cannot fit .* use 'default'"):
        fit_models(customers, transactions=model, estimation="laplace", priors="flat")


@pytest.mark.parametrize(
    "customers",
    [
        make_customers([0], [0], [0], [None]),
        make_customers([4], [10], [10], [12.0]),
        make_customers([1, 2, 3], [1, 2, 3], [9, 9, 9], [None, None, None]),
        make_customers([1, 2, 3], [1, 2, 3], [9, 9, 9], [0.0, 0.0, 0.0]),
    ],
    ids=["one order", "one repeater", "null values", "zero values"],
)
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_too_little_spend_to_fit_gives_the_mean_per_order(model: str, customers: pl.DataFrame) -> None:
    fit = fit_models(customers, transactions=model, estimation="map", priors="default")

    mean = float(customers["spend"].sum()) / float((customers["frequency"] + 1).sum())
    assert read_parameters(fit, "mean_spend") == {"mean": pytest.approx(mean)}
    assert any("No Gamma-Gamma" in note for note in fit.notes)


def test_a_spend_model_without_a_finite_mean_gives_way_to_the_mean_per_order() -> None:
    spread = [float(10.0**k) for k in range(-6, 7) for _ in range(40)]
    customers = make_customers([1] * len(spread), [3.0] * len(spread), [9.0] * len(spread), list(spread))

    fit = fit_models(customers, transactions="bg_nbd", estimation="map", priors="default")

    assert read_parameters(fit, "mean_spend")["mean"] == pytest.approx(np.mean(spread))
    assert any("q = " in note for note in fit.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transactions": "auto"}, "models.transactions = 'auto'.* use 'bg_nbd'"),
        ({"transactions": "nbd"}, "models.transactions = 'nbd'.* use bg_nbd"),
        ({"estimation": "nuts"}, "models.estimation = 'nuts'.* use 'map', 'laplace' or 'mcmc'"),
        ({"estimation": "mcmc", "priors": "flat"}, "'mcmc' cannot sample under models.priors = 'flat': use 'default'"),
        ({"priors": "weak"}, "models.priors = 'weak'.* use 'default'"),
        ({"priors": {"bgnbd": {}}}, "models.priors.bgnbd is unknown: use one of bg_nbd"),
        ({"priors": {"bg_nbd": {"s": {"dist": "Gamma"}}}}, "models.priors.bg_nbd.s is unknown: bg_nbd has r, alpha"),
        ({"priors": {"bg_nbd": {"r": 1}}}, "models.priors.bg_nbd.r must name a distribution"),
        (
            {"priors": {"bg_nbd": {"r": {"dist": "Weibul"}}}},
            r"models.priors.bg_nbd.r: pymc has no distribution Weibul\(\)",
        ),
        (
            {"priors": {"bg_nbd": {"r": {"dist": "Weibull", "alpha": -2, "beta": 1}}}},
            r"no distribution Weibull\(alpha = -2",
        ),
    ],
)
def test_unknown_settings_are_named_with_the_way_out(settings: dict[str, object], message: str) -> None:
    customers = make_customers([1, 0], [3, 0], [9, 9], [5.0, None])
    chosen = {"transactions": "bg_nbd", "estimation": "map", "priors": "default"} | settings

    with pytest.raises(ModelError, match=message) as refused:
        fit_models(customers, **chosen)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(refused.value)


def test_a_table_of_priors_replaces_the_named_ones_only() -> None:
    customers = make_customers([1, 0, 2], [3, 0, 5], [9, 9, 9], [5.0, None, 6.0])
    tight = {"bg_nbd": {"r": {"dist": "Gamma", "alpha": 1e6, "beta": 1e6 / 0.7}}}

    fit = fit_models(customers, transactions="bg_nbd", estimation="map", priors=tight)

    default = fit_models(customers, transactions="bg_nbd", estimation="map", priors="default")
    assert read_parameters(fit, "bg_nbd")["r"] == pytest.approx(0.7, rel=1e-3)
    assert read_parameters(fit, "bg_nbd")["b"] == pytest.approx(read_parameters(default, "bg_nbd")["b"], rel=0.05)


@pytest.mark.parametrize(
    ("frequency", "recency", "T"), [([1], [9.0], [8.0]), ([1], [0.0], [8.0]), ([0], [2.0], [8.0]), ([-1], [0.0], [8.0])]
)
def test_customers_that_cannot_be_are_refused(frequency: list[int], recency: list[float], T: list[float]) -> None:
    with pytest.raises(ModelError, match="1 customers cannot be"):
        fit_models(
            make_customers(frequency, recency, T, [None]), transactions="bg_nbd", estimation="map", priors="default"
        )


def test_a_likelihood_without_a_maximum_is_refused() -> None:
    equal = make_customers([3] * 5, [10.0] * 5, [10.0] * 5, [5.0] * 5)

    with pytest.raises(ModelError, match=r"no finite best estimate .* use models.priors = 'default'"):
        fit_models(equal, transactions="bg_nbd", estimation="map", priors="flat")


@pytest.mark.parametrize("transactions", PURCHASE_MODELS)
def test_customers_of_a_grocer_with_hundreds_of_purchases_have_a_fit(transactions: str) -> None:
    # A first step of the search that is as long as the slope asks for leaves the finite numbers here.
    draw = np.random.default_rng(1)
    T = np.round(draw.uniform(30, 52, 400) * 7) / 7
    frequency = np.minimum(draw.poisson(draw.gamma(1.4, 1 / 1.4, 400) * T), (T * 7).astype(int))
    recency = np.where(frequency > 0, np.round(T * 7 * frequency / (frequency + 1)) / 7, 0)
    customers = pl.DataFrame(
        {"frequency": frequency, "recency": recency, "T": T, "monetary_value": np.where(frequency > 0, 30.0, np.nan)}
    ).with_columns(pl.col("monetary_value").fill_nan(None), spend=pl.lit(100.0))
    fit = fit_models(customers, transactions=transactions, estimation="laplace", priors="default")
    found = {name: value for _, name, value, *_ in fit.parameters.iter_rows()}
    assert 0.9 < found["r"] / found["alpha"] < 1.2
