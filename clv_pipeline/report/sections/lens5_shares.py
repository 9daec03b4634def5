"""Lens 5, continued: the share of each cohort in every period, what an active customer brings, and the lens windows.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Section
from clv_pipeline.report.charts.bars import draw_cells
from clv_pipeline.report.charts.cohorts import draw_stack
from clv_pipeline.report.charts.windows import draw_months
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.lens3_purchases import of_grain
from clv_pipeline.report.sections.lens5 import MAX_COHORTS, MAX_PERIODS, order_cohorts
from clv_pipeline.report.tables import amounts, build_lens_table, counts, decimals, label, shares

_SHARES = {"share_active": "Share of active customers", "share_profit": "Share of profit"}
_GRIDS = {"aof": "AOF", "aov": "AOV", "margin": "Margin", "profit_per_active": "Profit per active customer"}


def build_shares(data: ReportData) -> Section | None:
    """The share of each cohort in the active customers and the profit of every period."""
    grid = of_grain(data, "lens5_cohort_shares")
    if grid.is_empty() or grid["calendar_period"].n_unique() < 2 or grid["cohort"].n_unique() < 2:
        return None
    shown, names = choose_periods(grid)
    shown = fold_shares(shown, names)
    figures = []
    for measure, title in _SHARES.items():
        known = shown.drop_nulls(measure)
        # A loss has no share of a profit that can be stacked.
        if not known.is_empty() and known.filter(pl.col(measure) < 0).is_empty():
            spec = draw_stack(known, measure, title, "%", order_cohorts(known))
            id = f"chart-{measure.replace('_', '-')}"
            figures.append(Figure(id, f"{title} by cohort", describe_shares(grid, measure, title), spec))
    if not figures:
        return None
    money = data.facts.currency
    table = build_lens_table(
        data,
        "lens5_cohort_shares",
        "Every cohort in every period",
        [
            label("calendar_period", "Period"),
            label("cohort", "Cohort"),
            label("complete", "Complete"),
            counts("active", "Active"),
            shares("share_active", "Share of active"),
            shares("share_orders", "Share of orders"),
            shares("share_spend", "Share of spend"),
            shares("share_profit", "Share of profit"),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
            amounts("profit_per_active", "Profit per active customer", money),
        ],
        frame=grid.sort("calendar_period", "cohort", descending=[True, False]),
        folded=True,
    )
    return Section("cohort-shares", "How much rests on which cohort?", [FigureGrid(figures), table])


def build_grids(data: ReportData) -> Section | None:
    """AOF, AOV, margin and profit per active customer by cohort and period."""
    grid = of_grain(data, "lens5_cohort_shares")
    if grid.is_empty() or grid["calendar_period"].n_unique() < 2:
        return None
    periods = grid["calendar_period"].unique().sort().tail(MAX_PERIODS).to_list()
    cohorts = order_cohorts(grid)[-MAX_PERIODS:]
    shown = grid.filter(pl.col("calendar_period").is_in(periods), pl.col("cohort").is_in(cohorts))
    shown = shown.filter(pl.col("active") > 0).sort("cohort", "calendar_period")
    money = data.facts.currency
    figures: list[Block] = []
    for measure, name in _GRIDS.items():
        known = shown.drop_nulls(measure)
        if known.is_empty() or (measure == "margin" and not _varies(known)):
            continue
        unit = "%" if measure == "margin" else "" if measure == "aof" else money
        spec = draw_cells(
            known,
            "cohort",
            "calendar_period",
            measure,
            unit,
            titles=("Cohort", "Period"),
            measure_title=name,
            columns=periods,
        )
        sentence = describe_extremes(known, measure, name, unit)
        figures.append(Figure(f"chart-grid-{measure.replace('_', '-')}", name, sentence, spec))
    if not figures:
        return None
    return Section("measures-by-cohort", "AOF, AOV and profit per active customer by cohort", figures, folded=True)


def build_windows(data: ReportData) -> Section | None:
    """The windows of lenses 1 and 2 and those before them, as far as data reach."""
    windows = data.table("lenses.lens5_windows")
    windows = windows if windows.is_empty() else windows.filter(pl.col("orders") > 0)
    if windows.height < 2:
        return None
    windows = windows.sort("windows_back", descending=True).with_columns(
        period=pl.when(pl.col("window_start") == pl.col("window_end"))
        .then("window_end")
        .otherwise(pl.format("{} to {}", "window_start", "window_end")),
        complete=pl.col("window_complete"),
    )
    money = data.facts.currency
    spec = draw_months(windows.tail(MAX_PERIODS), "profit", "Profit", money)
    table = build_lens_table(
        data,
        "lens5_windows",
        "Every window",
        [
            label("period", "Window"),
            label("complete", "Complete"),
            counts("active", "Active"),
            counts("acquired", "Acquired"),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            amounts("profit", "Profit", money),
            amounts("profit_per_active", "Profit per active", money),
            shares("share_profit_newest", "Profit of newest"),
            shares("carry_over", "Carry-over"),
            shares("repeat_buying_rate", "Repeat buying"),
        ],
        frame=windows.reverse(),
        note="The latest two are the windows of lenses 1 and 2. Pale bars: windows that data do not cover in full. "
        "Newest: acquired in the window. Repeat buying: of those active in the window before, the share active in this "
        "one. The CSV has orders, spend and margin too.",
    )
    figure = Figure("chart-windows", "Profit by window", describe_windows(windows, money), spec)
    return Section("windows", "Window by window", [figure, table])


def choose_periods(grid: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The rows of the latest periods, and the cohorts from old to new."""
    periods = grid["calendar_period"].unique().sort().tail(MAX_PERIODS).to_list()
    shown = grid.filter(pl.col("calendar_period").is_in(periods) & (pl.col("active") > 0))
    return shown, order_cohorts(shown)


def fold_shares(grid: pl.DataFrame, cohorts: list[str]) -> pl.DataFrame:
    """The grid with the shares of the older of many cohorts added up under one label, 'to <last of them>'."""
    if len(cohorts) <= MAX_COHORTS:
        return grid
    older = cohorts[: len(cohorts) - MAX_COHORTS + 1]
    name = pl.when(pl.col("cohort").is_in(older)).then(pl.lit(f"to {older[-1]}")).otherwise("cohort")
    keys = ["cohort", "calendar_period", "complete"]
    return grid.with_columns(cohort=name).group_by(keys, maintain_order=True).agg(pl.col(*_SHARES).sum())


def describe_shares(grid: pl.DataFrame, measure: str, title: str) -> str:
    """The cohort with the largest share in the latest complete period."""
    whole = grid.filter(pl.col("complete")).drop_nulls(measure)
    if whole.is_empty():
        return "No period is complete yet."
    period = whole["calendar_period"].max()
    top = whole.filter(pl.col("calendar_period") == period).sort(measure, "cohort", descending=True)
    row = top.row(0, named=True)
    name = title[0].lower() + title[1:]
    return f"In {period}, the {row['cohort']} cohort has the largest {name}: {n.share(row[measure])}."


def describe_extremes(known: pl.DataFrame, measure: str, name: str, unit: str) -> str:
    """The cohorts with the most and the least in the latest complete period."""
    whole = known.filter(pl.col("complete"))
    if whole.is_empty():
        return f"{name}: no period is complete yet."
    period = whole["calendar_period"].max()
    rows = whole.filter(pl.col("calendar_period") == period).sort(measure, "cohort")
    low, high = rows.row(0, named=True), rows.row(-1, named=True)
    most = f"{n.measure(high[measure], unit or None)} ({high['cohort']})"
    if rows.height == 1 or low[measure] == high[measure]:
        return f"{name} in {period}: {most}."
    return f"{name} in {period}: from {n.measure(low[measure], unit or None)} ({low['cohort']}) to {most}."


def describe_windows(windows: pl.DataFrame, currency: str) -> str:
    """Profit of the first and the latest complete window; `windows` from old to new."""
    whole = windows.filter("complete")
    if whole.height < 2:
        return "Fewer than two windows are covered by data in full, so that they cannot be compared."
    first, last = whole.row(0, named=True), whole.row(-1, named=True)
    rank = whole.filter(pl.col("profit") > last["profit"]).height + 1
    place = "the most" if rank == 1 else "the least" if rank == whole.height else f"number {rank}"
    return (
        f"Profit was {n.money(first['profit'], currency)} in {first['period']} and "
        f"{n.money(last['profit'], currency)} in {last['period']}, {place} of {whole.height} complete windows."
    )


def _varies(known: pl.DataFrame) -> bool:
    low, high = float(known["margin"].min() or 0), float(known["margin"].max() or 0)  # pyright: ignore[reportArgumentType]
    return high - low > 0.005
