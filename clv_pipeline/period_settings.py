"""The settings of the calendar, and by what and for whom lenses 3 to 5 are taken.

Belongs here: names, types and messages of the section [periods]. Does not belong here: the other sections
(`settings.py`), or where a column of customers comes from (`attributes.py`).
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

WINDOW_MONTHS = {"month": 1, "quarter": 3, "year": 12}
PERIOD_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])$"


class Section(BaseModel):
    """A table of `clv.toml`: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
