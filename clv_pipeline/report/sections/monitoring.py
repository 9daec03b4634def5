"""Monitoring: what happened, in this month and in those before it.

Belongs here: causes in words. Does not belong here: the checks they rest on (`drift.py`), the series behind them
(`monitoring_series.py`).
"""

import polars as pl

from clv_pipeline.clv.drift.causes import CAUSES
from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Note, Section
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import build_table, label

_ID, _TITLE, _QUESTION = "monitoring-causes", "What happened", "Did anything happen that somebody should know of?"


def build_causes(data: ReportData) -> Section | None:
    """The causes of this month, and a table of those of all as-of months so far; None where nobody looked."""
    if "drift.diagnoses" not in data.tables:
        return None
    now, ever = name_causes(data.table("drift.diagnoses")), name_causes(data.table("monitoring.causes"))
    blocks: list[Block] = [Note(describe_causes(now), caution=not now.filter(pl.col("level") == "alert").is_empty())]
    if not ever.is_empty():
        columns = [
            label("as_of", "As-of"),
            label("cause", "What"),
            label("subject", "About"),
            label("since", "Since"),
            label("level", "Level"),
            label("meaning", "Finding"),
        ]
        note = "One cause explains the many checks that one change sets off."
        name = f"causes_{data.facts.as_of}.csv"
        csv = data.exact("monitoring.causes")
        blocks.append(
            build_table("monitoring-causes-table", "Causes so far", ever, columns, csv=csv, csv_name=name, note=note)
        )
    return Section(_ID, _TITLE, blocks, _QUESTION)


def name_causes(causes: pl.DataFrame) -> pl.DataFrame:
    """The causes in a reader's words."""
    return causes if causes.is_empty() else causes.with_columns(pl.col("cause").replace(CAUSES))


def describe_causes(causes: pl.DataFrame) -> list[str]:
    """A sentence for each cause, the gravest first; `causes` comes from `name_causes`."""
    if causes.is_empty():
        return [
            "Nothing moved beyond its limits: data, deliveries, customers and forecasts are as their past lets expect."
        ]
    gravest_first = causes.sort(pl.col("level") != "alert", maintain_order=True)
    return [
        f"{row['cause']} (since {n.month(row['since'])}, {row['level']}): {row['meaning']}."
        for row in gravest_first.iter_rows(named=True)
    ]
