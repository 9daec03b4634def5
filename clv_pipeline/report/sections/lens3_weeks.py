"""Lens 3 by the calendar: first and repeat sales week by week, and how long customers wait for their next order.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Figure, Section
from clv_pipeline.report.charts.bars import draw_bars
from clv_pipeline.report.charts.weeks import draw_weeks
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.lens3 import list_cohorts, sort_grid
from clv_pipeline.report.sections.lens3_purchases import of_grain
from clv_pipeline.report.tables import amounts, build_lens_table, counts, decimals, label, shares

MAX_WEEKS = 156
_ALL = "all"
_SALES = ("first_orders", "repeat_orders", "first_spend", "repeat_spend")
_AFTER = {1: "After the 1st order", 2: "After the 2nd order"}


def build_weekly_sales(data: ReportData) -> Section | None:
    """Spend on first and on repeat orders by week: all cohorts together, or the chosen one."""
    weeks = of_grain(data, "lens3_weekly_sales")
    if weeks.is_empty() or weeks["week_start"].n_unique() < 2:
        return None
    together = weeks.group_by("week_start").agg(pl.col(_SALES).sum()).with_columns(cohort=pl.lit(_ALL))
    own = weeks.filter(pl.col("cohort").is_in(list_cohorts(sort_grid(data).drop_nulls("pct_active"))))
    shown = fill_weeks(pl.concat([together, own.select(together.columns)])).sort("cohort", "week_start")
    latest = shown["week_start"].unique().sort().tail(MAX_WEEKS).min()
    drawn = shown.filter(pl.col("week_start") >= latest)
    money = data.facts.currency
    note = "All cohorts, or the one chosen above. The first and the last week may be shorter than seven days of data."
    table = build_lens_table(
        data,
        "lens3_weekly_sales",
        "First and repeat orders by week",
        [
            label("week_start", "Week from"),
            counts("first_orders", "First orders"),
            counts("repeat_orders", "Repeat orders"),
            amounts("first_spend", "Spend on first", money),
            amounts("repeat_spend", "Spend on repeat", money),
        ],
        frame=together.sort("week_start", descending=True),
        note="All cohorts together.",
        folded=True,
    )
    figure = Figure(
        "chart-weekly-sales",
        "Spend by week, first and repeat orders",
        describe_weeks(together.sort("week_start"), money),
        draw_weeks(drawn, money, _ALL),
        note,
    )
    return Section("weekly-sales", "First and repeat sales by week", [figure, table])


def build_waits(data: ReportData) -> Section | None:
    """How many weeks customers wait for their next order: in bands, and mean and median."""
    waits = of_grain(data, "lens3_interpurchase")
    waits = waits if waits.is_empty() else waits.filter(pl.col("cohort") == _ALL).sort("from_order")
    bands = of_grain(data, "lens3_interpurchase_bands")
    bands = bands if bands.is_empty() else bands.filter(pl.col("cohort") == _ALL).sort("band", "from_order")
    if waits.is_empty() or bands.is_empty():
        return None
    waits = waits.filter(pl.col("intervals") > 0)
    if waits.is_empty():
        return None
    name = pl.when(pl.col("from_order") == 10).then(pl.lit("10th and later")).otherwise(pl.format("{}", "from_order"))
    table = build_lens_table(
        data,
        "lens3_interpurchase",
        "Weeks to the next order",
        [
            label("name", "After order"),
            counts("orders", "Orders"),
            shares("share_followed", "Followed by another"),
            decimals("mean_weeks", "Mean weeks", 1),
            decimals("median_weeks", "Median weeks", 1),
        ],
        frame=waits.with_columns(name=name),
        note="Means and medians are of those who had a next order: those still waiting are not in them.",
    )
    drawn = name_bands(bands.filter(pl.col("from_order").is_in(list(_AFTER))))
    spec = draw_bars(
        drawn,
        "band_name",
        "share_intervals",
        "Share of waits",
        "%",
        category_title="Weeks to the next order",
        series_title="Wait",
    )
    figure = Figure("chart-waits", "How long until the next order", describe_waits(waits), spec)
    listed = build_lens_table(
        data,
        "lens3_interpurchase_bands",
        "Waits in bands of weeks",
        [
            label("band_name", "Weeks"),
            label("series", "Wait"),
            counts("intervals", "Waits"),
            shares("share_intervals", "Share"),
            shares("share_of_orders", "Of all such orders, so far"),
        ],
        frame=drawn,
        csv=bands,
        folded=True,
        note="By cohort: lenses.lens3_interpurchase_bands in the database.",
    )
    return Section("waits", "How long do they wait for the next order?", [figure, table, listed])


def fill_weeks(weeks: pl.DataFrame) -> pl.DataFrame:
    """`weeks` with a row of zeros for each week without an order, from the first to the last of the cohort."""
    ends = weeks.group_by("cohort").agg(first=pl.col("week_start").min(), last=pl.col("week_start").max())
    every = ends.select("cohort", pl.date_ranges("first", "last", interval="1w").alias("week_start"))
    every = every.explode("week_start")
    return every.join(weeks, on=["cohort", "week_start"], how="left").with_columns(pl.col(_SALES).fill_null(0))


def name_bands(bands: pl.DataFrame) -> pl.DataFrame:
    """`bands` with `band_name` ('same day', '1–2', 'over 52') and `series`, which order the wait follows."""
    names = [
        "same day"
        if row["upper_weeks"] == 0
        else f"over {row['lower_weeks']:g}"
        if row["upper_weeks"] is None
        else f"{row['lower_weeks']:g}–{row['upper_weeks']:g}"
        for row in bands.iter_rows(named=True)
    ]
    return bands.with_columns(
        pl.Series("band_name", names, dtype=pl.String),
        series=pl.col("from_order").replace_strict(_AFTER, return_dtype=pl.String),
    )


def describe_weeks(together: pl.DataFrame, currency: str) -> str:
    """The share of repeat orders in all spend, and in that of the last 13 weeks."""
    first, repeat = add_up(together, "first_spend"), add_up(together, "repeat_spend")
    if first + repeat <= 0:
        return "There is no spend in these weeks."
    text = (
        f"Of {n.money(first + repeat, currency)} spent in {n.plural(together.height, 'week')}, "
        f"{n.share(repeat / (first + repeat))} was spent on repeat orders"
    )
    late = together.tail(13)
    total = add_up(late, "first_spend") + add_up(late, "repeat_spend")
    if together.height <= 13 or total <= 0:
        return f"{text}."
    return f"{text}; in the last 13 weeks, {n.share(add_up(late, 'repeat_spend') / total)}."


def describe_waits(waits: pl.DataFrame) -> str:
    """The median wait after the first order, and after the last that is told apart."""
    first, last = waits.row(0, named=True), waits.row(-1, named=True)
    text = f"Half of those who ordered again waited {n.plain(first['median_weeks'], 1)} weeks or less after order "
    text += f"{first['from_order']}"
    if last["from_order"] == first["from_order"]:
        return f"{text}."
    which = "the tenth and later orders" if last["from_order"] == 10 else f"order {last['from_order']}"
    return f"{text}, and {n.plain(last['median_weeks'], 1)} or less after {which}."
