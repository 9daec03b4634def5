"""Scores explained: what customers bring together, with the range of the sum, and three scores taken apart."""

import polars as pl

from clv_pipeline.clv.scores.explanation import decompose_score
from clv_pipeline.report import explanations as words
from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Note
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import amounts, build_table, capitalize, counts, label

_EXAMPLES = {
    "top": "The customer with the highest CLV",
    "typical": "The middle customer of those with a repeat purchase",
    "one-time": "The middle customer of those without",
}
_HOW = "P(alive) × purchases if alive × expected spend × margin × discount = CLV: three scores taken apart."
_LEVELS = {"total": "All customers", "segment": "Segment", "cohort": "Cohort"}


def build_totals(data: ReportData) -> list[Block]:
    """The sum over all customers in a sentence, and the sums by segment and cohort in a table."""
    money = data.facts.currency
    totals = data.table("scores.totals")
    shown = totals.filter(pl.col("level").is_in(list(_LEVELS))).with_columns(
        pl.when(pl.col("level") == "total")
        .then(pl.lit(""))
        .when(pl.col("level") == "segment")
        .then(capitalize("key"))
        .otherwise(pl.col("key"))
        .alias("key"),
        pl.col("level").replace(_LEVELS),
    )
    table = build_table(
        "score-totals",
        "CLV by segment and cohort, with the range of each sum",
        shown,
        [
            label("level", "Sum over"),
            label("key", "Group"),
            counts("customers", "Customers"),
            amounts("clv", "CLV", money),
            amounts("clv_lower_50", "50% low", money),
            amounts("clv_upper_50", "50% high", money),
            amounts("clv_lower", "80% low", money),
            amounts("clv_upper", "80% high", money),
            amounts("clv_lower_95", "95% low", money),
            amounts("clv_upper_95", "95% high", money),
        ],
        csv=data.exact("scores.totals"),
        csv_name=f"scores_totals_{data.facts.as_of}.csv",
        note="Each range is the sum's own: adding up the ranges of customers or groups would give far too wide a one.",
    )
    return [Note([describe_total(totals, money)]), table]


def describe_total(totals: pl.DataFrame, currency: str) -> str:
    """How sure the sum over all customers is."""
    total = totals.row(by_predicate=pl.col("level") == "total", named=True)
    half = (total["clv_upper_95"] - total["clv_lower_95"]) / 2 / total["clv"] if total["clv"] > 0 else 0.0
    return (
        f"Together {n.plural(total['customers'], 'customer')} will bring"
        f" {words.write_range(total['clv_lower_95'], total['clv_upper_95'], currency)} with 95% probability, which is"
        f" {n.money(total['clv'], currency)} give or take {n.share(half)}, if the model is right: a sum is far surer"
        " than one customer."
    )


def build_examples(data: ReportData) -> list[Block]:
    """Three scores multiplied out, and what each of these customers may really bring."""
    money = data.facts.currency
    rows = data.table("scores.examples").sort("place").to_dicts()
    sentences = [
        f"{_EXAMPLES[row['example']]}, {row['customer_id']}: "
        f"{words.write_product(decompose_score(row), row['clv'], money)}. {words.describe_ranges(row, money)}"
        for row in rows
    ]
    return [Note([_HOW, *sentences])]
