"""Lens 5, continued: repeat buying of the whole base, and what the models expect of it; lens 4's statement of a trend.

Each `build_...` makes one section of a page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Note, Section
from clv_pipeline.report.charts.bars import draw_bars, draw_intervals
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.lens3_purchases import of_grain
from clv_pipeline.report.tables import Column, amounts, build_lens_table, counts, label, shares, written

_MEASURES = {
    "pct_active": ("% active", "%"),
    "aof": ("AOF", None),
    "aov": ("AOV", ""),
    "margin": ("Margin", "%"),
    "profit_per_acquired": ("Profit per acquired customer", ""),
    "cumulative_profit_per_acquired": ("Profit to date per acquired customer", ""),
}


def build_trend(data: ReportData) -> Section | None:
    """Newer cohorts against older ones at equal age, with the interval of the difference."""
    trend = of_grain(data, "lens4_trend")
    trend = trend if trend.is_empty() else trend.filter((pl.col("age") > 0) & pl.col("difference").is_not_null())
    if trend.is_empty():
        return None
    main = trend.filter(pl.col("measure") == "pct_active").sort("age")
    blocks: list[Block] = []
    if not main.is_empty():
        columns = ("difference", "difference_lower", "difference_upper")
        spec = draw_intervals(
            main, "age", columns, "Newer minus older", "%", category_title=f"Age in {data.facts.cohort}s"
        )
        blocks.append(Figure("chart-trend", "% active: newer cohorts minus older ones", describe_trend(main), spec))
    money = data.facts.currency
    rows = [
        {
            "measure": name,
            "age": row["age"],
            **{column: n.measure(row[column], money if unit == "" else unit) for column in _TREND_COLUMNS},
            "direction": row["direction"],
        }
        for row in trend.sort("measure", "age").iter_rows(named=True)
        for name, unit in (_MEASURES.get(row["measure"], (row["measure"], None)),)
    ]
    headings = ("Older", "Newer", "Difference", "From", "To")
    table = build_lens_table(
        data,
        "lens4_trend",
        "Newer against older cohorts at equal age",
        [
            label("measure", "Measure"),
            label("age", "Age"),
            *(written(name, heading) for name, heading in zip(_TREND_COLUMNS, headings, strict=True)),
            label("direction", "Direction"),
        ],
        frame=pl.DataFrame(rows),
        note="From and to: the 95% interval of the difference. A direction is named only where it leaves out zero.",
        folded=True,
        sortable=False,
    )
    return Section("trend", "Are newer cohorts better or worse?", [*blocks, table])


def build_repeat_rates(data: ReportData) -> Section | None:
    """Acquisitions, share of the newest cohort and repeat buying by calendar period."""
    periods = of_grain(data, "lens5_periods")
    if periods.is_empty() or periods.height < 2:
        return None
    periods = periods.sort("calendar_period")
    best = periods.sort("acquired", descending=True).row(0, named=True)
    sentence = f"Most customers were acquired in {best['calendar_period']} ({n.count(best['acquired'])})"
    if last := periods.filter("complete").tail(1).to_dicts():
        sentence += f"; in {last[0]['calendar_period']}, the latest complete period, {n.count(last[0]['acquired'])}"
    spec = draw_bars(periods.tail(36), "calendar_period", "acquired", "Customers", None, category_title="Period")
    money = data.facts.currency
    table = build_lens_table(
        data,
        "lens5_periods",
        "Acquisitions and repeat buying",
        [
            label("calendar_period", "Period"),
            label("complete", "Complete"),
            counts("acquired", "Acquired"),
            counts("active", "Active"),
            shares("repeat_buying_rate", "Repeat-buying rate"),
            shares("share_active_newest", "Newest, share of active"),
            shares("share_profit_newest", "Newest, share of profit"),
            amounts("profit_per_active", "Profit per active customer", money),
            shares("carry_over", "Carry-over"),
        ],
        frame=periods.reverse(),
        note="Repeat-buying rate: of those active in the period before, the share active in this one.",
        folded=True,
    )
    if not best["acquired"]:
        return Section("acquisitions", "How many came", [Note(["Nobody was acquired in these periods."]), table])
    figure = Figure("chart-acquired", "Acquisitions", f"{sentence}.", spec)
    return Section("acquisitions", "How many came", [figure, table])


def build_projection(data: ReportData) -> Section | None:
    """What existing customers are expected to bring in the next windows, and what growth would take."""
    if not data.has("lenses.lens5_projection"):
        return None
    ahead = data.table("lenses.lens5_projection").filter(pl.col("cohort") == "all").sort("windows_ahead")
    if ahead.is_empty():
        return None
    money = data.facts.currency
    is_month = pl.col("window_start") == pl.col("window_end")
    name = pl.when(is_month).then("window_start").otherwise(pl.format("{} to {}", "window_start", "window_end"))
    ahead = ahead.with_columns(name=name)
    first = ahead.row(0, named=True)
    start = "In" if first["window_start"] == first["window_end"] else "From"
    sentence = (
        f"{start} {first['name']}, existing customers are expected to bring "
        f"{n.money(first['expected_profit'], money)} of profit, between {n.money(first['profit_lower'], money)} and "
        f"{n.money(first['profit_upper'], money)} with 95% probability, going by chance and by how far earlier "
        "forecasts were off."
    )
    columns = ("expected_profit", "profit_lower", "profit_upper")
    spec = draw_intervals(ahead, "name", columns, "Expected profit", money, category_title="Window")
    table = build_lens_table(
        data,
        "lens5_projection",
        "The next windows, existing customers only",
        [
            label("name", "Window"),
            counts("expected_orders", "Expected orders"),
            counts("expected_purchases", "Expected purchases"),
            amounts("expected_profit", "Expected profit", money),
            amounts("profit_lower", "From", money),
            amounts("profit_upper", "To", money),
        ],
        frame=ahead,
    )
    blocks: list[Block] = [Figure("chart-projection", "Expected profit of existing customers", sentence, spec), table]
    if data.has("lenses.lens5_growth_plan"):
        blocks.append(_build_plan(data))
    return Section("projection", "What is to come", blocks)


def describe_trend(main: pl.DataFrame) -> str:
    """At how many ages newer cohorts are clearly above or below the older ones; `main` is of one measure."""
    clear = main.filter((pl.col("difference_lower") > 0) | (pl.col("difference_upper") < 0))
    if clear.is_empty():
        return "At no age do newer cohorts differ from older ones by more than chance."
    above = clear.filter(pl.col("difference") > 0).height
    found = [f"{way} at {count}" for way, count in (("above", above), ("below", clear.height - above)) if count]
    rest = "" if clear.height == main.height else "; at the others the difference may be chance"
    return f"Newer cohorts are clearly {' and '.join(found)} of {n.plural(main.height, 'age')}{rest}."


def _build_plan(data: ReportData) -> Block:
    money = data.facts.currency
    return build_lens_table(
        data,
        "lens5_growth_plan",
        "What growth would take",
        [
            Column("growth", "Growth of profit", n.as_percents),
            amounts("target_profit", "Target", money),
            amounts("expected_profit", "Expected of existing", money),
            amounts("profit_per_new_customer", "Profit per new customer", money),
            counts("new_customers_needed", "New customers needed"),
            counts("acquired", "Acquired last"),
            counts("most_acquired", "Most ever"),
            label("verdict", "Verdict"),
        ],
        sortable=False,
    )


_TREND_COLUMNS = ("older", "newer", "difference", "difference_lower", "difference_upper")
