"""What the page knows beside the tables, and how a section asks for a table.

Belongs here: the facts of the run, and the questions several sections ask of the same tables (which windows are
compared, are they covered by data). Does not belong here: wording or drawing.
"""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

import polars as pl
import polars.selectors as cs

WINDOW_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True)
class ReportFacts:
    """One run's facts. `as_of` is 'YYYY-MM'; `window` and `cohort` are 'month', 'quarter' or 'year'.

    `model_name` and `model_version` are None when no model could be fitted; `currency` is an ISO 4217 code.
    `as_of_links` are (month, relative address) of all as-of months, with an empty address where no page has been built;
    `previous_as_of` is the as-of month run before this one, None for the first. `cohort_by` is the column of the
    behavioural cohorts, `only` the filter of lenses 3 to 5 in words ('channel = web'), empty for everybody.
    """

    as_of: str
    as_of_end: date
    currency: str
    window: str
    cohort: str
    value_basis: str
    model_name: str | None
    model_version: str | None
    generated_at: datetime
    title: str = "Customer-base report"
    notes: Sequence[str] = ()
    as_of_links: Sequence[tuple[str, str]] = ()
    previous_as_of: str | None = None
    cohort_by: str | None = None
    only: str = ""
    has_acquisition_dates: bool = True

    @property
    def is_open(self) -> bool:
        """Whether the as-of month has days still to come."""
        return self.as_of_end < last_day(self.as_of)


@dataclass(frozen=True)
class Totals:
    """A window's totals; the averages follow from them."""

    customers: int
    orders: int
    spend: float
    profit: float

    @property
    def measures(self) -> dict[str, float | None]:
        """The totals and their ratios by name; a ratio without a denominator is None."""
        return {
            "customers": self.customers,
            "orders": self.orders,
            "spend": self.spend,
            "profit": self.profit,
            "aof": divide(self.orders, self.customers),
            "aov": divide(self.spend, self.orders),
            "margin": divide(self.profit, self.spend),
            "profit_per_customer": divide(self.profit, self.customers),
        }


@dataclass(frozen=True)
class ReportData:
    """The tables and facts of one report. Asking for a table that was not given yields an empty frame.

    `previous` holds the tables of the as-of month before, as far as anything is compared with them.
    """

    tables: Mapping[str, pl.DataFrame]
    facts: ReportFacts
    previous: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    _numeric: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)

    def has(self, name: str) -> bool:
        """Whether the table was given and has rows."""
        return not self.exact(name).is_empty()

    def exact(self, name: str) -> pl.DataFrame:
        """The table as it was given, decimals and all (for CSV)."""
        frame = self.tables.get(name)
        return pl.DataFrame() if frame is None else frame

    def table(self, name: str) -> pl.DataFrame:
        """The table with decimals as floats (for sentences, charts and cells)."""
        if name not in self._numeric:
            self._numeric[name] = self.exact(name).with_columns(cs.decimal().cast(pl.Float64))
        return self._numeric[name]

    @cached_property
    def window_2(self) -> Totals | None:
        """The latest window, or None without a headline or without an order in it."""
        headline = self.table("lenses.lens1_headline")
        if headline.is_empty():
            return None
        row = headline.row(-1, named=True)
        return Totals(row["customers"], row["orders"], row["spend"] or 0.0, row["profit"] or 0.0)

    @cached_property
    def window_1(self) -> Totals | None:
        """The window before, summed from the groups of lens 2, or None where nobody was active in it."""
        groups = self.table("lenses.lens2_groups")
        if groups.is_empty():
            return None
        before = groups.filter(pl.col("customer_group").is_in(["first_only", "both"]))
        totals = before.select("customers", "orders_1", "spend_1", "profit_1").sum().row(0)
        return Totals(*totals) if totals[0] else None

    @cached_property
    def window_bounds(self) -> dict[int, tuple[str, str]]:
        """First and last month of windows 1 and 2."""
        months = WINDOW_MONTHS[self.facts.window]
        end = self.facts.as_of
        return {
            2: (shift_month(end, 1 - months), end),
            1: (shift_month(end, 1 - 2 * months), shift_month(end, -months)),
        }

    def is_window_complete(self, window: int) -> bool:
        """Whether data covers every month of the window, and its last month has ended."""
        if window == 2 and self.facts.is_open:
            return False
        headline = self.table("lenses.lens1_headline")
        if window == 2 and "window_complete" in headline.columns and not headline.is_empty():
            return bool(headline["window_complete"][-1])
        return self.first_month is not None and self.first_month <= self.window_bounds[window][0]

    @property
    def is_comparable(self) -> bool:
        """Whether both windows exist and are complete, so that a change between them means something."""
        both = self.window_1 is not None and self.window_2 is not None
        return both and self.is_window_complete(1) and self.is_window_complete(2)

    @property
    def first_month(self) -> str | None:
        """The first month with data, 'YYYY-MM'."""
        periods = self.table("marts.periods")
        return None if periods.is_empty() else str(periods["period"].min())


def add_up(frame: pl.DataFrame, name: str) -> float:
    """The sum of a column of numbers."""
    return float(frame[name].sum())


def shift_month(period: str, months: int) -> str:
    """`period` ('YYYY-MM') moved by whole months."""
    index = int(period[:4]) * 12 + int(period[5:7]) - 1 + months
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def last_day(period: str) -> date:
    """The last calendar day of 'YYYY-MM'."""
    year, month = int(period[:4]), int(period[5:7])
    return date(year, month, calendar.monthrange(year, month)[1])


def divide(numerator: float, denominator: float) -> float | None:
    """The ratio, or None where the denominator is zero."""
    return numerator / denominator if denominator else None
