"""Lens 3, continued: the second purchase, repeat buying, yearly patterns.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Figure, Section
from clv_pipeline.report.charts.bars import draw_bars
from clv_pipeline.report.charts.cohorts import draw_lines
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.lens3 import MAX_HEAT_AGES, MAX_HEAT_COHORTS, MAX_LINES, pick_cohorts
from clv_pipeline.report.tables import build_lens_table, counts, label, shares

_ALL = "all"


def build_second_purchase(data: ReportData) -> Section | None:
    """The share of each cohort with a second order, by age."""
    grid = of_grain(data, "lens3_second_purchase")
    grid = grid if grid.is_empty() else grid.filter(pl.col("unit") == "period").sort("cohort", "age")
    if grid.is_empty() or grid["age"].max() == 0:
        return None
    rows = _choose(grid.with_columns(calendar_period=pl.lit("")))
    spec = draw_lines(rows, "share_customers", "With a second order", "%", by="age", by_title=_ages(data))
    figure = Figure(
        "chart-second-purchase", "Cumulative second purchase", describe_second(grid, data.facts.cohort), spec
    )
    table = build_lens_table(
        data,
        "lens3_second_purchase",
        "Second purchase by age",
        [
            label("cohort", "Cohort"),
            label("age", "Age"),
            label("complete", "Complete"),
            counts("cohort_size", "Size"),
            counts("customers", "With a second order"),
            shares("share_customers", "Share"),
        ],
        frame=grid.sort("cohort", "age", descending=[True, False]),
        csv=grid,
        folded=True,
        note="By day: lenses.lens3_second_purchase in the database.",
    )
    return Section("second-purchase", "How soon do they come back?", [figure, table])


def build_repeat_buying(data: ReportData) -> Section | None:
    """Of those active in a period, the share active in the next: all customers together, and each cohort."""
    rates = of_grain(data, "lens3_repeat_buying")
    if rates.is_empty():
        return None
    rates = rates.sort("calendar_period")
    whole = rates.filter(pl.col("cohort") == _ALL).drop_nulls("repeat_buying_rate")
    if whole.height < 2:
        return None
    last = whole.filter("complete").tail(1).to_dicts()
    sentence = (
        f"Of the {n.plural(last[0]['active'], 'customer')} active in {last[0]['calendar_period']}, "
        f"{n.share(last[0]['repeat_buying_rate'])} were active in {last[0]['next_period']} too."
        if last
        else "No period has a complete next one yet."
    )
    shown = whole.tail(MAX_HEAT_AGES)
    spec = draw_bars(
        shown, "calendar_period", "repeat_buying_rate", "Active again in the next", "%", category_title="Period"
    )
    table = build_lens_table(
        data,
        "lens3_repeat_buying",
        "Repeat-buying rate by cohort",
        [
            label("calendar_period", "Period"),
            label("cohort", "Cohort"),
            label("complete", "Complete"),
            counts("active", "Active"),
            counts("active_again", "Active in the next"),
            shares("repeat_buying_rate", "Repeat-buying rate"),
        ],
        frame=rates.reverse(),
        folded=True,
    )
    figure = Figure("chart-repeat-buying", "Repeat-buying rate, all cohorts", sentence, spec)
    return Section("repeat-buying", "Who buys again in the next period?", [figure, table])


def build_patterns(data: ReportData) -> Section | None:
    """In which years since acquisition customers bought again."""
    patterns = of_grain(data, "lens3_activity_patterns")
    if patterns.is_empty():
        return None
    patterns = patterns.filter(pl.col("alignment") == "age")
    longest = patterns.filter(pl.col("years") == patterns["years"].max())
    summed = longest.group_by("repeat_pattern").agg(pl.col("customers").sum(), pl.col("seen_again").first())
    summed = summed.sort("customers", "repeat_pattern", descending=[True, False])
    total = add_up(summed, "customers")
    if patterns["years"].max() == 1 or not total:
        return None
    never = add_up(summed.filter(~pl.col("seen_again")), "customers")
    shown = summed.head(16).with_columns(share=pl.col("customers") / total)
    sentence = (
        f"Of the {n.plural(total, 'customer')} of the cohorts with the most years, {n.count(never)} "
        f"({n.share(never / total)}) never bought again."
    )
    spec = draw_bars(
        shown, "repeat_pattern", "share", "Share of customers", "%", category_title="Pattern, a letter a year"
    )
    note = "Y: ordered in the year, in the first one more than once; N: did not."
    figure = Figure("chart-patterns", "Years with and without another order", sentence, spec, note)
    table = build_lens_table(
        data,
        "lens3_activity_patterns",
        "Patterns by cohort",
        [
            label("cohort", "Cohort"),
            label("repeat_pattern", "Pattern"),
            label("pattern", "Active"),
            label("complete", "Complete"),
            counts("customers", "Customers"),
            shares("share_customers", "Share of cohort"),
        ],
        frame=patterns.sort("cohort", "customers", descending=[False, True]),
        folded=True,
    )
    return Section("yearly-patterns", "In which years did they buy again?", [figure, table])


def of_grain(data: ReportData, name: str) -> pl.DataFrame:
    """The rows of `lenses.<name>` at the grain of the report's cohorts."""
    frame = data.table(f"lenses.{name}")
    return frame if frame.is_empty() else frame.filter(pl.col("grain") == data.facts.cohort)


def describe_second(grid: pl.DataFrame, grain: str) -> str:
    """The share of the oldest cohort with a second order, early and to date."""
    oldest = grid.filter((pl.col("cohort") == grid["cohort"].min()) & pl.col("complete"))
    if oldest.is_empty():
        return "No cohort has completed a period yet."
    first, last = oldest.row(0, named=True), oldest.row(-1, named=True)
    when = f"within the {grain} of acquisition" if first["age"] == 0 else f"by age {first['age']}"
    text = f"Of the {first['cohort']} cohort, {n.share(first['share_customers'])} had a second order {when}"
    return (
        f"{text}, {n.share(last['share_customers'])} by age {last['age']}."
        if last["age"] > first["age"]
        else f"{text}."
    )


def _choose(grid: pl.DataFrame) -> pl.DataFrame:
    cohorts = grid["cohort"].unique().sort().to_list()[-MAX_HEAT_COHORTS:]
    rows = grid.filter(pl.col("cohort").is_in(cohorts), pl.col("age") <= MAX_HEAT_AGES)
    return rows.with_columns(shown=pl.col("cohort").is_in(pick_cohorts(cohorts, MAX_LINES)))


def _ages(data: ReportData) -> str:
    return f"Age in {data.facts.cohort}s"
