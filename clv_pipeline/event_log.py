"""Makes Dagster's event log quick for a command that writes hundreds of events within seconds.

Belongs here: how long connections to the event log stay open. Does not belong here: which events there are
(`events.py`). Dagster opens and closes a database for each event, and SQLite forces the disk at each close: a first
load of three years then spends more time on its log than on its data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import SingletonThreadPool

_BUSY_SECONDS = 60


class _OpenEventLog(SqliteEventLogStorage):
    """The same files with the same contents; connections are kept for the life of the process.

    In WAL mode synchronous = NORMAL loses nothing when a process dies; the lake, not this log, is the record.
    """

    engines: dict[str, Engine]

    @cached_property
    def supports_asset_checks(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether the tables for checks are there, which Dagster would look up for every check of every month."""
        return super().supports_asset_checks

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
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
        storage.engines = {}  # pyright: ignore[reportAttributeAccessIssue]


def close_event_log(instance: dg.DagsterInstance) -> None:
    """Closes what `keep_event_log_open` kept."""
    for engine in getattr(instance.event_log_storage, "engines", {}).values():
        engine.dispose()
