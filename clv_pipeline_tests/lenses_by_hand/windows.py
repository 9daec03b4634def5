"""Lenses 1 and 2 as the specification has them: tables over the customers active in a window, or in two.

Belongs here: one function a table, named as it, that gives its rows. Does not belong here: cohorts.
"""

import statistics
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product

from clv_pipeline_tests.lenses_by_hand.example import Customer, Total
from clv_pipeline_tests.lenses_by_hand.reading import (
    Base,
    Row,
    add,
    describe,
    find_thresholds,
    list_active,
    measure,
    money,
    place,
    ratio,
    share,
    summarise,
    sums,
)

DIRECTED = ("profit", "orders", "spend_per_order", "margin")


def headline(base: Base) -> Row:
    """Lens 1, item 1; lens 2, item 1."""
    whole, number = add(base.values()), len(base)
    return {
        "customers": number,
        **describe(number, whole),
        "spend_per_customer": ratio(whole.spend, 100 * number),
        "profit_per_customer": ratio(whole.profit, 100 * number),
    }


def changes(before: Base, after: Base) -> Iterator[Row]:
    """Lens 2, item 1: from one headline to the other."""
    then, now = headline(before), headline(after)
    for name in then:
        old, new = Fraction(str(then[name])), Fraction(str(now[name]))
        change = new - old
        yield {
            "measure": name,
            "window_1": old,
            "window_2": new,
            "change": change,
            "relative_change": change / old if old > 0 else None,
        }


def distributions(base: Base) -> dict[str, dict[str, Fraction]]:
    """Lens 1, item 2: the values of each measure by customer."""
    measured = {name: measure(total) for name, total in base.items()}
    return {m: {n: values[m] for n, values in measured.items() if m in values} for m in measure(Total(1, 1, 1))}


def statistics_of(base: Base) -> Iterator[Row]:
    """Lens 1, items 2 and 3 (the correlation)."""
    values = distributions(base)
    for name, by_customer in values.items():
        for statistic, value in summarise(by_customer.values()).items():
            yield {"measure": name, "statistic": statistic, "value": value}
    pairs = [(float(values["orders"][name]), float(values["spend_per_order"][name])) for name in base]
    correlation = statistics.correlation(*zip(*pairs, strict=True))
    yield {"measure": "spend_per_order", "statistic": "correlation_with_orders", "value": correlation}
    for name, statistic, number in (
        ("orders", "bought_once", sum(total.orders == 1 for total in base.values())),
        ("profit", "lost_money", sum(total.profit < 0 for total in base.values())),
        ("spend", "zero_spend", sum(total.spend == 0 for total in base.values())),
    ):
        yield {"measure": name, "statistic": statistic, "value": number}
        yield {"measure": name, "statistic": f"share_{statistic}", "value": ratio(number, len(base))}


def spend_by_orders(base: Base) -> Iterator[Row]:
    """Lens 1, item 3."""
    for count in range(1, 11):
        group = [total for total in base.values() if min(total.orders, 10) == count]
        whole = add(group)
        each = [measure(total)["spend_per_order"] for total in group]
        yield {
            "number_of_orders": str(count) if count < 10 else "10+",
            "customers": len(group),
            "share_customers": ratio(len(group), len(base)),
            **sums(whole),
            "aov": ratio(whole.spend, 100 * whole.orders),
            **{f"{name}_spend_per_order": value for name, value in _spread(each).items()},
        }


def _spread(each: Sequence[Fraction]) -> dict[str, Fraction | float | None]:
    found = summarise(each) if each else {}
    deviation = statistics.stdev(map(float, each)) if len(each) > 1 else None
    return {name: found.get(name) for name in ("mean", "min", "p05", "median", "p95", "max")} | {"sd": deviation}


def concentration(base: Base) -> Iterator[Row]:
    """Lens 1, item 4: what the best bring, and how many bring half."""
    for field in ("profit", "spend"):
        cents = sorted((getattr(total, field) for total in base.values()), reverse=True)
        whole = sum(cents)
        half = next(n for n in range(len(cents) + 1) if 2 * sum(cents[:n]) >= whole)
        cuts = {f"top {percent}%": -(-len(cents) * percent // 100) for percent in (1, 5, 10, 20, 50)}
        for cut, number in (cuts | {"half of the total": half}).items():
            yield {
                "measure": field,
                "cut": cut,
                "customers": number,
                "share_customers": ratio(number, len(cents)),
                "value": money(sum(cents[:number])),
                "share_value": ratio(sum(cents[:number]), whole),
            }


def rfm(customers: list[Customer], window: range) -> Iterator[Row]:
    """Lens 1, item 6: the quarter of the last order by the number of orders."""
    base = list_active(customers, window)
    last = {c.id: max(q for q in window if q in c.quarters) for c in customers if c.id in base}
    for quarter, count in product(window, range(1, 11)):
        group = [total for name, total in base.items() if last[name] == quarter and min(total.orders, 10) == count]
        yield {
            "last_active_to": f"{2016 + quarter // 4}-{quarter % 4 * 3 + 3:02d}",
            "number_of_orders": str(count) if count < 10 else "10+",
            "customers": len(group),
            "share_customers": ratio(len(group), len(base)),
            **sums(add(group)),
        }


def rfm_monetary(base: Base, edges: Sequence[float]) -> Iterator[Row]:
    """Lens 1, item 6: bands of a customer's own profit per order."""
    bands = {name: place(money(total.profit) / total.orders, edges) for name, total in base.items()}
    for band in range(len(edges) + 1):
        group = [base[name] for name in base if bands[name] == band]
        row: Row = {"band": band, "customers": len(group), "share_customers": ratio(len(group), len(base))}
        yield row | sums(add(group))


def group_customers(customers: list[Customer], first: range, second: range) -> dict[str, str]:
    """Lens 2, item 2: who bought when; new customers were acquired in the second window."""
    in_first, in_second = list_active(customers, first), list_active(customers, second)
    quarters = {c.id: c.quarter for c in customers}
    return {
        name: ("both" if name in in_second else "first_only")
        if name in in_first
        else ("new" if quarters[name] in second else "returning")
        for name in in_first | in_second
    }


def groups(customers: list[Customer], first: range, second: range) -> Iterator[Row]:
    """Lens 2, items 2 and 4."""
    names = group_customers(customers, first, second)
    windows = {"_1": list_active(customers, first), "_2": list_active(customers, second)}
    for group in ("first_only", "both", "new", "returning"):
        members = [name for name in names if names[name] == group]
        row: Row = {"customer_group": group, "customers": len(members)}
        row["share_customers"] = ratio(len(members), len(names))
        for suffix, base in windows.items():
            active, whole = [base[name] for name in members if name in base], add(base.values())
            total = add(active)
            row[f"share_customers{suffix}"] = ratio(len(active), len(base))
            row |= share(total, whole, suffix) | describe(len(active), total, suffix)
            row[f"profit_per_customer{suffix}"] = ratio(total.profit, 100 * len(active))
            del row[f"share_orders{suffix}"]
        yield row


def bridge(customers: list[Customer], first: range, second: range) -> Iterator[Row]:
    """Lens 2, item 3."""
    names = group_customers(customers, first, second)
    before, after = list_active(customers, first), list_active(customers, second)

    def earn(base: Base, group: str) -> int:
        return add(base[name] for name in base if names[name] == group).profit

    items = {
        "window_1": add(before.values()).profit,
        "did_not_return": -earn(before, "first_only"),
        "change_in_both": earn(after, "both") - earn(before, "both"),
        "new": earn(after, "new"),
        "returning": earn(after, "returning"),
        "window_2": add(after.values()).profit,
    }
    for step, (item, cents) in enumerate(items.items(), start=1):
        yield {"step": step, "item": item, "profit": money(cents)}


def cut_off(later: Base, step: int) -> list[int]:
    """Lens 2, item 5: the thresholds of the later window's value deciles, rounded half up to `step` cents."""
    return [(2 * cents + step) // (2 * step) * step for cents in find_thresholds(later)]


def cut_commonly(base: Base, later: Base, step: int) -> dict[str, int]:
    """The decile of each customer on these cut-offs."""
    floors = cut_off(later, step)
    return {name: 1 + sum(total.profit <= floor for floor in floors) for name, total in base.items()}


def common_deciles(before: Base, after: Base, step: int) -> Iterator[Row]:
    """Lens 2, item 5: both windows by the same cut-offs."""
    floors = [money(cents) for cents in cut_off(after, step)]
    for number, base in ((1, before), (2, after)):
        deciles, whole = cut_commonly(base, after, step), add(base.values())
        for decile, lower, upper in zip(range(1, 11), [*floors, None], [None, *floors], strict=True):
            group = [base[name] for name in base if deciles[name] == decile]
            yield {
                "window_number": number,
                "decile": decile,
                "lower": lower,
                "upper": upper,
                "customers": len(group),
                "share_customers": ratio(len(group), len(base)),
                "profit": money(add(group).profit),
                "share_profit": ratio(add(group).profit, whole.profit),
            }


def migration(customers: list[Customer], first: range, second: range, step: int) -> Iterator[Row]:
    """Lens 2, item 5: the table of those in both windows, and its margins."""
    before, after = list_active(customers, first), list_active(customers, second)
    old, new = cut_commonly(before, after, step), cut_commonly(after, after, step)
    ten = range(1, 11)
    for decile_1, decile_2 in [*product(ten, ten), *product(ten, [None]), *product([None], ten)]:
        names = [n for n in before | after if (old.get(n), new.get(n)) == (decile_1, decile_2)]
        yield {
            "decile_1": decile_1,
            "decile_2": decile_2,
            "customers": len(names),
            "share_of_decile_1": ratio(len(names), sum(d == decile_1 for d in old.values())) if decile_1 else None,
            "profit_1": money(add(before.get(n, Total()) for n in names).profit),
            "profit_2": money(add(after.get(n, Total()) for n in names).profit),
        }


def up_down(before: Base, after: Base) -> Iterator[Row]:
    """Lens 2, item 6."""
    both = before.keys() & after.keys()
    found = {name: tuple(_list_directions(before[name], after[name])) for name in both}
    for directions in set(found.values()):
        names = [name for name in both if found[name] == directions]
        profits = [add(base[name] for name in names).profit for base in (before, after)]
        yield {
            **{f"{name}_direction": word for name, word in zip(DIRECTED, directions, strict=True)},
            "pattern": "".join("U" if word in {"up", "same"} else "D" for word in directions),
            "customers": len(names),
            "share_customers": ratio(len(names), len(both)),
            "profit_1": money(profits[0]),
            "profit_2": money(profits[1]),
        }


def _list_directions(before: Total, after: Total) -> Iterator[str]:
    old, new = measure(before), measure(after)
    for name in DIRECTED:
        known = name in old and name in new
        yield ("up" if old[name] < new[name] else "down" if old[name] > new[name] else "same") if known else "undefined"
