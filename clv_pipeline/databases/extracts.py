"""What one read of a source table brings: the rows since the checkpoint, as text, in the shape of the landing log.

Belongs here: checkpoint, lag, whether there is news. Does not belong here: reading rows (`reading.py`), appending them
to the log (`landing.py`).

A row becomes visible when its transaction commits, which may be later than its cursor says, and after rows with later
cursors. So each read goes back by the lag from the latest cursor it knows; rows it has read before are recognised.
The checkpoint is taken before the rows are read: what commits in between is read now, or again the next time.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError, open_database
from clv_pipeline.databases.reading import TableReader, as_moment, open_table
from clv_pipeline.lake import Lake
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
    rows: int
    checkpoint: str


def extract_news(
    con: duckdb.DuckDBPyConnection, settings: Settings, checkpoint: str | None, folder: Path
) -> Extract | None:
    """Reads the table of [source] from the last load's `checkpoint` on into `folder`; None where nothing changed.

    Raises DatabaseError or DatabaseAwayError, one line without secrets, when it cannot be read to its end.
    """
    source, since = settings.source, Checkpoint.load(checkpoint)
    name = source.table or ""
    file = folder / "raw_0.parquet"
    wanted = list(dict.fromkeys([*source.columns.values(), source.cursor or ""]))
    with open_database(source, settings.base) as database:
        reader = open_table(database, name, wanted)
        _require_time(reader, source.cursor or "")
        reached = _find_latest(reader, settings)
        rows = _stage(con, reader.stream(_since(reader, settings, since)), name, file)
    before = since.moment if since else None
    latest = max((moment for moment in (before, reached) if moment), default=None)
    if since and _fingerprint(con, settings, file, before) == since.window:
        return None
    cursor = latest.isoformat() if latest else None
    return Extract(name, file, rows, Checkpoint(cursor, _fingerprint(con, settings, file, latest)).dump())


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


def _since(reader: TableReader, settings: Settings, since: Checkpoint | None) -> "sa.ColumnElement[bool] | None":
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


def _stage(con: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], name: str, file: Path) -> int:
    """Writes the rows as text; returns how many there are."""
    first = next(batches)
    schema = first.schema.append(pa.field("clv_n", pa.int64()))
    stream = _Stream(chain([first], batches), schema)
    con.register("extracted", pa.RecordBatchReader.from_batches(schema, stream.number()))
    names = [(quote_name(column), quote_name(stored_name(column))) for column in first.schema.names]
    theirs = ", ".join(f"CAST({column} AS VARCHAR) AS {stored}" for column, stored in names)
    try:
        con.execute(f"""
            COPY (
                SELECT {quote_literal(name)} AS source, clv_n AS row_number,
                       CAST(NULL AS VARCHAR) AS malformed, {theirs}
                FROM extracted
            ) TO {quote_literal(str(file))} (FORMAT parquet)""")
    except duckdb.Error:
        # DuckDB passes an error of the stream on as text; the error itself is the one to tell.
        if stream.error:
            raise stream.error from None
        raise
    finally:
        con.unregister("extracted")
    return stream.rows


class _Stream:
    """Batches with a running number, the count of their rows, and the error that ended them, if one did."""

    def __init__(self, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        self.batches = batches
        self.schema = schema
        self.rows = 0
        self.error: Exception | None = None

    def number(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                numbers = pa.array(range(self.rows + 1, self.rows + batch.num_rows + 1), pa.int64())
                self.rows += batch.num_rows
                yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=self.schema)
        except Exception as error:
            self.error = error
            raise


def _fingerprint(con: duckdb.DuckDBPyConnection, settings: Settings, file: Path, latest: datetime | None) -> str:
    """Tells the rows of `file` from the lag before `latest` on, in any order, from others."""
    rows = f"read_parquet({quote_literal(str(file))})"
    if latest is not None:
        cursor = quote_name(stored_name(settings.source.cursor or ""))
        floor = quote_literal(_go_back(latest, settings).isoformat())
        rows += f" WHERE COALESCE(TRY_CAST({cursor} AS TIMESTAMPTZ) >= CAST({floor} AS TIMESTAMPTZ), TRUE)"
    query = f"SELECT count(*), sum(hash(t)) FROM (SELECT * EXCLUDE (row_number) FROM {rows}) AS t"
    count, total = con.execute(query).fetchall()[0]
    return f"{count}:{total or 0}"


def describe_news(lake: Lake, settings: Settings, checkpoint: str | None) -> str | None:
    """What a load would find, in a word that changes with it; None where nothing changed.

    A database that cannot be read counts as news once an hour: the load that it asks for says what is wrong.
    """
    lake.prepare()
    try:
        with TemporaryDirectory(dir=lake.root / ".staging") as folder, lake.connect() as con:
            extract = extract_news(con, settings, checkpoint, Path(folder))
    except (DatabaseError, DatabaseAwayError) as error:
        return f"{settings.source.table}:{datetime.now(UTC):%Y-%m-%d %H}:{error}"
    return f"{extract.name}:{extract.checkpoint}" if extract else None
