"""What one read of a source table brings: the rows since the checkpoint, as text, in the shape of the landing log.

Belongs here: checkpoint, lag, what is read. Does not belong here: reading rows (`reading.py`), whether it is worth it
(`news.py`), appending them to the log (`landing.py`).

A row becomes visible when its transaction commits, which may be later than its cursor says, and after rows with later
cursors. So each read goes back by the lag from the latest cursor it knows; rows it has read before are recognised.
The checkpoint is taken before the rows are read: what commits in between is read now, or again the next time.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb

from clv_pipeline.databases.connection import Database, DatabaseError, open_database
from clv_pipeline.databases.reading import TableReader, as_moment, open_table
from clv_pipeline.databases.replication import extract_changes
from clv_pipeline.databases.staging import Stage
from clv_pipeline.privacy.guard import Guard
from clv_pipeline.settings import Settings
from clv_pipeline.sources import stored_name
from clv_pipeline.sql import quote_literal, quote_name

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True)
class Checkpoint:
    """Up to where a table has been read: the latest cursor, and a fingerprint of the rows since the lag before it."""

    cursor: str | None
    window: str

    def dump(self) -> str:
        """As the ledger keeps it."""
        return json.dumps({"cursor": self.cursor, "window": self.window})

    @classmethod
    def load(cls, text: str | None) -> "Checkpoint | None":
        """From the ledger; None before the first load."""
        return cls(**json.loads(text)) if text else None

    @property
    def moment(self) -> datetime | None:
        """The latest cursor; None when no row had one."""
        return datetime.fromisoformat(self.cursor) if self.cursor else None


@dataclass(frozen=True)
class Extract:
    """Rows in `file` (source, row_number, malformed and the source's columns as text), and where to go on from."""

    name: str
    file: Path
    checkpoint: str


def extract_news(
    con: duckdb.DuckDBPyConnection, settings: Settings, guard: Guard, checkpoint: str | None, folder: Path
) -> Extract | None:
    """Reads the table of [source] from the last load's `checkpoint` on into `folder`; None where nothing changed.

    Nothing is written that `guard` does not let in.

    Raises DatabaseError or DatabaseAwayError, one line without secrets, when it cannot be read to its end.
    """
    source = settings.source
    name = source.table or ""
    file = folder / "raw_0.parquet"
    with open_database(source, settings.base) as database:
        reach = extract_changes if source.replication_slot else _extract_since
        reached = reach(
            database, settings, checkpoint, Stage(con, name, file, guard.bind(con, settings), guard.is_active)
        )
    return Extract(name, file, reached) if reached else None


def _extract_since(database: Database, settings: Settings, checkpoint: str | None, stage: Stage) -> str | None:
    """Stages the rows whose cursor lies after `checkpoint`; returns the new one, None without news."""
    source, since = settings.source, Checkpoint.load(checkpoint)
    wanted = list(dict.fromkeys([*source.columns.values(), source.cursor or ""]))
    reader = open_table(database, source.table or "", wanted)
    _require_time(reader, source.cursor or "")
    reached = _find_latest(reader, settings)
    stage.write(reader.stream(select_since(reader, settings, since)))
    before = since.moment if since else None
    latest = max((moment for moment in (before, reached) if moment), default=None)
    if since and _fingerprint(stage, settings, before) == since.window:
        return None
    cursor = latest.isoformat() if latest else None
    return Checkpoint(cursor, _fingerprint(stage, settings, latest)).dump()


def _require_time(reader: TableReader, cursor: str) -> None:
    import sqlalchemy as sa  # noqa: PLC0415

    found = reader.column(cursor).type
    # Dialects have types of their own, as Snowflake's TIMESTAMP_NTZ.
    if not isinstance(found, sa.DateTime | sa.Date) and not str(found).upper().startswith(("TIMESTAMP", "DATETIME")):
        raise DatabaseError(f"source.cursor names '{cursor}', which is {found!s}; name a column with a date or time")


def _find_latest(reader: TableReader, settings: Settings) -> datetime | None:
    """The latest cursor that is not in the future: a wrong clock must not hide what follows."""
    import sqlalchemy as sa  # noqa: PLC0415

    column = reader.column(settings.source.cursor or "")
    now: date | datetime = datetime.now(UTC)
    if not getattr(column.type, "timezone", False):
        now = datetime.now(ZoneInfo(settings.source.timezone)).replace(tzinfo=None)
    if isinstance(column.type, sa.Date):
        now = now.date()
    return as_moment(reader.scalar(sa.select(sa.func.max(column)).where(column <= now)))


def select_since(reader: TableReader, settings: Settings, since: Checkpoint | None) -> "sa.ColumnElement[bool] | None":
    """The condition of rows from the lag before a checkpoint on; None where all are read."""
    import sqlalchemy as sa  # noqa: PLC0415

    moment = since.moment if since else None
    if moment is None:
        return None
    column = reader.column(settings.source.cursor or "")
    floor: date | datetime = _go_back(moment, settings)
    if isinstance(column.type, sa.Date):
        floor = floor.date()
    return sa.or_(column >= floor, column.is_(None))


def _go_back(moment: datetime, settings: Settings) -> datetime:
    return moment - timedelta(minutes=settings.source.lag_minutes)


def _fingerprint(stage: Stage, settings: Settings, latest: datetime | None) -> str:
    """Tells the staged rows from the lag before `latest` on, in any order, from others."""
    rows = f"read_parquet({quote_literal(str(stage.file))})"
    if latest is not None:
        cursor = quote_name(stored_name(settings.source.cursor or ""))
        floor = quote_literal(_go_back(latest, settings).isoformat())
        rows += f" WHERE COALESCE(TRY_CAST({cursor} AS TIMESTAMPTZ) >= CAST({floor} AS TIMESTAMPTZ), TRUE)"
    query = f"SELECT count(*), sum(hash(t)) FROM (SELECT * EXCLUDE (row_number) FROM {rows}) AS t"
    count, total = stage.con.execute(query).fetchall()[0]
    return f"{count}:{total or 0}"
