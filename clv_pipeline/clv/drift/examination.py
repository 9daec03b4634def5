"""Everything that is watched month by month, read for the latest month: its checks, and what lies behind them.

Belongs here: putting series, days, hours, prices and new values together. Does not belong here: naming a cause
(`diagnosis.py`), as-of months against each other (`profiles.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from clv_pipeline.clv.drift.checks import DATA, DELIVERY, LAST_YEAR, PREVIOUS, Check, Topic
from clv_pipeline.clv.drift.control import Reading, Series, find_onset, watch
from clv_pipeline.clv.drift.days import EmptyRun, find_empty_runs
from clv_pipeline.clv.drift.hours import HOURS, HoursReading, watch_hours
from clv_pipeline.clv.drift.levels import Limits, Thresholds
from clv_pipeline.clv.drift.newcomers import MOST_VALUES, NewValue, find_new_values
from clv_pipeline.clv.drift.observations import Observations, index_month, name_month
from clv_pipeline.clv.drift.prices import PriceMove, compare_prices
from clv_pipeline.clv.drift.profiles import Against, compare_categories
from clv_pipeline.clv.drift.series import build_series

CONTROL, RUN_LENGTH, NEW_VALUE = MONTHLY_TESTS = ("control_limit", "run_length", "new_value")
EMPTY_DAYS = Topic(DELIVERY, "empty_days", "days without a line")
HOUR_OF_DAY = Topic(DELIVERY, "hour_of_day", "hours of the day")

MEASURES_SCHEMA = {
    "period": pl.String,
    "feature": pl.String,
    "name": pl.String,
    "value": pl.Float64,
    "expected": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "level": pl.String,
}


@dataclass(frozen=True)
class Examined:
    """The readings of every month, and what stands out in the latest; lists of readings run beside `months`."""

    months: Sequence[str]
    thresholds: Thresholds
    series: Mapping[str, Series]
    readings: Mapping[str, Sequence[Reading | None]]
    runs: Sequence[EmptyRun]
    moves: Sequence[PriceMove | None]
    hours: Sequence[HoursReading | None]
    new_values: Sequence[NewValue]

    @property
    def month(self) -> str:
        """The month that is read: the last."""
        return self.months[-1]

    def a_month_before(self) -> "Examined":
        """What stood out the month before, by what was known then."""
        known = [new for new in self.new_values if new.since < self.month]
        earlier = replace(self, months=self.months[:-1], moves=self.moves[:-1], hours=self.hours[:-1], new_values=known)
        readings = {feature: found[:-1] for feature, found in self.readings.items()}
        return replace(
            earlier, readings=readings, runs=[run for run in self.runs if not run.ends_in_or_after(self.month)]
        )

    @property
    def recent_runs(self) -> list[EmptyRun]:
        """Runs of empty days in the latest month, or in the open one after it."""
        return [run for run in self.runs if run.ends_in_or_after(self.month)]

    def latest(self, feature: str) -> Reading | None:
        """The reading of a series in the latest month."""
        return self.readings[feature][-1]

    def onset(self, feature: str) -> str:
        """Since when a series that has moved has moved the same way."""
        return self.months[find_onset(self.readings[feature], len(self.months) - 1)]


def examine(seen: Observations, thresholds: Thresholds) -> Examined:
    """Reads every series, day and hour of `seen`."""
    runs = find_empty_runs(seen.days, seen.until, thresholds.empty_days)
    moves = _move_prices(seen)
    series = {one.topic.feature: one for one in build_series(seen, runs, moves, thresholds)}
    last = seen.months[-1]
    return Examined(
        months=seen.months,
        thresholds=thresholds,
        series=series,
        readings={feature: watch(one) for feature, one in series.items()},
        runs=runs,
        moves=moves,
        hours=watch_hours(_count_hours(seen), thresholds.psi),
        new_values=find_new_values(seen.categories, seen.newcomers, last, thresholds.share, thresholds.change),
    )


def check_month(examined: Examined) -> Iterator[Check]:
    """The checks of the latest month against its own past."""
    for feature, one in examined.series.items():
        yield _check_series(examined, one, examined.latest(feature))
    yield _check_days(examined)
    if hours := examined.hours[-1]:
        yield _check_hours(examined, hours)
    for new in examined.new_values:
        yield Check(
            topic=Topic(DATA, f"{new.attribute} = {new.value}", new.attribute),
            reference=name_month(index_month(new.since) - 1),
            reference_kind=PREVIOUS,
            test=NEW_VALUE,
            statistic=max(new.share_lines, new.share_new),
            limits=examined.thresholds.share,
            chance=None,
            effect=None if new.worth is None else new.worth - 1,
            sizes=(1.0, 0.0),
            meaning=new.words,
        )


def check_categories(seen: Observations, references: Mapping[str, str], psi: Limits) -> Iterator[Check]:
    """The shares of the values of each column, against the same month's references, where these are known."""
    month = seen.months[-1]
    filled = seen.categories.filter(pl.col("value").is_not_null())
    for attribute in filled["attribute"].unique().sort():
        of_column = filled.filter(pl.col("attribute") == attribute)
        if of_column["value"].n_unique() > MOST_VALUES:
            continue
        topic = Topic(DATA, str(attribute), str(attribute))
        counts = {
            period: dict(of_column.filter(pl.col("period") == period).select("value", "lines").iter_rows())
            for period in {month, *references.values()}
        }
        for kind, reference in references.items():
            if counts[reference] and counts[month]:
                against = Against(reference, kind, psi)
                yield from compare_categories(counts[month], counts[reference], topic, against, "lines")


def table_measures(examined: Examined) -> pl.DataFrame:
    """Every series by month with its expectation and limits, columns as in MEASURES_SCHEMA."""
    rows = []
    for feature, one in examined.series.items():
        natural = one.values if one.is_share else np.exp(one.values)
        for month, value, reading in zip(examined.months, natural, examined.readings[feature], strict=True):
            if not np.isfinite(value):
                continue
            expected = lower = upper = level = None
            if reading:
                expected, level = reading.expected, reading.level
                allowed = max(reading.chance, one.limits.alert)
                unit = 1.0 if one.is_share else expected
                lower, upper = max(expected - allowed * unit, 0.0), expected + allowed * unit
            rows.append((month, feature, one.topic.name, float(value), expected, lower, upper, level))
    return pl.DataFrame(rows, schema=MEASURES_SCHEMA, orient="row")


def _move_prices(seen: Observations) -> list[PriceMove | None]:
    by_month = {str(period): frame for (period,), frame in seen.prices.partition_by("period", as_dict=True).items()}
    pairs = zip((None, *seen.months[:-1]), seen.months, strict=True)
    return [
        compare_prices(by_month[now], by_month[then]) if now in by_month and then in by_month else None
        for then, now in pairs
    ]


def _count_hours(seen: Observations) -> list[np.ndarray]:
    counts = {month: np.zeros(HOURS) for month in seen.months}
    for period, hour, lines in seen.hours.select("period", "hour", "lines").iter_rows():
        if period in counts:
            counts[period][hour] = lines
    return list(counts.values())


def _check_series(examined: Examined, one: Series, reading: Reading | None) -> Check:
    back, kind = (12, LAST_YEAR) if one.is_seasonal else (1, PREVIOUS)
    name = one.topic.name
    if reading is None:
        meaning = f"{name}: the months before do not yet say what to expect"
        sizes = (float(one.sizes[-1]), 0.0)
    else:
        value, expected, change = _say(one, reading)
        season = f" by the growth since {name_month(index_month(examined.month) - back)}" if one.is_seasonal else ""
        meaning = f"{name}: {value} where {expected} was to be expected{season} ({change})"
        sizes = (float(one.sizes[-1]), reading.reference_size)
    return Check(
        topic=one.topic,
        reference=name_month(index_month(examined.month) - back),
        reference_kind=kind,
        test=CONTROL,
        statistic=None if reading is None else abs(reading.change),
        limits=one.limits,
        chance=None if reading is None else reading.chance,
        effect=None if reading is None else reading.change,
        sizes=sizes,
        meaning=meaning,
    )


def _say(one: Series, reading: Reading) -> tuple[str, str, str]:
    if one.is_share:
        return f"{reading.value:.2%}", f"{reading.expected:.2%}", f"{100 * reading.change:+.2f} points"
    return f"{reading.value:,.4g}", f"{reading.expected:,.4g}", f"{reading.change:+.1%}"


def _check_days(examined: Examined) -> Check:
    runs = examined.recent_runs
    longest = max((len(run.days) for run in runs), default=0)
    limit = float(examined.thresholds.empty_days - 1)
    words = "; ".join(run.words for run in runs)
    return Check(
        topic=EMPTY_DAYS,
        reference=name_month(index_month(examined.month) - 1),
        reference_kind=PREVIOUS,
        test=RUN_LENGTH,
        statistic=float(longest),
        limits=Limits(limit, limit),
        chance=None,
        effect=float(longest),
        sizes=(1.0, 1.0),
        meaning=words or "no run of days lacks its lines",
    )


def _check_hours(examined: Examined, reading: HoursReading) -> Check:
    moved = f"moved by {reading.shift:+d} h" if reading.is_shifted else f"PSI {reading.psi:.3f}"
    return Check(
        topic=HOUR_OF_DAY,
        reference=name_month(index_month(examined.month) - 1),
        reference_kind=PREVIOUS,
        test="psi",
        statistic=reading.psi,
        limits=examined.thresholds.psi,
        chance=reading.chance,
        effect=float(reading.shift),
        sizes=(reading.size, reading.reference_size),
        meaning=f"hours of the day that customers order in, against the three months before: {moved}",
    )
