"""Which scores are shown to others: those of the month, or, while they are held back, the last good ones.

Belongs here: saying so. Does not belong here: the decision (`clv/scores/publication.py`).
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Note, Section
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import build_table, label

_ID, _TITLE, _QUESTION = "monitoring-published", "Published scores", "Which scores do others see, and why?"


def build_section(data: ReportData) -> Section | None:
    """What `scores.current` shows after this month, and a table of the months that were held back; None before any."""
    decided = data.table("monitoring.published")
    if decided.is_empty():
        return None
    decided = decided.sort("as_of")
    latest = decided.row(-1, named=True)
    blocks: list[Block] = [Note([describe_published(latest)], caution=not latest["published"])]
    held = decided.filter(~pl.col("published")).sort("as_of", descending=True)
    if not held.is_empty():
        columns = [
            label("as_of", "Held back"),
            label("model_version", "Its version"),
            label("published_as_of", "Shown instead"),
            label("published_version", "Version shown"),
            label("reason", "Why"),
        ]
        name = f"held_scores_{data.facts.as_of}.csv"
        csv = data.exact("monitoring.published").filter(~pl.col("published"))
        table = build_table("monitoring-held", "Months held back", held, columns, csv=csv, csv_name=name)
        blocks.append(table)
    return Section(_ID, _TITLE, blocks, _QUESTION)


def build_warning(data: ReportData) -> list[Block]:
    """A caution before the scores of a month that are held back; nothing before others."""
    decided = data.table("scores.publication")
    if decided.is_empty() or decided["published"][0]:
        return []
    return [Note([describe_published(decided.row(0, named=True))], caution=True)]


def describe_published(decision: dict[str, object]) -> str:
    """Whether the scores of a month are shown in scores.current, what is shown instead, and why."""
    month, shown = n.month(str(decision["as_of"])), n.month(str(decision["published_as_of"]))
    if decision["published"]:
        return f"The scores of {month} are published (scores.current). {decision['reason']}"
    return (
        f"The scores of {month} are held back; scores.current shows those of {shown}, of version "
        f"{decision['published_version']}. Why: {decision['reason']}"
    )
