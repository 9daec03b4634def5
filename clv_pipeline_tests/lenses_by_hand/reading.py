"""What every lens is read with: exact totals and ratios, ranks, deciles and percentiles, in plain Python.

Belongs here: definitions that several lenses share, written from the specification and never from the pipeline's code.
Money is a Fraction of the currency, a ratio without a divisor is None.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from clv_pipeline_tests.lenses_by_hand.example import QUARTERS, Customer, Total

type Row = dict[str, object]
type Base = dict[str, Total]
STEPS = {"quarter": 1, "year": 4}
EVER = range(QUARTERS)


def add(totals: Iterable[Total]) -> Total:
    """The sum of totals."""
    listed = list(totals)
    return Total(*(sum(column) for column in zip(*listed, strict=True))) if listed else Total()


def ratio(part: float, whole: float) -> Fraction | None:
    """part / whole, exactly."""
    return Fraction(part) / Fraction(whole) if whole else None


def money(cents: int) -> Fraction:
    """Cents in the currency."""
    return Fraction(cents, 100)


def list_active(customers: Iterable[Customer], quarters: Iterable[int]) -> Base:
    """What customers with an order in the quarters did in them."""
    wanted = list(quarters)
    found = {c.id: add(c.quarters[q] for q in wanted if q in c.quarters) for c in customers}
    return {name: total for name, total in found.items() if total.orders}


def describe(number: int, total: Total, suffix: str = "") -> Row:
    """Sums and the averages of the identity, for `number` customers."""
    row = {
        **sums(total),
        "aof": ratio(total.orders, number),
        "aov": ratio(total.spend, 100 * total.orders),
        "margin": ratio(total.profit, total.spend),
    }
    return {name + suffix: value for name, value in row.items()}


def sums(total: Total) -> Row:
    """Orders, spend and profit."""
    return {"orders": total.orders, "spend": money(total.spend), "profit": money(total.profit)}


def share(part: Total, whole: Total, suffix: str = "") -> Row:
    """The parts of a total in orders, spend and profit."""
    return {f"share_{name}{suffix}": ratio(*pair) for name, *pair in zip(Total._fields, part, whole, strict=True)}


def rank(base: Mapping[str, Total]) -> list[str]:
    """Customers by profit, largest first, ties by id."""
    return sorted(base, key=lambda name: (-base[name].profit, name))


def cut_customers(base: Mapping[str, Total]) -> dict[str, int]:
    """The customer decile of each."""
    return {name: 10 * before // len(base) + 1 for before, name in enumerate(rank(base))}


def cut_value(base: Mapping[str, Total]) -> dict[str, int]:
    """The value decile of each: who earned more than the threshold of a decile lies in it or in a better one."""
    thresholds = find_thresholds(base)
    return {name: 1 + sum(total.profit <= threshold for threshold in thresholds) for name, total in base.items()}


def find_thresholds(base: Mapping[str, Total]) -> list[int]:
    """The profit of the customer, best first, with whom the cumulated profit passes 1 to 9 tenths of all."""
    whole, so_far, found = add(base.values()).profit, 0, []
    for name in rank(base):
        so_far += base[name].profit
        while len(found) < 9 and 10 * so_far > (len(found) + 1) * whole:
            found.append(base[name].profit)
    return found


def describe_deciles(base: Mapping[str, Total], deciles: Mapping[str, int]) -> list[Row]:
    """A row for each decile with customers: sums, shares, averages, and the profits at its ends."""
    whole, rows = add(base.values()), []
    for decile in sorted(set(deciles.values())):
        names = [name for name in base if deciles[name] == decile]
        total = add(base[name] for name in names)
        profits = [base[name].profit for name in names]
        rows.append(
            {"decile": decile, "customers": len(names), "share_customers": ratio(len(names), len(base))}
            | describe(len(names), total)
            | share(total, whole)
            | {"highest_profit": money(max(profits)), "lowest_profit": money(min(profits))}
            | {"profit_per_customer": ratio(total.profit, 100 * len(names))}
            | {"spend_per_customer": ratio(total.spend, 100 * len(names))}
        )
    for row, following in pairwise([*rows, {"highest_profit": None}]):
        row["threshold"] = following["highest_profit"]
    return rows


def measure(total: Total) -> dict[str, Fraction]:
    """The measures of one customer's distributions; no margin without spend."""
    found = {
        "spend": money(total.spend),
        "profit": money(total.profit),
        "orders": Fraction(total.orders),
        "spend_per_order": money(total.spend) / total.orders,
    }
    return found | ({"margin": Fraction(total.profit, total.spend)} if total.spend else {})


def percentile(values: Sequence[Fraction], percent: int) -> Fraction:
    """PERCENTILE.INC of sorted values."""
    place = Fraction((len(values) - 1) * percent, 100)
    below, above = values[math.floor(place)], values[math.ceil(place)]
    return below + (above - below) * (place - math.floor(place))


def summarise(values: Iterable[Fraction]) -> dict[str, Fraction]:
    """The statistics of a distribution."""
    listed = sorted(values)
    mean = sum(listed, Fraction()) / len(listed)
    return {
        "min": listed[0],
        "max": listed[-1],
        "mean": mean,
        "median": percentile(listed, 50),
        "share_below_mean": Fraction(sum(value < mean for value in listed), len(listed)),
        **{f"p{percent:02d}": percentile(listed, percent) for percent in range(5, 100, 5)},
    }


def place(value: Fraction, edges: Sequence[float]) -> int:
    """The bin of a value over `edges`, which start at 0: 0 below zero, else (lower, upper], zero in the first."""
    return 0 if value < 0 else max(bisect_left(edges, value), 1)


def count_bins(values: Iterable[Fraction], edges: Sequence[float]) -> list[Row]:
    """Values by bin over `edges`; the last is open."""
    places = [place(value, edges) for value in values]
    ends = [(None, 0), *pairwise(edges), (edges[-1], None)]
    return [
        {
            "bin": n,
            "lower": lower,
            "upper": upper,
            "customers": places.count(n),
            "share": ratio(places.count(n), len(places)),
        }
        for n, (lower, upper) in enumerate(ends)
    ]


def split_periods(grain: str) -> list[range]:
    """The quarters of each calendar period of the data."""
    return [range(start, start + STEPS[grain]) for start in range(0, QUARTERS, STEPS[grain])]


def label(quarters: range) -> str:
    """The name of a calendar period."""
    year, quarter = 2016 + quarters[0] // 4, quarters[0] % 4 + 1
    return str(year) if len(quarters) == 4 else f"{year}Q{quarter}"
