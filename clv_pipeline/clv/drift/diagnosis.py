"""What happened: one cause for the many checks that one change sets off.

Belongs here: which checks each cause explains, and its name and words. Does not belong here: the checks, or what is
done about a cause.

A cause that is found explains the moves of other series that follow from it, so that a price rise is not told again as
a change of order value and of margin. What nothing explains is told as what it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, isfinite, log

import polars as pl

from clv_pipeline.clv.drift.causes import CAUSES
from clv_pipeline.clv.drift.checks import DATA, PERFORMANCE, PREDICTION, PREVIOUS, TRAINING, Check
from clv_pipeline.clv.drift.control import Reading
from clv_pipeline.clv.drift.examination import Examined
from clv_pipeline.clv.drift.levels import ALERT, LEVELS, OK

DIAGNOSES_SCHEMA = {
    "cause": pl.String,
    "subject": pl.String,
    "since": pl.String,
    "level": pl.String,
    "effect": pl.Float64,
    "meaning": pl.String,
    "evidence": pl.String,
}
# A move of all prices by one factor of at least this is a currency or a unit; smaller ones happen to prices.
_CURRENCY = log(1.2)
_CUSTOMERS = ("frequency", "recency", "monetary_value")
_RATES = ("repeat_rate", "active_1_to_3", "active_4_to_12", "active_13_up", "repeat_buying_rate", "aof")
# What else a cause moves: in its own direction (1), against it (-1), or either way (0).
_FOLLOWS: Mapping[str, Mapping[str, int]] = {
    "missing_days": dict.fromkeys((*_RATES, "lines_a_day", "new_customers", "new_share"), 0),
    "repeated_lines": {"lines_a_day": 1, "aov": 1, "margin": 0},
    "currency_change": {"price": 1, "aov": 1, "margin": 0},
    "price_change": {"price": 1, "aov": 1, "margin": 1},
    "new_value": {"lines_a_day": 0, "new_customers": 0, "new_share": 0, "aov": 0, "repeat_buying_rate": 0, "aof": 0},
    "purchase_rate": dict.fromkeys((*_RATES, "lines_a_day"), 1) | {"new_share": -1},
    "acquisition": {"new_customers": 1, "new_share": 1, "lines_a_day": 1, "aof": 0, "repeat_buying_rate": 0},
}
# Whether a larger effect of a cause means more purchases of the customers there were, or fewer.
_MOVES_PURCHASES = {"purchase_rate": 1, "missing_days": -1, "price_change": -1}
# What a series of its own is called when nothing explains it.
_OWN = {
    "aov": "order_value",
    "margin": "margin",
    "lines_a_day": "volume",
    "new_share": "acquisition",
    "rejected_rows": "rejected_rows",
    "late_rows": "late_delivery",
}


@dataclass(frozen=True)
class Diagnosis:
    """A cause with what it is about, since when, how bad, and the features that show it."""

    cause: str
    subject: str
    since: str
    level: str
    effect: float | None
    meaning: str
    evidence: tuple[str, ...] = field(default=())


def diagnose(examined: Examined, checks: Sequence[Check]) -> list[Diagnosis]:
    """The causes of what the latest month shows, the gravest first.

    `checks` are those of as-of months and of categories against each other, and of forecasts against what happened.
    """
    known = list(_carry_on(examined)) if len(examined.months) > 1 else []
    found = _find_causes(examined, known)
    explained = {feature for one in found for feature in one.evidence}
    found += _find_rest(examined, explained)
    found += _find_in_checks(examined, checks, found)
    found = list({(one.cause, one.subject): one for one in reversed(found)}.values())
    return sorted(found, key=lambda one: (-LEVELS.index(one.level), one.since, one.cause, one.subject))


def _find_causes(examined: Examined, known: Iterable[Diagnosis] = ()) -> list[Diagnosis]:
    """The causes that series, days, hours, prices and values show, each knowing what those before it explain."""
    found = list(known)
    explained = {feature for one in found for feature in one.evidence}
    for find in _IN_ORDER:
        for diagnosis in find(examined, explained):
            if not explained.issuperset(diagnosis.evidence):
                found.append(_with_evidence(diagnosis, examined))
                explained |= set(found[-1].evidence)
    return found


def _carry_on(examined: Examined) -> Iterator[Diagnosis]:
    """Causes of the month before whose traces are still there: what stays is the new level only a month later."""
    for one in _find_causes(examined.a_month_before()):
        left = [
            feature
            for feature in one.evidence
            if _moved(examined, feature) and examined.onset(feature) < examined.month
        ]
        if left:
            yield _with_evidence(replace(one, evidence=tuple(left)), examined)


def table_diagnoses(diagnoses: Iterable[Diagnosis]) -> pl.DataFrame:
    """One row per diagnosis, columns as in DIAGNOSES_SCHEMA; evidence: names of features, separated by commas."""
    rows = [
        (one.cause, one.subject, one.since, one.level, one.effect, one.meaning, ", ".join(one.evidence))
        for one in diagnoses
    ]
    return pl.DataFrame(rows, schema=DIAGNOSES_SCHEMA, orient="row")


def _with_evidence(diagnosis: Diagnosis, examined: Examined) -> Diagnosis:
    """The diagnosis with the series that moved as its cause moves them."""
    cause = "new_value" if diagnosis.cause == "worse_new_value" else diagnosis.cause
    follows = _FOLLOWS.get(cause, {})
    moved = [
        feature
        for feature, way in follows.items()
        if (reading := _moved(examined, feature)) and (not way or way * reading.change * (diagnosis.effect or 0) > 0)
    ]
    own = [feature for feature in diagnosis.evidence if feature not in moved]
    return replace(diagnosis, evidence=(*own, *moved))


def _moved(examined: Examined, feature: str) -> Reading | None:
    reading = examined.latest(feature) if feature in examined.readings else None
    return reading if reading and reading.has_moved else None


def _find_days(examined: Examined, _: set[str]) -> Iterator[Diagnosis]:
    for run in examined.recent_runs:
        since, days = f"{run.first:%Y-%m}", float(len(run.days))
        yield Diagnosis("missing_days", f"{run.first}", since, ALERT, days, run.words, ("empty_days",))


def _find_repeats(examined: Examined, _: set[str]) -> Iterator[Diagnosis]:
    reading = _moved(examined, "repeated_lines")
    if reading and reading.change > 0:
        meaning = f"{reading.value:.1%} of lines repeat another line ({reading.expected:.1%} was to be expected)"
        since = examined.onset("repeated_lines")
        yield Diagnosis("repeated_lines", "", since, reading.level, reading.change, meaning, ("repeated_lines",))


def _find_prices(examined: Examined, _: set[str]) -> Iterator[Diagnosis]:
    reading, move = _moved(examined, "price"), examined.moves[-1]
    if not reading or not move:
        return
    size, since = abs(move.change), examined.onset("price")
    with_costs = isfinite(move.cost)
    alike = abs(move.cost - move.change) < size / 4 if with_costs else size >= _CURRENCY
    factor = exp(move.change)
    if alike and move.spread < size / 2:
        costs = ", costs with them" if with_costs else ""
        meaning = f"all prices moved by the same factor of {factor:.3g}{costs}: another currency or unit"
        yield Diagnosis("currency_change", "", since, reading.level, factor - 1, meaning, ("price",))
        return
    meaning = f"the same {move.products:,} products cost {factor - 1:+.1%} against the month before"
    yield Diagnosis("price_change", "", since, reading.level, factor - 1, meaning, ("price",))


def _find_hours(examined: Examined, _: set[str]) -> Iterator[Diagnosis]:
    reading = examined.hours[-1]
    if not reading or reading.level == OK:
        return
    first = len(examined.hours) - 1
    while first and (before := examined.hours[first - 1]) and before.level != OK:
        first -= 1
    since = examined.months[first]
    if reading.is_shifted:
        meaning = f"the hours of the day that customers order in moved by {reading.shift:+d} h: a time zone or a clock"
        yield Diagnosis("time_zone", "", since, reading.level, float(reading.shift), meaning, ("hour_of_day",))
        return
    meaning = f"customers order at other hours of the day than in the months before (PSI {reading.psi:.2f})"
    yield Diagnosis("ordering_hours", "", since, reading.level, reading.psi, meaning, ("hour_of_day",))


def _find_new_values(examined: Examined, _: set[str]) -> Iterator[Diagnosis]:
    for new in examined.new_values:
        subject = f"{new.attribute} = {new.value}"
        effect = None if new.worth is None else new.worth - 1
        cause = "worse_new_value" if new.is_worse else "new_value"
        yield Diagnosis(cause, subject, new.since, ALERT, effect, new.words, (subject,))


def _find_rates(examined: Examined, explained: set[str]) -> Iterator[Diagnosis]:
    moved = {feature: reading for feature in _RATES if (reading := _moved(examined, feature))}
    open_ones = {feature: reading for feature, reading in moved.items() if feature not in explained}
    if not open_ones:
        return
    lead = next(iter(open_ones))
    reading = open_ones[lead]
    since = min(examined.onset(feature) for feature in open_ones)
    level = max((one.level for one in open_ones.values()), key=LEVELS.index)
    what = examined.series[lead].topic.name
    direction = "less" if reading.change < 0 else "more"
    meaning = f"customers buy {direction} often than those of their age did: {what} {reading.change:+.1%}"
    yield Diagnosis("purchase_rate", "", since, level, reading.change, meaning, tuple(open_ones))


def _find_acquisition(examined: Examined, explained: set[str]) -> Iterator[Diagnosis]:
    reading = _moved(examined, "new_customers")
    if reading and "new_customers" not in explained:
        meaning = f"new customers a day {reading.change:+.1%} against what growth and season let expect"
        since = examined.onset("new_customers")
        yield Diagnosis("acquisition", "", since, reading.level, reading.change, meaning, ("new_customers",))


def _find_rest(examined: Examined, explained: set[str]) -> Iterator[Diagnosis]:
    for feature, one in examined.series.items():
        reading = _moved(examined, feature)
        if not reading or feature in explained or feature in _RATES or feature in ("price", "new_customers"):
            continue
        cause, subject = _OWN.get(feature, "missing_values"), feature.removeprefix("missing_")
        if cause in _OWN.values():
            subject = ""
        points = f"{100 * reading.change:+.1f} points" if one.is_share else f"{reading.change:+.1%}"
        meaning = f"{one.topic.name}: {points} against what was to be expected"
        yield Diagnosis(cause, subject, examined.onset(feature), reading.level, reading.change, meaning, (feature,))


def _find_in_checks(examined: Examined, checks: Sequence[Check], found: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """Causes from comparisons of as-of months, categories and forecasts, where no other cause is known."""
    drifted = [check for check in checks if check.level == ALERT]
    new = {one.subject.partition(" = ")[0] for one in found if one.cause.endswith("new_value")}
    for check in _one_per_feature(one for one in drifted if one.test == "chi_squared" and one.topic.kind == DATA):
        if check.reference_kind == PREVIOUS and check.topic.feature not in new:
            yield _name(examined, "category_mix", [check], check.topic.feature)
    customers = [one for one in drifted if one.test == "psi" and one.topic.feature in _CUSTOMERS]
    scores = [one for one in drifted if one.test == "psi" and one.topic.kind == PREDICTION]
    recent = [one for one in customers if one.reference_kind == PREVIOUS]
    if recent and not found:
        yield _name(examined, "customers_changed", recent)
    if (jumped := [one for one in scores if one.reference_kind == PREVIOUS]) and not recent and not found:
        yield _name(examined, "scores_changed", jumped)
    if outdated := [one for one in customers if one.reference_kind == TRAINING]:
        yield _name(examined, "model_outdated", outdated)
    if missed := [one for one in drifted if one.topic.kind == PERFORMANCE]:
        off = _name(examined, "forecast_off", missed)
        origin = max(missed, key=lambda check: check.statistic or 0.0).reference
        yield replace(off, meaning=f"{off.meaning}; {_explain_miss(examined, origin, off.effect or 0.0, found)}")


def _explain_miss(examined: Examined, origin: str, miss: float, found: Sequence[Diagnosis]) -> str:
    """What happened since the forecast was made that moves purchases the way it missed; in words, also if nothing."""
    known = {(one.cause, one.subject): one for one in (*found, *_look_back(examined, origin))}
    likely = [one for one in known.values() if _MOVES_PURCHASES.get(one.cause, 0) * (one.effect or 0.0) * miss > 0]
    if not likely:
        return "nothing that was found since it was made explains it"
    told = "; ".join(f"{CAUSES[one.cause]} since {one.since} ({one.meaning})" for one in likely)
    return f"the likely cause: {told}"


def _look_back(examined: Examined, origin: str) -> Iterator[Diagnosis]:
    """What stood out in the months after `origin` and before the one that is read."""
    while len(examined.months) > 1 and examined.months[-2] > origin:
        examined = examined.a_month_before()
        yield from _find_causes(examined)


# Each knows what those before it explain.
_IN_ORDER = (_find_days, _find_repeats, _find_prices, _find_hours, _find_new_values, _find_rates, _find_acquisition)


def _one_per_feature(checks: Iterable[Check]) -> Iterator[Check]:
    yield from {(check.topic.feature, check.reference_kind): check for check in checks}.values()


def _name(examined: Examined, cause: str, checks: Sequence[Check], subject: str = "") -> Diagnosis:
    worst = max(checks, key=lambda check: check.statistic or 0.0)
    evidence = tuple(dict.fromkeys(check.topic.feature for check in checks))
    return Diagnosis(cause, subject, examined.month, ALERT, worst.effect, worst.meaning, evidence)
