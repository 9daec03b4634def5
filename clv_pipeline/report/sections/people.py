"""Data quality, continued: who is in no list, what files about customers contradict, and which of their cells are bad.

Belongs here: counts; no customer is named. Does not belong here: delivered lines (`quality.py`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Note, Section
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.tables import Column, Table, amounts, build_table, counts, label

HIDDEN, CONFLICTS, REFUSED = "people.hidden", "people.conflicts", "people.refused"
_TITLE = "What is known of customers, and who is in no list"


def build_people(data: ReportData) -> Section | None:
    """Hidden customers, contradictions and bad cells, each by kind; None where there are none of them."""
    currency = data.facts.currency
    spend = amounts("spend", "Spend", currency)
    hidden = [label("reason", "Reason"), counts("customers", "Customers"), counts("orders", "Orders"), spend]
    conflicts = [label("field", "Field"), label("rule", "What counts"), counts("cases", "Cases")]
    refused = [label("source", "File"), label("field", "Field"), label("reason", "Reason"), label("fix", "Fix")]
    blocks: list[Block] = []
    for name, title, sentence, columns in (
        (HIDDEN, "Customers who may not be shown", describe_hidden, hidden),
        (CONFLICTS, "Contradictions", describe_conflicts, conflicts),
        (REFUSED, "Cells that cannot be used", describe_refused, [*refused, counts("cells", "Cells")]),
    ):
        if data.has(name):
            blocks += [Note([sentence(data.table(name))]), _tabulate(data, name, title, columns)]
    return Section("people", _TITLE, blocks) if blocks else None


def describe_hidden(hidden: pl.DataFrame) -> str:
    """How many customers may not be shown, and what they are in and what not."""
    found, everybody = int(add_up(hidden, "customers")), int(hidden["everybody"][0])
    reasons = [f"{n.count(rows)} {reason}" for reason, rows in hidden.select("reason", "customers").iter_rows()]
    who = f"{n.plural(found, 'customer')} of {n.count(everybody)} ({n.share(found / everybody)})"
    place = "in no list, segment, model or score, and in all totals of the company"
    return f"{who} {'is' if found == 1 else 'are'} {place}: {n.join_words(reasons)}."


def describe_conflicts(conflicts: pl.DataFrame) -> str:
    """How often rows about customers contradict each other, and where to read what counts."""
    cases = int(add_up(conflicts, "cases"))
    return (
        f"{n.plural(cases, 'value')} about customers contradict{'s' if cases == 1 else ''} another;"
        " landing.customer_conflicts has each with what counts instead."
    )


def describe_refused(refused: pl.DataFrame) -> str:
    """How many cells of files about customers cannot be used."""
    cells = int(add_up(refused, "cells"))
    return f"{n.plural(cells, 'cell')} of files about customers cannot be used; landing.customer_quarantine has each."


def _tabulate(data: ReportData, name: str, title: str, columns: Sequence[Column]) -> Table:
    short = name.partition(".")[2]
    return build_table(
        f"people-{short}",
        title,
        data.table(name),
        columns,
        csv=data.exact(name),
        csv_name=f"{short}_{data.facts.as_of}.csv",
    )
