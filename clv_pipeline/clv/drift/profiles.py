"""What customers and their scores look like in an as-of month, against what they looked like in another.

Belongs here: which quantities are compared, at equal age, and what a difference is called. Does not belong here: the
distances (`distances.py`), or which months are compared (`stages/drift.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from clv_pipeline.clv.drift.checks import DATA, PREDICTION, Check, Topic
from clv_pipeline.clv.drift.distances import (
    CATEGORY_TESTS,
    NUMERIC_TESTS,
    Weighted,
    count_bins,
    measure_categories,
    measure_numbers,
)
from clv_pipeline.clv.drift.equal_age import compare_at_equal_age
from clv_pipeline.clv.drift.levels import Limits, convert_limits, expect_by_chance

NUMBERS = (
    Topic(DATA, "frequency", "frequency (repeat purchase days)"),
    Topic(DATA, "recency", "recency"),
    Topic(DATA, "monetary_value", "spend per repeat purchase"),
    Topic(PREDICTION, "clv", "CLV"),
    Topic(PREDICTION, "expected_purchases", "expected purchases"),
    Topic(PREDICTION, "p_alive", "P(alive)"),
)
SEGMENTS = Topic(PREDICTION, "segment", "segments")
_YEAR = 12


@dataclass(frozen=True)
class Against:
    """The month that is compared with, why it, and the limits of the PSI."""

    month: str
    kind: str
    psi: Limits

    @property
    def words(self) -> str:
        """How a sentence names the month."""
        names = {
            "previous": f"the month before ({self.month})",
            "same_period_last_year": f"the year before ({self.month})",
            "training": f"the data of the model in use ({self.month})",
            "fixed": f"the month of reference ({self.month})",
        }
        return names[self.kind]


def compare_profiles(now: pl.DataFrame, then: pl.DataFrame, against: Against) -> Iterator[Check]:
    """Every test of every quantity; frames have age, is_early, feature, value, category and customers.

    Customers of the first months of the data are left out where most came later: many of them are older than the data
    know, and no later customer is like them.
    """
    today, before = _leave_out_early(now, then)
    for topic in NUMBERS:
        yield from _compare_numbers(_pick(today, topic.feature), _pick(before, topic.feature), topic, against)
    # A base younger than that fills its segments one after the other.
    if not then.filter(pl.col("age") >= _YEAR).is_empty():
        counts, counts_then = _count(_pick(now, SEGMENTS.feature)), _count(_pick(then, SEGMENTS.feature))
        yield from compare_categories(counts, counts_then, SEGMENTS, against)


def compare_categories(
    now: Mapping[str, float], then: Mapping[str, float], topic: Topic, against: Against, counted: str = "customers"
) -> Iterator[Check]:
    """The checks of the shares of categories, from the counts of both sides."""
    sizes = (float(sum(now.values())), float(sum(then.values())))
    if not all(sizes):
        meaning = f"{topic.name} cannot be compared with {against.words}: one side has no {counted}"
        yield from _check(topic, against, CATEGORY_TESTS, sizes, meaning)
        return
    moves = {key: now.get(key, 0.0) / sizes[0] - then.get(key, 0.0) / sizes[1] for key in sorted({*now, *then})}
    key, effect = max(moves.items(), key=lambda item: abs(item[1]))
    shares = now.get(key, 0.0) / sizes[0], then.get(key, 0.0) / sizes[1]
    meaning = f"{topic.name}: '{key}' has {shares[0]:.1%} of {counted}, {shares[1]:.1%} in {against.words}"
    found, chance = measure_categories(now, then), expect_by_chance(len(moves), sizes)
    yield from _check(topic, against, CATEGORY_TESTS, sizes, meaning, effect=effect, found=found, chance=chance)


def _compare_numbers(now: pl.DataFrame, then: pl.DataFrame, topic: Topic, against: Against) -> Iterator[Check]:
    sides = compare_at_equal_age(now, then)
    if sides is None:
        sizes = (float(now["customers"].sum()), float(then["customers"].sum()))
        meaning = f"{topic.name} cannot be compared with {against.words}: no age that customers of both months have"
        yield from _check(topic, against, NUMERIC_TESTS, sizes, meaning)
        return
    sizes = (sides.now.size, sides.then.size)
    effect = sides.now.mean / sides.then.mean - 1 if sides.then.mean > 0 else None
    meaning = _describe(topic.name, sides.now, sides.then, effect, against)
    found, chance = measure_numbers(sides.now, sides.then), expect_by_chance(count_bins(sides.then), sizes)
    yield from _check(topic, against, NUMERIC_TESTS, sizes, meaning, effect=effect, found=found, chance=chance)


def _check(
    topic: Topic,
    against: Against,
    tests: tuple[str, ...],
    sizes: tuple[float, float],
    meaning: str,
    *,
    effect: float | None = None,
    found: Mapping[str, float] | None = None,
    chance: Mapping[str, float] | None = None,
) -> Iterator[Check]:
    limits = convert_limits(against.psi)
    for test in tests:
        yield Check(
            topic=topic,
            reference=against.month,
            reference_kind=against.kind,
            test=test,
            statistic=(found or {}).get(test),
            limits=limits[test],
            chance=(chance or {}).get(test),
            effect=effect,
            sizes=sizes,
            meaning=meaning,
        )


def _describe(name: str, now: Weighted, then: Weighted, effect: float | None, against: Against) -> str:
    change = "" if effect is None else f" ({effect:+.1%})"
    means = f"mean {now.mean:,.4g} against {then.mean:,.4g}{change}"
    return f"{name}: {means} for customers of the same age in {against.words}"


def _leave_out_early(now: pl.DataFrame, then: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    known = _pick(now, "frequency")
    if 2 * int(known.filter("is_early")["customers"].sum()) > int(known["customers"].sum()):
        return now, then
    return now.filter(~pl.col("is_early")), then.filter(~pl.col("is_early"))


def _pick(profile: pl.DataFrame, feature: str) -> pl.DataFrame:
    return profile.filter(pl.col("feature") == feature)


def _count(profile: pl.DataFrame) -> dict[str, float]:
    counted = profile.group_by("category").agg(pl.col("customers").sum().cast(pl.Float64)).sort("category")
    return dict(counted.iter_rows())
