"""The settings of the transactions: where they come from and what their columns are called.

Belongs here: names, types and messages of the section [source]. Does not belong here: what concerns databases alone
(`databases.py`), or what a column means (`sql/1_transactions/parsed.sql`).
"""

import difflib
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from clv_pipeline.settings.databases import DatabaseSource

REQUIRED_COLUMNS = ("order_id", "customer_id", "order_ts", "product_id")
_AMOUNTS = ("quantity", "unit_price", "line_total", "unit_cost", "line_cost")
OPTIONAL_COLUMNS = (*_AMOUNTS, "line_id", "is_return", "updated_at", "is_deleted")


class Source(DatabaseSource):
    """Where the transactions come from and what their columns are called."""

    path: str = Field(default="incoming/*.csv", min_length=1)
    timezone: str = "UTC"
    business_timezone: str = "UTC"
    currency: str = "USD"
    timestamp_format: str | None = None
    encoding: Literal["utf-8", "utf-16", "latin-1"] = "utf-8"
    columns: dict[str, str] = Field(default_factory=dict)

    @field_validator("timezone", "business_timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{name}' is not a time zone; use a name such as 'Europe/Berlin'") from error
        return name

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        if not columns:
            return columns
        for name, theirs in columns.items():
            if not name.isidentifier() or name != name.lower():
                raise ValueError(f"'{name}' is no column name; use lower case letters, digits and _")
            if not theirs.strip():
                raise ValueError(f"{name} is mapped to nothing; write the column's name in the source, or remove it")
            close = difflib.get_close_matches(name, (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS), n=1, cutoff=0.85)
            if close and close[0] != name:
                raise ValueError(f"unknown column '{name}'; did you mean '{close[0]}'?")
        if missing := [name for name in REQUIRED_COLUMNS if name not in columns]:
            raise ValueError(f"lacks {', '.join(missing)}; map each to a column of the source")
        if not {"unit_price", "line_total"} & set(columns):
            raise ValueError("lacks an amount; map unit_price or line_total")
        return columns

    @model_validator(mode="after")
    def _check_identity(self) -> "Source":
        if self.kind == "files":
            return self
        if "line_id" not in self.columns:
            raise ValueError("columns lacks line_id; rows of a table that change need the key of the table")
        if self.cursor:
            self.columns.setdefault("updated_at", self.cursor)
        elif "updated_at" in self.columns:
            raise ValueError(
                "columns maps updated_at beside replication_slot; the server's log tells the order, remove it"
            )
        else:
            self.columns.setdefault("is_deleted", "is_deleted")
        return self

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Mapped columns beyond the pipeline's own (channel, region, ...), carried along as text."""
        own = {*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS}
        return tuple(name for name in self.columns if name not in own)
