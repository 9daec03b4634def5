"""Lens 4, continued: each cohort against all before it, and cohorts of a year by years of age.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Section
from clv_pipeline.report.charts.bars import draw_bars, draw_cells
from clv_pipeline.report.charts.cohorts import draw_heat_map
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.lens3 import MAX_HEAT_COHORTS, describe_activity
from clv_pipeline.report.sections.lens3_purchases import of_grain
from clv_pipeline.report.tables import amounts, build_lens_table, counts, decimals, label, shares, written

# Name and unit of each compared measure: '' for money, '%', or None for plain numbers.
_MEASURES = {
    "pct_active": ("% active", "%"),
    "aof": ("AOF", None),
    "aov": ("AOV", ""),
    "margin": ("Margin", "%"),
    "profit_per_active": ("Profit per active customer", ""),
    "profit_per_acquired": ("Profit per acquired customer", ""),
    "profit_index": ("Profit as a share of the first period's", "%"),
}
_DRAWN = ("pct_active", "profit_per_acquired")
_GRID = {
    "profit_index": ("Profit as a share of the first year's", "%"),
    "aof": ("AOF", ""),
    "aov": ("AOV", "money"),
    "cumulative_profit_per_acquired": ("Profit to date per acquired customer", "money"),
}


def build_comparison(data: ReportData) -> Section | None:
    """Each cohort less all earlier ones: at one age, and in one calendar period."""
    known = of_grain(data, "lens4_comparison")
    known = known if known.is_empty() else known.filter(pl.col("complete") & (pl.col("age") > 0))
    known = known if known.is_empty() else known.drop_nulls("difference")
    if known.is_empty():
        return None
    parts = pick_ages(known)
    figures = [
        _draw_differences(data, part.filter(pl.col("measure") == measure), where, measure)
        for measure in _DRAWN
        for where, part in parts.items()
        if not part.filter(pl.col("measure") == measure).is_empty()
    ]
    if not figures:
        return None
    shown = pl.concat(parts.values())
    money = data.facts.currency
    rows = [
        {
            "aligned": row["alignment"],
            "cohort": row["cohort"],
            "age": row["age"],
            "calendar_period": row["calendar_period"],
            "measure": _MEASURES[row["measure"]][0],
            **{name: _write(row[name], row["measure"], money) for name in ("value", "earlier_value", "difference")},
        }
        for row in shown.sort("alignment", "cohort", "measure", descending=[False, True, False]).iter_rows(named=True)
    ]
    table = build_lens_table(
        data,
        "lens4_comparison",
        "Each cohort and those before it",
        [
            label("cohort", "Cohort"),
            label("measure", "Measure"),
            label("aligned", "Aligned by"),
            label("age", "Age"),
            label("calendar_period", "Period"),
            written("value", "Cohort"),
            written("earlier_value", "Earlier cohorts"),
            written("difference", "Difference"),
        ],
        frame=pl.DataFrame(rows),
        csv=shown,
        note="Every age and period: lenses.lens4_comparison in the database.",
        sortable=False,
        folded=True,
    )
    blocks: list[Block] = [FigureGrid(figures), table]
    return Section("each-cohort", "Each cohort against all before it", blocks, folded=True)


def build_years(data: ReportData) -> Section | None:
    """Cohorts of a year by years of age, where the report's own cohorts are shorter."""
    grid = data.table("lenses.lens4_cohort_grid")
    if data.facts.cohort == "year" or grid.is_empty():
        return None
    grid = grid.filter(pl.col("grain") == "year").drop_nulls("pct_active").sort("cohort_start", "age")
    if grid.is_empty() or grid["age"].max() == 0:
        return None
    cohorts = grid["cohort"].unique(maintain_order=True).to_list()[-MAX_HEAT_COHORTS:]
    shown = grid.filter(pl.col("cohort").is_in(cohorts))
    title = "Age in years; a year that has not ended carries a *"
    spec = draw_heat_map(shown, "age", title, follows_choice=False)
    sentence = describe_activity(shown, "year")
    is_grey = shown.filter(pl.col("complete") & (pl.col("age") > 0)).is_empty()
    blocks: list[Block] = [
        Note([sentence]) if is_grey else Figure("chart-years-active", "% of cohort active, by year", sentence, spec)
    ]
    if len(cohorts) > 1:
        blocks.append(FigureGrid([_draw_grid(data, shown, measure) for measure in _GRID]))
    money = data.facts.currency
    table = build_lens_table(
        data,
        "lens4_cohort_grid",
        "Cohorts of a year by age",
        [
            label("cohort", "Cohort"),
            label("age", "Age"),
            label("complete", "Complete"),
            counts("cohort_size", "Size"),
            counts("active", "Active"),
            shares("pct_active", "% active"),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
            amounts("profit", "Profit", money),
            shares("profit_index", "Of first year"),
            amounts("cumulative_profit_per_acquired", "Profit to date per acquired customer", money),
            shares("pct_second_order", "With a second order"),
        ],
        frame=shown,
        csv=grid,
        note="A year that is not complete is in it as far as it has gone.",
        folded=len(cohorts) > 1,
    )
    return Section("by-year", "Cohorts of a year", [*blocks, table])


def pick_ages(known: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows to show, by where they are: the earliest age with most cohorts, and the latest calendar period."""
    by_age = known.filter(pl.col("alignment") == "age")
    by_calendar = known.filter(pl.col("alignment") == "calendar")
    parts = {}
    if not by_age.is_empty():
        sizes = by_age.group_by("age").agg(pl.col("cohort").n_unique()).sort("cohort", "age", descending=[True, False])
        parts[f"at age {sizes['age'][0]}"] = by_age.filter(pl.col("age") == sizes["age"][0])
    if not by_calendar.is_empty():
        period = by_calendar["calendar_period"].max()
        parts[f"in {period}"] = by_calendar.filter(pl.col("calendar_period") == period)
    return parts


def describe_differences(rows: pl.DataFrame, name: str, where: str) -> str:
    """How many cohorts are above all earlier ones together; `rows` are of one measure, the newest cohort last."""
    above = rows.filter(pl.col("difference") > 0).height
    newest = rows.row(-1, named=True)
    word = "above" if newest["difference"] > 0 else "below" if newest["difference"] < 0 else "level with"
    total = n.plural(rows.height, "cohort")
    return (
        f"{name} {where}: {above} of {total} above all earlier ones together; the newest, {newest['cohort']}, is "
        f"{word} them."
    )


def _draw_differences(data: ReportData, rows: pl.DataFrame, where: str, measure: str) -> Figure:
    name, unit = _MEASURES[measure]
    rows = rows.sort("cohort")
    shown = rows.tail(MAX_HEAT_COHORTS)
    spec = draw_bars(
        shown,
        "cohort",
        "difference",
        "Less earlier cohorts",
        data.facts.currency if unit == "" else unit,
        category_title="Cohort",
    )
    side = "age" if where.startswith("at age") else "calendar"
    id = f"chart-less-earlier-{side}-{measure.replace('_', '-')}"
    return Figure(id, f"{name} {where}", describe_differences(rows, name, where), spec)


def _draw_grid(data: ReportData, shown: pl.DataFrame, measure: str) -> Figure:
    name, unit = _GRID[measure]
    unit = data.facts.currency if unit == "money" else unit
    titles = ("Cohort", "Age in years")
    spec = draw_cells(shown, "cohort", "age", measure, unit, titles=titles, measure_title=name)
    last = shown.drop_nulls(measure).filter("complete")
    return Figure(f"chart-years-{measure.replace('_', '-')}", name, _describe_ends(last, measure, name, unit), spec)


def _describe_ends(last: pl.DataFrame, measure: str, name: str, unit: str) -> str:
    if last.is_empty():
        return f"{name}: no year is complete yet."
    oldest = last.filter(pl.col("cohort") == last["cohort"][0])
    row = oldest.row(-1, named=True)
    return f"The {row['cohort']} cohort at age {row['age']}: {n.measure(row[measure], unit or None)}."


def _write(value: float | None, measure: str, currency: str) -> str:
    unit = _MEASURES[measure][1]
    return n.measure(value, currency if unit == "" else unit)
