"""Lens 2, first of all: the headlines of both windows side by side, and both windows cut at the same deciles.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Section
from clv_pipeline.report.charts.bars import draw_bars
from clv_pipeline.report.charts.windows import draw_changes
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.summary import describe_window
from clv_pipeline.report.tables import Table, amounts, build_lens_table, counts, label, shares, written

_FACTORS = ("customers", "aof", "aov", "margin")
# Name and unit of each measure: '' for money, '%', 'count', or None for plain numbers.
_MEASURES = {
    "customers": ("Active customers", "count"),
    "aof": ("AOF", None),
    "aov": ("AOV", ""),
    "margin": ("Margin", "%"),
    "orders": ("Orders", "count"),
    "spend": ("Spend", ""),
    "profit": ("Profit", ""),
    "spend_per_customer": ("Spend per customer", ""),
    "profit_per_customer": ("Profit per customer", ""),
}
_WINDOWS = {1: "Window before", 2: "Latest window"}


def build_headlines(data: ReportData) -> Section | None:
    """Every measure of the headline in both windows; what changed is drawn where both windows are complete."""
    if data.window_1 is None or not data.has("lenses.lens2_changes"):
        return None
    order = {name: rank for rank, name in enumerate(_MEASURES)}
    changes = data.table("lenses.lens2_changes").filter(pl.col("measure").is_in(list(order)))
    changes = changes.sort(pl.col("measure").replace_strict(order, return_dtype=pl.Int64))
    blocks: list[Block] = [_build_headlines(data, changes)]
    moved = changes.with_columns(
        name=pl.col("measure").replace_strict({measure: name for measure, (name, _) in _MEASURES.items()})
    ).drop_nulls("relative_change")
    if data.is_comparable and not moved.is_empty():
        spec = draw_changes(moved)
        blocks.insert(0, Figure("chart-changes", "Change of each measure", describe_changes(changes), spec))
    return Section("both-headlines", "The headline of both windows", blocks)


def build_common_deciles(data: ReportData) -> Section | None:
    """The customers of both windows on the latest window's cut-offs between deciles."""
    if data.window_1 is None or not data.has("lenses.lens2_common_deciles"):
        return None
    deciles = data.table("lenses.lens2_common_deciles").sort("decile", "window_number")
    if not add_up(deciles, "customers"):
        return None
    named = deciles.with_columns(series=pl.col("window_number").replace_strict(_WINDOWS, return_dtype=pl.String))
    spec = draw_bars(named, "decile", "share_customers", "Share of customers", "%", category_title="Decile")
    note = "Both windows have the cut-offs of the latest one's value deciles; 1 is the best."
    money = data.facts.currency
    table = build_lens_table(
        data,
        "lens2_common_deciles",
        "Both windows on the same cut-offs",
        [
            label("decile", "Decile"),
            label("series", "Window"),
            amounts("lower", "Profit from", money),
            amounts("upper", "Profit below", money),
            counts("customers", "Customers"),
            shares("share_customers", "Customers, share"),
            amounts("profit", "Profit", money),
            shares("share_profit", "Profit, share"),
        ],
        frame=named,
        folded=True,
    )
    figure = Figure(
        "chart-common-deciles", "Customers by decile", describe_deciles(deciles, data.facts.currency), spec, note
    )
    return Section("common-deciles", "Are there more good customers than before?", [figure, table])


def describe_changes(changes: pl.DataFrame) -> str:
    """The change of profit, and of the four factors it is the product of."""
    moved = dict(zip(changes["measure"].to_list(), changes["relative_change"].to_list(), strict=True))
    if moved.get("profit") is None:
        return "The window before made no profit, so that changes of profit have no percentage."
    parts = [f"{_MEASURES[name][0]} {n.change_words(moved.get(name))}" for name in _FACTORS]
    parts = [part if part.startswith("AO") else part[0].lower() + part[1:] for part in parts]
    return f"Profit is {n.change_words(moved['profit'])}; its factors: {n.join_words(parts)}."


def describe_deciles(deciles: pl.DataFrame, currency: str) -> str:
    """How many customers reach the best decile of the latest window, then and now."""
    best = deciles.filter(pl.col("decile") == 1)
    size = dict(zip(best["window_number"].to_list(), best["customers"].to_list(), strict=True))
    row = best.row(-1, named=True)
    share = dict(zip(best["window_number"].to_list(), best["share_customers"].to_list(), strict=True))
    if row["lower"] is None:
        return "The best decile has no lower end."
    return (
        f"More than {n.money(row['lower'], currency)}, which begins the best decile, was brought by "
        f"{n.count(size.get(1, 0))} customers ({n.share(share.get(1))}) in the window before, "
        f"{n.count(size.get(2, 0))} ({n.share(share.get(2))}) in the latest."
    )


def _build_headlines(data: ReportData, changes: pl.DataFrame) -> Table:
    rows = [
        {
            "name": _MEASURES[row["measure"]][0],
            "before": _write(row["window_1"], row["measure"], data.facts.currency),
            "latest": _write(row["window_2"], row["measure"], data.facts.currency),
            "change": _write_change(row),
        }
        for row in changes.iter_rows(named=True)
    ]
    before, latest = (
        name if data.is_window_complete(window) else f"{name} (incomplete)" for window, name in _WINDOWS.items()
    )
    columns = [label("name", "Measure"), written("before", before), written("latest", latest)]
    note = f"Before: {describe_window(data, 1)}. Latest: {describe_window(data, 2)}."
    return build_lens_table(
        data,
        "lens2_headline",
        "Both windows side by side",
        [*columns, *([written("change", "Change")] if data.is_comparable else [])],
        frame=pl.DataFrame(rows),
        note=note,
        sortable=False,
    )


def _write(value: float | None, measure: str, currency: str) -> str:
    unit = _MEASURES[measure][1]
    if unit == "count":
        return n.count(value)
    return n.measure(value, currency if unit == "" else unit)


def _write_change(row: dict[str, float | None]) -> str:
    if row["measure"] == "margin":
        points = 100 * (row["change"] or 0.0)
        return "unchanged" if abs(points) < 0.05 else f"{'+' if points > 0 else ''}{n.plain(points, 1)} points"
    value = row["relative_change"]
    if value is None:
        return n.MISSING
    return "unchanged" if abs(value) < 0.0005 else f"{'+' if value > 0 else ''}{n.plain(100 * value, 1)}%"
