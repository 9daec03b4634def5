"""A monthly series against what its own past lets expect: a control chart that knows growth and season.

Belongs here: the expectation, its error, and the verdict on each month. Does not belong here: what is measured
(`series.py`), or what a change is called (`diagnosis.py`).

A seasonal series is expected to stand to the same month of the year before as the last six months stood to theirs (the
median of the six); another is expected at the median of the last six months. A month beyond the limits is replaced by
its expectation in what later months are held against, so that one bad month disturbs neither the next months nor the
same month of the next year. A change that stays for a second month on the same side is a new level: later months are
held against that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isnan, nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from clv_pipeline.clv.drift.checks import Topic
from clv_pipeline.clv.drift.levels import OK, RARE, Limits, judge

type Vector = NDArray[np.float64]

_YEAR, _RECENT, _FEWEST = 12, 6, 3
# So many earlier misses tell how far a month lies from its expectation without any change.
_FEWEST_MISSES = 6
_BEYOND = float(ndtri(1 - RARE / 2))
_MAD = 1.4826
# The variance of a median of six, relative to one value.
_MEDIAN_OF_RECENT = 1.57 / _RECENT


@dataclass(frozen=True)
class Series:
    """One value a month: the logarithm of a rate or an average, or a share; nan where there is none.

    `errors` are standard errors of the values, from how many they rest on (`sizes`). Limits are relative changes, or
    for a share points. A series of changes has no level that it could move to.
    """

    topic: Topic
    values: Vector
    errors: Vector
    sizes: Vector
    limits: Limits
    is_share: bool = False
    is_seasonal: bool = False
    has_level: bool = True


@dataclass(frozen=True)
class Reading:
    """A month of a series: value and expectation in natural units, the change between them, and the verdict."""

    value: float
    expected: float
    change: float
    chance: float
    level: str
    reference_size: float

    @property
    def has_moved(self) -> bool:
        """Whether the month is beyond its limits."""
        return self.level != OK


def watch(series: Series) -> list[Reading | None]:
    """The reading of each month; None where too little came before it, or it has no value."""
    clean: list[float] = []
    misses: list[float] = []
    pending: list[float] = []
    offset = 0.0
    readings: list[Reading | None] = []
    for month, raw in enumerate(series.values):
        value = float(raw) - offset
        expected, spread = _expect(series, clean, month)
        if isnan(value) or isnan(expected):
            clean.append(expected if isnan(value) else value)
            readings.append(None)
            continue
        miss = value - expected
        sigma = max(sqrt(float(series.errors[month]) ** 2 + spread), _estimate(misses))
        reading = _read(series, month, float(raw), float(raw) - miss, sigma)
        readings.append(reading)
        if not reading.has_moved:
            clean.append(value)
            misses.append(miss)
            pending = []
            continue
        clean.append(expected)
        pending = [*pending, miss] if all(miss * earlier > 0 for earlier in pending) else [miss]
        if len(pending) > 1 and series.has_level:
            offset += sum(pending) / len(pending)
            pending = []
    return readings


def find_onset(readings: Sequence[Reading | None], month: int) -> int:
    """The first of the months up to `month`, without a gap, that moved the same way."""
    last = readings[month]
    assert last
    first = month
    while first and (before := readings[first - 1]) and before.has_moved and before.change * last.change > 0:
        first -= 1
    return first


def _expect(series: Series, clean: Sequence[float], month: int) -> tuple[float, float]:
    """The expectation of a month and its variance from the sizes of what it rests on."""
    recent = [at for at in range(max(month - _RECENT, 0), month) if not isnan(clean[at])]
    if not series.is_seasonal:
        recent = [at for at in recent if not isnan(series.values[at])]  # an empty month has no error either
        if len(recent) < _FEWEST:
            return nan, 0.0
        spread = float(np.median(series.errors[recent] ** 2)) * _MEDIAN_OF_RECENT
        return float(np.median([clean[at] for at in recent])), spread
    paired = [at for at in recent if at >= _YEAR and not isnan(clean[at - _YEAR])]
    if len(paired) < _FEWEST or month < _YEAR or isnan(clean[month - _YEAR]):
        return nan, 0.0
    growth = float(np.median([clean[at] - clean[at - _YEAR] for at in paired]))
    errors = np.concatenate([series.errors[paired], series.errors[[at - _YEAR for at in paired]]])
    spread = float(series.errors[month - _YEAR]) ** 2 + 2 * float(np.nanmedian(errors**2)) * _MEDIAN_OF_RECENT
    return clean[month - _YEAR] + growth, spread


def _estimate(misses: Sequence[float]) -> float:
    return _MAD * float(np.median(np.abs(misses))) if len(misses) >= _FEWEST_MISSES else 0.0


def _read(series: Series, month: int, value: float, expected: float, sigma: float) -> Reading:
    earlier = month - _YEAR if series.is_seasonal else month - 1
    size = float(series.sizes[max(earlier, 0)])
    if series.is_share:
        change, chance = value - expected, _BEYOND * sigma
        level = judge(abs(change), series.limits, chance)
        return Reading(value, expected, change, chance, level, size)
    change = exp(value - expected) - 1
    chance = abs(exp(_BEYOND * sigma * (1 if change > 0 else -1)) - 1)
    return Reading(exp(value), exp(expected), change, chance, judge(abs(change), series.limits, chance), size)
