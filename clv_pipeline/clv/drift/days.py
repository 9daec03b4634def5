"""Days without a line, where lines were to be expected.

Belongs here: what is expected of a day, and runs of empty ones. Does not belong here: rates per day (`series.py`).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

_WEEKS, _FEWEST_WEEKS = 8, 4
# A day with no more than this share of what was expected counts as empty.
_EMPTY = 0.1
# A run of empty days has to have lost so many lines that chance cannot empty it.
_FEWEST_LOST = 12.0


@dataclass(frozen=True)
class EmptyRun:
    """Consecutive days that lack their lines; days on which none were expected may lie between and do not count."""

    first: date
    last: date
    days: tuple[date, ...]
    lost: float

    def ends_in_or_after(self, month: str) -> bool:
        """Whether its last day lies in the month or later."""
        return f"{self.last:%Y-%m}" >= month

    @property
    def words(self) -> str:
        """The run in words."""
        span = f"on {self.first}" if self.first == self.last else f"from {self.first} to {self.last}"
        return f"no lines {span}, where about {self.lost:,.0f} were to be expected"


def find_empty_runs(days: pl.DataFrame, until: date, shortest: int) -> list[EmptyRun]:
    """Runs of at least `shortest` empty days up to `until`; `days` has day and lines, no row for a day without any.

    A day is expected to have the mean of the same weekday in the eight weeks before. Days that were as empty a year
    before, by date or by weekday, are a habit: holidays are not missing.
    """
    if days.is_empty():
        return []
    first = days["day"].min()
    assert isinstance(first, date)
    length = (until - first).days + 1
    lines = np.zeros(max(length, 0))
    for day, count in days.select("day", "lines").iter_rows():
        if day <= until:
            lines[(day - first).days] = count
    expected = _expect(lines)
    empty = (expected > 0) & (lines <= _EMPTY * expected)
    quiet = lines <= _EMPTY * np.maximum(expected, 1.0)
    habit = np.zeros(len(lines), dtype=bool)
    for back in (364, 365, 366):
        habit[back:] |= quiet[:-back] & (expected[:-back] > 0)
    return [
        run
        for run in _gather(empty & ~habit, expected, first)
        if len(run.days) >= shortest and run.lost >= _FEWEST_LOST
    ]


def _expect(lines: Vector) -> Vector:
    """The mean of the same weekday in the eight weeks before; below one line, or before the fourth week: nothing."""
    weeks = np.full((_WEEKS, len(lines)), np.nan)
    for week in range(1, _WEEKS + 1):
        if 7 * week < len(lines):
            weeks[week - 1, 7 * week :] = lines[: -7 * week]
    known = (~np.isnan(weeks)).sum(axis=0)
    means = np.nansum(weeks, axis=0) / np.maximum(known, 1)
    return np.where((known >= _FEWEST_WEEKS) & (means >= 1), means, 0.0)


def _gather(missing: NDArray[np.bool_], expected: Vector, first: date) -> list[EmptyRun]:
    runs: list[EmptyRun] = []
    current: list[int] = []
    for at in range(len(missing) + 1):
        if at < len(missing) and missing[at]:
            current.append(at)
        elif current and (at == len(missing) or expected[at] > 0):
            found = tuple(first + timedelta(days=day) for day in current)
            runs.append(EmptyRun(found[0], found[-1], found, float(expected[current].sum())))
            current = []
    return runs
