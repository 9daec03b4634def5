"""A score taken apart: the factors multiply back, for the customer and for the base."""

from datetime import datetime
from math import prod
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clv_pipeline.clv.models import PURCHASE_MODELS
from clv_pipeline.clv.scores.explanation import decompose_score
from clv_pipeline.report import explanations as words
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.explained import build_examples, describe_total
from clv_pipeline.sql import bind, load_sql
from clv_pipeline_tests.clv.test_scores import CUSTOMERS, make_parameters, score
from clv_pipeline_tests.report.sample import make_facts


def compare(model: str) -> pl.DataFrame:
    """The customers of the score tests, compared with each other by the query that `clv explain` asks."""
    scores = score(CUSTOMERS, make_parameters(model)).with_columns(as_of=pl.lit("1998-06"))
    customers = CUSTOMERS.with_columns(
        as_of=pl.lit("1998-06"),
        first_order=datetime(1997, 1, 2),
        last_order=datetime(1997, 9, 5),
        spend=100.0,
        segment=pl.lit("loyal"),
    )
    with duckdb.connect() as con:
        for schema, frame in (("scores", scores), ("rfm", customers)):
            con.register("frame", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            con.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.customers AS FROM frame")
        compared = bind(load_sql("6_scores/compared"), as_of="1998-06")
        return con.sql(f"WITH compared AS ({compared}) {load_sql('6_scores/examples')}").pl()


def multiply(customer: dict[str, Any]) -> tuple[float, float]:
    factors = decompose_score(customer)
    return prod(factor.value for factor in factors), prod(factor.base or 0.0 for factor in factors)


@pytest.mark.parametrize("model", PURCHASE_MODELS)
def test_factors_of_examples_multiply_back(model: str) -> None:
    examples = compare(model)

    for row in examples.to_dicts():
        own, base = multiply(row)
        assert own == pytest.approx(row["clv"], rel=1e-12)
        assert base == pytest.approx(row["base_clv"], rel=1e-12)
    assert examples["example"].to_list() == ["top", "typical", "one-time"]
    assert examples["customer_id"][0] == "stress"
    assert examples["customers"].to_list() == [7, 7, 7]


@settings(max_examples=50)
@given(alive=st.floats(0, 1), if_alive=st.floats(0, 1e3), spend=st.floats(0, 1e6), margin=st.floats(0, 1))
def test_any_score_multiplies_back(alive: float, if_alive: float, spend: float, margin: float) -> None:
    purchases = alive * if_alive
    base = dict.fromkeys(("base_p_alive", "base_purchases_if_alive", "base_spend", "base_discount"), 1.0)
    parts = {"p_alive": alive, "expected_purchases": purchases, "expected_spend": spend, "discount": 0.95}

    own, _ = multiply(parts | base | {"margin": margin})

    # A product below the smallest normal number has fewer digits.
    assert own == pytest.approx(purchases * spend * margin * 0.95, rel=1e-9, abs=1e-290)


def test_an_example_in_words() -> None:
    examples = compare("bg_nbd")
    once = examples.row(by_predicate=pl.col("example") == "one-time", named=True)
    section = build_examples(ReportData({"scores.examples": examples}, make_facts("1998-06")))

    assert "1.00 P(alive) ×" in words.write_product(decompose_score(once), once["clv"], "USD")
    assert words.is_certain_by_construction(once)
    assert words.describe_history(once) == "One purchase day, 2 January 1997; known for 0.0 weeks (T)."
    assert words.describe_place(once, "USD").startswith("Place 4 of 7 scored customers by CLV, decile 5;")
    sentences = next(iter(section)).sentences  # pyright: ignore[reportAttributeAccessIssue]
    assert sentences[1].startswith("The customer with the highest CLV, stress: >0.99 P(alive) × ")


def test_a_total_in_words() -> None:
    total = {"level": "total", "customers": 2, "clv": 100.0, "clv_lower_95": 80.0, "clv_upper_95": 125.0}

    assert describe_total(pl.DataFrame([total]), "USD").startswith(
        "Together 2 customers will bring between $80.00 and $125 with 95% probability, which is $100 give or take 22%"
    )


@pytest.mark.parametrize(
    ("pace", "level", "expected"),
    [
        (1.0, 1.0, ""),
        (None, None, ""),
        (
            0.83,
            1.0,
            "All rates of purchase are multiplied by 0.83 (the pace): forecasts of the same months in earlier years"
            " were too high in total. Uncorrected, this would be $120.",
        ),
        (
            1.0,
            0.95,
            "Spend per purchase is multiplied by 0.95 (the spend level): single customers spend less at a purchase"
            " from year to year. Uncorrected, this would be $120.",
        ),
    ],
)
def test_corrections_are_told_with_what_a_value_would_be_without(
    pace: float | None, level: float | None, expected: str
) -> None:
    assert words.describe_corrections({"pace": pace, "spend_level": level}, 120.0, "USD") == expected
