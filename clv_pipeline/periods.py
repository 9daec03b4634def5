"""Months: the pipeline's unit of time, its Dagster partitions, and what an as-of month may see.

Belongs here: arithmetic on 'YYYY-MM' and the partition set. Does not belong here: reading data to find out which
months exist (`lake.py`).
"""

import calendar
import warnings
from collections.abc import Iterable
from datetime import date

import dagster as dg

_PARTITION_FORMAT = "%Y-%m"
# Deliveries count as current while the last one reaches into the month before this one.
_CURRENT_WITHIN_MONTHS = 1


def month_index(period: str) -> int:
    """Months since year 0."""
    return int(period[:4]) * 12 + int(period[5:7]) - 1


def shift_period(period: str, months: int) -> str:
    """The period `months` later (earlier when negative)."""
    year, month = divmod(month_index(period) + months, 12)
    return f"{year:04d}-{month + 1:02d}"


def list_periods(first: str, last: str) -> list[str]:
    """All months from `first` to `last`, both included; empty when `last` is earlier."""
    return [shift_period(first, step) for step in range(month_index(last) - month_index(first) + 1)]


def last_day(period: str) -> date:
    """The last calendar day of `period`."""
    year, month = int(period[:4]), int(period[5:7])
    return date(year, month, calendar.monthrange(year, month)[1])


def period_of(day: date) -> str:
    """The period that `day` lies in."""
    return f"{day:%Y-%m}"


def as_of_end(period: str, last_loaded_day: date) -> date:
    """The last day that as-of `period` sees: its last day, or the last loaded day while the period is open."""
    return min(last_day(period), last_loaded_day)


def group_ranges(periods: Iterable[str]) -> list[tuple[str, str]]:
    """`periods` as sorted (first, last) runs of consecutive months."""
    ranges: list[tuple[str, str]] = []
    for period in sorted(set(periods)):
        if ranges and shift_period(ranges[-1][1], 1) == period:
            ranges[-1] = (ranges[-1][0], period)
        else:
            ranges.append((period, period))
    return ranges


def build_partitions(first: str | None, last: str | None, today: date) -> dg.MonthlyPartitionsDefinition:
    """Partitions from the first to the last month with data; open-ended while deliveries are current.

    Without data the set holds the current month, so that definitions always load.
    """
    current = period_of(today)
    first = min(first or current, current)
    if last is None or month_index(current) - month_index(last) <= _CURRENT_WITHIN_MONTHS:
        return dg.MonthlyPartitionsDefinition(start_date=first, end_offset=1, fmt=_PARTITION_FORMAT)
    return dg.MonthlyPartitionsDefinition(
        start_date=first, end_date=shift_period(max(first, last), 1), fmt=_PARTITION_FORMAT
    )


def map_history(partitions: dg.MonthlyPartitionsDefinition) -> dg.TimeWindowPartitionMapping:
    """As-of month P depends on every month of `partitions` up to P.

    The offset reaches ten years past the set, as an open-ended set grows while its definition stays loaded; a much
    larger one is slow, because Dagster walks it month by month.
    """
    return map_earlier(partitions.get_num_partitions() + 120)


def map_earlier(months: int) -> dg.TimeWindowPartitionMapping:
    """Month P depends on itself and on as many of the `months` before it as exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.TimeWindowPartitionMapping(start_offset=-months, allow_nonexistent_upstream_partitions=True)
