"""Whether the data suffice for an audit and for models, asked before either: a traffic light for each question.

Belongs here: the questions with their thresholds, sentences and fixes. Does not belong here: whether the models' own
assumptions hold (`models/gate.py`, which is asked here where both need the same answer), or counting lines.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import polars as pl

from clv_pipeline.clv.models.gate import Finding, judge_history, judge_repeaters

Level = Literal["green", "yellow", "red", "grey"]

CHECKS = (
    "history_covers_horizon",
    "history_covers_a_year",
    "customers_come_back",
    "days_have_orders",
    "lines_name_customers",
    "no_order_dominates",
    "returns_are_few",
    "orders_are_not_repeated",
    "orders_come_by_day",
)
FRESHNESS = "data_are_fresh"
LEVELS = ("green", "yellow", "red", "grey")
SCHEMA = {
    "check": pl.String,
    "level": pl.String,
    "value": pl.Float64,
    "threshold": pl.Float64,
    "sentence": pl.String,
    "fix": pl.String,
}
# What each question is about, and where its light is green.
TITLES = {
    FRESHNESS: ("Freshness", "at most {:.0f} days old"),
    CHECKS[0]: ("History against horizon", "at least {:.0f} months"),
    CHECKS[1]: ("A year at least", "at least {:.0f} days"),
    CHECKS[2]: ("Customers who come back", "at least {:.0f}"),
    CHECKS[3]: ("Days without an order", "at most {:.0f} in a row"),
    CHECKS[4]: ("Lines without a customer", "at most {:.0%}"),
    CHECKS[5]: ("Outliers", "at most {:.0%} of spend"),
    CHECKS[6]: ("Returns", "at most {:.0%} of what was bought"),
    CHECKS[7]: ("Duplicates", "at most {:.0%} of orders"),
    CHECKS[8]: ("Time zone", "at least {:.0%} from 7 to 22"),
}

_HORIZONS = 2.0
_YEAR, _HALF_A_YEAR = 365.0, 182.0
_FEWEST_REPEATERS = 30
_GAP, _AROUND, _MISSED = (7.0, 31.0), 28, 10.0
_LARGE, _CLASS = 20.0, 1.05
# Where green ends and where red begins: shares of lines, spend and orders.
_UNNAMED, _LARGE_SHARE, _RETURNED, _REPEATED = (0.05, 0.20), (0.05, 0.20), (0.10, 0.30), (0.01, 0.05)
_BY_DAY = (0.5, 0.1)
_FRESH = (7.0, 35.0)
_FEWEST_ORDERS = 50


@dataclass(frozen=True)
class Light:
    """One question: its figure (None where it cannot be told: grey), where green ends, and the fix unless green."""

    check: str
    level: Level
    value: float | None
    threshold: float
    sentence: str
    fix: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of the data up to an as-of month.

    `lines`: lines, without_customer, bought, returned (money). `days`: order_day, orders, at_midnight, by_day, one row
    per day with an order. `sizes`: size_class (logarithm of spend to the base 1.05), orders, spend. `repeated`:
    repeated, orders. `customers`: frequency, one row per customer with an order. `end`: the last day that is seen.
    """

    lines: Mapping[str, Any]
    days: pl.DataFrame
    sizes: pl.DataFrame
    repeated: Mapping[str, Any]
    customers: pl.DataFrame
    end: date
    history_months: int
    horizon_months: int


def judge_sufficiency(found: Evidence) -> list[Light]:
    """A light for each of CHECKS, in their order."""
    return [
        _light_horizon(found),
        _light_year(found),
        _light_repeaters(found),
        _light_days(found),
        _light_customers(found),
        _light_sizes(found),
        _light_returns(found),
        _light_repetition(found),
        _light_hours(found),
    ]


def judge_freshness(last_day: date, today: date) -> Light:
    """Whether the data reach to these days: said when somebody looks and never kept, as it depends on the clock."""
    days = float((today - last_day).days)
    sentence = f"The last day with data is {last_day}, {days:,.0f} days ago."
    fix = "Deliver what came since, or read every figure as of that day."
    return _grade(FRESHNESS, days, _FRESH, sentence, fix)


def tabulate(lights: list[Light]) -> pl.DataFrame:
    """The lights as rows of SCHEMA."""
    return pl.DataFrame([asdict(light) for light in lights], schema=SCHEMA)


def describe_threshold(check: str, threshold: float) -> str:
    """Where the light of a check is green, in words: 'at most 5%'."""
    return TITLES[check][1].format(threshold)


def describe_lights(levels: list[str]) -> str:
    """How many lights are of which colour: '1 red, 2 yellow, 6 green'."""
    counts = [(levels.count(level), level) for level in ("red", "yellow", "green", "grey")]
    return ", ".join(f"{count} {level}" for count, level in counts if count) or "no check"


def _grade(check: str, value: float, limits: tuple[float, float], sentence: str, fix: str) -> Light:
    """Green up to the first limit, red beyond the second; with descending limits the other way round."""
    green, red = limits
    sign = 1 if green <= red else -1
    level: Level = "green" if sign * value <= sign * green else "yellow" if sign * value <= sign * red else "red"
    return Light(check, level, value, green, sentence, None if level == "green" else fix)


def _cannot_tell(check: str, threshold: float, sentence: str) -> Light:
    return Light(check, "grey", None, threshold, sentence)


def _light_horizon(found: Evidence) -> Light:
    finding: Finding = judge_history(found.history_months, found.horizon_months)
    threshold = _HORIZONS * found.horizon_months
    value = float(found.history_months)
    sentence = f"{found.history_months} months of history for a horizon of {found.horizon_months} months."
    if value >= threshold:
        return Light(CHECKS[0], "green", value, threshold, sentence)
    shorter = max(int(found.history_months / _HORIZONS), 1)
    fix = f"Load older deliveries, or set [value] horizon_months = {shorter}."
    return Light(CHECKS[0], "yellow" if finding.passed else "red", value, threshold, sentence, fix)


def _light_year(found: Evidence) -> Light:
    days = 0.0 if found.days.is_empty() else float((found.end - found.days["order_day"][0]).days + 1)
    sentence = f"The data span {days:,.0f} days"
    sentence += ", so that every season is in them." if days >= _YEAR else ": not every season is in them."
    fix = "Load older deliveries; until then, take no season for a trend."
    return _grade(CHECKS[1], days, (_YEAR, _HALF_A_YEAR), sentence, fix)


def _light_repeaters(found: Evidence) -> Light:
    finding = judge_repeaters(found.customers)
    value = finding.value or 0.0
    level: Level = "green" if finding.passed else "yellow" if value >= _FEWEST_REPEATERS else "red"
    fix = "Load more history or more customers; check that [source.columns] customer_id is the customer, not the order."
    return Light(CHECKS[2], level, value, finding.threshold, finding.sentence, None if finding.passed else fix)


def _light_days(found: Evidence) -> Light:
    """The longest stretch without an order in which, by the four weeks on either side, ten and more would be usual."""
    if found.days.height < 2:
        return _cannot_tell(CHECKS[3], _GAP[0], "There are orders on fewer than two days.")
    days = found.days["order_day"].cast(pl.Int32).to_numpy().astype(np.int64)
    until = np.concatenate([[0], np.cumsum(found.days["orders"].to_numpy())])
    gaps = np.diff(days) - 1
    before = until[1:-1] - until[np.searchsorted(days, days[:-1] - _AROUND, side="right")]
    after = until[np.searchsorted(days, days[1:] + _AROUND, side="left")] - until[1:-1]
    is_odd = gaps * (before + after) / (2 * _AROUND) >= _MISSED
    if not is_odd.any():
        return Light(CHECKS[3], "green", 0.0, _GAP[0], "No day lacks the orders that are usual around it.")
    longest = int(np.where(is_odd, gaps, -1).argmax())
    day = found.days["order_day"][longest]
    sentence = f"The longest stretch without an order where some would be usual is {gaps[longest]:,} days, after {day}."
    fix = f"Ask the source for the days after {day}, and deliver them."
    return _grade(CHECKS[3], float(gaps[longest]), _GAP, sentence, fix)


def _light_customers(found: Evidence) -> Light:
    lines = int(found.lines["lines"])
    if not lines:
        return _cannot_tell(CHECKS[4], _UNNAMED[0], "There is no line.")
    share = int(found.lines["without_customer"]) / lines
    sentence = f"{share:.1%} of {lines:,} lines name no customer: they count for the company, and for no customer."
    fix = "Have the source fill in the customer (loyalty card, account, payment), or check the column of customer_id."
    return _grade(CHECKS[4], share, _UNNAMED, sentence, fix)


def _light_sizes(found: Evidence) -> Light:
    """The share of spend in orders above twenty times the median order, to the 5% of a size class."""
    orders = int(found.sizes["orders"].sum())
    if orders < _FEWEST_ORDERS:
        return _cannot_tell(CHECKS[5], _LARGE_SHARE[0], f"Only {orders:,} orders have a spend: too few to tell.")
    counts, classes = found.sizes["orders"].to_numpy(), found.sizes["size_class"].to_numpy()
    spend = found.sizes["spend"].cast(pl.Float64).to_numpy()
    median = classes[np.searchsorted(np.cumsum(counts), orders / 2)]
    is_large = classes > median + np.log(_LARGE) / np.log(_CLASS)
    share = float(spend[is_large].sum() / spend.sum())
    sentence = (
        f"{share:.1%} of spend is in {counts[is_large].sum():,} orders above {_LARGE:.0f} times the median order."
    )
    fix = "Look at the largest of marts.orders: keep wholesale in a base of its own, mend wrong decimals at the source."
    return _grade(CHECKS[5], share, _LARGE_SHARE, sentence, fix)


def _light_returns(found: Evidence) -> Light:
    bought, returned = float(found.lines["bought"]), float(found.lines["returned"])
    if bought <= 0:
        return _cannot_tell(CHECKS[6], _RETURNED[0], "Nothing was bought.")
    share = returned / bought
    sentence = f"{share:.1%} of what was bought was returned."
    fix = "Check [returns] order_id_pattern and the sign of quantities; if the rate is real, judge customers by profit."
    return _grade(CHECKS[6], share, _RETURNED, sentence, fix)


def _light_repetition(found: Evidence) -> Light:
    orders, repeated = int(found.repeated["orders"]), int(found.repeated["repeated"])
    if not orders:
        return _cannot_tell(CHECKS[7], _REPEATED[0], "No order names a customer.")
    share = repeated / orders
    sentence = f"{repeated:,} of {orders:,} orders repeat another: same customer, time and amount under another id."
    fix = "Check whether the source exports orders twice, under two ids; map line_id where it has one."
    return _grade(CHECKS[7], share, _REPEATED, sentence, fix)


def _light_hours(found: Evidence) -> Light:
    """The share of orders from 7 to 22 o'clock among those with a time; a round midnight is a date without one."""
    if found.days.is_empty():
        return _cannot_tell(CHECKS[8], _BY_DAY[0], "There is no order.")
    totals = found.days.select("orders", "at_midnight", "by_day").sum().row(0, named=True)
    timed = totals["orders"] - totals["at_midnight"]
    if timed < max(_FEWEST_ORDERS, totals["orders"] / 2):
        return _cannot_tell(CHECKS[8], _BY_DAY[0], "Most orders have a date without a time of day: nothing to tell.")
    share = totals["by_day"] / timed
    sentence = f"{share:.0%} of the orders with a time of day were placed between 7 and 22 o'clock."
    fix = "Check [source] timezone and business_timezone: a shift of hours moves orders to other days and months."
    return _grade(CHECKS[8], share, _BY_DAY, sentence, fix)
