"""Lenses 3 and 4: how cohorts evolve with age: % active, AOF and AOV while active, profit per acquired customer."""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Section, empty_section
from clv_pipeline.report.charts.cohorts import draw_age_lines, draw_heat_map
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.tables import Table, amounts, build_table, counts, decimals, label, shares

_ID, _TITLE, _QUESTION = (
    "lens3",
    "Lenses 3 and 4: how cohorts evolve",
    "How does a cohort evolve as it ages, and do cohorts differ?",
)
MAX_HEAT_COHORTS = 24
MAX_HEAT_AGES = 36
MAX_LINES = 6


def build_section(data: ReportData) -> Section:
    """The heat map of % active, four line charts, and the grid as a table."""
    grid = data.table("lenses.lens3_cohort_age")
    if grid.is_empty():
        return empty_section(_ID, _TITLE, _QUESTION, "There is no cohort yet.")
    grid = grid.sort("cohort_start", "age", nulls_last=False)
    sized = grid.drop_nulls("pct_active")
    table = _build_grid(data, grid)
    if sized.is_empty():
        sentence = "All customers were acquired before the data start, so the size of their cohort is unknown."
        return Section(_ID, _TITLE, _QUESTION, [Note([sentence]), table])
    blocks: list[Block] = []
    if sized["age"].max() == 0:
        blocks.append(
            Note([f"Every cohort is still in the {data.facts.cohort} it was acquired in: nothing to compare yet."])
        )
    else:
        blocks += [_draw_activity(data, sized), FigureGrid(_draw_lines(data, sized))]
        if not grid["complete"].all():
            blocks.append(
                Note([f"Marked * or drawn hollow: a {data.facts.cohort} that had not ended by the as-of date."])
            )
    return Section(_ID, _TITLE, _QUESTION, [*blocks, table])


def pick_cohorts(cohorts: list[str], most: int) -> list[str]:
    """At most `most` cohorts, evenly spread from the oldest to the newest."""
    if len(cohorts) <= most:
        return cohorts
    step = (len(cohorts) - 1) / (most - 1)
    return [cohorts[round(rank * step)] for rank in range(most)]


def describe_activity(sized: pl.DataFrame, grain: str) -> str:
    """% active one period after acquisition, oldest against newest cohort; for a single one, first against last age."""
    later = sized.filter(pl.col("complete") & (pl.col("age") > 0))
    if later.is_empty():
        return f"No cohort has a complete {grain} after the one of its acquisition yet."
    one = later.filter(pl.col("age") == 1).sort("cohort_start")
    if one.height > 1:
        first, last = one.row(0, named=True), one.row(-1, named=True)
        average = n.share(add_up(one, "active") / add_up(one, "cohort_size"))
        return (
            f"One {grain} after acquisition, {n.share(first['pct_active'])} of the {first['cohort']} cohort were "
            f"active and {n.share(last['pct_active'])} of the {last['cohort']} cohort; over all cohorts {average}."
        )
    first, last = later.row(0, named=True), later.row(-1, named=True)
    size = n.plural(first["cohort_size"], "customer")
    text = (
        f"Of the {size} acquired in {first['cohort']}, {n.share(first['pct_active'])} were active at age {first['age']}"
    )
    if last["age"] == first["age"]:
        return f"{text}."
    return f"{text} and {n.share(last['pct_active'])} at age {last['age']}, in {last['calendar_period']}."


def describe_measure(sized: pl.DataFrame, measure: str, name: str, currency: str | None) -> str:
    """The oldest cohort's `measure` at its first and last complete age with a value."""
    oldest = sized.filter(pl.col("cohort") == sized["cohort"][0], pl.col("complete")).drop_nulls(measure)
    if oldest.is_empty():
        return f"{name}: no complete period yet."

    def write(value: float) -> str:
        return n.money(value, currency) if currency else n.plain(value, 2)

    first, last = oldest.row(0, named=True), oldest.row(-1, named=True)
    if first["age"] == last["age"]:
        return f"{name} of the {first['cohort']} cohort: {write(first[measure])} at age {first['age']}."
    return (
        f"{name} of the {first['cohort']} cohort: {write(first[measure])} at age {first['age']}, "
        f"{write(last[measure])} at age {last['age']}."
    )


def _draw_activity(data: ReportData, sized: pl.DataFrame) -> Figure:
    cohorts = sized["cohort"].unique(maintain_order=True).to_list()
    shown = sized.filter(pl.col("cohort").is_in(cohorts[-MAX_HEAT_COHORTS:]), pl.col("age") <= MAX_HEAT_AGES)
    note = "Grey: age 0, the period of acquisition, in which a customer acquired by an order is active by definition."
    if shown.height < sized.height:
        note += (
            f" The latest {min(len(cohorts), MAX_HEAT_COHORTS)} of {len(cohorts)} cohorts up to age {MAX_HEAT_AGES}."
        )
    grain = data.facts.cohort
    spec = draw_heat_map(shown, f"Age in {grain}s")
    return Figure("chart-activity", "% of cohort active, by age", describe_activity(sized, grain), spec, note)


def _draw_lines(data: ReportData, sized: pl.DataFrame) -> list[Figure]:
    cohorts = sized["cohort"].unique(maintain_order=True).to_list()
    shown = sized.filter(pl.col("cohort").is_in(pick_cohorts(cohorts, MAX_LINES)))
    note = f"{MAX_LINES} of {len(cohorts)} cohorts, evenly spread." if len(cohorts) > MAX_LINES else ""
    grain, money = data.facts.cohort, data.facts.currency
    measures: list[tuple[str, str, str | None]] = [
        ("aof", "AOF", None),
        ("aov", "AOV", money),
        ("profit_per_acquired", "Profit per acquired customer", money),
        ("cumulative_profit_per_acquired", "Profit to date per acquired customer", money),
    ]
    return [
        Figure(
            f"chart-age-{measure.replace('_', '-')}",
            f"{name} by age",
            describe_measure(sized, measure, name, currency),
            draw_age_lines(shown, measure, name, currency, f"Age in {grain}s"),
            note,
        )
        for measure, name, currency in measures
    ]


def _build_grid(data: ReportData, grid: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "cohort-age",
        "Cohorts by age",
        grid.sort("cohort_start", "age", descending=[True, False], nulls_last=True),
        [
            label("cohort", "Cohort"),
            label("age", "Age"),
            label("calendar_period", "Period"),
            label("complete", "Complete"),
            counts("cohort_size", "Size"),
            counts("active", "Active"),
            shares("pct_active", "% active"),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
            amounts("profit", "Profit", money),
            amounts("profit_per_acquired", "Per acquired customer", money),
            amounts("cumulative_profit_per_acquired", "To date", money),
        ],
        csv=data.exact("lenses.lens3_cohort_age"),
        csv_name=f"lens3_cohort_age_{data.facts.as_of}.csv",
        note="Cohort size x % active x AOF x AOV = spend, and spend x margin = profit.",
        folded=True,
    )
