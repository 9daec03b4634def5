"""Lens 3: how a cohort evolves with age: % active, AOF and AOV while active, profit per acquired customer.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Picker, Section, empty_section
from clv_pipeline.report.charts.cohorts import draw_heat_map, draw_lines
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.tables import Table, amounts, build_table, counts, decimals, label, shares

_ID, _TITLE = "cohort-activity", "Who is still buying"
MAX_HEAT_COHORTS = 24
MAX_HEAT_AGES = 36
MAX_LINES = 6
# Measures that are 100% at age 0, which would flatten all that follows.
FROM_AGE_1 = ("pct_active", "profit_index")


def build_activity(data: ReportData) -> Section:
    """The heat map of % active, or why there is none yet."""
    grid = sort_grid(data)
    if grid.is_empty():
        return empty_section(_ID, _TITLE, "There is no cohort yet.")
    sized = grid.drop_nulls("pct_active")
    if sized.is_empty():
        sentence = "All customers were acquired before the data start, so the size of their cohort is unknown."
        return empty_section(_ID, _TITLE, sentence)
    if sized["age"].max() == 0:
        sentence = f"Every cohort is still in the {data.facts.cohort} it was acquired in: nothing to compare yet."
        return empty_section(_ID, _TITLE, sentence)
    return Section(
        _ID, _TITLE, [Picker(list_cohorts(sized)), _draw_activity(data, sized), *note_incomplete(data, grid)]
    )


def build_factors(data: ReportData) -> Section | None:
    """Each factor of revenue by age, and the grid as a table."""
    grid = sort_grid(data)
    if grid.is_empty():
        return None
    sized = grid.drop_nulls("pct_active")
    blocks: list[Block] = [_build_grid(data, grid)]
    if not sized.is_empty() and sized["age"].max() != 0:
        rule = "Spend of a period = cohort size x % active x AOF x AOV; profit = spend x margin."
        blocks = [Note([rule]), FigureGrid(_draw_factors(data, sized)), *blocks]
    return Section("cohort-factors", "What the spend of a cohort is made of", blocks)


def sort_grid(data: ReportData) -> pl.DataFrame:
    """Cohort x age, the oldest cohort first; empty without a cohort."""
    grid = data.table("lenses.lens3_cohort_age")
    return grid if grid.is_empty() else grid.sort("cohort_start", "age", nulls_last=False)


def list_cohorts(sized: pl.DataFrame) -> list[str]:
    """The cohorts that can be chosen: the latest MAX_HEAT_COHORTS of known size."""
    return sized["cohort"].unique(maintain_order=True).to_list()[-MAX_HEAT_COHORTS:]


def keep_choosable(sized: pl.DataFrame) -> pl.DataFrame:
    """The rows of the cohorts that can be chosen, which the sentences are about too."""
    return sized.filter(pl.col("cohort").is_in(list_cohorts(sized)))


def choose_rows(sized: pl.DataFrame, measure: str) -> pl.DataFrame:
    """Rows for the lines of `measure`; `shown` marks the few cohorts that are there without a choice."""
    cohorts = list_cohorts(sized)
    ages = pl.col("age").is_between(1 if measure in FROM_AGE_1 else 0, MAX_HEAT_AGES)
    return sized.filter(pl.col("cohort").is_in(cohorts), ages).with_columns(
        shown=pl.col("cohort").is_in(pick_cohorts(cohorts, MAX_LINES))
    )


def note_selection(sized: pl.DataFrame, measure: str) -> str:
    """What the lines leave out: the first age where it is 100% by definition, and cohorts where there are many."""
    total = sized["cohort"].n_unique()
    notes = ["Age 0 is left out: it is 100% by definition."] if measure in FROM_AGE_1 else []
    if total > MAX_LINES:
        notes.append(f"{MAX_LINES} of {total} cohorts, evenly spread; choose another to see it too.")
    return " ".join(notes)


def note_incomplete(data: ReportData, grid: pl.DataFrame) -> list[Block]:
    """What the marks of incomplete periods mean, where there are any."""
    if grid["complete"].all():
        return []
    return [Note([f"Marked * or drawn hollow: a {data.facts.cohort} that had not ended by the as-of date."])]


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
            f"active and {n.share(last['pct_active'])} of the {last['cohort']} cohort; together {average}."
        )
    first, last = later.row(0, named=True), later.row(-1, named=True)
    size = n.plural(first["cohort_size"], "customer")
    text = (
        f"Of the {size} acquired in {first['cohort']}, {n.share(first['pct_active'])} were active at age {first['age']}"
    )
    if last["age"] == first["age"]:
        return f"{text}."
    return f"{text} and {n.share(last['pct_active'])} at age {last['age']}, in {last['calendar_period']}."


def describe_measure(sized: pl.DataFrame, measure: str, name: str, unit: str | None) -> str:
    """The oldest cohort's `measure` at its first and last complete age with a value."""
    oldest = sized.filter(pl.col("cohort") == sized["cohort"][0], pl.col("complete")).drop_nulls(measure)
    if oldest.is_empty():
        return f"{name}: no complete period yet."

    def write(value: float) -> str:
        return n.measure(value, unit)

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
    spec = draw_heat_map(shown, "age", f"Age in {grain}s")
    return Figure(
        "chart-activity", "% of cohort active, by age", describe_activity(keep_choosable(sized), grain), spec, note
    )


def _draw_factors(data: ReportData, sized: pl.DataFrame) -> list[Figure]:
    money = data.facts.currency
    measures: list[tuple[str, str, str | None]] = [
        ("pct_active", "% active", "%"),
        ("aof", "AOF", None),
        ("aov", "AOV", money),
        ("profit_per_acquired", "Profit per acquired customer", money),
    ]
    return [
        Figure(
            f"chart-age-{measure.replace('_', '-')}",
            f"{name} by age",
            describe_measure(keep_choosable(sized), measure, name, unit),
            draw_lines(
                choose_rows(sized, measure), measure, name, unit, by="age", by_title=f"Age in {data.facts.cohort}s"
            ),
            note_selection(sized, measure),
        )
        for measure, name, unit in measures
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
