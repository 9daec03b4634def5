"""The card of a fitted version: what it was made from, what it assumes, how well it forecasts, where it ends.

Belongs here: what the card says, as a function of frames. Does not belong here: where it is kept (`model_store.py`) or
shown (`report/sections/model_card.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from clv_pipeline.clv.models.purchases import PURCHASE_MODELS
from clv_pipeline.clv.models.words import MODEL_NAMES, describe_parameters, write_number

CARD_SCHEMA = {"chapter": pl.String, "line": pl.Int64, "text": pl.String}
_ASSUMPTIONS = {
    "bg_nbd": "A customer may leave right after a repeat purchase, with a chance of his own that never changes.",
    "mbg_nbd": "A customer may leave right after any purchase, the first included, with a chance of his own.",
    "pareto_nbd": "A customer may leave at any moment, at a rate of his own that never changes.",
    "gamma_gamma": "What a customer spends a purchase varies around a mean of his own, unrelated to how often he buys.",
    "mean_spend": "Every customer spends the same a purchase.",
}
_LIMITS = {
    "bg_nbd": "P(alive) is 1 for everybody who bought once: in the BG/NBD nobody leaves before a repeat purchase. Read"
    " it as unknown.",
    "mbg_nbd": "P(alive) after a single purchase rests on the model alone: nothing tells such customers apart.",
    "pareto_nbd": "Its four parameters are found less surely than those of the BG/NBD: see their bounds.",
    "mean_spend": "Differences in spend between customers are not in the forecast.",
}
_ALWAYS = (
    "It knows no seasons, prices or campaigns: it expects the next months to be like those it has seen, but for a pace"
    " and a spend level, where earlier years give them.",
    "It says what a customer will do, not what would change it; do not read an effect of marketing into it.",
)
_MEASURES = ("forecast", "actual", "mae", "rmse")
_WITHOUT = "uncorrected_total_error"
# What it corrects, in words, and where it comes from.
_CORRECTIONS = {
    "pace": ("purchases", "a pace: all rates times", "errors in total in earlier years"),
    "spend_level": ("spend", "a spend level: all spend per purchase times", "the trend of what single customers spend"),
}


@dataclass(frozen=True)
class CardFacts:
    """What a card is made from.

    `parameters`: model, parameter, estimate, lower, upper. `previous`: the same of the version in use before (model,
    parameter, estimate), empty for the first. `gate`: check, passed, sentence. `backtest`: model, target, metric, value
    of all customers. `choice`: model, sentence. `corrections`: model, pace and spend_level of the scores made with it.
    `notes`: what the fit says of itself.
    """

    version: str
    as_of: str
    as_of_end: date
    data_start: str
    estimation: str
    currency: str
    customers: int
    repeaters: int
    orders: int
    spend: float
    parameters: pl.DataFrame
    decision: str
    previous_version: str | None = None
    previous: pl.DataFrame = field(default_factory=pl.DataFrame)
    gate: pl.DataFrame = field(default_factory=pl.DataFrame)
    backtest: pl.DataFrame = field(default_factory=pl.DataFrame)
    choice: pl.DataFrame = field(default_factory=pl.DataFrame)
    corrections: pl.DataFrame = field(default_factory=pl.DataFrame)
    notes: tuple[str, ...] = ()


def build_card(facts: CardFacts) -> pl.DataFrame:
    """The card: one row per line, of columns chapter, line (from 1), text."""
    chapters = {
        "Data": _describe_data(facts),
        "Assumptions": _describe_assumptions(facts),
        "Parameters": [*_describe_estimates(facts), *_describe_corrections(facts)],
        "Performance": _describe_performance(facts),
        "Limits": _describe_limits(facts),
        "Change from the last version": _describe_change(facts),
    }
    lines = [(chapter, text) for chapter, texts in chapters.items() for text in texts]
    rows = [(chapter, number, text) for number, (chapter, text) in enumerate(lines, start=1)]
    return pl.DataFrame(rows, schema=CARD_SCHEMA, orient="row")


def render_card(version: str, card: pl.DataFrame) -> str:
    """The card as Markdown."""
    parts = [f"# Model card {version}"]
    for chapter in card["chapter"].unique(maintain_order=True):
        texts = card.filter(pl.col("chapter") == chapter)["text"]
        parts.append(f"## {chapter}\n\n" + "\n".join(f"- {text}" for text in texts))
    return "\n\n".join(parts) + "\n"


def _describe_data(facts: CardFacts) -> list[str]:
    return [
        f"Everything known at the end of {facts.as_of} ({facts.as_of_end}); the data start in {facts.data_start}.",
        f"{facts.customers:,} customers, {facts.repeaters:,} of them with a repeat purchase; {facts.orders:,} orders,"
        f" {facts.spend:,.2f} {facts.currency}.",
        f"Estimation: {facts.estimation}. Time in weeks, purchases of one day counted as one.",
    ]


def _describe_assumptions(facts: CardFacts) -> list[str]:
    models = _list_models(facts)
    texts = ["While active, a customer buys at random at a steady rate of his own."]
    texts += [_ASSUMPTIONS[model] for model in models if model in _ASSUMPTIONS]
    if facts.gate.is_empty():
        return [*texts, "None of this has been checked on these data."]
    questioned = facts.gate.filter(~pl.col("passed"))
    if questioned.is_empty():
        return [*texts, f"None of the {facts.gate.height} checks of these data questions it."]
    return [
        *texts,
        *(
            f"Questioned ({check.replace('_', ' ')}): {text}"
            for check, text in questioned.select("check", "sentence").rows()
        ),
    ]


def _describe_estimates(facts: CardFacts) -> list[str]:
    values = [_write_estimate(row) for row in facts.parameters.iter_rows(named=True)]
    in_words = describe_parameters(facts.parameters, facts.currency, has_repeats=facts.repeaters > 0)
    return [*in_words, *values]


def _write_estimate(row: Mapping[str, Any]) -> str:
    text = f"{_name(row['model'])} {row['parameter']} = {write_number(row['estimate'])}"
    if row["lower"] is None or row["upper"] is None:
        return text
    return f"{text}, 95% between {write_number(row['lower'])} and {write_number(row['upper'])}"


def _describe_performance(facts: CardFacts) -> list[str]:
    if facts.backtest.is_empty():
        return ["Not known: the data are too short, or too few, for a backtest."]
    texts = list(facts.choice["sentence"]) if facts.choice.height else []
    for target, unit in (("purchases", "purchases"), ("spend", facts.currency)):
        texts += _compare(facts, target, unit)
    return [*texts, *_describe_judged_corrections(facts)]


def _describe_corrections(facts: CardFacts) -> list[str]:
    """What is in the scores made with this version beside its parameters."""
    if facts.corrections.is_empty():
        return []
    own = facts.corrections.filter(pl.col("model").is_in(_list_models(facts)))
    return [
        f"Scores made with it hold {what} {row[name]:.2f}, from {why}."
        for row in own.iter_rows(named=True)
        for name, (_, what, why) in _CORRECTIONS.items()
        if row[name] != 1
    ]


def _describe_judged_corrections(facts: CardFacts) -> list[str]:
    """What such corrections, as known at the origin of the backtest, did to its forecast."""
    texts: list[str] = []
    for metric, (target, what, why) in _CORRECTIONS.items():
        own = facts.backtest.filter(pl.col("target") == target, pl.col("model").is_in(_list_models(facts)))
        found = dict(own.select("metric", "value").iter_rows())
        if found.get(metric, 1.0) == 1 or _WITHOUT not in found:
            continue
        texts.append(
            f"Its forecast in the backtest held {what} {found[metric]:.2f}, from {why};"
            f" uncorrected, {target} would have been off by {found[_WITHOUT]:+.1%} instead of"
            f" {found['total_error']:+.1%}."
        )
    return texts


def _compare(facts: CardFacts, target: str, unit: str) -> list[str]:
    """The model of this version beside every other forecast of the backtest."""
    rows = facts.backtest.filter(pl.col("target") == target, pl.col("metric").is_in(_MEASURES))
    if rows.is_empty():
        return []
    wide = rows.pivot("metric", index="model", values="value").drop_nulls().sort("mae", "model")
    texts = [
        f"{_name(row['model'])} forecast {row['forecast']:,.0f} {unit} where there were {row['actual']:,.0f}:"
        f" MAE {write_number(row['mae'])}, RMSE {write_number(row['rmse'])}"
        for row in wide.iter_rows(named=True)
    ]
    own = wide.filter(pl.col("model").is_in(_list_models(facts)))
    plain = wide.filter(~pl.col("model").is_in(PURCHASE_MODELS))
    if own.is_empty() or plain.is_empty():
        return texts
    (mae,), (baseline, least) = own.select("mae").row(0), plain.select("model", "mae").row(0)
    worse = "more" if mae > least else "less"
    error = f"{abs(mae / least - 1):.0%} {worse} than the best plain baseline, {_name(baseline)}"
    return [f"Backtest, {target}: the mean absolute error of {_name(own['model'][0])} is {error}.", *texts]


def _describe_limits(facts: CardFacts) -> list[str]:
    own = [_LIMITS[model] for model in _list_models(facts) if model in _LIMITS]
    # The fit says of the BG/NBD what the limits say.
    return [*own, *_ALWAYS, *(note for note in facts.notes if "P(alive)" not in note)]


def _describe_change(facts: CardFacts) -> list[str]:
    texts = [facts.decision]
    if facts.previous_version is None or facts.previous_version == facts.version:
        return texts
    joined = facts.parameters.join(facts.previous, on=["model", "parameter"], how="left", suffix="_before")
    moved = [
        f"{_name(row['model'])} {row['parameter']}: {write_number(row['estimate_before'])} before,"
        f" {write_number(row['estimate'])} now{_write_change(row)}"
        for row in joined.iter_rows(named=True)
        if row["estimate_before"]
    ]
    return [*texts, f"Compared with {facts.previous_version}:", *(moved or ["another model."])]


def _write_change(row: Mapping[str, Any]) -> str:
    """' (+20.0%)'; empty for coefficients of covariates, which are differences and may change their sign."""
    if "[" in row["parameter"]:
        return ""
    return f" ({row['estimate'] / row['estimate_before'] - 1:+.1%})"


def _list_models(facts: CardFacts) -> list[str]:
    return facts.parameters["model"].unique(maintain_order=True).to_list()


def _name(model: str) -> str:
    return MODEL_NAMES.get(model, model.replace("_", " ").capitalize())
