"""The card of a small fit says what its frames say."""

from dataclasses import replace
from datetime import date

import polars as pl

from clv_pipeline.clv.models.card import CardFacts, build_card, render_card

PUBLISHED = {"bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, "mean_spend": {"mean": 35.0}}
PARAMETERS = pl.DataFrame(
    [
        (model, name, value, *((None, None) if model == "mean_spend" else (value / 2, value * 2)))
        for model, values in PUBLISHED.items()
        for name, value in values.items()
    ],
    schema=["model", "parameter", "estimate", "lower", "upper"],
    orient="row",
)
MEASURED = {"bg_nbd": (90.0, 100.0, 0.6, 1.2), "nbd": (150.0, 100.0, 0.8, 1.5), "last_year": (99.0, 100.0, 0.9, 2.0)}
BACKTEST = pl.DataFrame(
    [
        (model, "purchases", metric, value)
        for model, values in MEASURED.items()
        for metric, value in zip(("forecast", "actual", "mae", "rmse"), values, strict=True)
    ],
    schema=["model", "target", "metric", "value"],
    orient="row",
)
GATE = pl.DataFrame(
    {"check": ["x", "y"], "passed": [True, False], "sentence": ["fine.", "Customers buy every 30 days."]}
)
FACTS = CardFacts(
    version="1997-09-bg_nbd-0123abcd",
    as_of="1997-09",
    as_of_end=date(1997, 9, 30),
    data_start="1997-01",
    estimation="laplace",
    currency="USD",
    customers=2357,
    repeaters=946,
    orders=5000,
    spend=175_000.0,
    parameters=PARAMETERS,
    decision="In use for 1997-09.",
)


def read(facts: CardFacts, chapter: str) -> str:
    return "\n".join(build_card(facts).filter(pl.col("chapter") == chapter)["text"])


def test_it_tells_data_parameters_and_limits() -> None:
    assert "2,357 customers, 946 of them with a repeat purchase; 5,000 orders, 175,000.00 USD" in read(FACTS, "Data")
    assert "buys every 18.2 weeks while active" in read(FACTS, "Parameters")
    assert "BG/NBD a = 0.793, 95% between 0.397 and 1.59" in read(FACTS, "Parameters")
    assert "Mean spend mean = 35.0\n" in read(FACTS, "Parameters") + "\n"
    assert "P(alive) is 1 for everybody who bought once" in read(FACTS, "Limits")


def test_it_says_which_assumptions_the_checks_question() -> None:
    assert "None of this has been checked" in read(FACTS, "Assumptions")
    assert "Questioned (y): Customers buy every 30 days." in read(replace(FACTS, gate=GATE), "Assumptions")
    assert "fine." not in read(replace(FACTS, gate=GATE), "Assumptions")
    passed = GATE.filter("passed")
    assert "None of the 1 checks of these data questions it." in read(replace(FACTS, gate=passed), "Assumptions")


def test_it_holds_the_model_against_the_best_baseline() -> None:
    assert "Not known" in read(FACTS, "Performance")
    told = read(replace(FACTS, backtest=BACKTEST), "Performance")
    assert "the mean absolute error of BG/NBD is 25% less than the best plain baseline, NBD." in told
    assert "Last year forecast 99 purchases where there were 100: MAE 0.900, RMSE 2.00" in told


def test_it_tells_what_changed() -> None:
    before = pl.DataFrame({"model": ["bg_nbd"], "parameter": ["r"], "estimate": [0.2]})
    changed = read(replace(FACTS, previous_version="old", previous=before), "Change from the last version")
    assert changed.splitlines() == [
        "In use for 1997-09.",
        "Compared with old:",
        "BG/NBD r: 0.200 before, 0.243 now (+21.5%)",
    ]


def test_markdown_has_a_heading_for_every_chapter() -> None:
    card = build_card(FACTS)
    text = render_card(FACTS.version, card)
    assert text.startswith("# Model card 1997-09-bg_nbd-0123abcd\n\n## Data\n\n- ")
    assert text.count("\n## ") == card["chapter"].n_unique()
    assert text.count("\n- ") == card.height
