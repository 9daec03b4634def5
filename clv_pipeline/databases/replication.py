"""Change data capture: what a PostgreSQL table's logical replication slot has to say since the checkpoint.

Belongs here: the slot, the first read of the whole table, the last state of each changed row. Does not belong here: the
wire format (`pgoutput.py`), appending rows to the log (`landing.py`).

The slot is looked into, not read: it only moves on to a place that the ledger has committed, at the next load. A load
that dies is so told the same again. The first load makes the slot before it reads the table; what changes in between is
told again, and known by then.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clv_pipeline.databases.connection import Database, DatabaseError
from clv_pipeline.databases.pgoutput import DecodeError, Row, decode
from clv_pipeline.databases.reading import open_table
from clv_pipeline.databases.staging import Stage
from clv_pipeline.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

_BATCH = 10_000


def extract_changes(database: Database, settings: Settings, checkpoint: str | None, stage: Stage) -> str | None:
    """Stages the rows that changed since `checkpoint`, all before the first load.

    Returns the new checkpoint, None when nothing changed. Raises DatabaseError when the slot cannot be used.
    """
    if database.kind != "postgresql":
        raise DatabaseError(
            f"[source] replication_slot is for PostgreSQL alone, not for {database.kind}; set cursor instead"
        )
    source = settings.source
    with database.explain_errors(f"slot {source.replication_slot}"), _connect(database) as connection:
        if checkpoint is None:
            reached = _make_slot(connection, settings)
            stage.write(_read_table(database, settings))
            return json.dumps({"lsn": reached})
        since = json.loads(checkpoint)["lsn"]
        _move_on(connection, settings, since)
        ahead = _ask(connection, "SELECT pg_current_wal_lsn() - '0/0'")
        rows, reached = _collect_changes(connection, settings, int(since))
        if not rows:
            _move_on(connection, settings, max(int(ahead), int(since)))
            return None
        stage.write(_as_batches(rows, settings))
        return json.dumps({"lsn": reached})


def _connect(database: Database) -> "sa.Connection":
    return database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")


def _ask(connection: "sa.Connection", query: str, **parameters: object) -> Any:
    import sqlalchemy as sa  # noqa: PLC0415

    return connection.execute(sa.text(query), parameters).scalar()


def _make_slot(connection: "sa.Connection", settings: Settings) -> int:
    slot, publication = settings.source.replication_slot, settings.source.publication
    if not _ask(connection, "SELECT count(*) FROM pg_publication WHERE pubname = :name", name=publication):
        table = settings.source.table
        raise DatabaseError(f"there is no publication; run CREATE PUBLICATION {publication} FOR TABLE {table} there")
    place = "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = :slot"
    if (found := _ask(connection, place, slot=slot)) is None:
        _ask(connection, "SELECT pg_create_logical_replication_slot(:slot, 'pgoutput')", slot=slot)
        found = _ask(connection, place, slot=slot)
    return int(found)


def _move_on(connection: "sa.Connection", settings: Settings, lsn: int) -> None:
    """Lets the server forget what was landed."""
    slot = settings.source.replication_slot
    known = "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = :slot"
    confirmed = _ask(connection, known, slot=slot)
    if confirmed is None:
        raise DatabaseError(f"slot {slot} is gone, and with it what changed since; load into a new home")
    if confirmed < lsn:
        _ask(connection, "SELECT pg_replication_slot_advance(:slot, CAST('0/0' AS pg_lsn) + :lsn)", slot=slot, lsn=lsn)


def _collect_changes(connection: "sa.Connection", settings: Settings, since: int) -> tuple[dict[str, Row], int]:
    """The last state of each row that changed, by its key, and the end of the last transaction."""
    source = settings.source
    key, flag = source.columns["line_id"], source.columns["is_deleted"]
    table = source.table if "." in (source.table or "") else f"public.{source.table}"
    rows: dict[str, Row] = {}
    reached = since
    try:
        for transaction in decode(_peek(connection, settings)):
            if transaction.end <= since:
                continue
            reached = transaction.end
            for change in transaction.changes:
                if change.table != table:
                    continue
                if change.old is not None and (gone := change.old.get(key)):
                    # Taken out first, so that the rows stay in the order in which they changed last.
                    rows.pop(gone, None)
                    rows[gone] = {**change.old, flag: "true"}
                if change.new is not None:
                    kept = change.new.get(key) or ""
                    rows.pop(kept, None)
                    rows[kept] = change.new
    except DecodeError as error:
        raise DatabaseError(f"slot {source.replication_slot}: {error}") from None
    return rows, reached


def _peek(connection: "sa.Connection", settings: Settings) -> Iterator[bytes]:
    import sqlalchemy as sa  # noqa: PLC0415

    query = sa.text("""
        SELECT data FROM pg_logical_slot_peek_binary_changes(
            :slot, NULL, NULL, 'proto_version', '1', 'publication_names', :publication)""")
    names = {"slot": settings.source.replication_slot, "publication": settings.source.publication}
    for (data,) in connection.execute(query, names):
        yield bytes(data)


def _read_table(database: Database, settings: Settings) -> Iterator[pa.RecordBatch]:
    columns = settings.source.columns
    wanted = list(dict.fromkeys(theirs for ours, theirs in columns.items() if ours != "is_deleted"))
    yield from open_table(database, settings.source.table or "", wanted, [columns["is_deleted"]]).stream()


def _as_batches(rows: dict[str, Row], settings: Settings) -> Iterator[pa.RecordBatch]:
    names = list(dict.fromkeys(settings.source.columns.values()))
    schema = pa.schema([(name, pa.string()) for name in names])
    listed = list(rows.values())
    for start in range(0, len(listed), _BATCH):
        part = listed[start : start + _BATCH]
        yield pa.RecordBatch.from_pylist([{name: row.get(name) for name in names} for row in part], schema=schema)
