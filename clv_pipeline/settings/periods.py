"""The settings of the lenses: the calendar, by what and for whom lenses 3 to 5 are taken, and their bands.

Belongs here: names, types and messages of the sections [periods] and [lenses]. Does not belong here: the other
sections, or where a column of customers comes from (`customers/attributes.py`).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator

from clv_pipeline.settings.section import PERIOD_PATTERN, Section

WINDOW_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Periods(Section):
    """The calendar of the audit, its behavioural cohorts, and the customers that lenses 3 to 5 are limited to."""

    start: str | None = Field(default=None, pattern=PERIOD_PATTERN)
    window: Literal["month", "quarter", "year"] = "year"
    cohort: Literal["month", "quarter", "year"] = "quarter"
    cohort_by: str | None = Field(default=None, min_length=1)
    only: dict[str, str] = Field(default_factory=dict)

    @field_validator("only", mode="before")
    @classmethod
    def _read_values(cls, only: Any) -> Any:
        # A store number or a flag is text by the time it is compared.
        if not isinstance(only, Mapping):
            return only
        texts = {True: "true", False: "false"}
        return {
            name: texts[value] if isinstance(value, bool) else str(value) if isinstance(value, int) else value
            for name, value in only.items()
        }

    @property
    def window_months(self) -> int:
        """Months in a lens window."""
        return WINDOW_MONTHS[self.window]

    @property
    def cohort_months(self) -> int:
        """Months in a cohort."""
        return WINDOW_MONTHS[self.cohort]

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns of customers that `cohort_by` and `only` name."""
        return tuple(sorted({*self.only, *([self.cohort_by] if self.cohort_by else [])}))

    @property
    def filter_text(self) -> str:
        """`only` in words, 'channel = web and region = north'; empty without one."""
        return " and ".join(f"{name} = {value}" for name, value in sorted(self.only.items()))


Measure = Literal["spend", "profit", "orders", "spend_per_order", "margin"]


class Lenses(Section):
    """Bins and bands for those who want the same ones every month, and the growth that lens 5 plans for."""

    histogram_edges: dict[Measure, tuple[float, ...]] = Field(default_factory=dict)
    profit_bands: tuple[float, ...] = ()
    order_bands: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    profit_cutoffs: tuple[float, ...] = ()
    growth: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2)

    @field_validator("histogram_edges")
    @classmethod
    def _check_histograms(cls, histograms: dict[Measure, tuple[float, ...]]) -> dict[Measure, tuple[float, ...]]:
        return {measure: _start_at_zero(edges) for measure, edges in histograms.items()}

    @field_validator("profit_bands")
    @classmethod
    def _check_bands(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        return _start_at_zero(edges)[1:] if edges else ()

    @field_validator("order_bands")
    @classmethod
    def _check_orders(cls, starts: tuple[int, ...]) -> tuple[int, ...]:
        _require_ascending(starts)
        if starts[:1] != (1,):
            raise ValueError("must start with 1; write the first number of orders of each band, such as [1, 2, 3, 6]")
        return starts

    @field_validator("profit_cutoffs")
    @classmethod
    def _check_cutoffs(cls, cutoffs: tuple[float, ...]) -> tuple[float, ...]:
        _require_ascending(cutoffs[::-1], "descend")
        if len(cutoffs) not in {0, 9}:
            raise ValueError("needs the nine profits between ten deciles, the best first, such as [545, 350, ..., 40]")
        return cutoffs

    @field_validator("growth")
    @classmethod
    def _check_growth(cls, growth: tuple[float, ...]) -> tuple[float, ...]:
        _require_ascending(growth)
        if not growth or growth[0] < 0:
            raise ValueError("needs shares of last window's profit, 0 or more, such as [0, 0.05, 0.1]")
        return growth


def _start_at_zero(edges: tuple[float, ...]) -> tuple[float, ...]:
    """The edges with 0 before them: what is below zero has a bin of its own."""
    _require_ascending(edges)
    if not edges or edges[0] < 0 or edges[-1] == 0:
        raise ValueError("needs upper edges above zero; what is below zero has a bin of its own")
    return edges if edges[0] == 0 else (0.0, *edges)


def _require_ascending(numbers: Sequence[float], word: str = "ascend") -> None:
    if any(after <= before for before, after in pairwise(numbers)):
        raise ValueError(f"must {word}, each number once")
