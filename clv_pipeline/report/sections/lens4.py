"""Lens 4: whether cohorts differ, aligned by age and aligned by calendar.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

from dataclasses import dataclass

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Picker, Section, empty_section
from clv_pipeline.report.charts.cohorts import draw_heat_map, draw_lines
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.lens3 import (
    choose_rows,
    keep_choosable,
    list_cohorts,
    note_incomplete,
    note_selection,
    sort_grid,
)
from clv_pipeline.report.tables import Table, build_table, label, shares

_ID, _TITLE = "side-by-side", "Aligned by age, and aligned by calendar"
# As many columns as a page holds.
_MAX_AGES = 13


@dataclass(frozen=True)
class Measure:
    """A column of the cohort grid, its name, and its unit (a currency, '%', or None for plain numbers)."""

    column: str
    name: str
    unit: str | None


def build_alignments(data: ReportData) -> Section:
    """Every measure twice: by age and by calendar, a line a cohort."""
    sized = sort_grid(data)
    sized = sized if sized.is_empty() else add_index(sized.drop_nulls("pct_active"))
    if sized.is_empty() or sized["cohort"].n_unique() < 2:
        return empty_section(_ID, _TITLE, "There are no two cohorts of known size to compare yet.")
    grain = data.facts.cohort
    blocks: list[Block] = [
        Picker(list_cohorts(sized)),
        Note(
            [
                "A gap between cohorts that shows in both alignments is a difference between the cohorts. One that "
                "disappears by age was age; one that disappears by calendar was the time (a season, a campaign)."
            ]
        ),
        *note_incomplete(data, sized),
    ]
    for measure in _list_measures(data):
        rows = choose_rows(sized, measure.column)
        sides = (("age", f"Age in {grain}s", describe_ages), ("calendar_period", None, describe_calendar))
        figures = [
            Figure(
                f"chart-{side.replace('_period', '')}-of-{measure.column.replace('_', '-')}",
                f"{measure.name} by {'age' if side == 'age' else 'calendar'}",
                describe(keep_choosable(sized), measure),
                draw_lines(rows, measure.column, measure.name, measure.unit, by=side, by_title=title),
                note_selection(sized, measure.column),
            )
            for side, title, describe in sides
        ]
        blocks.append(FigureGrid(figures))
    return Section(_ID, _TITLE, blocks)


def build_value(data: ReportData) -> Section | None:
    """Profit to date per acquired customer by age, a line a cohort."""
    sized = sort_grid(data)
    sized = sized if sized.is_empty() else sized.drop_nulls("cumulative_profit_per_acquired")
    if sized.is_empty() or sized["cohort"].n_unique() < 2 or sized["age"].max() == 0:
        return None
    measure = Measure("cumulative_profit_per_acquired", "Profit to date per acquired customer", data.facts.currency)
    title = f"Age in {data.facts.cohort}s"
    spec = draw_lines(
        choose_rows(sized, measure.column), measure.column, measure.name, measure.unit, by="age", by_title=title
    )
    figure = Figure(
        "chart-value-to-date",
        f"{measure.name} by age",
        describe_ages(keep_choosable(sized), measure),
        spec,
        note_selection(sized, measure.column),
    )
    return Section("value-to-date", "What an acquired customer has brought so far", [figure])


def build_calendar_grid(data: ReportData) -> Section | None:
    """% active by cohort and calendar period."""
    sized = sort_grid(data)
    sized = sized if sized.is_empty() else sized.drop_nulls("pct_active")
    if sized.is_empty() or sized["cohort"].n_unique() < 2:
        return None
    cohorts = list_cohorts(sized)
    periods = sized["calendar_period"].unique().sort().to_list()[-len(cohorts) - 12 :]
    shown = sized.filter(pl.col("cohort").is_in(cohorts), pl.col("calendar_period").is_in(periods))
    spec = draw_heat_map(shown, "calendar_period", None)
    measure = Measure("pct_active", "% active", "%")
    figure = Figure("chart-calendar-grid", "% of cohort active, by calendar", describe_calendar(shown, measure), spec)
    return Section("calendar-grid", "Cohorts by calendar", [figure, _build_wide(data, sized)])


def add_index(sized: pl.DataFrame) -> pl.DataFrame:
    """`sized` with profit_index: profit as a share of the cohort's profit at age 0; null where that is not positive."""
    first = pl.col("profit").filter(pl.col("age") == 0).first().over("cohort")
    return sized.with_columns(profit_index=pl.when(first > 0).then(pl.col("profit") / first))


def describe_ages(sized: pl.DataFrame, measure: Measure) -> str:
    """The oldest and the newest cohort at the latest age (1 or more) that both have completed."""
    known = sized.filter(pl.col("complete") & (pl.col("age") > 0)).drop_nulls(measure.column)
    both = known.group_by("age").agg(pl.col("cohort_start").n_unique()).filter(pl.col("cohort_start") > 1)
    if both.is_empty():
        return f"{measure.name}: no two cohorts have completed the same age after acquisition yet."
    age = both["age"].min()
    at_age = known.filter(pl.col("age") == age).sort("cohort_start")
    return f"At age {age}, {_compare(at_age, measure)}."


def describe_calendar(sized: pl.DataFrame, measure: Measure) -> str:
    """The oldest and the newest cohort in the latest complete calendar period after the acquisition of both."""
    known = sized.filter(pl.col("complete") & (pl.col("age") > 0)).drop_nulls(measure.column)
    if known.is_empty():
        return f"{measure.name}: no complete period after an acquisition yet."
    period = known["calendar_period"].max()
    latest = known.filter(pl.col("calendar_period") == period).sort("cohort_start")
    return f"In {period}, {_compare(latest, measure)}."


def _compare(rows: pl.DataFrame, measure: Measure) -> str:
    first, last = rows.row(0, named=True), rows.row(-1, named=True)
    name = measure.name[0].lower() + measure.name[1:] if measure.name[1:2].islower() else measure.name
    text = f"{name} of the {first['cohort']} cohort was {n.measure(first[measure.column], measure.unit)}"
    if rows.height < 2:
        return text
    return f"{text}, of the {last['cohort']} cohort {n.measure(last[measure.column], measure.unit)}"


def _list_measures(data: ReportData) -> list[Measure]:
    money = data.facts.currency
    measures = [
        Measure("pct_active", "% active", "%"),
        Measure("aof", "AOF", None),
        Measure("aov", "AOV", money),
        Measure("profit", "Profit", money),
        Measure("profit_index", "Profit as a share of the first period's", "%"),
    ]
    margins = data.table("lenses.lens3_cohort_age")["margin"].drop_nulls()
    if not margins.is_empty() and margins.max() - margins.min() > 0.005:  # pyright: ignore[reportOperatorIssue]
        measures.append(Measure("margin", "Margin", "%"))
    return measures


def _build_wide(data: ReportData, sized: pl.DataFrame) -> Table:
    """% active with a row a cohort and a column an age, as the book prints it."""
    ages = sorted(sized["age"].unique().to_list())
    wide = sized.pivot(on="age", index=["cohort", "cohort_start", "cohort_size"], values="pct_active")
    named = {str(age): f"age_{age}" for age in ages}
    wide = wide.rename(named).sort("cohort_start", descending=True)
    left_out = f" Ages above {ages[_MAX_AGES - 1]} are in the CSV." if len(ages) > _MAX_AGES else ""
    return build_table(
        "active-by-age",
        "% active, a row a cohort and a column an age",
        wide,
        [label("cohort", "Cohort"), *(shares(f"age_{age}", f"Age {age}") for age in ages[:_MAX_AGES])],
        csv=wide,
        csv_name=f"lens4_active_by_age_{data.facts.as_of}.csv",
        note=f"An incomplete last period is in it as far as it has gone.{left_out}",
    )
