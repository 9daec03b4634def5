"""Reads the table of customers and that of the map of identifiers, whole, as files are read: text, and protected.

Belongs here: what is read of a table, and a fingerprint that tells one content from the next. Does not belong here:
connecting and reading (`databases/`), what the rows mean (`rows.py`), or when tables are looked at (`news.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from clv_pipeline.customers.rows import THEIRS, name_rows, protect_ids
from clv_pipeline.databases.connection import Database, open_database
from clv_pipeline.databases.reading import TableReader, open_table
from clv_pipeline.databases.staging import Stage
from clv_pipeline.lake import Lake
from clv_pipeline.privacy.guard import Guard
from clv_pipeline.settings import Settings
from clv_pipeline.settings.databases import Connected


@dataclass(frozen=True)
class TableRows:
    """The rows of a table as `read_rows` gives those of files, in an order of their own, and their fingerprint."""

    name: str
    rows: pl.DataFrame
    content: str


@dataclass(frozen=True)
class Tables:
    """What the tables of [customers] say; None where there is no such table."""

    customers: TableRows | None = None
    id_map: TableRows | None = None


def read_tables(lake: Lake, settings: Settings, guard: Guard) -> Tables:
    """The tables of [customers] as they are now.

    Raises DatabaseError, DatabaseAwayError or SettingsError, one line without secrets, when one cannot be read.
    """
    customers = settings.customers
    if customers.kind == "files":
        return Tables()
    described = merged = None
    with _open(settings) as database:
        if customers.table:
            # Who may be shown is never left out, whatever else is.
            flags = [name for name in (customers.visible, customers.consent) if name]
            wanted = list(customers.columns.values()) or None
            reader = open_table(database, customers.table, wanted, flags)
            described = _read(lake, guard, reader, ids=[customers.name_column("customer_id")])
        if customers.id_map_table:
            ids = [customers.name_id_column(name) for name in ("source_id", "customer_id")]
            reader = open_table(database, customers.id_map_table, ids, [customers.name_id_column("updated_at")])
            merged = _read(lake, guard, reader, ids=ids)
    return Tables(described, merged)


@contextmanager
def _open(settings: Settings) -> Iterator[Database]:
    """The database of [customers], which is that of [source] where it names none."""
    source, customers = settings.source, settings.customers
    section = "source" if customers.connection is None and source.connection is not None else "customers"
    given = Connected(connection=customers.connection or source.connection, secrets=customers.secrets or source.secrets)
    with open_database(given, settings.base, section=section) as database:
        yield database


def _read(lake: Lake, guard: Guard, reader: TableReader, *, ids: Sequence[str]) -> TableRows:
    name = reader.table.fullname
    with TemporaryDirectory(prefix="people-", dir=lake.root / ".staging") as folder, lake.connect() as con:
        guard.encrypt_spill(con)
        file = Path(folder) / "rows.parquet"
        Stage(con, name, file, protect_ids(guard, con, ids), guard.is_active).write(reader.stream())
        rows = name_rows(pl.read_parquet(file), name, ids)
        theirs = sorted(column for column in rows.columns if column.startswith(THEIRS))
        # A table has no order of its own, and what counts must not depend on how the server reads it.
        first = [THEIRS + one for one in ids]
        ordered = rows.sort(*first, *(column for column in theirs if column not in first), nulls_last=True)
        ordered = ordered.with_columns(pl.int_range(1, pl.len() + 1).alias("row_number"))
        return TableRows(name, ordered, _fingerprint(con, ordered.select(theirs)))


def _fingerprint(con: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> str:
    con.register("table_rows", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
    count, total = con.execute("SELECT count(*), sum(hash(t)) FROM table_rows AS t").fetchall()[0]
    con.unregister("table_rows")
    return f"{','.join(rows.columns)}:{count}:{total or 0}"
