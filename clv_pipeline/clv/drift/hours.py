"""The hours of the day that customers order in: a clock that jumped shows in all of them at once.

Belongs here: the comparison, and the shift that undoes it. Does not belong here: what it is called (`diagnosis.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.drift.distances import fill_empty, stability_index
from clv_pipeline.clv.drift.levels import OK, Limits, expect_by_chance, judge

type Vector = NDArray[np.float64]

HOURS = 24
_REFERENCE_MONTHS = 3
# Lines of one order share its hour, so that fewer say as much as there are lines.
_LINES_PER_ORDER = 3.0


@dataclass(frozen=True)
class HoursReading:
    """A month's hours against those of the months before: PSI, and again after the best shift of the clock."""

    psi: float
    shift: int
    psi_shifted: float
    chance: float
    level: str
    size: float
    reference_size: float

    @property
    def is_shifted(self) -> bool:
        """Whether a shift of the clock explains nearly all of the difference."""
        return self.level != OK and self.shift != 0 and self.psi_shifted < self.psi / 4


def watch_hours(counts: Sequence[Vector], limits: Limits) -> list[HoursReading | None]:
    """The reading of each month; `counts` are lines by hour, all zero where no line has a time of day.

    A month is held against the three before that did not differ; after the second that differs, against that.
    """
    readings: list[HoursReading | None] = []
    reference: list[Vector] = []
    differed = 0
    for now in counts:
        then = np.sum(reference[-_REFERENCE_MONTHS:], axis=0) if reference else np.zeros(HOURS)
        reading = _compare(now, then, limits) if now.sum() and then.sum() else None
        readings.append(reading)
        differed = differed + 1 if reading and reading.level != OK else 0
        if differed > 1:
            reference, differed = [now], 0
        elif not differed and now.sum():
            reference.append(now)
    return readings


def _compare(now: Vector, then: Vector, limits: Limits) -> HoursReading:
    sizes = (float(now.sum()) / _LINES_PER_ORDER, float(then.sum()) / _LINES_PER_ORDER)
    shares_now, shares_then = (
        fill_empty(side / side.sum(), size) for side, size in zip((now, then), sizes, strict=True)
    )
    distances = [stability_index(shares_now, np.roll(shares_then, shift)) for shift in range(HOURS)]
    best = int(np.argmin(distances))
    chance = expect_by_chance(HOURS, sizes)["psi"]
    return HoursReading(
        psi=distances[0],
        shift=best if best <= HOURS // 2 else best - HOURS,
        psi_shifted=distances[best],
        chance=chance,
        level=judge(distances[0], limits, chance),
        size=sizes[0],
        reference_size=sizes[1],
    )
