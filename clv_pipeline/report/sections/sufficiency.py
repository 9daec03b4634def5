"""Data check: a traffic light for each question that the data must answer before anything else is read.

Belongs here: laying the lights out, the worst first. Does not belong here: thresholds and sentences
(`clv/sufficiency.py`).
"""

from dataclasses import asdict

from clv_pipeline.clv.sufficiency import TITLES, describe_lights, describe_threshold, judge_freshness
from clv_pipeline.report.blocks import Lamp, Lamps, Note, Section
from clv_pipeline.report.facts import ReportData

_ADVICE = {
    "red": "What is red comes first: mend it, or do not rely on what it touches.",
    "yellow": "What is yellow limits what can be read from this report: keep it in mind, or mend it.",
    "green": "Nothing stands in the way.",
    "grey": "Nothing can be told yet.",
}
_WORST_FIRST = ("red", "yellow", "green", "grey")


def build_section(data: ReportData) -> Section | None:
    """The lights of the as-of month; None where they were not taken."""
    lights = data.table("quality.sufficiency")
    if lights.is_empty():
        return None
    rows = lights.to_dicts()
    if is_latest(data):
        # How fresh the data are depends on when the page is made, so no table has it.
        rows.append(asdict(judge_freshness(data.facts.as_of_end, data.facts.generated_at.date())))
    rows.sort(key=lambda row: _WORST_FIRST.index(row["level"]))
    levels = [row["level"] for row in rows]
    worst = next(level for level in _WORST_FIRST if level in levels)
    note = Note([f"{describe_lights(levels)}. {_ADVICE[worst]}"], caution=worst == "red")
    lamps = [
        Lamp(
            row["level"],
            TITLES[row["check"]][0],
            row["sentence"],
            describe_threshold(row["check"], row["threshold"]),
            row["fix"] or "",
        )
        for row in rows
    ]
    return Section("data-check", "Traffic lights", [note, Lamps(lamps)])


def is_latest(data: ReportData) -> bool:
    """Whether no later as-of month is known."""
    return all(month <= data.facts.as_of for month, _ in data.facts.as_of_links)
