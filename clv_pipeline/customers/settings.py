"""The settings of customers: their files, which identifiers are one person, whose word counts, who may be shown.

Belongs here: names, types and messages of the section [customers]. Does not belong here: the other sections
(`settings.py`), or reading the files (`rows.py`).
"""

import difflib

from pydantic import Field, field_validator

from clv_pipeline.period_settings import Section

ID_COLUMNS = ("source_id", "customer_id", "updated_at")


class Customers(Section):
    """The optional customer files (customer_id, acquisition_ts, attributes) and the map of identifiers.

    `visible` and `consent` are columns of the customer files that are heeded where a file has them; empty: never. With
    `history`, attributes count in an as-of month as they were at its end.
    """

    path: str | None = None
    id_map: str | None = Field(default=None, min_length=1)
    id_columns: dict[str, str] = Field(default_factory=dict)
    precedence: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    visible: str = "is_visible"
    consent: str = "consent"
    history: bool = False

    @field_validator("id_columns")
    @classmethod
    def _check_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for name, theirs in columns.items():
            if name not in ID_COLUMNS:
                close = difflib.get_close_matches(name, ID_COLUMNS, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(ID_COLUMNS)}"
                raise ValueError(f"unknown column '{name}'; {hint}")
            if not theirs.strip():
                raise ValueError(f"{name} is mapped to nothing; write the column's name in the id map, or remove it")
        return columns

    @field_validator("precedence", "required")
    @classmethod
    def _check_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in names) or len(set(names)) < len(names):
            raise ValueError("names something twice or not at all; write each name once")
        return names

    @property
    def is_used(self) -> bool:
        """Whether there is anything to land."""
        return self.path is not None or self.id_map is not None

    def name_id_column(self, ours: str) -> str:
        """What the id map calls our column."""
        return self.id_columns.get(ours, ours)
