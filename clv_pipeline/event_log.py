"""Makes Dagster's event log quick for a command that writes hundreds of events within seconds.

Belongs here: how long connections to the event log stay open. Does not belong here: which events there are
(`events.py`). Dagster opens and closes a database for each event, and SQLite forces the disk at each close: a first
load of three years then spends more time on its log than on its data.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import RLock, get_ident
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.pool import SingletonThreadPool

_BUSY_SECONDS = 60
_REPORTED = frozenset(
    {
        dg.DagsterEventType.STEP_OUTPUT,
        dg.DagsterEventType.ASSET_MATERIALIZATION,
        dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    }
)


class _OpenEventLog(SqliteEventLogStorage):
    """The same files with the same contents; connections are kept for the life of the process.

    In WAL mode synchronous = NORMAL loses nothing when a process dies; the lake, not this log, is the record.
    """

    engines: dict[str, Engine]
    # The thread that stores a batch, its open connections by database, and what ends their transactions.
    owner: int | None
    shared: dict[str, Connection]
    transactions: ExitStack

    # Events of a step that is reporting; they come by the hundred, and are written together.
    waiting: list[dg.EventLogEntry]

    @cached_property
    def supports_asset_checks(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether the tables for checks are there, which Dagster would look up for every check of every month."""
        return super().supports_asset_checks

    def has_table(self, table_name: str) -> bool:
        """Whether there is such a table, which Dagster looks up on a new connection for every event of an asset."""
        return table_name in self._tables

    @cached_property
    def _tables(self) -> frozenset[str]:
        with self.index_connection() as connection:
            return frozenset(inspect(connection).get_table_names())

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Stores an event: what a step reports of its tables with the next event of another kind, or before a look."""
        if self.owner == get_ident():
            super().store_event(event)
            return
        with self._db_lock:
            self.waiting.append(event)
            if event.dagster_event is None or event.dagster_event.event_type not in _REPORTED:
                self.write_waiting()

    def write_waiting(self) -> None:
        """Writes what is still to be written, in one transaction for each database."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self.store_event_batch(waiting)

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Stores the events that Dagster hands over together in one transaction for each database."""
        with self._db_lock, ExitStack() as transactions:
            self.transactions, self.shared, self.owner = transactions, {}, get_ident()
            try:
                super().store_event_batch(events)
            finally:
                self.owner = None

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if self.owner != get_ident():
            with self._db_lock:
                self.write_waiting()
                with self._begin(shard) as connection:
                    yield connection
            return
        if shard not in self.shared:
            self.shared[shard] = self.transactions.enter_context(self._begin(shard))
        yield self.shared[shard]

    @contextmanager
    def _begin(self, shard: str) -> Iterator[Connection]:
        if shard not in self.engines:
            self.engines[shard] = self._open(shard)
        with self.engines[shard].connect() as connection, connection.begin():
            yield connection

    def _open(self, shard: str) -> Engine:
        engine = create_engine(
            self.conn_string_for_shard(shard),
            poolclass=SingletonThreadPool,
            connect_args={"timeout": _BUSY_SECONDS},
        )
        event.listen(engine, "connect", _relax)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        return engine


def _relax(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


def keep_event_log_open(instance: dg.DagsterInstance) -> None:
    """Keeps the event log of `instance` open in this process, when it is the SQLite one of a single machine."""
    storage = instance.event_log_storage
    if type(storage) is SqliteEventLogStorage:
        storage.__class__ = _OpenEventLog
        storage.engines, storage.owner, storage.waiting = {}, None, []  # pyright: ignore[reportAttributeAccessIssue]
        # What waits is written when somebody connects, who holds the lock already.
        storage._db_lock = RLock()  # pyright: ignore[reportAttributeAccessIssue]
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "1000")


def close_event_log(instance: dg.DagsterInstance) -> None:
    """Closes what `keep_event_log_open` kept, with what is still to be written."""
    if isinstance(storage := instance.event_log_storage, _OpenEventLog):
        storage.write_waiting()
    for engine in getattr(instance.event_log_storage, "engines", {}).values():
        engine.dispose()
