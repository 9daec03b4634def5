"""Rates of repeat buying at equal age: what customers did, relative to what customers of their ages do.

Belongs here: the standardisation. Does not belong here: what is expected of the result from month to month
(`control.py`).

Each month's events are divided by those that its customers would have made at the rates of their ages, taken over all
months together (indirect standardisation, as for mortality). So a base that ages, or grows, keeps its rate. Customers
of cohorts first seen when the data began are left out, unless most are: their ages are not known.
"""

from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.drift.observations import Observations, index_month

type Vector = NDArray[np.float64]


class Rates:
    """Customers and ages of every month and cohort of `seen`; `observed` are the days of each month with lines."""

    def __init__(self, seen: Observations, observed: Vector) -> None:
        self._seen = seen
        self._observed = observed

    def compare(self, column: str, ages: tuple[int, int]) -> tuple[Vector, Vector]:
        """Events of each month by customers of these ages (in months, both included), and those expected of them."""
        events = self._count(column)
        counted = (self._age >= ages[0]) & (self._age <= ages[1])
        exposure = np.where(counted, self._customers * self._observed[:, None], 0.0)
        events = np.where(counted, events, 0.0)
        age = np.where(counted, self._age, 0)
        made, possible = (np.bincount(age.ravel(), of.ravel()) for of in (events, exposure))
        rates = np.divide(made, possible, out=np.zeros(len(made)), where=possible > 0)
        return events.sum(axis=1), (exposure * rates[age]).sum(axis=1)

    @cached_property
    def _sizes(self) -> dict[str, int]:
        """Customers by cohort: all are active in the month that they came in."""
        first = self._seen.cells.filter(pl.col("cohort_month") == pl.col("period"))
        settled = first.filter(pl.col("cohort_month") >= self._seen.settled)
        kept = settled if 2 * settled["active"].sum() >= first["active"].sum() else first
        return dict(kept.select("cohort_month", "active").iter_rows())

    @cached_property
    def _customers(self) -> Vector:
        return np.array(list(self._sizes.values()), np.float64)

    @cached_property
    def _age(self) -> NDArray[np.int64]:
        months, cohorts = ([index_month(name) for name in names] for names in (self._seen.months, self._sizes))
        return np.array(months, np.int64)[:, None] - np.array(cohorts, np.int64)[None, :]

    def _count(self, column: str) -> Vector:
        rows, columns = ({name: at for at, name in enumerate(names)} for names in (self._seen.months, self._sizes))
        events = np.zeros((len(rows), len(columns)))
        for cohort, period, count in self._seen.cells.select("cohort_month", "period", column).iter_rows():
            if cohort in columns and period in rows:
                events[rows[period], columns[cohort]] = count
        return events
