"""Lens 3, value to date: how unequal the customers of a cohort are, who of them are still active, and their RFM.

Belongs here: sections whose pictures show one cohort, the chosen one or the oldest. Does not belong here: what is shown
by age or week (`lens3.py`, `lens3_weeks.py`). Each `build_...` makes one section, or nothing where its table is not
there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Section
from clv_pipeline.report.charts.bars import draw_bars, draw_cells
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.sections.lens1_spread import MEASURES, name_bins
from clv_pipeline.report.sections.lens3 import list_cohorts, sort_grid
from clv_pipeline.report.sections.lens3_purchases import of_grain
from clv_pipeline.report.tables import Column, Table, amounts, build_lens_table, counts, decimals, label, shares

MAX_LAST_ACTIVE = 12
_STATISTICS = ("customers", "min", "p05", "p25", "median", "mean", "p75", "p95", "max", "share_below_mean")


def build_value(data: ReportData) -> Section | None:
    """Value deciles and distributions of profit and orders to date."""
    deciles, cohort = pick_rows(data, "lens3_value_deciles")
    if deciles.is_empty():
        return None
    own = deciles.filter(pl.col("cohort") == cohort).sort("decile")
    first = own.row(0, named=True)
    sentence = (
        f"The best value decile of the {cohort} cohort holds {n.plural(first['customers'], 'customer')} "
        f"({n.share(first['share_customers'])} of it) and {n.share(first['share_profit'])} of its profit to date."
    )
    spec = draw_bars(
        deciles.sort("decile"),
        "decile",
        "share_customers",
        "Share of customers",
        "%",
        category_title="Value decile",
        default_cohort=cohort,
    )
    blocks: list[Block] = [
        Figure("chart-cohort-value", "Customers behind each tenth of the profit", sentence, spec, _note(cohort)),
        _build_deciles(data, own, cohort),
    ]
    if figures := _draw_histograms(data):
        blocks.insert(1, FigureGrid(figures))
    if statistics := _build_statistics(data, cohort):
        blocks.append(statistics)
    return Section("value-of-a-cohort", "Value to date within a cohort", blocks)


def build_decile_activity(data: ReportData) -> Section | None:
    """% active of each value decile in each year since acquisition."""
    rows, cohort = pick_rows(data, "lens3_value_decile_activity")
    if rows.is_empty() or rows["year"].max() == 1:
        return None
    rows = rows.sort("decile", "year")
    own = rows.filter(pl.col("cohort") == cohort)
    titles = ("Value decile", "Year since acquisition")
    spec = draw_cells(
        rows, "decile", "year", "pct_active", "%", titles=titles, measure_title="Active", default_cohort=cohort
    )
    note = f"Rows: value deciles, 1 the best customers. A last year that has not ended is in it so far. {_note(cohort)}"
    figure = Figure("chart-decile-activity", "% active by value decile and year", describe_activity(own), spec, note)
    table = build_lens_table(
        data,
        "lens3_value_decile_activity",
        f"The {cohort} cohort: active by value decile and year",
        [
            label("decile", "Decile"),
            label("year", "Year"),
            label("complete", "Complete"),
            counts("customers", "Customers"),
            counts("active", "Active"),
            shares("pct_active", "% active"),
        ],
        frame=own,
        folded=True,
    )
    return Section("decile-activity", "Are the best customers of a cohort still active?", [figure, table])


def build_rfm(data: ReportData) -> Section | None:
    """The customers of a cohort by last active period, number of orders, and profit per order."""
    rows, cohort = pick_rows(data, "lens3_rfm")
    if rows.is_empty():
        return None
    cells, bands = sum_cells(rows), sum_bands(rows)
    titles = ("Last active", "Number of orders")
    spec = draw_cells(
        cells,
        "last",
        "orders_name",
        "share",
        "%",
        titles=titles,
        measure_title="Customers",
        columns=cells.sort("frequency")["orders_name"].unique(maintain_order=True).to_list(),
        default_cohort=cohort,
    )
    own = cells.filter(pl.col("cohort") == cohort)
    by_band = draw_bars(
        bands, "bin_name", "share", "Share of customers", "%", category_title="Profit per order", default_cohort=cohort
    )
    blocks: list[Block] = [
        Figure("chart-cohort-rfm", "Last active by number of orders", describe_cells(own), spec, _note(cohort)),
        Figure(
            "chart-cohort-monetary",
            "Customers by profit per order",
            describe_bands(bands.filter(pl.col("cohort") == cohort)),
            by_band,
        ),
        build_lens_table(
            data,
            "lens3_rfm",
            f"The {cohort} cohort by last active period and number of orders",
            [
                label("last", "Last active"),
                label("orders_name", "Orders"),
                counts("customers", "Customers"),
                shares("share", "Share of cohort"),
                amounts("profit", "Profit to date", data.facts.currency),
            ],
            frame=own,
            csv=data.exact("lenses.lens3_rfm").filter(
                (pl.col("grain") == data.facts.cohort) & (pl.col("cohort") == cohort)
            ),
            note="Every cohort: lenses.lens3_rfm in the database.",
            folded=True,
        ),
    ]
    return Section("cohort-rfm", "Within a cohort: how recently, how often, for how much", blocks, folded=True)


def pick_rows(data: ReportData, name: str) -> tuple[pl.DataFrame, str]:
    """The rows of `lenses.<name>` of the cohorts that can be chosen, and which one shows while none is."""
    frame = of_grain(data, name)
    if frame.is_empty():
        return frame, ""
    grid = sort_grid(data)
    known = set() if grid.is_empty() else set(list_cohorts(grid.drop_nulls("pct_active")))
    rows = frame.filter(pl.col("cohort").is_in(known)) if known else frame
    return rows, "" if rows.is_empty() else str(rows["cohort"].min())


def sum_cells(rows: pl.DataFrame) -> pl.DataFrame:
    """Customers by cohort, last active period (the latest first, the earliest of many together) and orders."""
    periods = rows["last_active"].unique().sort(descending=True).to_list()
    early = periods[MAX_LAST_ACTIVE - 1] if len(periods) > MAX_LAST_ACTIVE else None
    last = pl.col("last_active")
    name = last if early is None else pl.when(last <= early).then(pl.lit(f"to {early}")).otherwise(last)
    first, to = pl.col("frequency").cast(pl.String), pl.col("orders_to").cast(pl.String)
    orders = pl.when(to.is_null()).then(first + "+").when(to == first).then(first).otherwise(first + "-" + to)
    summed = (
        rows.group_by("cohort", name.alias("last"), "frequency", orders.alias("orders_name"))
        .agg(pl.col("customers", "profit").sum(), pl.col("last_active").max())
        .with_columns(share=pl.col("customers") / pl.col("customers").sum().over("cohort"))
    )
    return summed.sort("last_active", "frequency", "cohort", descending=[True, False, False])


def sum_bands(rows: pl.DataFrame) -> pl.DataFrame:
    """Customers by cohort and band of profit per order, with `bin_name`."""
    bands = rows.group_by("cohort", "profit_band").agg(
        pl.col("customers").sum(),
        lower=pl.col("profit_per_order_over").first(),
        upper=pl.col("profit_per_order_to").first(),
    )
    bands = bands.with_columns(share=pl.col("customers") / pl.col("customers").sum().over("cohort"))
    return name_bins(bands.sort("profit_band", "cohort"), "profit")


def describe_activity(own: pl.DataFrame) -> str:
    """The share of the best and of the last value decile that was active in the last complete year."""
    later = own.filter(pl.col("complete") & (pl.col("year") > 1))
    if later.is_empty():
        return "No year after the one of acquisition is complete yet."
    year = later["year"].max()
    rows = later.filter(pl.col("year") == year).sort("decile")
    best, last = rows.row(0, named=True), rows.row(-1, named=True)
    return (
        f"In year {year} after acquisition, {n.share(best['pct_active'])} of value decile {best['decile']} were active "
        f"and {n.share(last['pct_active'])} of decile {last['decile']}."
    )


def describe_cells(own: pl.DataFrame) -> str:
    """The largest cell of a cohort."""
    top = own.sort("customers", "last", descending=True).row(0, named=True)
    when = f"in {top['last']}" if not top["last"].startswith("to ") else f"up to {top['last'][3:]}"
    return (
        f"The largest cell of the {top['cohort']} cohort holds {n.share(top['share'])} of it: last active {when}, "
        f"orders to date: {top['orders_name']}."
    )


def describe_bands(own: pl.DataFrame) -> str:
    """The most frequent profit per order of a cohort."""
    top = own.sort("customers", descending=True).row(0, named=True)
    name = f"The most frequent profit per order in the {top['cohort']} cohort"
    return f"{name} is {top['bin_name']}: {n.share(top['share'])} of its customers."


def _draw_histograms(data: ReportData) -> list[Figure]:
    bins, cohort = pick_rows(data, "lens3_value_histogram")
    figures = []
    for measure in ("profit", "orders"):
        own = bins if bins.is_empty() else bins.filter(pl.col("measure") == measure)
        if own.is_empty() or not add_up(own, "customers"):
            continue
        used = own.group_by("bin").agg(pl.col("lower", "upper").first(), pl.col("customers").sum()).sort("bin")
        names = name_bins(used, measure).select("bin", "bin_name")
        named = own.join(names, on="bin", maintain_order="left").sort("bin", "cohort")
        name = f"{MEASURES[measure]} to date"
        spec = draw_bars(
            named,
            "bin_name",
            "share_customers",
            "Share of customers",
            "%",
            category_title=name,
            default_cohort=cohort,
        )
        sentence = _describe_spread(data, cohort, measure)
        figures.append(Figure(f"chart-to-date-{measure}", f"Customers by {name.lower()}", sentence, spec))
    return figures


def _describe_spread(data: ReportData, cohort: str, measure: str) -> str:
    own = of_grain(data, "lens3_value_statistics")
    own = own if own.is_empty() else own.filter((pl.col("cohort") == cohort) & (pl.col("measure") == measure))
    if own.is_empty():
        return f"The {cohort} cohort."
    value = dict(zip(own["statistic"].to_list(), own["value"].to_list(), strict=True))
    unit = None if measure == "orders" else data.facts.currency
    return (
        f"The {cohort} cohort: mean {n.measure(value.get('mean'), unit)}, median {n.measure(value.get('median'), unit)}"
        f"; {n.share(value.get('share_below_mean'))} are below the mean."
    )


def _build_deciles(data: ReportData, own: pl.DataFrame, cohort: str) -> Table:
    money = data.facts.currency
    return build_lens_table(
        data,
        "lens3_value_deciles",
        f"Value deciles of the {cohort} cohort",
        [
            label("decile", "Decile"),
            counts("customers", "Customers"),
            shares("share_customers", "Share"),
            amounts("profit", "Profit to date", money),
            amounts("threshold", "Profit over", money),
            amounts("profit_per_customer", "Profit per customer", money),
            decimals("aof", "Orders per customer"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
        ],
        frame=own,
    )


def _build_statistics(data: ReportData, cohort: str) -> Table | None:
    rows = of_grain(data, "lens3_value_statistics")
    rows = rows if rows.is_empty() else rows.filter(pl.col("cohort") == cohort)
    if rows.is_empty():
        return None
    wide = rows.filter(pl.col("statistic").is_in(_STATISTICS[1:-1])).pivot(
        on="measure", index="statistic", values="value"
    )
    order = {name: at for at, name in enumerate(_STATISTICS)}
    wide = wide.sort(pl.col("statistic").replace_strict(order, return_dtype=pl.Int64))
    money = data.facts.currency
    styles = {"orders": decimals("orders", "Orders", 1), "margin": shares("margin", "Margin")}
    columns: list[Column] = [styles.get(name, amounts(name, MEASURES[name], money)) for name in MEASURES]
    return build_lens_table(
        data,
        "lens3_value_statistics",
        f"Smallest to largest in the {cohort} cohort, to date",
        [label("statistic", "Of the customers"), *columns],
        frame=wide.with_columns(pl.col("statistic").str.replace(r"^p0?(\d+)$", "percentile $1")),
        note="One value a customer: all that was bought to date.",
        sortable=False,
        folded=True,
    )


def _note(cohort: str) -> str:
    return f"Shown is the cohort chosen above, or else the oldest ({cohort}), which the sentences are about."
