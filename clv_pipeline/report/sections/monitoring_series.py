"""Monitoring: every watched series by month, small and side by side, with what its past let expect.

Belongs here: which series are worth a chart, and their sentences. Does not belong here: the expectation
(`clv/drift/control.py`).
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Figure, FigureGrid, Note, Section
from clv_pipeline.report.charts.monitoring import draw_like, draw_series
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import Column, build_table, label

_ID, _TITLE, _QUESTION = "monitoring-series", "Month by month", "Is each month as the months before let expect?"
_FEWEST = 3
_SHARES = ("missing_", "repeated_lines", "rejected_rows", "late_rows")
_COLUMNS = ("period", "value", "expected", "lower", "upper", "level")


def build_section(data: ReportData) -> Section | None:
    """A small chart for each series that varies; None without any."""
    measures = data.table("drift.measures")
    if measures.is_empty():
        return None
    figures: list[Figure] = []
    specs: dict[bool, dict[str, object]] = {}
    for (feature,), series in measures.group_by("feature", maintain_order=True):
        if series.height < _FEWEST or series["value"].n_unique() == 1:
            continue
        is_share = str(feature).startswith(_SHARES)
        shown = series.select(_COLUMNS)
        known = specs.get(is_share)
        spec = draw_like(known, shown) if known else draw_series(shown, is_share=is_share)
        specs[is_share] = spec
        name = str(series["name"][0])
        figures.append(Figure(f"chart-series-{feature}", name[0].upper() + name[1:], describe_series(series), spec))
    if not figures:
        return None
    table = build_table(
        "monitoring-measures",
        "Watched series",
        measures.sort("period", "feature", descending=[True, False]),
        [
            label("period", "Month"),
            label("name", "Series"),
            Column("value", "Value", n.as_significant),
            Column("expected", "Expected", n.as_significant),
            Column("lower", "Lower limit", n.as_significant),
            Column("upper", "Upper limit", n.as_significant),
            label("level", "Level"),
        ],
        csv=data.exact("drift.measures"),
        csv_name=f"watched_series_{data.facts.as_of}.csv",
        folded=True,
    )
    note = Note(
        [
            "The grey band is where a month may lie: what the months before and the season let expect, give or take "
            "the limits. Rates of repeat buying are at equal age and relative to all months, so that a base which "
            "only ages keeps its rate of 1. Without a year to compare with, nothing is expected of what has a season.",
        ]
    )
    return Section(_ID, _TITLE, [note, FigureGrid(figures), table], _QUESTION)


def describe_series(series: pl.DataFrame) -> str:
    """Where the latest month stands to what was expected of it, and when it last moved."""
    latest = series.sort("period").row(-1, named=True)
    value = n.significant(latest["value"])
    if latest["expected"] is None:
        return f"{value} in {n.month(latest['period'])}; the months before do not yet say what to expect."
    beyond = series.filter(pl.col("level").is_in(["warn", "alert"]))["period"].sort()
    last = f"; last beyond its limits in {n.month(beyond[-1])}" if len(beyond) else ""
    return (
        f"{value} in {n.month(latest['period'])}, where {n.significant(latest['expected'])} was to be expected{last}."
    )
