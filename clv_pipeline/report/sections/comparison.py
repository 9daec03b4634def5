"""This month against last: the headline figures of two as-of months side by side.

Belongs here: which figures are compared and how their change is written. Does not belong here: the change between the
two windows of lens 2 (`lens2.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Note, Section, empty_section
from clv_pipeline.report.facts import ReportData, add_up, shift_month
from clv_pipeline.report.sections.months import mark_complete
from clv_pipeline.report.tables import build_table, label, written

_ID, _TITLE = "this-and-last", "This month against last"
_RATIOS = ("margin",)


@dataclass(frozen=True)
class Pair:
    """A figure in both months; `write` turns one of them into text."""

    part: str
    measure: str
    before: float | None
    after: float | None
    write: Callable[[float | None], str]
    is_ratio: bool = False

    @property
    def label(self) -> str:
        """What the row is called."""
        return f"{self.part}: {self.measure if self.measure.isupper() else self.measure.lower()}"

    @property
    def change(self) -> str:
        """'+4.2%', in points for a ratio; empty where there is no meaning in it."""
        if self.before is None or self.after is None:
            return n.MISSING
        if self.is_ratio:
            points = 100 * (self.after - self.before)
            return "0" if abs(points) < 0.05 else f"{_sign(points)}{n.plain(points, 1)} points"
        moved = n.change(self.before, self.after)
        if moved is None:
            return n.MISSING
        return "0%" if abs(moved) < 0.0005 else f"{_sign(moved)}{n.plain(100 * moved, 1)}%"


def build_section(data: ReportData) -> Section:
    """The table of both months, and in words what moved most."""
    before = data.facts.previous_as_of
    if before is None or not data.previous:
        return empty_section(_ID, _TITLE, "No earlier as-of month has been run, so there is none to compare with.")
    pairs = [*_pair_months(data, before), *_pair_windows(data), *_pair_scores(data)]
    frame = pl.DataFrame(
        {
            "measure": [pair.label for pair in pairs],
            "before": [pair.write(pair.before) for pair in pairs],
            "after": [pair.write(pair.after) for pair in pairs],
            "change": [pair.change for pair in pairs],
        }
    )
    csv = frame.select("measure").with_columns(
        pl.Series("before", [pair.before for pair in pairs], pl.Float64),
        pl.Series("after", [pair.after for pair in pairs], pl.Float64),
    )
    table = build_table(
        "compared",
        f"{n.month(before)} and {n.month(data.facts.as_of)}",
        frame,
        [
            label("measure", "Measure"),
            *(written(name, heading) for name, heading in _name_columns(data, before)),
        ],
        csv=csv,
        csv_name=f"this_and_last_{data.facts.as_of}.csv",
        note=_explain(data),
        sortable=False,
    )
    return Section(_ID, _TITLE, [Note([describe_pairs(pairs, before)]), table])


def describe_pairs(pairs: list[Pair], before: str) -> str:
    """The figure that moved most of each part, largest relative change first."""
    moved = [
        (abs(step), pair)
        for pair in pairs
        if not pair.is_ratio and (step := n.change(pair.before, pair.after)) is not None
    ]
    if not moved:
        return f"Nothing can be compared with {n.month(before)}."
    step, pair = max(moved, key=lambda item: item[0])
    if step < 0.0005:
        return f"Nothing moved since {n.month(before)}."
    words = n.change_words(n.change(pair.before, pair.after))
    return (
        f"Since {n.month(before)}, the figure that moved most is “{pair.label}”: {words}, from "
        f"{pair.write(pair.before)} to {pair.write(pair.after)}."
    )


def _pair_months(data: ReportData, before: str) -> list[Pair]:
    months = mark_complete(data)
    if months.is_empty():
        return []
    rows = {row["period"]: row for row in months.iter_rows(named=True)}
    old, new = rows.get(before), rows.get(data.facts.as_of)
    if old is None or new is None:
        return []
    money = _money(data)
    measures = (("customers", "Customers", n.count), ("orders", "Orders", n.count))
    amounts = (("spend", "Spend", money), ("profit", "Profit", money))
    return [Pair("Month", name, old[key], new[key], write) for key, name, write in (*measures, *amounts)]


def _pair_windows(data: ReportData) -> list[Pair]:
    earlier = ReportData(data.previous, data.facts)
    if earlier.window_2 is None or data.window_2 is None:
        return []
    old, new, money = earlier.window_2.measures, data.window_2.measures, _money(data)
    measures = {
        "customers": ("Active customers", n.count),
        "orders": ("Orders", n.count),
        "spend": ("Spend", money),
        "profit": ("Profit", money),
        "aof": ("AOF", lambda value: n.as_decimals(2)([value])[0]),
        "aov": ("AOV", money),
        "margin": ("Margin", lambda value: n.as_shares([value])[0]),
        "profit_per_customer": ("Profit per customer", money),
    }
    part = "Window" if data.facts.window == "month" else f"Latest {data.facts.window}"
    return [
        Pair(part, name, old[key], new[key], write, is_ratio=key in _RATIOS) for key, (name, write) in measures.items()
    ]


def _pair_scores(data: ReportData) -> list[Pair]:
    old, new = ReportData(data.previous, data.facts).table("scores.deciles"), data.table("scores.deciles")
    if old.is_empty() or new.is_empty():
        return []
    measures = (
        ("customers", "Scored customers", n.count),
        ("clv", "CLV", _money(data)),
        ("expected_purchases", "Expected purchases", n.count),
    )
    return [Pair("Scores", name, add_up(old, key), add_up(new, key), write) for key, name, write in measures]


def _explain(data: ReportData) -> str:
    facts = data.facts
    if facts.window == "month":
        note = "The month counts all orders; the figures of the customers leave out orders without a customer."
    else:
        note = f"The latest {facts.window} is the one that ends with the month, so that the two overlap."
    if facts.is_open:
        note += f" {n.month(facts.as_of)} is still open and will grow."
    if facts.previous_as_of and facts.previous_as_of != shift_month(facts.as_of, -1):
        note += " The as-of months between were not run."
    return note


def _name_columns(data: ReportData, before: str) -> list[tuple[str, str]]:
    return [("before", n.month(before)), ("after", n.month(data.facts.as_of)), ("change", "Change")]


def _money(data: ReportData) -> Callable[[float | None], str]:
    return lambda value: n.money(value, data.facts.currency)


def _sign(value: float) -> str:
    return "+" if value > 0 else ""
