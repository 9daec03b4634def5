"""Lens 2, continued: both windows on the same bins, moves between common deciles, and what went up.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Section
from clv_pipeline.report.charts.bars import draw_bars, draw_cells
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.lens1_spread import MEASURES, name_bins
from clv_pipeline.report.tables import Table, amounts, build_lens_table, counts, label, shares

_NOT_ACTIVE = "not active"
_DIRECTIONS = ("profit", "orders", "AOV", "margin")


def build_overlays(data: ReportData) -> Section | None:
    """The distribution of profit and of orders in both windows."""
    if data.window_1 is None or not data.has("lenses.lens2_histograms"):
        return None
    bins = data.table("lenses.lens2_histograms")
    windows = {1: "Window before", 2: "Latest window"}
    figures = []
    for measure in ("profit", "orders"):
        own = bins.filter(pl.col("measure") == measure)
        both = own.group_by("bin").agg(pl.col("lower", "upper").first(), pl.col("customers").sum()).sort("bin")
        named = own.join(name_bins(both, measure).select("bin", "bin_name"), on="bin").sort("bin", "window_number")
        named = named.with_columns(series=pl.col("window_number").replace_strict(windows, return_dtype=pl.String))
        name = MEASURES[measure]
        spec = draw_bars(named, "bin_name", "share", "Share of customers", "%", category_title=name)
        figures.append(
            Figure(f"chart-both-{measure}", f"Customers by {name.lower()}", describe_shift(named, name), spec)
        )
    return Section(
        "both-distributions", "Did the mix of customers change?", [FigureGrid(figures), _build_bins(data, bins)]
    )


def _build_bins(data: ReportData, bins: pl.DataFrame) -> Table:
    """Profit and orders, the latest window beside the one before; the CSV has every measure."""
    rows = []
    for measure in ("profit", "orders"):
        own = bins.filter(pl.col("measure") == measure)
        both = own.group_by("bin").agg(pl.col("lower", "upper").first(), pl.col("customers").sum()).sort("bin")
        wide = own.pivot(on="window_number", index="bin", values=["customers", "share"])
        named = name_bins(both, measure).select("bin", "bin_name", measure=pl.lit(MEASURES[measure]))
        rows.append(named.join(wide, on="bin").sort("bin"))
    return build_lens_table(
        data,
        "lens2_histograms",
        "Both windows, class by class",
        [
            label("measure", "Measure"),
            label("bin_name", "Class"),
            counts("customers_1", "Customers before"),
            counts("customers_2", "Customers latest"),
            shares("share_1", "Share before"),
            shares("share_2", "Share latest"),
        ],
        frame=pl.concat(rows, how="diagonal"),
        folded=True,
    )


def build_migration(data: ReportData) -> Section | None:
    """From which decile to which the customers moved, on the cut-offs of the latest window."""
    if data.window_1 is None or not data.has("lenses.lens2_migration"):
        return None
    moves = data.table("lenses.lens2_migration").with_columns(
        source=pl.col("decile_1").cast(pl.String).fill_null(_NOT_ACTIVE),
        target=pl.col("decile_2").cast(pl.String).fill_null(_NOT_ACTIVE),
    )
    moves = moves.sort("decile_1", "decile_2", nulls_last=True)
    titles = ("Decile in the window before", "Decile in the latest window")
    spec = draw_cells(moves, "source", "target", "customers", None, titles=titles)
    note = "Rows: the window before. Both windows have the cut-offs of the latest one's value deciles; 1 is the best."
    figure = Figure("chart-migration", "From decile to decile", describe_migration(moves), spec, note)
    wide = moves.pivot(on="target", index="source", values="customers", maintain_order=True)
    columns = [label("source", "Decile before"), *(counts(name, name) for name in wide.columns[1:])]
    title = "Customers by decile before (rows) and latest (columns)"
    table = build_lens_table(
        data,
        "lens2_migration",
        title,
        columns,
        frame=wide,
        note="The CSV has shares and profit too.",
        folded=True,
        sortable=False,
    )
    return Section("decile-moves", "Are the best customers still the best?", [figure, table])


def build_up_down(data: ReportData) -> Section | None:
    """Those active in both windows, by what went up."""
    if data.window_1 is None or not data.has("lenses.lens2_up_down"):
        return None
    groups = data.table("lenses.lens2_up_down")
    if groups.is_empty():
        return None
    patterns = name_patterns(groups)
    money = data.facts.currency
    spec = draw_bars(patterns, "name", "profit_change", "Change in profit", money, category_title="What rose or stayed")
    blocks: list[Block] = [
        Figure("chart-up-down", "Change in profit by what rose or stayed", describe_up_down(groups, money), spec),
        _build_up_down(data, patterns),
    ]
    return Section("up-and-down", "Those who bought in both windows: what rose and what fell", blocks)


def name_patterns(groups: pl.DataFrame) -> pl.DataFrame:
    """The groups summed by pattern, with `name`: what in it did not fall ('profit, margin')."""
    summed = groups.group_by("pattern").agg(
        pl.col("customers", "share_customers", "profit_1", "profit_2", "profit_change").sum()
    )
    names = [
        ", ".join(name for name, letter in zip(_DIRECTIONS, pattern, strict=True) if letter == "U") or "nothing"
        for pattern in summed["pattern"]
    ]
    named = summed.with_columns(pl.Series("name", names, dtype=pl.String))
    return named.sort("profit_change", "name", descending=[True, False])


def describe_shift(named: pl.DataFrame, name: str) -> str:
    """The bin whose share of customers changed most."""
    wide = named.pivot(on="window_number", index="bin_name", values="share")
    moved = wide.with_columns(step=pl.col("2").fill_null(0) - pl.col("1").fill_null(0))
    row = moved.sort(pl.col("step").abs(), descending=True).row(0, named=True)
    return (
        f"The share of customers that moved most: {name.lower()} {row['bin_name']}, from {n.share(row['1'])} to "
        f"{n.share(row['2'])}."
    )


def describe_migration(moves: pl.DataFrame) -> str:
    """What became of those in the best decile of the window before."""
    best = moves.filter(pl.col("decile_1") == 1)
    total = add_up(best, "customers")
    if not total:
        return "Nobody was in the best decile in the window before."
    still = add_up(best.filter(pl.col("decile_2") == 1), "customers") / total
    gone = add_up(best.filter(pl.col("decile_2").is_null()), "customers") / total
    return (
        f"Of the {n.plural(total, 'customer')} in decile 1 in the window before, {n.share(still)} are in it again and "
        f"{n.share(gone)} were not active in the latest window."
    )


def describe_up_down(groups: pl.DataFrame, currency: str) -> str:
    """How many brought more profit than before, and what all of them changed."""
    total = add_up(groups, "customers")
    up = groups.filter(profit_direction="up")
    change = add_up(groups, "profit_change")
    word = "more" if change >= 0 else "less"
    return (
        f"Of the {n.plural(total, 'customer')} active in both windows, {n.count(add_up(up, 'customers'))} "
        f"({n.share(add_up(up, 'customers') / total)}) brought more profit than before; together they brought "
        f"{n.money(abs(change), currency)} {word}."
    )


def _build_up_down(data: ReportData, patterns: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_lens_table(
        data,
        "lens2_up_down",
        "By what rose or stayed",
        [
            label("name", "Up or same"),
            counts("customers", "Customers"),
            shares("share_customers", "Share"),
            amounts("profit_1", "Profit before", money),
            amounts("profit_2", "Profit latest", money),
            amounts("profit_change", "Change", money),
        ],
        frame=patterns,
        note="Named is what was as high as before or higher; the rest fell. The CSV tells same from up.",
    )
