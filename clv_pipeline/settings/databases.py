"""The settings of sources that are databases.

Belongs here: names, types and messages of the keys of [source] and [customers] that concern databases. Does not belong
here: reading a database (`databases/`), what its columns mean (`source.py`), or where secrets may stand
(`secrets.py`).
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from clv_pipeline.settings.section import Section

TABLE_PATTERN = r"^[^.\s]+(\.[^.\s]+){0,2}$"


class Connected(Section):
    """Where a database is, and the file with the secrets of its address; neither gets out in a dump."""

    connection: SecretStr | None = Field(default=None, exclude=True)
    secrets: Path | None = Field(default=None, exclude=True)


class DatabaseSource(Connected):
    """How news in the table of a database are told.

    None of it changes what a landed row means, so none of it is part of a dump: no version depends on it, and no
    address gets out.
    """

    kind: Literal["files", "sql"] = Field(default="files", exclude=True)
    table: str | None = Field(default=None, pattern=TABLE_PATTERN, exclude=True)
    cursor: str | None = Field(default=None, min_length=1, exclude=True)
    replication_slot: str | None = Field(default=None, pattern=r"^[a-z0-9_]{1,63}$", exclude=True)
    publication: str = Field(default="clv", min_length=1, exclude=True)
    lag_minutes: float = Field(default=10, ge=0, le=10_080, exclude=True)

    @model_validator(mode="after")
    def _check_kind(self) -> "DatabaseSource":
        given = {"connection": self.connection, "table": self.table, "cursor": self.cursor or self.replication_slot}
        if self.kind == "sql" and (missing := [name for name, value in given.items() if value is None]):
            raise ValueError(f"kind = 'sql' lacks {' and '.join(missing)}; see docs/databases.md")
        if self.cursor and self.replication_slot:
            raise ValueError("has cursor and replication_slot; keep that to read what the server logs, else cursor")
        if self.kind == "files" and (
            unused := [name for name in ("table", "cursor", "replication_slot") if getattr(self, name)]
        ):
            raise ValueError(f"{unused[0]} is set, but kind is 'files'; set kind = 'sql' to read a database")
        return self
