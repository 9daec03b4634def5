"""Models: the parameters in words, and how well they describe the purchases that were made."""

import polars as pl

from clv_pipeline.clv.models.words import MODEL_NAMES, describe_parameters
from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Section, empty_section
from clv_pipeline.report.charts.fits import draw_alive_matrix, draw_spend_fit
from clv_pipeline.report.charts.models import draw_fit
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.tables import Column, Table, build_table, counts, label

_ID, _TITLE, _QUESTION = "models-fit", "Models", "What do the models say about buying, and do they fit?"
_EVEN = 0.5
METRIC_NAMES = {"mae": "MAE", "rmse": "RMSE", "log_likelihood": "Log-likelihood"}
ALIVE_NOTE = (
    "BG/NBD gives every one-time buyer P(alive) = 1: in that model a customer can only go inactive after a repeat "
    "purchase. Read a 1 there as “not known”, not as “certain”."
)


def build_section(data: ReportData) -> Section:
    """The model in words, expected against actual repeat purchases, parameters and measures of fit."""
    parameters = data.table("models.parameters")
    if parameters.is_empty():
        sentence = "No model could be fitted: it takes customers with repeat purchases on different days."
        return empty_section(_ID, _TITLE, sentence)
    blocks: list[Block] = []
    repeaters = data.table("models.evaluation").filter(pl.col("metric") == "repeat_customers")
    has_repeats = repeaters.is_empty() or repeaters["value"].max() != 0
    if sentences := describe_parameters(parameters, data.facts.currency, has_repeats=has_repeats):
        blocks.append(Note(sentences))
    if has_certain_alive(data):
        blocks.append(Note([ALIVE_NOTE]))
    repeat = data.table("models.repeat_purchases")
    if not repeat.is_empty():
        spec = draw_fit(repeat)
        blocks.append(Figure("chart-fit", "Repeat purchases, actual and expected", describe_fit(repeat), spec))
        blocks.append(_build_repeat(data, repeat))
    if beliefs := _build_beliefs(data):
        blocks.append(FigureGrid(beliefs))
    blocks.append(_build_parameters(data, parameters))
    if not data.table("models.evaluation").is_empty():
        blocks.append(_build_evaluation(data))
    return Section(_ID, _TITLE, blocks, _QUESTION)


def _build_beliefs(data: ReportData) -> list[Figure]:
    """Who counts as alive, and how spend is spread."""
    figures: list[Figure] = []
    matrix, spend = data.table("models.alive_matrix"), data.table("models.spend_fit")
    if not matrix.is_empty():
        spec = draw_alive_matrix(matrix)
        note = "Of a customer as old as the oldest; with covariates, of the base levels and mean amounts."
        figures.append(Figure("chart-alive", "Who counts as active", describe_alive(matrix), spec, note))
    if not spend.is_empty():
        spec = draw_spend_fit(spend, data.facts.currency)
        note = "Customers with a repeat purchase. The last 2% with the highest mean are in the table, not drawn."
        figures.append(Figure("chart-spend-fit", "Mean spend, actual and expected", describe_spend(spend), spec, note))
    return figures


def describe_alive(matrix: pl.DataFrame) -> str:
    """How long a customer of some purchases may be silent before leaving is more likely than not."""
    most = matrix.filter(pl.col("frequency") == matrix["frequency"].max()).sort("weeks_silent")
    often = int(most["frequency"][0])
    if (gone := most.filter(pl.col("p_alive") < _EVEN)).is_empty():
        return f"A customer with {often} repeat purchases counts as active however long the last one is ago."
    weeks = n.count(round(gone["weeks_silent"][0]))
    return f"A customer with {often} repeat purchases is more likely gone than active after {weeks} weeks without one."


def describe_spend(spend: pl.DataFrame) -> str:
    """How many customers the spend model puts into the wrong bin."""
    total = add_up(spend, "actual")
    gaps = spend.with_columns(gap=(pl.col("expected") - pl.col("actual")).abs())
    misplaced = add_up(gaps, "gap") / 2 / total if total else 0.0
    return f"Over all bins the model misplaces {n.share(misplaced)} of the {n.count(total)} customers."


def has_certain_alive(data: ReportData) -> bool:
    """Whether the model in use gives one-time buyers a P(alive) of 1."""
    return data.facts.model_name in ("bg_nbd", "BG/NBD")


def describe_fit(repeat: pl.DataFrame) -> str:
    """How many customers the model puts into the wrong bar, and the one it misses most."""
    total = add_up(repeat, "actual")
    gaps = repeat.with_columns(gap=(pl.col("expected") - pl.col("actual")).abs())
    worst = gaps.sort("gap", descending=True).row(0, named=True)
    misplaced = add_up(gaps, "gap") / 2 / total if total else 0.0
    once = repeat.row(0, named=True)
    return (
        f"Customers with {once['purchases']} repeat purchases: {n.count(once['actual'])}, the model expects "
        f"{n.count(once['expected'])}. Over all bars it misplaces {n.share(misplaced)} of the customers, most at "
        f"{worst['purchases']} ({n.count(worst['expected'])} expected, {n.count(worst['actual'])} actual)."
    )


def _build_repeat(data: ReportData, repeat: pl.DataFrame) -> Table:
    return build_table(
        "repeat",
        "Customers by number of repeat purchases",
        repeat,
        [
            label("purchases", "Repeat purchases"),
            counts("actual", "Actual"),
            counts("expected", "Expected"),
            counts("lower", "95% from"),
            counts("upper", "to"),
        ],
        note="The model repeated on these customers, with its uncertainty and chance, gives a number between the last"
        " two 95 times in 100: a posterior predictive check.",
        csv=data.exact("models.repeat_purchases"),
        csv_name=f"models_repeat_purchases_{data.facts.as_of}.csv",
    )


def _build_parameters(data: ReportData, parameters: pl.DataFrame) -> Table:
    return build_table(
        "parameters",
        "Parameters",
        parameters.with_columns(model=pl.col("model").replace(MODEL_NAMES)),
        [
            label("model", "Model"),
            label("parameter", "Parameter"),
            Column("estimate", "Estimate", n.as_significant),
            Column("sd", "Standard deviation", n.as_significant),
            Column("lower", "Lower", n.as_significant),
            Column("upper", "Upper", n.as_significant),
        ],
        csv=data.exact("models.parameters"),
        csv_name=f"models_parameters_{data.facts.as_of}.csv",
        note="Time in weeks, money in the report's currency. Lower and upper: the 95% interval, where known.",
    )


def _build_evaluation(data: ReportData) -> Table:
    evaluation = data.table("models.evaluation").with_columns(
        pl.col("model").replace(MODEL_NAMES),
        pl.col("split").str.replace_all("_", " ", literal=True),
        pl.col("metric").replace(METRIC_NAMES).str.replace_all("_", " ", literal=True),
    )
    return build_table(
        "evaluation",
        "Measures of fit",
        evaluation,
        [
            label("model", "Model"),
            label("split", "On"),
            label("metric", "Measure"),
            Column("value", "Value", n.as_significant),
        ],
        csv=data.exact("models.evaluation"),
        csv_name=f"models_evaluation_{data.facts.as_of}.csv",
        note="In sample: on the data the model was fitted to. A holdout is data it had not seen.",
    )
