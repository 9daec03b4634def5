"""Scores: what customers are expected to bring, by decile and in all, three examples, and the two ends of the list."""

import polars as pl

from clv_pipeline.report import explanations as words
from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Note, Section, empty_section
from clv_pipeline.report.charts.models import draw_score_deciles
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.explained import build_examples, build_totals
from clv_pipeline.report.sections.models import ALIVE_NOTE, has_certain_alive
from clv_pipeline.report.sections.published import build_warning
from clv_pipeline.report.tables import Column, Table, amounts, build_table, counts, decimals, label, shares

_ID, _TITLE, _QUESTION = "scores", "Scores", "Which customers are expected to bring most from here on?"


def build_section(data: ReportData) -> Section:
    """CLV by decile with its table, sums with their ranges, scores taken apart, the top and the bottom of the list."""
    deciles, top = data.table("scores.deciles"), data.table("scores.top")
    if deciles.is_empty() and top.is_empty():
        return empty_section(_ID, _TITLE, "There are no scores for this month: no fitted model has passed its checks.")
    blocks = build_warning(data)
    if not deciles.is_empty():
        blocks += _build_deciles(data, deciles.sort("decile"))
    if not data.table("scores.totals").is_empty():
        blocks += build_totals(data)
    if not data.table("scores.examples").is_empty():
        blocks += build_examples(data)
    if has_certain_alive(data):
        blocks.append(Note([ALIVE_NOTE]))
    if sentence := describe_corrections(deciles, data.facts.currency):
        blocks.append(Note([sentence]))
    if sentence := describe_unlikely(data.table("scores.ranges")):
        blocks.append(Note([sentence]))
    for name, title in (("top", "Highest CLV"), ("bottom", "Lowest CLV")):
        frame = data.table(f"scores.{name}")
        if not frame.is_empty():
            blocks.append(_build_customers(data, name, title, frame))
    return Section(_ID, _TITLE, blocks, _QUESTION)


def describe_deciles(deciles: pl.DataFrame, currency: str) -> str:
    """The total, and the share of the highest decile and of the lower half of the customers."""
    total, customers = add_up(deciles, "clv"), add_up(deciles, "customers")
    verb = "is" if customers == 1 else "are"
    text = f"The {n.plural(customers, 'scored customer')} {verb} expected to bring {n.money(total, currency)}"
    if total <= 0 or deciles.height < 10:
        return f"{text}."
    low = add_up(deciles.filter(pl.col("decile") > 5), "clv") / total
    return f"{text}; decile 1 brings {n.share(deciles['clv'][0] / total)} of it, the lower half {n.share(low)}."


def describe_corrections(deciles: pl.DataFrame, currency: str) -> str:
    """What the pace and the spend level did to the total; '' where they did nothing."""
    if deciles.is_empty() or "pace" not in deciles.columns or deciles["clv_uncorrected"].null_count():
        return ""
    return words.describe_corrections(deciles.row(0, named=True), add_up(deciles, "clv_uncorrected"), currency)


def describe_unlikely(ranges: pl.DataFrame) -> str:
    """How many customers have a CLV above 0 and a likely range that ends at 0, and why both are right; '' for none."""
    if ranges.is_empty() or not ranges["unlikely"][0]:
        return ""
    found, total = int(ranges["unlikely"][0]), int(ranges["customers"][0])
    what = "has a CLV above 0 and a likely range" if found == 1 else "have a CLV above 0 and a likely range"
    return (
        f"{n.count(found)} of {n.plural(total, 'scored customer')} ({n.share(found / total)}) {what} that ends at 0. "
        "Both are right: the chance that such a customer buys at all is below 10%, so the most that is likely is "
        "nothing, while CLV is an average that counts the few who will buy."
    )


def _build_deciles(data: ReportData, deciles: pl.DataFrame) -> list[Block]:
    money = data.facts.currency
    total = add_up(deciles, "clv")
    shown = deciles.with_columns(
        per_customer=pl.when(pl.col("customers") > 0).then(pl.col("clv") / pl.col("customers")),
        share_clv=pl.col("clv") / total if total > 0 else pl.lit(None, pl.Float64),
    )
    table = build_table(
        "score-deciles",
        "CLV by score decile",
        shown,
        [
            label("decile", "Decile"),
            counts("customers", "Customers"),
            amounts("clv", "CLV", money),
            shares("share_clv", "Share"),
            amounts("per_customer", "CLV per customer", money),
            counts("expected_purchases", "Expected purchases"),
        ],
        csv=data.exact("scores.deciles"),
        csv_name=f"scores_deciles_{data.facts.as_of}.csv",
    )
    sentence = describe_deciles(deciles, money)
    if deciles.height < 2:
        return [Note([sentence]), table]
    spec = draw_score_deciles(deciles, money)
    return [Figure("chart-score-deciles", "Expected profit (CLV) by score decile", sentence, spec), table]


def _build_customers(data: ReportData, name: str, title: str, frame: pl.DataFrame) -> Table:
    money = data.facts.currency
    note = "Low and high: the likely range of what the customer will really bring; most buy nothing, so a 0 is normal."
    if has_certain_alive(data) and not frame.filter(pl.col("frequency") == 0).is_empty():
        note = f"* one-time buyer: BG/NBD gives P(alive) = 1. {note}"
        alive = pl.Series(n.as_probabilities(frame["p_alive"].to_list()))
        mark = pl.when(pl.col("frequency") == 0).then(pl.lit("*")).otherwise(pl.lit(""))
        frame = frame.with_columns(p_alive=alive + frame.select(mark.alias("mark"))["mark"])
        alive_column = Column("p_alive", "P(alive)", n.as_text)
    else:
        alive_column = Column("p_alive", "P(alive)", n.as_probabilities)
    return build_table(
        f"scores-{name}",
        title,
        frame,
        [
            label("customer_id", "Customer"),
            amounts("clv", "CLV", money),
            amounts("clv_lower", "Low", money),
            amounts("clv_upper", "High", money),
            alive_column,
            decimals("expected_purchases", "Expected purchases"),
            amounts("expected_spend", "Expected spend", money),
            counts("frequency", "Frequency"),
            decimals("recency", "Recency", 1),
            decimals("T", "T", 1),
            amounts("spend", "Spend to date", money),
        ],
        csv=data.exact(f"scores.{name}"),
        csv_name=f"scores_{name}_{data.facts.as_of}.csv",
        note=note,
    )
