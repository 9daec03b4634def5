"""Lens 2: what changed between two adjacent windows: who bought when, and the bridge of profit.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Note, Section, empty_section
from clv_pipeline.report.charts.windows import draw_bridge, draw_pairs
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.summary import describe_window
from clv_pipeline.report.tables import Table, amounts, build_table, counts, decimals, label, shares

GROUPS = {"first_only": "First window only", "both": "Both windows", "new": "New", "returning": "Returning"}
STEPS = {
    "window_1": "Window before",
    "did_not_return": "Bought before only",
    "change_in_both": "Change in those|who bought in both",
    "new": "New",
    "returning": "Returning",
    "window_2": "Latest window",
}


def build_groups(data: ReportData) -> Section:
    """Groups of customers by when they bought; a caution where the windows cannot be compared."""
    id, title = "who-bought-when", "Customers of the two windows"
    groups = _name_groups(data.table("lenses.lens2_groups"))
    if groups.is_empty() or not groups["customers"].sum():
        return empty_section(id, title, "No customer was active in either window.")
    table = _build_groups(data, groups)
    if data.window_1 is None:
        sentence = f"There is no order in the window before ({describe_window(data, 1)}), so nothing can be compared."
        return Section(id, title, [Note([sentence]), table])
    blocks: list[Block] = [_draw_groups(groups), table]
    if not data.is_comparable:
        which = [name for window, name in ((1, "window before"), (2, "latest window")) if _is_partial(data, window)]
        sentence = (
            f"Not covered by data in full: the {n.join_words(which)}. The figures below add up, but they compare "
            "windows of unequal length."
        )
        blocks.insert(0, Note([sentence], caution=True))
    return Section(id, title, blocks)


def build_bridge(data: ReportData) -> Section | None:
    """How the profit of the window before became that of the latest."""
    if data.window_1 is None or not data.has("lenses.lens2_bridge"):
        return None
    return Section("profit-bridge", "From one profit to the next", [_draw_bridge(data), _build_bridge(data)])


def describe_groups(groups: pl.DataFrame) -> str:
    """Of those who bought in the window before, how many bought again; and who the latest buyers are."""
    size = dict(zip(groups["customer_group"].to_list(), groups["customers"].to_list(), strict=True))
    before, now = size["first_only"] + size["both"], size["both"] + size["new"] + size["returning"]
    text = f"Of the {n.plural(before, 'customer')} active in the window before, {n.count(size['both'])} "
    text += f"({n.share(size['both'] / before)}) bought in the latest one too"
    if not now:
        return f"{text}."
    return (
        f"{text}; of the {n.count(now)} active in the latest, {n.share(size['new'] / now)} are new and "
        f"{n.share(size['returning'] / now)} returning."
    )


def describe_bridge(bridge: pl.DataFrame, currency: str, marks: tuple[str, str] = ("", "")) -> str:
    """The profit of both windows, each with its mark, and the largest step between them."""
    profit = dict(zip(bridge["item"].to_list(), bridge["profit"].to_list(), strict=True))
    steps = bridge.filter(~pl.col("item").is_in(["window_1", "window_2"]))
    largest = max(steps.iter_rows(named=True), key=lambda row: abs(row["profit"]))
    name = STEPS[largest["item"]].replace("|", " ")
    name = name[0].lower() + name[1:]
    sign = "+" if largest["profit"] > 0 else ""
    return (
        f"Profit {n.money(profit['window_1'], currency)} in the window before{marks[0]}, "
        f"{n.money(profit['window_2'], currency)} in the latest{marks[1]}; "
        f"the largest step is “{name}” with {sign}{n.money(largest['profit'], currency)}."
    )


def _is_partial(data: ReportData, window: int) -> bool:
    return not data.is_window_complete(window)


def _name_groups(groups: pl.DataFrame) -> pl.DataFrame:
    if groups.is_empty():
        return groups
    total_1, total_2 = groups["profit_1"].sum(), groups["profit_2"].sum()
    order = {name: rank for rank, name in enumerate(GROUPS)}
    return (
        groups.with_columns(
            name=pl.col("customer_group").replace_strict(GROUPS),
            share_profit_1=pl.col("profit_1") / total_1 if total_1 > 0 else pl.lit(None, pl.Float64),
            share_profit_2=pl.col("profit_2") / total_2 if total_2 > 0 else pl.lit(None, pl.Float64),
            rank=pl.col("customer_group").replace_strict(order),
        )
        .sort("rank")
        .drop("rank")
    )


def _has_margins(groups: pl.DataFrame) -> bool:
    """Whether margins differ at all; a configured one is the same for all but for rounding."""
    margins = pl.concat([groups["margin_1"], groups["margin_2"].alias("margin_1")]).drop_nulls().to_list()
    return bool(margins) and max(margins) - min(margins) > 0.005


def _draw_groups(groups: pl.DataFrame) -> Figure:
    series = [("share_customers", "Customers"), ("share_profit_2", "Latest profit")]
    known = [(column, name) for column, name in series if groups[column].is_not_null().all()]
    spec = draw_pairs(groups, "name", known, "Share", list(GROUPS.values()))
    return Figure("chart-groups", "Who bought when", describe_groups(groups), spec)


def _draw_bridge(data: ReportData) -> Figure:
    bridge = data.table("lenses.lens2_bridge")
    named = bridge.with_columns(
        label=pl.col("item").replace_strict(STEPS),
        is_total=pl.col("item").is_in(["window_1", "window_2"]),
        profit=pl.col("profit").fill_null(0.0),
    )
    marks = (
        "" if data.is_window_complete(1) else " (incomplete)",
        "" if data.is_window_complete(2) else " (incomplete)",
    )
    renamed = {
        STEPS[f"window_{w}"]: STEPS[f"window_{w}"] + mark.replace(" ", "|") for w, mark in enumerate(marks, start=1)
    }
    named = named.with_columns(label=pl.col("label").replace(renamed))
    money = data.facts.currency
    sentence = describe_bridge(named, money, marks)
    return Figure("chart-bridge", "The bridge of profit", sentence, draw_bridge(named, money))


def _build_groups(data: ReportData, groups: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "groups",
        "Customers by when they bought",
        groups,
        [
            label("name", "Group"),
            counts("customers", "Customers"),
            shares("share_customers", "Share"),
            amounts("profit_1", "Profit before", money),
            amounts("profit_2", "Profit latest", money),
            amounts("profit_per_customer_1", "Per customer before", money),
            amounts("profit_per_customer_2", "Per customer latest", money),
            decimals("aof_1", "AOF before"),
            decimals("aof_2", "AOF latest"),
            amounts("aov_1", "AOV before", money),
            amounts("aov_2", "AOV latest", money),
            *(
                [shares("margin_1", "Margin before"), shares("margin_2", "Margin latest")]
                if _has_margins(groups)
                else []
            ),
        ],
        csv=data.exact("lenses.lens2_groups"),
        csv_name=f"lens2_groups_{data.facts.as_of}.csv",
        note=f"Before: {describe_window(data, 1)}. Latest: {describe_window(data, 2)}.",
    )


def _build_bridge(data: ReportData) -> Table:
    named = (
        data.table("lenses.lens2_bridge")
        .sort("step")
        .with_columns(label=pl.col("item").replace_strict(STEPS).str.replace("|", " ", literal=True))
    )
    return build_table(
        "bridge",
        "The bridge of profit, step by step",
        named,
        [label("label", "Step"), amounts("profit", "Profit", data.facts.currency)],
        csv=data.exact("lenses.lens2_bridge"),
        csv_name=f"lens2_bridge_{data.facts.as_of}.csv",
        sortable=False,
    )
