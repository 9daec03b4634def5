"""The settings of customers: where they are told of, which identifiers are one person, whose word counts, who is shown.

Belongs here: names, types and messages of the section [customers]. Does not belong here: reading what they name
(`customers/`).
"""

import difflib
from typing import Literal

from pydantic import Field, field_validator, model_validator

from clv_pipeline.settings.databases import TABLE_PATTERN, Connected

ID_COLUMNS = ("source_id", "customer_id", "updated_at")


class Customers(Connected):
    """The optional customer files or table (customer_id, acquisition_ts, attributes) and the map of identifiers.

    `columns` are ours = theirs; where there are any, no others are read. `visible` and `consent` are columns that are
    heeded where there are such; empty: never. With `history`, attributes count in an as-of month as they were at its
    end: as they were when landed, or, where it is "source", by the valid_from and valid_to of each row.
    """

    kind: Literal["files", "sql"] = "files"
    path: str | None = None
    table: str | None = Field(default=None, pattern=TABLE_PATTERN)
    columns: dict[str, str] = Field(default_factory=dict)
    id_map: str | None = Field(default=None, min_length=1)
    id_map_table: str | None = Field(default=None, pattern=TABLE_PATTERN)
    id_columns: dict[str, str] = Field(default_factory=dict)
    precedence: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    visible: str = "is_visible"
    consent: str = "consent"
    history: bool | Literal["source"] = False

    @model_validator(mode="after")
    def _check_kind(self) -> "Customers":
        tables = {"table": self.table, "id_map_table": self.id_map_table}
        given = [name for name, value in tables.items() if value is not None]
        if self.kind == "sql" and not given:
            raise ValueError("kind = 'sql' lacks table or id_map_table; see docs/customers.md")
        if self.kind == "files" and given:
            raise ValueError(f"{given[0]} is set, but kind is 'files'; set kind = 'sql' to read a database")
        for files, table in (("path", "table"), ("id_map", "id_map_table")):
            if getattr(self, files) is not None and getattr(self, table) is not None:
                raise ValueError(f"has {files} and {table}; keep the one that is to be read")
        return self

    @field_validator("columns")
    @classmethod
    def _check_mapping(cls, columns: dict[str, str]) -> dict[str, str]:
        if not all(name.strip() and theirs.strip() for name, theirs in columns.items()):
            raise ValueError("maps something to nothing; write ours = 'theirs'")
        if columns and "customer_id" not in columns:
            close = difflib.get_close_matches("customer_id", columns, n=1)
            raise ValueError(
                f"lacks customer_id{f' (is {close[0]} meant?)' if close else ''}; map it to a column of the source"
            )
        if len(set(columns.values())) < len(columns):
            raise ValueError("maps one column twice; map each to one name")
        return columns

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
        return self.describes or self.merges

    @property
    def describes(self) -> bool:
        """Whether there are files or a table of customers."""
        return self.path is not None or self.table is not None

    @property
    def merges(self) -> bool:
        """Whether there is a map of identifiers."""
        return self.id_map is not None or self.id_map_table is not None

    def name_column(self, ours: str) -> str:
        """What files and table of customers call our column."""
        return self.columns.get(ours, ours)

    def name_id_column(self, ours: str) -> str:
        """What the id map calls our column."""
        return self.id_columns.get(ours, ours)
