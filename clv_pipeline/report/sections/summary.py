"""Summary: the headline of the latest window, what moved it, and how far the figures can be trusted."""

import math

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Card, Cards, Note, Section, empty_section
from clv_pipeline.report.facts import ReportData, Totals, add_up
from clv_pipeline.report.sections.trust import describe_trust

_ID, _TITLE = "at-a-glance", "At a glance"
_FACTORS = {
    "customers": "the number of active customers",
    "aof": "orders per customer (AOF)",
    "aov": "spend per order (AOV)",
    "margin": "margin",
}


def build_headline(data: ReportData) -> Section:
    """Cards, three or four sentences, and what to know before comparing."""
    now = data.window_2
    if now is None or now.orders == 0:
        return empty_section(_ID, _TITLE, f"There is no order in the window that ends in {n.month(data.facts.as_of)}.")
    cautions = describe_gaps(data)
    sentences = [describe_headline(data, now), *describe_change(data), *describe_concentration(data)]
    blocks: list[Block] = [Cards(build_cards(data, now)), Note([*sentences, describe_trust(data)])]
    if cautions:
        blocks.insert(0, Note(cautions, caution=True))
    return Section(_ID, _TITLE, blocks)


def build_cards(data: ReportData, now: Totals) -> list[Card]:
    """Headline numbers, each with its change since the window before where both windows are complete."""
    before = data.window_1.measures if data.window_1 and data.is_comparable else None
    money = data.facts.currency
    after = now.measures
    labels = {
        "customers": ("Active customers", n.count(after["customers"])),
        "orders": ("Orders", n.count(after["orders"])),
        "spend": ("Spend", n.money(after["spend"], money)),
        "profit": ("Profit", n.money(after["profit"], money)),
        "aof": ("AOF", n.plain(after["aof"] or 0, 2)),
        "aov": ("AOV", n.money(after["aov"], money)),
        "margin": ("Margin", n.as_shares([after["margin"]])[0]),
        "profit_per_customer": ("Profit per customer", n.money(after["profit_per_customer"], money)),
    }
    return [
        Card(text, value, describe_move(name, before, after) if before else "")
        for name, (text, value) in labels.items()
    ]


def describe_move(name: str, before: dict[str, float | None], after: dict[str, float | None]) -> str:
    """'up 12% on the window before'; margin moves in percentage points."""
    if name != "margin":
        moved = n.change_words(n.change(before[name], after[name]))
        return f"{moved} on the window before" if moved.startswith(("up", "down")) else moved
    old, new = before[name], after[name]
    if old is None or new is None:
        return ""
    points = 100 * (new - old)
    if abs(points) < 0.05:
        return "unchanged"
    return f"{'up' if points > 0 else 'down'} {abs(points):.1f} points on the window before"


def describe_gaps(data: ReportData) -> list[str]:
    """What is incomplete, so that nobody compares it by mistake."""
    facts, gaps = data.facts, []
    since = f": data start in {n.month(data.first_month)}" if data.first_month else ""
    if facts.is_open:
        gaps.append(
            f"{n.month(facts.as_of)} is still open: data reach to {n.day(facts.as_of_end)}, and the figures of this "
            "month will grow."
        )
    elif data.window_2 is not None and not data.is_window_complete(2):
        gaps.append(f"The latest window ({describe_window(data, 2)}) is not covered by data in full{since}.")
    if data.window_1 is not None and not data.is_window_complete(1):
        gaps.append(
            f"The window before ({describe_window(data, 1)}) is not covered by data in full{since}. No change against "
            "it is stated here."
        )
    return gaps


def describe_window(data: ReportData, window: int) -> str:
    """'July 1997 to June 1998'; one month for a window of a month."""
    first, last = data.window_bounds[window]
    return n.month(last) if first == last else f"{n.month(first)} to {n.month(last)}"


def describe_headline(data: ReportData, now: Totals) -> str:
    """The window in one sentence."""
    money = data.facts.currency
    margin = now.measures["margin"]
    rate = f", {n.share(margin)} of spend" if margin is not None else ""
    verb = "was" if now.customers == 1 else "were"
    return (
        f"In {describe_window(data, 2)}, {n.plural(now.customers, 'customer')} {verb} active: "
        f"{n.plural(now.orders, 'order')} for {n.money(now.spend, money)} brought "
        f"{n.money(now.profit, money)} of profit{rate}."
    )


def describe_change(data: ReportData) -> list[str]:
    """How profit moved, and which factor of customers x AOF x AOV x margin moved most."""
    if not data.is_comparable or data.window_1 is None or data.window_2 is None:
        return []
    before, after = data.window_1.measures, data.window_2.measures
    moved = n.change(before["profit"], after["profit"])
    if moved is None:
        return []
    money = data.facts.currency
    text = (
        f"Profit is {n.change_words(moved)} on the window before "
        f"({n.money(before['profit'], money)} to {n.money(after['profit'], money)})"
    )
    sizes = {name: _log_change(before[name], after[name]) for name in _FACTORS}
    main = max(sizes, key=lambda name: abs(sizes[name]))
    if abs(moved) < 0.0005 or sizes[main] == 0:
        return [f"{text}."]
    step = n.change_words(math.expm1(sizes[main]))
    return [f"{text}; of its factors, {_FACTORS[main]} moved most, {step}."]


def describe_concentration(data: ReportData) -> list[str]:
    """How much of the profit is from the best tenth of customers and from new ones."""
    sentences = []
    deciles = data.table("lenses.lens1_customer_deciles")
    now = data.window_2
    if now is not None and now.customers >= 10 and now.profit > 0 and not deciles.is_empty():
        top = deciles.filter(pl.col("decile") == 1)["share_profit"].sum()
        sentences.append(f"The most profitable tenth of customers brings {n.share(top)} of the profit.")
    groups = data.table("lenses.lens2_groups")
    if now is not None and now.profit > 0 and not groups.is_empty():
        new = add_up(groups.filter(pl.col("customer_group") == "new"), "profit_2")
        who = "customers acquired within the window"
        sentences.append(f"{n.share(new / now.profit)} of the profit came from {who}.")
    return sentences


def _log_change(before: float | None, after: float | None) -> float:
    return math.log(after / before) if before and after and before > 0 and after > 0 else 0.0
