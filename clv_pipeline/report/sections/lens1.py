"""Lens 1: how different customers are, in one window: the headline and the customer deciles.

Each `build_...` makes one section of the page, or nothing where its table is not there.
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Note, Section, empty_section
from clv_pipeline.report.charts.windows import draw_decile_shares
from clv_pipeline.report.facts import ReportData, Totals, add_up
from clv_pipeline.report.sections.summary import describe_window
from clv_pipeline.report.tables import Table, amounts, build_table, counts, decimals, label, shares


def build_headline(data: ReportData) -> Section:
    """The window in one row."""
    total = data.window_2
    if total is None or total.customers == 0:
        return empty_section("window", "The window", "No customer was active in the window.")
    return Section(
        "window", "The window", [Note([describe_averages(total, data.facts.currency)]), _build_headline(data)]
    )


def build_deciles(data: ReportData) -> Section | None:
    """Profit by customer decile and the decile table."""
    total = data.window_2
    if total is None or total.customers == 0 or not data.has("lenses.lens1_customer_deciles"):
        return None
    deciles = data.table("lenses.lens1_customer_deciles").sort("decile")
    return Section(
        "customer-deciles",
        "Ten equal groups of customers",
        [_draw_deciles(data, deciles), _build_deciles(data, deciles)],
    )


def describe_averages(total: Totals, currency: str) -> str:
    """The identity of the window in numbers: customers x AOF x AOV x margin = profit."""
    measures = total.measures
    if measures["aof"] is None or measures["aov"] is None or measures["margin"] is None:
        return f"{n.plural(total.customers, 'customer')} with {n.plural(total.orders, 'order')} and no spend."
    return (
        f"{n.plural(total.customers, 'active customer')} x {n.plain(measures['aof'], 2)} orders each (AOF) x "
        f"{n.money(measures['aov'], currency)} an order (AOV) x {n.as_shares([measures['margin']])[0]} margin = "
        f"{n.money(total.profit, currency)} of profit."
    )


def describe_deciles(deciles: pl.DataFrame) -> str:
    """Shares of the top tenth and fifth and the lower half, and why the top differs from the bottom half."""
    profit = deciles["share_profit"]
    text = (
        f"The most profitable 10% of customers bring {n.share(profit[0])} of the profit, the top 20% "
        f"{n.share(profit.head(2).sum())} and the lower half {n.share(profit.tail(5).sum())}"
    )
    low = deciles.filter(pl.col("decile") > 5)
    orders, customers, spend = (add_up(low, name) for name in ("orders", "customers", "spend"))
    top = deciles.row(0, named=True)
    if not orders or not customers or spend <= 0 or not top["aof"] or not top["aov"]:
        return f"{text}."
    often = n.significant(top["aof"] / (orders / customers), 2)
    more = n.significant(top["aov"] / (spend / orders), 2)
    return (
        f"{text}; the top 10% order {often} times as often as the lower half and spend {more} times as much an order."
    )


def _draw_deciles(data: ReportData, deciles: pl.DataFrame) -> Block:
    total = data.window_2
    if deciles["customers"].sum() < 10:
        return Note(["With fewer than ten active customers there are no ten deciles to compare."])
    if total is None or total.profit <= 0:
        return Note(["The window made no profit, so there are no shares of profit to show."])
    return Figure(
        "chart-deciles",
        f"Share of profit by customer decile, {describe_window(data, 2)}",
        describe_deciles(deciles),
        draw_decile_shares(deciles, "share_profit", "Share of profit", "Customer decile (1 = most profit)"),
    )


def _build_deciles(data: ReportData, deciles: pl.DataFrame) -> Table:
    money = data.facts.currency
    return build_table(
        "deciles",
        "Customer deciles",
        deciles,
        [
            label("decile", "Decile"),
            counts("customers", "Customers"),
            shares("share_orders", "Orders, share"),
            shares("share_spend", "Spend, share"),
            shares("share_profit", "Profit, share"),
            amounts("profit", "Profit", money),
            amounts("profit_per_customer", "Profit per customer", money),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
        ],
        csv=data.exact("lenses.lens1_customer_deciles"),
        csv_name=f"lens1_customer_deciles_{data.facts.as_of}.csv",
        note="Each customer decile holds a tenth of the active customers, ranked by profit.",
    )


def _build_headline(data: ReportData) -> Table:
    money = data.facts.currency
    headline = data.table("lenses.lens1_headline").with_columns(window_complete=pl.lit(data.is_window_complete(2)))
    note = f"Value: {data.facts.value_basis}."
    returned = headline["returned_by_inactive"][-1] if "returned_by_inactive" in headline.columns else None
    if returned:
        note += (
            f" Customers without an order in the window returned goods for {n.money(abs(returned), money)}, "
            "which is not in spend."
        )
    return build_table(
        "headline",
        f"Totals and averages, {describe_window(data, 2)}",
        headline,
        [
            label("window_start", "From"),
            label("window_end", "To"),
            label("window_complete", "Complete"),
            counts("customers", "Active customers"),
            counts("orders", "Orders"),
            amounts("spend", "Spend", money),
            amounts("profit", "Profit", money),
            decimals("aof", "AOF"),
            amounts("aov", "AOV", money),
            shares("margin", "Margin"),
            amounts("spend_per_customer", "Spend per customer", money),
            amounts("profit_per_customer", "Profit per customer", money),
        ],
        csv=data.exact("lenses.lens1_headline"),
        csv_name=f"lens1_headline_{data.facts.as_of}.csv",
        note=note,
    )
