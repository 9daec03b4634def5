"""Months: profit by month, and the index of all as-of months.

Belongs here: what is told month by month. Does not belong here: two months beside each other (`comparison.py`).
"""

from itertools import groupby

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, MonthIndex, MonthLink, Note, Section
from clv_pipeline.report.charts.windows import draw_months
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import amounts, build_table, counts, label


def build_months(data: ReportData) -> Section | None:
    """Profit by month, with the table."""
    months = mark_complete(data)
    if months.is_empty():
        return None
    facts = data.facts
    best = months.sort("profit", descending=True).row(0, named=True)
    last = months.row(-1, named=True)
    sentence = f"The best month was {n.month(best['period'])} with {n.money(best['profit'], facts.currency)} of profit"
    if last["period"] != best["period"]:
        so_far = "" if last["complete"] else " so far"
        sentence += f"; {n.month(last['period'])} brought {n.money(last['profit'], facts.currency)}{so_far}"
    table = build_table(
        "months",
        "Months",
        months.reverse(),
        [
            label("period", "Month"),
            counts("customers", "Customers"),
            counts("orders", "Orders"),
            amounts("spend", "Spend", facts.currency),
            amounts("profit", "Profit", facts.currency),
            label("complete", "Complete"),
        ],
        csv=data.exact("marts.periods"),
        csv_name=f"months_{facts.as_of}.csv",
        note="All orders, also those without a customer.",
        folded=True,
    )
    picture: Block = Note([f"{n.month(last['period'])} is the only month with data."])
    if months.height > 1:
        spec = draw_months(months, "profit", "Profit", facts.currency)
        picture = Figure("chart-months", "Profit by month", f"{sentence}.", spec)
    return Section("by-month", "Month by month", [picture, table])


def build_index(data: ReportData) -> Section | None:
    """All as-of months with their pages."""
    links = sorted(data.facts.as_of_links, reverse=True)
    if not links:
        return None
    named = [MonthLink(n.month(period).rpartition(" ")[0], href, period == data.facts.as_of) for period, href in links]
    years = groupby(zip(links, named, strict=True), key=lambda pair: pair[0][0][:4])
    blocks: list[Block] = [MonthIndex([(year, [link for _, link in pairs]) for year, pairs in years])]
    if any(not link.href for link in named):
        blocks.append(Note(["A month without a link has no page yet; clv report --as-of YYYY-MM makes it."]))
    return Section("all-months", "All as-of months", blocks)


def mark_complete(data: ReportData) -> pl.DataFrame:
    """The months in order, with `complete`: false for the as-of month while it is open."""
    periods = data.table("marts.periods")
    if periods.is_empty():
        return periods
    is_open = (pl.col("period") == data.facts.as_of) & pl.lit(data.facts.is_open)
    return periods.sort("period").with_columns(complete=~is_open)
