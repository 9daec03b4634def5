"""Lens 5: the whole base by cohort and calendar period (the C3 picture), and what carries over from one to the next.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Picker, Section, empty_section
from clv_pipeline.report.charts.cohorts import draw_stack
from clv_pipeline.report.charts.windows import draw_months
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import Table, amounts, build_table, counts, label, shares

MAX_PERIODS = 24
MAX_COHORTS = 12


def build_stacks(data: ReportData) -> Section:
    """Active customers and profit stacked by cohort, with the grid behind them."""
    id, title = "c3", "The base by cohort (C3)"
    grid = data.table("lenses.lens5_cohort_calendar")
    if grid.is_empty():
        return empty_section(id, title, "There is no cohort yet.")
    periods = sum_periods(grid)
    if periods.height < 2:
        sentence = f"{periods['calendar_period'][0]} is the only period so far: nothing to compare yet."
        return Section(id, title, [Note([sentence]), _build_grid(data, grid)])
    latest = periods["calendar_period"].tail(MAX_PERIODS).implode()
    shown = fold_cohorts(grid.filter(pl.col("calendar_period").is_in(latest)), order_cohorts(grid))
    names, money = order_cohorts(shown), data.facts.currency
    note = "" if grid["complete"].all() else f"Pale: a {data.facts.cohort} that had not ended by the as-of date."
    profit = draw_stack(shown, "profit", "Profit", money, names)
    figures = [Figure("chart-c3-profit", "Profit by cohort", describe_sources(periods), profit, note)]
    if shown["active"].sum():
        active = draw_stack(shown, "active", "Active customers", None, names)
        figures.insert(
            0, Figure("chart-c3-active", "Active customers by cohort", describe_newest(periods), active, note)
        )
    return Section(id, title, [Picker(names), FigureGrid(figures), _build_grid(data, grid)])


def build_periods(data: ReportData) -> Section | None:
    """Totals by calendar period, what the newest cohort gave, and carry-over."""
    grid = data.table("lenses.lens5_cohort_calendar")
    if grid.is_empty():
        return None
    periods = sum_periods(grid)
    blocks: list[Block] = [_build_periods(data, periods)]
    if periods["carry_over"].drop_nulls().len() > 1:
        shown = periods.tail(MAX_PERIODS)
        spec = draw_months(shown.rename({"calendar_period": "period"}), "carry_over", "Carry-over", "%")
        sentence = describe_carry_over(periods, data.facts.currency)
        note = "A period whose predecessor is missing, incomplete or without profit has no carry-over."
        blocks.insert(0, Figure("chart-carry-over", "Carry-over by period", sentence, spec, note))
    return Section("carry-over", "Period by period: new customers and carry-over", blocks)


def order_cohorts(grid: pl.DataFrame) -> list[str]:
    """Cohort labels from old to new; those acquired before the data ('before ...') or folded ('to ...') come first."""
    labels = grid["cohort"].unique().to_list()
    return sorted(
        labels, key=lambda name: (0 if name.startswith("before ") else 1 if name.startswith("to ") else 2, name)
    )


def fold_cohorts(grid: pl.DataFrame, cohorts: list[str]) -> pl.DataFrame:
    """The grid with the older of many cohorts added up under one label, 'to <last of them>'."""
    if len(cohorts) <= MAX_COHORTS:
        return grid
    older = cohorts[: len(cohorts) - MAX_COHORTS + 1]
    name = pl.when(pl.col("cohort").is_in(older)).then(pl.lit(f"to {older[-1]}")).otherwise("cohort")
    keys = ["cohort", "calendar_period", "complete"]
    return grid.with_columns(cohort=name).group_by(keys, maintain_order=True).agg(pl.col("active", "profit").sum())


def sum_periods(grid: pl.DataFrame) -> pl.DataFrame:
    """One row a calendar period: totals, what its newest cohort gave, and the carry-over from the period before.

    Carry-over is null for the first period, and where either of the two periods is incomplete or made no profit.
    """
    is_own = pl.col("cohort") == pl.col("calendar_period")
    totals = (
        grid.group_by("calendar_period")
        .agg(
            pl.col("complete").all(),
            pl.col("active", "orders", "spend", "profit").sum(),
            new_active=pl.col("active").filter(is_own).sum(),
            new_profit=pl.col("profit").filter(is_own).sum(),
        )
        .sort("calendar_period")
    )
    before = pl.col("profit").shift(1)
    comparable = pl.col("complete") & pl.col("complete").shift(1) & (before > 0)
    return totals.with_columns(
        share_new=pl.when(pl.col("active") > 0).then(pl.col("new_active") / pl.col("active")),
        carry_over=pl.when(comparable).then((pl.col("profit") - pl.col("new_profit")) / before),
    )


def describe_newest(periods: pl.DataFrame) -> str:
    """How many customers were active in the latest complete period and how many of them were acquired in it."""
    whole = periods.filter(pl.col("complete") & (pl.col("active") > 0))
    if whole.is_empty():
        return "No period is complete yet."
    row = whole.row(-1, named=True)
    new = f"{n.share(row['share_new'])} of them acquired in it" if row["new_active"] else "none of them acquired in it"
    verb = "customer was" if row["active"] == 1 else "customers were"
    return f"In {row['calendar_period']}, the latest complete period, {n.count(row['active'])} {verb} active, {new}."


def describe_sources(periods: pl.DataFrame) -> str:
    """The share of the latest complete period's profit that customers acquired in it brought."""
    whole = periods.filter(pl.col("complete") & (pl.col("profit") > 0))
    if whole.is_empty():
        return "No complete period made a profit yet."
    row = whole.row(-1, named=True)
    return (
        f"In {row['calendar_period']}, {n.share(1 - row['new_profit'] / row['profit'])} of the profit came from "
        f"customers acquired before it, {n.share(row['new_profit'] / row['profit'])} from those acquired in it."
    )


def describe_carry_over(periods: pl.DataFrame, currency: str) -> str:
    """The latest carry-over, or the latest profit where there is none."""
    known = periods.drop_nulls("carry_over")
    whole = periods.filter("complete")
    if known.is_empty():
        if whole.is_empty():
            return "No period is complete yet."
        row = whole.row(-1, named=True)
        return f"{row['calendar_period']} brought {n.money(row['profit'], currency)} of profit."
    row = known.row(-1, named=True)
    return (
        f"In {row['calendar_period']}, customers acquired earlier brought "
        f"{n.money(row['profit'] - row['new_profit'], currency)} of profit, "
        f"{n.share(row['carry_over'])} of all profit of the period before (carry-over)."
    )


def _build_periods(data: ReportData, periods: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "calendar",
        "The base by calendar period",
        periods.reverse(),
        [
            label("calendar_period", "Period"),
            label("complete", "Complete"),
            counts("active", "Active"),
            counts("new_active", "Acquired in it"),
            shares("share_new", "Share new"),
            counts("orders", "Orders"),
            amounts("spend", "Spend", money),
            amounts("profit", "Profit", money),
            amounts("new_profit", "Profit of new", money),
            shares("carry_over", "Carry-over"),
        ],
        csv=periods,
        csv_name=f"lens5_calendar_{data.facts.as_of}.csv",
    )


def _build_grid(data: ReportData, grid: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "cohort-calendar",
        "Cohorts by calendar period",
        grid.sort("calendar_period", "cohort", descending=[True, False]),
        [
            label("calendar_period", "Period"),
            label("cohort", "Cohort"),
            label("complete", "Complete"),
            counts("active", "Active"),
            shares("share_active", "Share of active"),
            counts("orders", "Orders"),
            amounts("spend", "Spend", money),
            amounts("profit", "Profit", money),
            shares("share_profit", "Share of profit"),
        ],
        csv=data.exact("lenses.lens5_cohort_calendar"),
        csv_name=f"lens5_cohort_calendar_{data.facts.as_of}.csv",
        folded=True,
    )
