"""Fits reproduce the published numbers of the CDNOW sample, in any unit, and refuse what cannot be fitted."""

import subprocess
import sys
from datetime import date
from functools import cache
from importlib import metadata

import numpy as np
import polars as pl
import pytest
from scipy.integrate import quad

from clv_pipeline.clv.models import (
    PARAMETERS,
    PURCHASE_MODELS,
    ModelError,
    ModelFit,
    expected_purchases,
    expected_purchases_if_alive,
    expected_spend,
    fit_models,
    p_alive,
    purchase_probabilities,
)
from clv_pipeline.schemas.models import Evaluation, Parameters, RepeatPurchases

CALIBRATION_END = date(1997, 9, 30)
WEEKS, DOLLARS = 1.0, 1.0
DAYS, CENTS = 7.0, 100.0

# Fader, Hardie, Lee (2005), table 2; MBG/NBD with the authors' likelihood; Fader and Hardie (2013), note 025.
PUBLISHED = {
    "bg_nbd": ({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, -9582.4),
    "mbg_nbd": ({"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}, -9582.1),
    "pareto_nbd": ({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, -9595.0),
    "gamma_gamma": ({"p": 6.25, "q": 3.74, "gamma": 15.44}, -4055.9),
}
HOLDOUT = {"bg_nbd": (1653, 0.785, 1.608), "mbg_nbd": (1577, 0.765, 1.607), "pareto_nbd": (1665, 0.755, 1.603)}


@cache
def read_sample() -> pl.DataFrame:
    """The 2,357 customers of the CDNOW sample at the end of the calibration, and their holdout purchases."""
    (file,) = [file for file in metadata.files("lifetimes") or [] if file.name == "CDNOW_sample.txt"]
    cells = [line.split() for line in file.read_text().splitlines() if line.strip()]
    lines = pl.DataFrame(cells, schema=["master_id", "customer_id", "day", "units", "dollars"], orient="row").select(
        "customer_id", pl.col("day").str.to_date("%Y%m%d"), pl.col("dollars").cast(pl.Float64)
    )
    days = lines.group_by("customer_id", "day").agg(spend=pl.col("dollars").sum(), orders=pl.len()).sort("day")
    seen = days.filter(pl.col("day") <= CALIBRATION_END).group_by("customer_id", maintain_order=True)
    customers = seen.agg(
        frequency=pl.len().cast(pl.Int64) - 1,
        recency=(pl.col("day").last() - pl.col("day").first()).dt.total_days() / 7,
        T=(CALIBRATION_END - pl.col("day").first()).dt.total_days() / 7,
        monetary_value=pl.col("spend").slice(1).mean(),
        spend=pl.col("spend").sum(),
        orders=pl.col("orders").sum(),
    )
    later = days.filter(pl.col("day") > CALIBRATION_END).group_by("customer_id").agg(holdout=pl.len())
    return customers.join(later, on="customer_id", how="left").with_columns(pl.col("holdout").fill_null(0))


@cache
def fit_sample(transactions: str, priors: str, time: float, money: float) -> ModelFit:
    customers = read_sample().with_columns(pl.col("recency", "T") * time, pl.col("monetary_value", "spend") * money)
    return fit_models(customers, transactions=transactions, estimation="map", priors=priors)


def read_parameters(fit: ModelFit, model: str) -> dict[str, float]:
    rows = fit.parameters.filter(pl.col("model") == model)
    return dict(rows.select("parameter", "estimate").iter_rows())


def read_metric(fit: ModelFit, model: str, metric: str) -> float:
    return fit.evaluation.row(by_predicate=(pl.col("model") == model) & (pl.col("metric") == metric))[-1]


def decimals(value: float) -> int:
    return len(str(value).split(".")[1])


def make_customers(
    frequency: list[int], recency: list[float], T: list[float], mean: list[float | None]
) -> pl.DataFrame:
    paid = [0.0 if m is None else m * (x + 1) for x, m in zip(frequency, mean, strict=True)]
    return pl.DataFrame(
        {
            "customer_id": [str(i) for i in range(len(frequency))],
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "monetary_value": mean,
            "spend": paid,
            "orders": [x + 1 for x in frequency],
        },
        schema_overrides={"recency": pl.Float64, "T": pl.Float64, "monetary_value": pl.Float64},
    )


@pytest.mark.parametrize(("time", "money"), [(WEEKS, DOLLARS), (DAYS, CENTS)])
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_flat_priors_reproduce_the_published_parameters(model: str, time: float, money: float) -> None:
    fit = fit_sample(model, "flat", time, money)

    for name, unit in ((model, {"alpha": time, "beta": time}), ("gamma_gamma", {"gamma": money})):
        published = PUBLISHED[name][0]
        found = {key: value / unit.get(key, 1.0) for key, value in read_parameters(fit, name).items()}
        assert {key: round(value, decimals(published[key])) for key, value in found.items()} == published


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_flat_priors_reproduce_the_published_log_likelihoods(model: str) -> None:
    fit = fit_sample(model, "flat", WEEKS, DOLLARS)

    for name in (model, "gamma_gamma"):
        assert round(read_metric(fit, name, "log_likelihood"), 1) == PUBLISHED[name][1]


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_holdout_forecast_is_the_published_one(model: str) -> None:
    sample = read_sample()
    fitted = read_parameters(fit_sample(model, "flat", WEEKS, DOLLARS), model)

    forecast = expected_purchases(model, fitted, sample["frequency"], sample["recency"], sample["T"], 39)

    error = forecast - sample["holdout"].to_numpy()
    assert sample["holdout"].sum() == 1882
    assert round(forecast.sum()) == HOLDOUT[model][0]
    assert np.round([np.abs(error).mean(), np.sqrt((error**2).mean())], 3).tolist() == list(HOLDOUT[model][1:])


def test_holdout_forecast_by_frequency_is_the_published_one() -> None:
    sample = read_sample()
    fitted = read_parameters(fit_sample("bg_nbd", "flat", WEEKS, DOLLARS), "bg_nbd")
    forecast = expected_purchases("bg_nbd", fitted, sample["frequency"], sample["recency"], sample["T"], 39)

    by_frequency = (
        sample.select(pl.col("frequency").clip(upper_bound=7), "holdout", forecast=forecast)
        .group_by("frequency")
        .mean()
        .sort("frequency")
    )

    assert by_frequency["holdout"].round(3).to_list() == [0.237, 0.697, 1.393, 1.56, 2.532, 2.947, 3.862, 6.359]
    assert by_frequency["forecast"].round(3).to_list() == [0.225, 0.523, 1.044, 1.52, 2.164, 2.654, 3.504, 6.157]


@pytest.mark.parametrize(("model", "purchases", "alive"), [("bg_nbd", 1.226, 0.7266), ("pareto_nbd", 1.455, 0.8692)])
def test_a_customer_of_the_paper(model: str, purchases: float, alive: float) -> None:
    published = PUBLISHED[model][0]

    assert round(float(expected_purchases(model, published, 2, 30.43, 38.86, 39)), 3) == pytest.approx(purchases)
    assert round(float(p_alive(model, published, 2, 30.43, 38.86)), 4) == pytest.approx(alive, abs=1.01e-4)


def test_expected_spend_of_the_note() -> None:
    fitted = read_parameters(fit_sample("bg_nbd", "flat", WEEKS, DOLLARS), "gamma_gamma")

    spend = expected_spend("gamma_gamma", fitted, [2, 0], [22.345, np.nan])

    assert spend == pytest.approx([24.65, 35.17], abs=0.005)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_default_priors_do_not_depend_on_units_and_stay_near_maximum_likelihood(model: str) -> None:
    weeks, days = (fit_sample(model, "default", *units) for units in ((WEEKS, DOLLARS), (DAYS, CENTS)))
    flat = fit_sample(model, "flat", WEEKS, DOLLARS)
    units = weeks.parameters["parameter"].replace_strict(
        {"alpha": DAYS, "beta": DAYS, "gamma": CENTS}, default=1.0, return_dtype=pl.Float64
    )

    assert (days.parameters["estimate"] / units).to_list() == pytest.approx(
        weeks.parameters["estimate"].to_list(), rel=1e-7
    )
    assert weeks.parameters["estimate"].to_list() == pytest.approx(flat.parameters["estimate"].to_list(), rel=0.03)


def test_standard_deviations_are_those_of_the_information_matrix() -> None:
    """Of BG/NBD on the sample: pymc_extras.fit_laplace on log-parameters, within its Monte Carlo error."""
    parameters = fit_sample("bg_nbd", "flat", WEEKS, DOLLARS).parameters.head(4)

    assert parameters["sd"].to_list() == pytest.approx([0.0126, 0.378, 0.186, 0.705], rel=0.01)
    low, high = parameters["lower"] / parameters["estimate"], parameters["upper"] / parameters["estimate"]
    assert (low * high).to_list() == pytest.approx([1.0] * 4)
    assert high.log().to_list() == pytest.approx((1.96 * parameters["sd"] / parameters["estimate"]).to_list(), rel=1e-4)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_a_customer_counts_as_often_as_it_occurs(model: str) -> None:
    once = make_customers([0, 1, 3, 8], [0, 4, 9, 20], [20, 20, 15, 21], [None, 5, 9, 7])
    thrice = pl.concat([once, once, once])

    fit = fit_models(thrice, transactions=model, estimation="map", priors="default")

    # The counts weigh the likelihood, so the estimate moves away from the priors as with three times the customers.
    shuffled = fit_models(
        thrice.sample(fraction=1, shuffle=True, seed=1), transactions=model, estimation="map", priors="default"
    )
    assert fit.parameters.equals(shuffled.parameters)
    assert read_metric(fit, model, "customers") == 12
    assert read_metric(fit, model, "distinct_rows") == 4
    single = fit_models(once, transactions=model, estimation="map", priors="default")
    assert read_metric(fit, model, "log_likelihood") > 3 * read_metric(single, model, "log_likelihood")


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_expected_repeat_purchases_are_counts_of_customers(model: str) -> None:
    table = fit_sample(model, "flat", WEEKS, DOLLARS).repeat_purchases

    assert table["actual"].to_list() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert table["expected"].sum() == pytest.approx(2357)
    assert table["expected"].to_list() == pytest.approx(table["actual"].to_list(), rel=0.25)


def draw_parameters(model: str, seed: int) -> dict[str, float]:
    random = np.random.default_rng(seed)
    return dict(zip(PARAMETERS[model], np.exp(random.normal([-1.0, 1.5, -0.3, 1.0], 1.0)), strict=True))


@pytest.mark.parametrize("frequency", [0, 1, 20, 221, 1000])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_expectation_is_the_mean_of_the_probabilities(model: str, seed: int, frequency: int) -> None:
    """Two closed forms that share no step: hypergeometric functions against sums of binomial terms."""
    parameters = draw_parameters(model, seed)

    probabilities = purchase_probabilities(model, parameters, frequency, 103.57, 26, 4000)[0]

    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    mean = float(probabilities @ np.arange(4001))
    assert float(expected_purchases_if_alive(model, parameters, frequency, 103.57, 26)) == pytest.approx(mean, rel=1e-6)


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
    """Fader, Hardie, Lee (2005), JMR 42:415: 1.864183 at continuous discounting of .0027 a week, here by small steps."""
    parameters = {"r": 0.5629966, "alpha": 12.559037, "s": 0.4081095, "beta": 10.5148048}
    ends = np.concatenate([np.arange(1, 20_001) / 4, np.geomspace(5_000, 20_000, 400)[1:]])

    until = expected_purchases("pareto_nbd", parameters, 7, 35, 77.86, np.concatenate([[0], ends]))

    middle = (ends + np.concatenate([[0], ends[:-1]])) / 2
    assert float(np.diff(until) @ np.exp(-0.0027 * middle)) == pytest.approx(1.864183, abs=2e-5)


@pytest.mark.parametrize("shift", [0.0, 1e-12, 1e-7, 1e-5])
def test_expectation_passes_smoothly_through_its_removable_singularity(shift: float) -> None:
    at, near = ({"r": 0.5, "alpha": 5.0, "a": a, "b": 2.0} for a in (1.0 + shift, 1.0 + 1e-3))

    values = [float(expected_purchases_if_alive("bg_nbd", parameters, 3, 30, 52)) for parameters in (at, near)]

    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_without_repeat_purchases_the_priors_decide_and_flat_priors_refuse(model: str) -> None:
    customers = make_customers([0, 0, 0], [0, 0, 0], [3, 8, 12], [None, None, None]).with_columns(spend=10.0)

    fit = fit_models(customers, transactions=model, estimation="laplace", priors="default")

    assert fit.parameters["estimate"].is_finite().all()
    assert "No customer has a repeat purchase" in fit.notes[0]
    with pytest.raises(ModelError, match="'flat' cannot fit .* use 'default'"):
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

    mean = customers["spend"].sum() / customers["orders"].sum()
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
        ({"estimation": "mcmc"}, "models.estimation = 'mcmc'.* use 'laplace'"),
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

    with pytest.raises(ModelError, match="no finite best estimate .* use models.priors = 'default'"):
        fit_models(equal, transactions="bg_nbd", estimation="map", priors="flat")


def test_the_tables_meet_their_contracts() -> None:
    fit = fit_sample("pareto_nbd", "default", WEEKS, DOLLARS)
    stamp = {"as_of": pl.lit("1997-09"), "version": pl.lit("1")}

    for table, contract in (
        (fit.parameters, Parameters),
        (fit.evaluation, Evaluation),
        (fit.repeat_purchases, RepeatPurchases),
    ):
        contract.validate(table.with_columns(**stamp), lazy=True)


def test_importing_the_domain_does_not_import_pymc() -> None:
    program = (
        "import sys; import clv_pipeline.clv.models, clv_pipeline.clv.scores, clv_pipeline.clv.drift; "
        "print([name for name in sys.modules if name.split('.')[0] in ('pymc', 'pymc_marketing', 'pytensor')])"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
