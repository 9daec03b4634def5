"""Lenses 3 to 5 by what customers are: behavioural cohorts by age and by calendar, and whom these lenses are about.

Each `build_...` makes one section of a page, or nothing where there is nothing to say. The rows of the tables are
those of the grain that the report shows.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Picker, Section
from clv_pipeline.report.charts.cohorts import draw_lines, draw_stack
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.lens5 import MAX_PERIODS
from clv_pipeline.report.tables import amounts, build_lens_table, counts, decimals, label, shares

_AGE, _CALENDAR = "lens3_behaviour_age", "lens5_behaviour_calendar"


def build_scope_of_lens3(data: ReportData) -> Section | None:
    """Which customers lens 3 is about, and whether their first periods can be taken at their word."""
    return _build_scope(data, "lens3", dated=True)


def build_scope_of_lens4(data: ReportData) -> Section | None:
    """Which customers lens 4 is about."""
    return _build_scope(data, "lens4", dated=False)


def build_scope_of_lens5(data: ReportData) -> Section | None:
    """Which customers lens 5 is about, and whether their first periods can be taken at their word."""
    return _build_scope(data, "lens5", dated=True)


def build_ages(data: ReportData) -> Section | None:
    """Behavioural cohorts aligned by age: % active, value to date, second orders."""
    grid = _take(data, _AGE)
    if grid.is_empty():
        return None
    grid = grid.with_columns(calendar_period=pl.lit(""), shown=pl.lit(value=True))
    grain, money = data.facts.cohort, data.facts.currency
    blocks: list[Block] = [
        Picker(grid["cohort"].unique(maintain_order=True).to_list()),
        Note(
            [
                f"Ages count from each customer's own acquisition. At each age, only customers whose {grain} of that "
                "age has ended are counted, so that a cohort with many new customers does not look inactive."
            ]
        ),
    ]
    if grid["age"].max() != 0:
        measures = (
            ("pct_active", "% active", "%", 1),
            ("cumulative_profit_per_acquired", "Profit to date per acquired customer", money, 0),
            ("pct_second_order", "% with a second order", "%", 0),
            ("aov", "AOV", money, 0),
        )
        title = f"Age in {grain}s"
        figures = [
            Figure(
                f"chart-behaviour-{column.replace('_', '-')}",
                f"{name} by age",
                describe_best(grid, column, name, unit),
                draw_lines(
                    grid.filter(pl.col("age") >= first),
                    column,
                    name,
                    unit,
                    by="age",
                    by_title=title,
                    are_dated=False,
                ),
            )
            for column, name, unit, first in measures
        ]
        blocks.append(FigureGrid(figures))
    columns = [
        label("cohort", _name_column(data)),
        counts("age", "Age"),
        label("complete", "Complete"),
        counts("cohort_size", "Customers"),
        shares("pct_active", "% active"),
        decimals("aof", "AOF"),
        amounts("aov", "AOV", money),
        amounts("profit", "Profit", money),
        amounts("cumulative_profit_per_acquired", "To date per customer", money),
        shares("pct_second_order", "Second order"),
    ]
    blocks.append(build_lens_table(data, _AGE, "By age", columns, frame=grid))
    return Section("behaviour-age", f"Customers by {_name_column(data)}, aligned by age", blocks)


def build_calendar(data: ReportData) -> Section | None:
    """Behavioural cohorts by calendar: who makes the profit of each period, and who comes back."""
    grid = _take(data, _CALENDAR)
    if grid.is_empty():
        return None
    money, name = data.facts.currency, _name_column(data)
    names = grid["cohort"].unique(maintain_order=True).to_list()
    shown = grid.filter(
        pl.col("calendar_period").is_in(grid["calendar_period"].unique().sort().tail(MAX_PERIODS).to_list())
    )
    blocks: list[Block] = []
    if shown["calendar_period"].n_unique() > 1:
        sentence = describe_largest(grid)
        blocks.append(
            FigureGrid(
                [
                    Figure(
                        f"chart-behaviour-{column}",
                        f"{title} by {name}",
                        sentence,
                        draw_stack(shown, column, title, unit, names, are_dated=False),
                    )
                    for column, title, unit in (("active", "Active customers", None), ("profit", "Profit", money))
                ]
            )
        )
    columns = [
        label("calendar_period", "Period"),
        label("cohort", name),
        label("complete", "Complete"),
        counts("acquired", "Acquired"),
        counts("active", "Active"),
        shares("repeat_buying_rate", "Repeat buying"),
        decimals("aof", "AOF"),
        amounts("aov", "AOV", money),
        amounts("profit", "Profit", money),
        shares("share_profit", "Share of profit"),
    ]
    rows = grid.sort("calendar_period", "cohort", descending=[True, False])
    blocks.append(build_lens_table(data, _CALENDAR, "By calendar period", columns, frame=rows))
    return Section("behaviour-calendar", f"Customers by {name}, by calendar", blocks)


def describe_best(grid: pl.DataFrame, column: str, name: str, unit: str | None) -> str:
    """The highest and the lowest cohort at the latest age that most of them have completed."""
    known = grid.filter(pl.col("complete") & (pl.col("age") > 0)).drop_nulls(column)
    ages = known.group_by("age").agg(pl.len().alias("cohorts")).sort("cohorts", "age", descending=True)
    if ages.is_empty() or ages["cohorts"][0] < 2:
        return f"{name}: no two cohorts have completed the same age after acquisition yet."
    rows = known.filter(pl.col("age") == ages["age"][0]).sort(column, "cohort", descending=[True, False])
    best, worst = rows.row(0, named=True), rows.row(-1, named=True)
    highest, lowest = n.measure(best[column], unit), n.measure(worst[column], unit)
    if highest == lowest:
        return f"At age {best['age']}, all stand at {highest}."
    return f"At age {best['age']}, {best['cohort']} is highest with {highest}, {worst['cohort']} lowest with {lowest}."


def describe_largest(grid: pl.DataFrame) -> str:
    """The cohort with the largest share of the profit of the latest complete period."""
    known = grid.filter(pl.col("complete") & (pl.col("active") > 0)).drop_nulls("share_profit")
    if known.is_empty():
        return "No period is complete yet."
    latest = known.filter(pl.col("calendar_period") == pl.col("calendar_period").max())
    row = latest.sort("share_profit", "cohort", descending=[True, False]).row(0, named=True)
    return (
        f"In {row['calendar_period']}, {row['cohort']} brought {n.share(row['share_profit'])} of the profit, with "
        f"{n.share(row['share_active'])} of the active customers."
    )


def _build_scope(data: ReportData, page: str, *, dated: bool) -> Section | None:
    sentences: list[str] = []
    if data.facts.only:
        sentences.append(
            f"Lenses 3 to 5 show only customers with {data.facts.only}; "
            "lenses 1 and 2, models and scores show everybody."
        )
    if dated and not data.facts.has_acquisition_dates:
        since = data.first_month or "the data start"
        sentences.append(
            "No acquisition date is given, so a customer counts as acquired on the first order in the data. The first "
            f"cohorts, from {since} on, therefore hold customers who were acquired earlier: their first periods are "
            "left-censored, and no measure of how good new customers were then."
        )
    return Section(f"scope-{page}", "Before comparing", [Note(sentences, caution=True)]) if sentences else None


def _name_column(data: ReportData) -> str:
    return (data.facts.cohort_by or "cohort").replace("_", " ")


def _take(data: ReportData, name: str) -> pl.DataFrame:
    grid = data.table(f"lenses.{name}")
    return grid if grid.is_empty() else grid.filter(pl.col("grain") == data.facts.cohort)
