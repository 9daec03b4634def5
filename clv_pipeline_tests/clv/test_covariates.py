"""Covariates: the likelihood is the library's, simulated effects are found again, scores follow from parameters."""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import PARAMETERS, PURCHASE_MODELS, ModelError, ModelFit, expected_purchases, fit_models
from clv_pipeline.clv.models.covariates import (
    build_matrix,
    describe_design,
    encode,
    learn_design,
    list_column_names,
    list_covariates,
    name_coefficients,
    name_column,
    read_design,
    require_support,
)
from clv_pipeline.clv.models.priors import resolve_priors
from clv_pipeline.clv.scores import score_customers

CHANNEL, AGE = name_column("channel"), name_column("age")
CUSTOMERS = 1_500


@cache
def simulate() -> pl.DataFrame:
    """Customers of a Pareto/NBD: on the web they buy at 2.5 times the pace and leave at 3 times; age does nothing."""
    draw = np.random.default_rng(11)
    web = draw.random(CUSTOMERS) < 0.4
    rate = draw.gamma(0.8, 1 / 8.0, CUSTOMERS) * np.where(web, 2.5, 1.0)
    death = draw.exponential(size=CUSTOMERS) / (draw.gamma(1.2, 1 / 40.0, CUSTOMERS) * np.where(web, 3.0, 1.0))
    T = draw.integers(120, 400, CUSTOMERS) / 7
    lived = np.minimum(T, death)
    frequency = draw.poisson(rate * lived)
    recency = np.where(frequency > 0, lived * draw.random(CUSTOMERS) ** (1 / np.maximum(frequency, 1)), 0.0)
    age = np.where(web, "", draw.integers(18, 80, CUSTOMERS).astype(str))
    return pl.DataFrame(
        {
            "customer_id": [f"c{number:04}" for number in range(CUSTOMERS)],
            "frequency": frequency,
            "recency": recency,
            "T": T,
            "monetary_value": np.where(frequency > 0, draw.gamma(5.0, 4.0, CUSTOMERS), np.nan),
            "spend": 20.0,
            CHANNEL: np.where(web, "web", "store"),
            AGE: age,
        }
    ).with_columns(pl.col(AGE).replace("", None), pl.col("monetary_value").fill_nan(None))


@cache
def fit(model: str, estimation: str = "map") -> ModelFit:
    return fit_models(simulate().drop(AGE), transactions=model, estimation=estimation, priors="default", draws=200)


def read(found: ModelFit, model: str) -> dict[str, float]:
    return dict(found.parameters.filter(model=model).select("parameter", "estimate").iter_rows())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside the library
@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_the_likelihood_is_that_of_the_library_on_raw_rows(model: str) -> None:
    found, rows = fit(model), simulate()
    parameters = read(found, model)
    library: Any = import_module("pymc_marketing.clv")
    classes = {"bg_nbd": "BetaGeoModel", "mbg_nbd": "ModifiedBetaGeoModel"}
    columns = {"purchase_covariate_cols": ["web"], "dropout_covariate_cols": ["web"]}
    # Without priors of their own, a and b are made from other parameters.
    prior = import_module("pymc_extras.prior").Prior("Gamma", alpha=1.5, beta=1)
    config = columns | ({"a": prior, "b": prior} if model in classes else {})
    theirs = getattr(library, classes.get(model, "ParetoNBDModel"))(model_config=config)
    frame = rows.select("customer_id", "frequency", "recency", "T", web=(pl.col(CHANNEL) == "web").cast(pl.Float64))
    theirs.build_model(frame.to_pandas())
    shared = "purchase_coefficient" if model == "pareto_nbd" else "purchase_coefficient_alpha"
    values = {
        variable.name: np.array([parameters[f"{variable.name.replace(shared, 'purchase_coefficient')}[channel = web]"]])
        if "coefficient" in variable.name
        else np.array(parameters[variable.name.removesuffix("_scale")])
        for variable in theirs.model.free_RVs
    }
    known = import_module("pymc").do(theirs.model, values)

    ours = found.evaluation.filter(model=model, metric="log_likelihood")["value"].item()
    assert len(values) == len(parameters) - len(["base_level"])
    assert float(known.compile_logp(mode="FAST_COMPILE")({})) == pytest.approx(ours, rel=1e-9)


def test_effects_are_found_again_by_map_and_by_laplace() -> None:
    found = fit("pareto_nbd", "laplace").parameters.filter(pl.col("parameter").str.contains("coefficient"))
    truth = {"purchase_coefficient[channel = web]": np.log(2.5), "dropout_coefficient[channel = web]": np.log(3.0)}

    assert found["parameter"].to_list() == list(truth)
    for row, true in zip(found.iter_rows(named=True), truth.values(), strict=True):
        assert abs(row["estimate"] - true) < 3 * row["sd"] < 1.0
        drawn = fit("pareto_nbd", "laplace").draws.filter(parameter=row["parameter"])["value"]
        assert drawn.std() == pytest.approx(row["sd"], rel=0.25)


def test_attributes_that_tell_nothing_change_nothing() -> None:
    shuffled = simulate().drop(AGE).with_columns(pl.lit("store").alias(CHANNEL))
    plain = fit_models(simulate().drop(AGE, CHANNEL), transactions="bg_nbd", estimation="map", priors="default")
    found = fit_models(shuffled, transactions="bg_nbd", estimation="map", priors="default")

    assert found.parameters.equals(plain.parameters)
    assert "Covariate 'channel' is not used" in found.notes[-1]


def test_levels_amounts_and_unknown_values_become_columns() -> None:
    colours = ["red"] * 30 + ["blue"] * 25 + [None] * 22 + ["green"] * 3
    sizes = [str(number) for number in range(1, 61)] + [None] * 20
    rows = pl.DataFrame({name_column("colour"): colours, name_column("size"): sizes})
    design = learn_design(rows)

    assert list_column_names(design) == (
        "colour = (none)",
        "colour = (other)",
        "colour = blue",
        "size",
        "size = (none)",
    )
    matrix = build_matrix(encode(rows, design), design)
    assert matrix.sum(axis=0) == pytest.approx([22, 3, 25, 0, 20])
    assert matrix[:60, 3].std() == pytest.approx(1)
    # In another unit the same columns; a value beyond all that was seen is the rest, or far but no farther.
    in_cents = rows.with_columns((pl.col(name_column("size")).cast(pl.Int64) * 100).cast(pl.String))
    assert build_matrix(encode(in_cents, learn_design(in_cents)), learn_design(in_cents)) == pytest.approx(matrix)
    strange = pl.DataFrame({name_column("colour"): ["mauve"], name_column("size"): ["1e9"]})
    assert build_matrix(encode(strange, design), design).tolist() == [[0, 1, 0, 4, 0]]


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_scores_follow_from_the_parameters_of_each_customer(model: str) -> None:
    rows, found = simulate().drop(AGE), fit(model)
    scores = score_customers(rows, found.parameters, horizon_months=12, annual_discount_rate=0.1, margin=0.3)
    own = read(found, model)
    sign = {"a": 1, "b": 1}
    kinds = {"alpha": "purchase_coefficient", "a": "dropout_coefficient_a", "b": "dropout_coefficient_b"}
    kinds |= {"beta": "dropout_coefficient"}
    for web in ("web", "store"):
        group = rows.with_row_index("place").filter(pl.col(CHANNEL) == web)
        effect = {
            name: own.get(f"{kinds.get(name)}[channel = web]", 0.0) * (web == "web") for name in PARAMETERS[model]
        }
        alone = {name: own[name] * np.exp(sign.get(name, -1) * effect[name]) for name in PARAMETERS[model]}
        weeks = 12 * 365.25 / 12 / 7
        seen = (group[name].to_numpy() for name in ("frequency", "recency", "T"))
        expected = expected_purchases(model, alone, *seen, horizon=weeks)
        assert scores["expected_purchases"].gather(group["place"]).to_numpy() == pytest.approx(expected, rel=1e-9)
    assert (scores["clv_lower_95"] <= scores["clv_upper_95"]).all()
    assert scores["residual_clv"].is_finite().all()


def test_the_design_is_read_back_from_the_names_of_parameters() -> None:
    design = learn_design(simulate())
    named = dict.fromkeys(name_coefficients("bg_nbd", list_column_names(design)), 0.1) | describe_design(design)
    parameters = pl.DataFrame({"parameter": list(named)})

    assert [it.columns for it in design] == [("age", "age = (none)"), ("channel = web",)]
    assert read_design(named | {"r": 0.5, "mean": 12.0}) == design
    assert list_covariates(parameters) == ["age", "channel"]
    with pytest.raises(ModelError, match=r"was fitted with 'age': add it to models\.covariates"):
        encode(simulate().drop(AGE), design)


def test_priors_of_coefficients_are_settings() -> None:
    tight: dict[str, dict[str, dict[str, object]]] = {
        "bg_nbd": {"dropout_coefficient": {"dist": "Normal", "mu": 0, "sigma": 0.1}}
    }
    chosen = dict(resolve_priors("bg_nbd", tight, covariates=True) or ())

    assert chosen["dropout_coefficient"] == ("Normal", (("mu", 0.0), ("sigma", 0.1)))
    assert chosen["purchase_coefficient"] == ("Normal", (("mu", 0.0), ("sigma", 1.0)))
    with pytest.raises(ModelError, match=r"dropout_coefficient is unknown: gamma_gamma has p, q, gamma"):
        resolve_priors("bg_nbd", {"gamma_gamma": tight["bg_nbd"]}, covariates=True)


def test_a_model_without_support_names_those_that_have_it() -> None:
    with pytest.raises(ModelError, match="nbd takes none; models that do: bg_nbd, mbg_nbd, pareto_nbd"):
        require_support("nbd")
