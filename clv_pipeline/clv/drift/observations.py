"""What is known of each month: the frames that the monthly checks are made from.

Belongs here: their shapes. Does not belong here: where they come from (`stages/observations.py`), or what is made of
them.
"""

import calendar
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """Months up to the last that has ended, oldest first, and what is known of them up to the day `until`.

    cells: cohort_month, period, active, again, orders, order_days, spend, profit; of all months there are.
    The others from the first of `months` on. days: day, lines. hours: period, hour, lines. gaps: period, lines,
    missing_customer_id, missing_product_id, missing_line_cost. repeats: period, lines, repeated_lines, of the latest
    months alone. prices: period, product_id, lines, spend, price, price_squared, unit_cost. categories: attribute,
    period, value, lines. newcomers: attribute, value, cohort_month, customers, spend, spend_squared. rejected: period,
    rejected_rows. late: period, delivered_rows, late_rows.
    """

    months: tuple[str, ...]
    until: date
    settled: str
    cells: pl.DataFrame
    days: pl.DataFrame
    hours: pl.DataFrame
    gaps: pl.DataFrame
    repeats: pl.DataFrame
    prices: pl.DataFrame
    categories: pl.DataFrame
    newcomers: pl.DataFrame
    rejected: pl.DataFrame
    late: pl.DataFrame

    @cached_property
    def days_in_month(self) -> Vector:
        """Calendar days of each month."""
        return np.array([calendar.monthrange(int(month[:4]), int(month[5:]))[1] for month in self.months], np.float64)

    def by_month(self, frame: pl.DataFrame, column: str) -> Vector:
        """A column of a frame with one row per period, by month; 0 where a month has no row."""
        found = dict(frame.select("period", pl.col(column).cast(pl.Float64)).iter_rows())
        return np.array([found.get(month, 0.0) for month in self.months], np.float64)


def index_month(period: str) -> int:
    """Months since year 0."""
    return int(period[:4]) * 12 + int(period[5:7]) - 1


def name_month(index: int) -> str:
    """The inverse of `index_month`."""
    return f"{index // 12:04d}-{index % 12 + 1:02d}"
