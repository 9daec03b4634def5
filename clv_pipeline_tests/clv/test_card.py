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


def test_where_nobody_bought_again_it_does_not_tell_the_priors_as_a_finding() -> None:
    parameters = read(replace(FACTS, repeaters=0), "Parameters")
    assert parameters.startswith("BG/NBD: nobody has bought again yet, so the data tell nothing of how often customers")
    assert "typical customer" not in parameters
    assert "repeat purchase" not in parameters
    assert "BG/NBD a = 0.793" in parameters
    assert "every customer is expected to spend 35.00 USD" in parameters


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


def test_coefficients_are_told_in_words() -> None:
    rows = [
        ("r", 0.5, 0.4, 0.6),
        ("alpha", 10.0, 8.0, 12.0),
        ("s", 0.6, 0.5, 0.7),
        ("beta", 12.0, 9.0, 15.0),
        ("base_level[channel = store]", 0.0, None, None),
        ("mean[age]", 40.0, None, None),
        ("sd[age]", 12.5, None, None),
        ("purchase_coefficient[channel = web]", -0.2, -0.3, -0.1),
        ("purchase_coefficient[age]", 0.1, -0.05, 0.25),
        ("dropout_coefficient[channel = web]", 0.5, 0.3, 0.7),
        ("dropout_coefficient[age]", 0.0, None, None),
    ]
    frame = pl.DataFrame(rows, schema=["parameter", "estimate", "lower", "upper"], orient="row")
    told = read(replace(FACTS, parameters=frame.with_columns(model=pl.lit("pareto_nbd"))), "Parameters").splitlines()

    # exp(-0.2) = 0.819, exp(-0.3) = 0.741, exp(-0.1) = 0.905, exp(0.5) = 1.649.
    assert (
        "Customers of channel web buy 18% less often than those of channel store (95% between -26% and -10%)." in told
    )
    assert (
        "Customers of channel web leave at a 65% higher rate than those of channel store (95% between +35% and +101%)."
        in told
    )
    older = "Customers whose age is 12.5 (a standard deviation) above the mean of 40"
    assert f"{older} buy 11% more often than those at the mean (95% between -5% and +28%, which may be chance)." in told
    assert f"{older} leave at a 0% lower rate than those at the mean." in told


def test_a_dropout_of_two_coefficients_is_told_as_a_probability() -> None:
    values = {"r": 0.5, "alpha": 10.0, "a": 1.0, "b": 3.0, "base_level[kind = A]": 0.0} | {
        f"{name}[kind = (none)]": value
        for name, value in (
            ("purchase_coefficient", 0.0),
            ("dropout_coefficient_a", 1.0986123),
            ("dropout_coefficient_b", 0.0),
        )
    }
    bounds = dict.fromkeys(("lower", "upper"), pl.lit(None, pl.Float64))
    frame = pl.DataFrame([("bg_nbd", *item) for item in values.items()], schema=PARAMETERS.columns[:3], orient="row")

    # a = 3: 3 / 6 instead of 1 / 4.
    assert (
        "Customers without a known kind leave for good after a repeat purchase with 50.0% probability while they are"
        " new, those of kind A with 25.0%."
        in read(replace(FACTS, parameters=frame.with_columns(**bounds)), "Parameters")
    )


def test_the_corrections_of_the_scores_are_told_even_where_no_backtest_judged_them() -> None:
    corrections = pl.DataFrame({"model": ["bg_nbd", "pareto_nbd"], "pace": [0.95, 1.5], "spend_level": [1.07, 1.07]})
    card = build_card(replace(FACTS, corrections=corrections))
    told = [text for text in card.filter(chapter="Parameters")["text"] if text.startswith("Scores made with it")]
    assert told == [
        "Scores made with it hold a pace: all rates times 0.95, from errors in total in earlier years.",
        "Scores made with it hold a spend level: all spend per purchase times 1.07, from the trend of what single"
        " customers spend.",
    ]
