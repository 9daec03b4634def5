"""Lenses 3 to 5 as the specification has them: tables by cohort, age and calendar period.

Belongs here: one function a table, named as it, that gives its rows. Does not belong here: windows (`windows.py`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from clv_pipeline_tests.lenses_by_hand.example import QUARTERS, Customer, Total
from clv_pipeline_tests.lenses_by_hand.reading import (
    EVER,
    STEPS,
    Row,
    add,
    count_bins,
    cut_value,
    describe,
    describe_deciles,
    label,
    list_active,
    measure,
    money,
    place,
    ratio,
    share,
    split_periods,
    summarise,
    sums,
)

BEFORE = "before 2016-01"
COMPARED = ("pct_active", "aof", "aov", "margin", "profit_per_active", "profit_per_acquired", "profit_index")


def split_cohorts(customers: list[Customer], grain: str) -> dict[str, list[Customer]]:
    """Customers who ever ordered by the period of acquisition; those from before the data together."""
    cohorts: dict[str, list[Customer]] = defaultdict(list)
    for c in customers:
        start = c.quarter // STEPS[grain] * STEPS[grain]
        if c.quarters:
            cohorts[BEFORE if c.quarter < 0 else label(range(start, start + STEPS[grain]))].append(c)
    return dict(sorted(cohorts.items()))


def list_ages(cohort: str, grain: str) -> list[range]:
    """The periods of a cohort from its first one in the data on: its age counts them from 0."""
    periods = split_periods(grain)
    return periods if cohort == BEFORE else periods[[label(p) for p in periods].index(cohort) :]


def cohort_grid(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 1; lens 4, items 1 and 2: factors by cohort and age, and what they come to per acquired customer."""
    for cohort, members in split_cohorts(customers, grain).items():
        size = None if cohort == BEFORE else len(members)
        periods = list_ages(cohort, grain)
        first = add(list_active(members, periods[0]).values()).profit
        for age, period in enumerate(periods):
            base, so_far = list_active(members, period), list_active(members, range(period.stop))
            total, to_date = add(base.values()), add(so_far.values())
            twice = sum(total.orders >= 2 for total in so_far.values())
            yield {
                "cohort": cohort,
                "age": age,
                "calendar_period": label(period),
                "cohort_size": size,
                "active": len(base),
                **describe(len(base), total),
                "pct_active": size and ratio(len(base), size),
                "profit_per_active": ratio(total.profit, 100 * len(base)),
                "profit_index": size and ratio(total.profit, first),
                "profit_per_acquired": size and ratio(total.profit, 100 * size),
                "cumulative_spend_per_acquired": size and ratio(to_date.spend, 100 * size),
                "cumulative_profit_per_acquired": size and ratio(to_date.profit, 100 * size),
                "pct_second_order": size and ratio(twice, size),
            }


def second_purchase(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 2: customers with a second order by age."""
    for row in cohort_grid(customers, grain):
        if row["cohort"] != BEFORE:
            yield {"cohort": row["cohort"], "age": row["age"], "share_customers": row["pct_second_order"]}


def repeat_buying(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 3; lens 5, item 2: of those active in a period, the share active in the next."""
    cohorts = split_cohorts(customers, grain) | {"all": customers}
    for cohort, members in cohorts.items():
        periods = split_periods(grain) if cohort == "all" else list_ages(cohort, grain)
        for period, following in pairwise(periods):
            base = list_active(members, period)
            again = len(base.keys() & list_active(members, following).keys())
            yield {
                "cohort": cohort,
                "calendar_period": label(period),
                "next_period": label(following),
                "active": len(base),
                "active_again": again,
                "repeat_buying_rate": ratio(again, len(base)),
            }


def activity_patterns(customers: list[Customer], grain: str, alignment: str) -> Iterator[Row]:
    """Lens 3, item 4: a letter for each year, from the cohort's first period or from its calendar year on.

    Y for an order in the year; in `repeat_pattern` the first year needs two.
    """
    for cohort, members in split_cohorts(customers, grain).items():
        start = list_ages(cohort, grain)[0].start
        years = range(start if alignment == "age" else start // 4 * 4, QUARTERS, 4)
        orders = [
            [sum(c.quarters[q].orders for q in range(y, y + 4) if q in c.quarters) for y in years] for c in members
        ]
        patterns = Counter((_spell(n > 0 for n in of), _spell([of[0] > 1, *(n > 0 for n in of[1:])])) for of in orders)
        for (pattern, repeated), number in patterns.items() if cohort != BEFORE else ():
            yield {
                "cohort": cohort,
                "pattern": pattern,
                "repeat_pattern": repeated,
                "years": len(years),
                "seen_again": "Y" in repeated,
                "customers": number,
                "cohort_size": len(members),
                "share_customers": ratio(number, len(members)),
            }


def _spell(answers: Iterable[bool]) -> str:
    return "".join("Y" if answer else "N" for answer in answers)


def value_deciles(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 5: deciles of profit to date."""
    for cohort, members in split_cohorts(customers, grain).items():
        base = list_active(members, EVER)
        for row in describe_deciles(base, cut_value(base)) if cohort != BEFORE else ():
            yield {"cohort": cohort, **row}


def value_decile_activity(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 5: who of a decile was active by year since acquisition."""
    for cohort, members in split_cohorts(customers, grain).items():
        deciles = cut_value(list_active(members, EVER))
        starts = range(list_ages(cohort, grain)[0].start, QUARTERS, 4)
        for year, start in enumerate(starts, start=1) if cohort != BEFORE else ():
            base = list_active(members, range(start, start + 4))
            for decile, number in Counter(deciles.values()).items():
                active = sum(deciles[name] == decile for name in base)
                row: Row = {"cohort": cohort, "decile": decile, "year": year}
                yield row | {"customers": number, "active": active, "pct_active": ratio(active, number)}


def value_statistics(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 3, item 5: the distribution of value to date."""
    for cohort, members in split_cohorts(customers, grain).items():
        each = [measure(total) for total in list_active(members, EVER).values()]
        for name in measure(Total(1, 1, 1)) if cohort != BEFORE else ():
            for statistic, value in summarise(one[name] for one in each if name in one).items():
                yield {"cohort": cohort, "measure": name, "statistic": statistic, "value": value}


def value_histogram(customers: list[Customer], grain: str, edges: dict[tuple[str, str], list[float]]) -> Iterator[Row]:
    """Lens 3, item 5: value to date in the bins given by cohort and measure."""
    for cohort, members in split_cohorts(customers, grain).items():
        each = [measure(total) for total in list_active(members, EVER).values()]
        for name in ("profit", "spend", "orders") if cohort != BEFORE else ():
            for row in count_bins((one[name] for one in each), edges[cohort, name]):
                yield {"cohort": cohort, "measure": name, "share_customers": row.pop("share"), **row}


def rfm(customers: list[Customer], grain: str, bands: Sequence[float]) -> Iterator[Row]:
    """Lens 3, item 6: last active period, number of orders (6 and more together), band of profit per order."""
    for cohort, members in split_cohorts(customers, grain).items():
        groups: dict[tuple[str, int, int], list[Total]] = defaultdict(list)
        for c in members if cohort != BEFORE else ():
            total = add(c.quarters.values())
            last = next(label(p) for p in split_periods(grain) if max(c.quarters) in p)
            band = place(money(total.profit) / total.orders, bands)
            groups[last, min(total.orders, 6), band].append(total)
        for (last, frequency, band), totals in groups.items():
            row: Row = {"cohort": cohort, "last_active": last, "frequency": frequency, "profit_band": band}
            yield row | {"customers": len(totals), **sums(add(totals))}


def comparison(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 4, item 1: each cohort against all earlier ones together, at the same age and in the same period."""
    rows = [row for row in cohort_grid(customers, grain) if row["cohort"] != BEFORE]
    cohorts = split_cohorts(customers, grain)
    starts = {cohort: list_ages(cohort, grain)[0].start for cohort in cohorts if cohort != BEFORE}
    names = list(starts)
    for row in rows:
        age = int(str(row["age"]))
        for alignment in ("age", "calendar"):
            size, active, total, first = 0, 0, Total(), 0
            for earlier in names[: names.index(str(row["cohort"]))]:
                own = list_ages(earlier, grain)
                now = own[age] if alignment == "age" else next(p for p in own if label(p) == row["calendar_period"])
                base = list_active(cohorts[earlier], now)
                size, active, total = size + len(cohorts[earlier]), active + len(base), add([total, *base.values()])
                first += add(list_active(cohorts[earlier], own[0]).values()).profit
            pooled = {
                **describe(active, total),
                "pct_active": ratio(active, size),
                "profit_per_active": ratio(total.profit, 100 * active),
                "profit_per_acquired": ratio(total.profit, 100 * size),
                "profit_index": ratio(total.profit, first),
            }
            for name in COMPARED:
                key = {"alignment": alignment, "cohort": row["cohort"], "age": age, "measure": name}
                yield key | {"value": row[name], "earlier_value": pooled[name] if size else None}


def trend(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 4, item 3: newer half of the cohorts and older half at equal age, less a middle one."""
    cohorts = {name: members for name, members in split_cohorts(customers, grain).items() if name != BEFORE}
    for age in range(QUARTERS // STEPS[grain]):
        old_enough = [name for name in cohorts if age < len(list_ages(name, grain))]
        half = len(old_enough) // 2
        if half:
            halves = [old_enough[:half], old_enough[-half:]]
            older, newer = (_pool({name: cohorts[name] for name in names}, age, grain) for names in halves)
            for name in older:
                yield {"age": age, "measure": name, "older": older[name], "newer": newer[name]}


def _pool(cohorts: dict[str, list[Customer]], age: int, grain: str) -> Row:
    size = sum(map(len, cohorts.values()))
    ages = {name: list_ages(name, grain)[: age + 1] for name in cohorts}
    now = [total for name in cohorts for total in list_active(cohorts[name], ages[name][age]).values()]
    so_far = [total for name in cohorts for p in ages[name] for total in list_active(cohorts[name], p).values()]
    row = describe(len(now), add(now))
    return {
        "pct_active": ratio(len(now), size),
        **{name: row[name] for name in ("aof", "aov", "margin")},
        "profit_per_acquired": ratio(add(now).profit, 100 * size),
        "cumulative_profit_per_acquired": ratio(add(so_far).profit, 100 * size),
    }


def cohort_shares(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 5, items 1 and 2: the C3, and what each cohort is of its period."""
    for period in split_periods(grain):
        base = list_active(customers, period)
        whole = add(base.values())
        for cohort, members in split_cohorts(customers, grain).items():
            ages = list_ages(cohort, grain)
            if period not in ages:
                continue
            own = list_active(members, period)
            before = list_active(members, ages[ages.index(period) - 1]) if period != ages[0] else {}
            total, again = add(own.values()), len(own.keys() & before.keys())
            yield {
                "cohort": cohort,
                "calendar_period": label(period),
                "acquired": sum(c.quarter in period for c in members),
                "active": len(own),
                "active_again": again,
                "repeat_buying_rate": ratio(again, len(before)),
                "active_to_before": ratio(len(own), len(before)),
                "profit_to_before": ratio(total.profit, max(add(before.values()).profit, 0)),
                **describe(len(own), total),
                "profit_per_active": ratio(total.profit, 100 * len(own)),
                "share_active": ratio(len(own), len(base)),
                **share(total, whole),
            }


def periods(customers: list[Customer], grain: str) -> Iterator[Row]:
    """Lens 5, items 1 to 3: the base by period, who was acquired in it, and what is carried over."""
    before: dict[str, Total] | None = None
    for period in split_periods(grain):
        base = list_active(customers, period)
        newest = [c for c in customers if c.quarter in period and c.quarters]
        new, whole = list_active(newest, period), add(base.values())
        earlier = whole.profit - add(new.values()).profit
        again = len(base.keys() & (before or {}).keys())
        yield {
            "calendar_period": label(period),
            "acquired": len(newest),
            "active": len(base),
            **describe(len(base), whole),
            "profit_per_active": ratio(whole.profit, 100 * len(base)),
            "active_newest": len(new),
            "share_active_newest": ratio(len(new), len(base)),
            "share_profit_newest": ratio(whole.profit - earlier, whole.profit),
            "profit_earlier": money(earlier),
            "carry_over": ratio(earlier, add(before.values()).profit) if before is not None else None,
            "carry_over_active": ratio(len(base) - len(new), len(before)) if before is not None else None,
            "active_again": again,
            "repeat_buying_rate": ratio(again, len(before)) if before is not None else None,
        }
        before = base
