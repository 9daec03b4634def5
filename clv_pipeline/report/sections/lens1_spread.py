"""Lens 1, continued: how widely customers are spread: distributions, orders against spend, value deciles, RFM.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Note, Section
from clv_pipeline.report.charts.bars import draw_bars, draw_cells
from clv_pipeline.report.facts import ReportData, add_up
from clv_pipeline.report.tables import (
    Column,
    Table,
    amounts,
    build_lens_table,
    counts,
    decimals,
    label,
    shares,
)

MEASURES = {
    "profit": "Profit",
    "spend": "Spend",
    "orders": "Number of orders",
    "spend_per_order": "Spend per order",
    "margin": "Margin",
}
_STATISTICS = ("min", "p05", "p25", "median", "mean", "p75", "p95", "max")


def build_distributions(data: ReportData) -> Section | None:
    """A histogram a measure, with minimum to maximum in a table."""
    if not data.has("lenses.lens1_histograms") or not data.has("lenses.lens1_statistics"):
        return None
    bins, statistics = data.table("lenses.lens1_histograms"), data.table("lenses.lens1_statistics")
    if not bins["customers"].sum():
        return None
    figures = [
        Figure(
            f"chart-spread-{measure.replace('_', '-')}",
            f"Customers by {name.lower()}",
            describe_spread(statistics, measure, data.facts.currency),
            draw_bars(name_bins(own, measure), "bin_name", "customers", "Customers", None, category_title=name),
        )
        for measure, name in MEASURES.items()
        if varies(statistics, measure)
        and not (own := bins.filter(pl.col("measure") == measure).sort("bin")).is_empty()
        and own["customers"].sum()
    ]
    blocks: list[Block] = [FigureGrid(figures), _build_statistics(data, statistics)]
    return Section("distributions", "How customers are spread", blocks)


def build_spend_by_orders(data: ReportData) -> Section | None:
    """Spend per order by number of orders."""
    if not data.has("lenses.lens1_spend_by_orders"):
        return None
    frame = data.table("lenses.lens1_spend_by_orders").sort("orders_from").filter(pl.col("customers") > 0)
    if frame.is_empty():
        return None
    money = data.facts.currency
    table = build_lens_table(
        data,
        "lens1_spend_by_orders",
        "Spend per order by number of orders",
        [
            label("number_of_orders", "Orders"),
            counts("customers", "Customers"),
            shares("share_customers", "Share"),
            amounts("aov", "AOV", money),
            amounts("mean_spend_per_order", "Mean of customers", money),
            amounts("median_spend_per_order", "Median", money),
            amounts("p05_spend_per_order", "5th percentile", money),
            amounts("p95_spend_per_order", "95th percentile", money),
            amounts("profit", "Profit", money),
        ],
        frame=frame,
    )
    spec = draw_bars(frame, "number_of_orders", "aov", "AOV", money, category_title="Number of orders")
    sentence = describe_frequent(frame, data.table("lenses.lens1_statistics"), money)
    figure = Figure("chart-spend-by-orders", "AOV by number of orders", sentence, spec)
    return Section("orders-and-spend", "Is the frequent buyer also the bigger spender?", [figure, table])


def build_value_deciles(data: ReportData) -> Section | None:
    """How few customers bring each tenth of the profit, and how much the best bring."""
    if not data.has("lenses.lens1_value_deciles") or data.window_2 is None or data.window_2.profit <= 0:
        return None
    deciles = data.table("lenses.lens1_value_deciles").sort("decile")
    money = data.facts.currency
    spec = draw_bars(deciles, "decile", "share_customers", "Share of customers", "%", category_title="Value decile")
    first, last = deciles.row(0, named=True), deciles.row(-1, named=True)
    sentence = (
        f"The best value decile holds {n.plural(first['customers'], 'customer')} ({n.share(first['share_customers'])} "
        f"of all) and {n.share(first['share_profit'])} of the profit, the last {n.count(last['customers'])} and "
        f"{n.share(last['share_profit'])}."
    )
    blocks: list[Block] = [
        Figure("chart-value-deciles", "Customers behind each tenth of the profit", sentence, spec),
        build_lens_table(
            data,
            "lens1_value_deciles",
            "Value deciles",
            [
                label("decile", "Decile"),
                counts("customers", "Customers"),
                shares("share_customers", "Customers, share"),
                shares("share_profit", "Profit, share"),
                amounts("threshold", "Profit over", money),
                amounts("highest_profit", "Profit to", money),
                amounts("profit_per_customer", "Profit per customer", money),
                decimals("aof", "AOF"),
                amounts("aov", "AOV", money),
                shares("margin", "Margin"),
            ],
            frame=deciles,
        ),
    ]
    if data.has("lenses.lens1_concentration"):
        blocks.append(_build_concentration(data))
    return Section("value-deciles", "How few bring how much", blocks)


def build_rfm(data: ReportData) -> Section | None:
    """Customers of the window by last active part, number of orders, and profit per order."""
    if not data.has("lenses.lens1_rfm") or not data.table("lenses.lens1_rfm")["customers"].sum():
        return None
    cells = data.table("lenses.lens1_rfm").sort("last_active_from", "orders_from", descending=[True, False])
    same = pl.col("last_active_from") == pl.col("last_active_to")
    part = pl.format("{} to {}", "last_active_from", "last_active_to")
    cells = cells.with_columns(last=pl.when(same).then("last_active_from").otherwise(part))
    titles = ("Last active", "Number of orders")
    spec = draw_cells(cells, "last", "number_of_orders", "customers", None, titles=titles)
    top = cells.sort("customers", descending=True).row(0, named=True)
    sentence = (
        f"The largest cell holds {n.plural(top['customers'], 'customer')} ({n.share(top['share_customers'])}): last "
        f"active in {top['last']}, orders in the window: {top['number_of_orders']}."
    )
    columns = [
        label("last", "Last active"),
        label("number_of_orders", "Orders"),
        counts("customers", "Customers"),
        shares("share_customers", "Share"),
        amounts("spend", "Spend", data.facts.currency),
        amounts("profit", "Profit", data.facts.currency),
    ]
    table = build_lens_table(data, "lens1_rfm", "Last order by number of orders", columns, frame=cells, folded=True)
    blocks: list[Block] = [Figure("chart-rfm", "Customers by last order and number of orders", sentence, spec), table]
    if data.has("lenses.lens1_rfm_monetary"):
        blocks.append(_draw_monetary(data))
    return Section("window-rfm", "How recently, how often, for how much", blocks)


def name_bins(bins: pl.DataFrame, measure: str) -> pl.DataFrame:
    """`bins` without the empty ends, with `bin_name`: 'below 0', '0–10', 'over 300'; margins in percent."""
    used = bins.with_row_index("at").filter(pl.col("customers") > 0)["at"]
    shown = bins.slice(int(used[0]), int(used[-1]) - int(used[0]) + 1) if used.len() else bins
    scale, suffix = (100.0, "%") if measure == "margin" else (1.0, "")
    if measure == "orders":
        names = [_name_count(row["lower"], row["upper"]) for row in shown.iter_rows(named=True)]
    else:
        names = [_name_bin(row["lower"], row["upper"], scale, suffix) for row in shown.iter_rows(named=True)]
    return shown.with_columns(bin_name=pl.Series(names, dtype=pl.String))


def varies(statistics: pl.DataFrame, measure: str) -> bool:
    """Whether customers differ in `measure`; a configured margin is the same for all but for rounding."""
    ends = statistics.filter((pl.col("measure") == measure) & pl.col("statistic").is_in(["p05", "p95"]))["value"]
    low, high = (ends.min(), ends.max()) if ends.drop_nulls().len() else (0.0, 0.0)
    return measure != "margin" or float(high) - float(low) > 0.005  # pyright: ignore[reportArgumentType]


def describe_spread(statistics: pl.DataFrame, measure: str, currency: str) -> str:
    """Mean and median, and the share of customers below the mean."""
    own = statistics.filter(pl.col("measure") == measure)
    value = dict(zip(own["statistic"].to_list(), own["value"].to_list(), strict=True))
    unit = "%" if measure == "margin" else None if measure == "orders" else currency
    text = f"Mean {n.measure(value.get('mean'), unit)}, median {n.measure(value.get('median'), unit)}"
    below = value.get("share_below_mean")
    return f"{text}; {n.share(below)} of the customers are below the mean." if below is not None else f"{text}."


def describe_frequent(frame: pl.DataFrame, statistics: pl.DataFrame, currency: str) -> str:
    """AOV of one-time and of the most frequent buyers, and the correlation over customers where there is one."""
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    text = (
        f"Customers with {first['number_of_orders']} order{'s' if first['orders_from'] > 1 else ''} spend "
        f"{n.money(first['aov'], currency)} an order, those with {last['number_of_orders']} "
        f"{n.money(last['aov'], currency)}"
    )
    found = (
        statistics.filter(
            (pl.col("statistic") == "correlation_with_orders") & (pl.col("measure") == "spend_per_order")
        )["value"]
        .drop_nulls()
        .to_list()
        if not statistics.is_empty()
        else []
    )
    return f"{text}; correlation over customers {n.plain(found[0], 2)}." if found else f"{text}."


def _name_bin(lower: float | None, upper: float | None, scale: float, suffix: str) -> str:
    if lower is None:
        return "below 0"
    if upper is None:
        return f"over {_name_edge(lower * scale)}{suffix}"
    return f"{_name_edge(lower * scale)}–{_name_edge(upper * scale)}{suffix}"


def _name_edge(value: float) -> str:
    return n.short(value) if abs(value) >= 1e4 else f"{value:,g}"


def _name_count(lower: float | None, upper: float | None) -> str:
    if lower is None:
        return "below 0"
    if upper is None:
        return f"over {lower:.0f}"
    return f"{upper:.0f}" if upper - lower == 1 else f"{lower + 1:.0f}–{upper:.0f}"


def _build_statistics(data: ReportData, statistics: pl.DataFrame) -> Table:
    wide = statistics.filter(pl.col("statistic").is_in(_STATISTICS)).pivot(
        on="measure", index="statistic", values="value"
    )
    money = data.facts.currency
    order = pl.col("statistic").replace_strict({name: at for at, name in enumerate(_STATISTICS)}, return_dtype=pl.Int64)
    wide = wide.sort(order).with_columns(pl.col("statistic").str.replace(r"^p0?(\d+)$", "percentile $1"))
    styles = {"orders": Column("orders", "Orders", n.as_decimals(1)), "margin": shares("margin", "Margin")}
    columns = [styles.get(name, amounts(name, MEASURES[name], money)) for name in MEASURES]
    return build_lens_table(
        data,
        "lens1_statistics",
        "Smallest to largest, over customers",
        [label("statistic", "Of the customers"), *columns],
        frame=wide,
        note="One value an active customer.",
        sortable=False,
    )


def _build_concentration(data: ReportData) -> Table:
    cuts = data.table("lenses.lens1_concentration").filter(pl.col("measure") == "profit")
    return build_lens_table(
        data,
        "lens1_concentration",
        "What the best customers bring",
        [
            label("cut", "Customers, best first"),
            counts("customers", "Customers"),
            shares("share_customers", "Share"),
            amounts("value", "Profit", data.facts.currency),
            shares("share_value", "Profit, share"),
        ],
        frame=cuts,
        sortable=False,
    )


def _draw_monetary(data: ReportData) -> Block:
    bands = data.table("lenses.lens1_rfm_monetary").sort("band")
    if not bands["customers"].sum():
        return Note(["No customer has a profit per order."])
    named = name_bins(bands, "profit")
    spec = draw_bars(named, "bin_name", "customers", "Customers", None, category_title="Profit per order")
    top = named.sort("customers", descending=True).row(0, named=True)
    part = n.share(top["customers"] / add_up(named, "customers"))
    sentence = f"The most frequent profit per order is {top['bin_name']}: {part} of the customers."
    return Figure("chart-rfm-monetary", "Customers by profit per order", sentence, spec)
