"""Reads rows of a table as Arrow batches, through dlt.

Belongs here: reflecting a table, choosing how dlt reads it, the query. Does not belong here: which rows are news
(`extracts.py`), connecting (`connection.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clv_pipeline.databases.connection import Database, DatabaseError

if TYPE_CHECKING:
    import sqlalchemy as sa

_ROWS_PER_BATCH = 50_000
_LISTED_COLUMNS = 20


@dataclass(frozen=True)
class TableReader:
    """A reflected table or view, and what each wanted column is called there."""

    database: Database
    table: "sa.Table"
    columns: Mapping[str, str]
    """Wanted name -> name in the table; they differ in case where the database folds it."""

    def column(self, wanted: str) -> "sa.Column[Any]":
        """The column that is wanted under this name."""
        return self.table.c[self.columns[wanted]]

    def scalar(self, query: "sa.Select[Any]") -> Any:
        """The one value that `query` gives."""
        with self.database.explain_errors(f"table {self.table.fullname}"), self.database.engine.connect() as con:
            return con.execute(query).scalar()

    def stream(self, condition: "sa.ColumnElement[bool] | None" = None) -> Iterator[pa.RecordBatch]:
        """The rows that meet `condition`, as of one moment, in columns of the wanted names; at least one batch."""
        with self.database.explain_errors(f"table {self.table.fullname}"):
            names = {theirs: wanted for wanted, theirs in self.columns.items()}
            for batch in self._read(condition):
                yield batch.rename_columns([names[name] for name in batch.schema.names])

    def _read(self, condition: "sa.ColumnElement[bool] | None") -> Iterator[pa.RecordBatch]:
        from dlt.sources.sql_database import sql_table  # noqa: PLC0415

        def limit(query: "sa.Select[Any]", _: "sa.Table") -> "sa.Select[Any]":
            chosen = query.with_only_columns(*(self.table.c[name] for name in self.columns.values()))
            return chosen if condition is None else chosen.where(condition)

        resource = sql_table(
            credentials=self.database.engine,
            table=self.table.name,
            schema=self.table.schema,
            metadata=self.table.metadata,
            backend="pyarrow",
            chunk_size=_ROWS_PER_BATCH,
            reflection_level="full_with_precision",
            query_adapter_callback=limit,
            table_loader_class=_choose_loader(self.database),
        )
        read = False
        for item in resource:
            for batch in item.to_batches() if isinstance(item, pa.Table) else [item]:
                read = True
                yield batch
        if not read:
            yield pa.RecordBatch.from_pydict(dict.fromkeys(self.columns.values(), pa.array([], pa.string())))


def open_table(
    database: Database, name: str, wanted: Sequence[str] | None, optional: Sequence[str] = ()
) -> TableReader:
    """A reader of the table or view `name` ('schema.table'): of all its columns where `wanted` is None.

    Of `optional` columns those that it has.

    Raises DatabaseError for a table that is not there, and for wanted columns that it lacks.
    """
    from sqlalchemy import MetaData, Table  # noqa: PLC0415
    from sqlalchemy.exc import NoSuchTableError  # noqa: PLC0415

    schema, _, table = name.rpartition(".")
    if database.kind == "bigquery" and not schema:
        # With the dataset in the address alone its emulator gives no rows, and no error.
        raise DatabaseError(f"table {name} names no dataset; write table = 'dataset.{name}' in clv.toml")
    with database.explain_errors(f"table {name}"):
        try:
            reflected = Table(table, MetaData(schema=schema or None), autoload_with=database.engine)
        except NoSuchTableError:
            raise DatabaseError(f"there is no table {name}, or no right to see it; mend its name in clv.toml") from None
    wanted = reflected.c.keys() if wanted is None else wanted
    columns = {column: theirs for column in (*wanted, *optional) if (theirs := _find(column, reflected))}
    if missing := [column for column in wanted if column not in columns]:
        theirs = ", ".join(reflected.c.keys()[:_LISTED_COLUMNS])
        raise DatabaseError(f"table {name} has no column '{missing[0]}'; it has {theirs}; mend the columns in clv.toml")
    return TableReader(database, reflected, columns)


def _find(wanted: str, table: "sa.Table") -> str | None:
    if wanted in table.c:
        return wanted
    folded = [name for name in table.c.keys() if name.lower() == wanted.lower()]  # noqa: SIM118  (c is no mapping)
    return folded[0] if len(folded) == 1 else None


def as_moment(value: date | datetime | None) -> datetime | None:
    """A cursor's value as a time; a date is its first moment."""
    if value is None or isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)


def _choose_loader(database: Database) -> Any:
    """dlt's own loader, and for PostgreSQL one that reads Arrow batches off the wire, a multiple as fast."""
    if database.kind != "postgresql":
        return None
    from clv_pipeline.databases.adbc_loader import AdbcTableLoader  # noqa: PLC0415

    return AdbcTableLoader
