"""The one door to storage: a lake of Parquet partitions, read, staged and published through DuckDB.

Belongs here: paths, stamps, locks, atomic publication, connections. Does not belong here: what a table means
(`sql/`, `schemas/`), which partitions are stale (`plan.py`), deliveries (`landing.py`).

One partition is one Parquet file. Its stamp (content hash, inputs, code version) sits in the footer of that file, so
that data and stamp are renamed into place together and can never disagree.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from clv_pipeline.settings import Engine
from clv_pipeline.sql import quote_literal, quote_name, quote_paths

_STAMP_KEY = "clv"
_MONTHLY = ("landing", "transactions", "marts")


class LakeError(RuntimeError):
    """Storage is missing, locked or not writable; the message is one line and says the fix."""


@dataclass(frozen=True)
class Stamp:
    """What a published partition holds and what it was made from."""

    content: str
    rows: int
    inputs: str
    code: str
    published_at: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Staged:
    """A candidate partition: rows of a DuckDB table in memory that wait for their audit."""

    table: str
    period: str
    relation: str
    rows: int
    content: str
    shared: bool = False

    @property
    def query(self) -> str:
        """The SELECT of its rows; a table may hold several months."""
        only = f" WHERE period = {quote_literal(self.period)}" if self.shared else ""
        return f"SELECT * FROM {self.relation}{only}"


class Lake:
    """All tables below `<home>/lake`, addressed as 'schema.table' and month."""

    def __init__(self, home: Path, engine: Engine | None = None) -> None:
        self.home = home
        self.root = home / "lake"
        self.engine = engine or Engine()

    def prepare(self) -> None:
        """Creates the folders; LakeError when home cannot be written."""
        try:
            for folder in (self.root, self.root / ".locks", self.root / ".staging"):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".locks" / f"probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise LakeError(
                f"cannot write to home {self.home} ({error.strerror}); fix its permissions or set home"
            ) from None

    def path(self, table: str, period: str) -> Path:
        """The file of one partition, published or not."""
        schema, name = table.split(".")
        axis = "period" if schema in _MONTHLY else "as_of"
        return self.root / schema / name / f"{axis}={period}" / "part.parquet"

    def published(self, table: str) -> dict[str, Path]:
        """The published partitions of `table`, by month."""
        schema, name = table.split(".")
        files = (self.root / schema / name).glob("*=*/part.parquet")
        return {file.parent.name.partition("=")[2]: file for file in sorted(files)}

    def read(self, table: str, period: str) -> pl.DataFrame:
        """The rows of one published partition, in one go: a file opened twice may be another one by then."""
        return pl.read_parquet(self.path(table, period).read_bytes())

    def read_stamps(self, table: str) -> dict[str, Stamp]:
        """The stamps of all published partitions of `table`, by month."""
        found = ((period, read_stamp(path)) for period, path in self.published(table).items())
        return {period: stamp for period, stamp in found if stamp}

    def read_stamp(self, table: str, period: str) -> Stamp | None:
        """The stamp of one partition; None when it is not published."""
        return read_stamp(self.path(table, period))

    @contextmanager
    def connect(self, *, beside: int = 1) -> Iterator[duckdb.DuckDBPyConnection]:
        """An in-memory DuckDB with the configured limits and a spill folder of its own; one of `beside` has its share.

        Two that compete for the same cores take longer than one after the other.
        """
        spill = self.root / ".staging" / f"spill-{os.getpid()}-{time.monotonic_ns()}"
        con = duckdb.connect(config={"memory_limit": self.engine.memory_limit, "temp_directory": str(spill)})
        try:
            if self.engine.threads or beside > 1:
                threads = self.engine.threads or os.cpu_count() or 1
                con.execute(f"SET threads = {max(threads // beside, 1)}")
            con.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
            yield con
        finally:
            con.close()
            shutil.rmtree(spill, ignore_errors=True)

    def expose(
        self,
        con: duckdb.DuckDBPyConnection,
        table: str,
        periods: Iterable[str] | None = None,
        *,
        materialize: bool = False,
    ) -> list[str]:
        """Makes `table` as it is now readable in `con`, limited to `periods`; returns the months found.

        No period at all is a table without rows, of the columns of the first month that there is.
        """
        files = self.published(table)
        asked = list(files if periods is None else periods)
        wanted = [period for period in asked if period in files] or ([] if asked else sorted(files)[:1])
        if not wanted:
            raise LakeError(f"{table} has no published month in reach; run the stages before it first")
        schema, name = table.split(".")
        spill = Path(con.execute("SELECT current_setting('temp_directory')").fetchall()[0][0])
        paths = quote_paths(pin_files({period: files[period] for period in wanted}, spill / "pinned" / table))
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}")
        kind = "TABLE" if materialize else "VIEW"
        con.execute(
            f"CREATE OR REPLACE {kind} {quote_name(schema)}.{quote_name(name)} AS SELECT * FROM"
            f" read_parquet({paths}, union_by_name = true, hive_partitioning = false) WHERE {bool(asked)}"
        )
        return wanted if asked else []

    @contextmanager
    def hold(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Holds the lock called `name`; waits for whoever has it. The kernel frees it when the holder dies.

        Any number of holders share a lock where all of them asked for it so.
        """
        path = self.root / ".locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            yield

    def stage(
        self, con: duckdb.DuckDBPyConnection, table: str, periods: Sequence[str], content: str | pl.DataFrame
    ) -> dict[str, Staged]:
        """Puts the result of a SELECT, or a frame, into the table `staged_<schema>_<table>` of `con`; by month.

        A result for several months tells them apart by its column period. The table is none of DuckDB's temporary
        ones, which other cursors would not see; all of `con` is gone when the step ends.
        """
        relation = "staged_" + table.replace(".", "_")
        source = f"({content})" if isinstance(content, str) else "content_frame"
        if isinstance(content, pl.DataFrame):
            con.register("content_frame", content.to_arrow(compat_level=pl.CompatLevel.oldest()))
        con.execute(f"CREATE OR REPLACE TABLE {relation} AS SELECT * FROM {source}")
        if isinstance(content, pl.DataFrame):
            con.unregister("content_frame")
        shared = len(periods) > 1
        month = "period" if shared else quote_literal(periods[0])
        query = f"SELECT {month}, count(*), CAST(sum(hash(t)) AS VARCHAR) FROM {relation} t GROUP BY ALL"
        found = {period: (int(rows), digest) for period, rows, digest in con.execute(query).fetchall()}
        if stray := set(found) - set(periods):
            raise LakeError(f"{table} has rows of {', '.join(map(str, stray))}, which is not what was to be computed")
        sizes = {period: found.get(period, (0, "0")) for period in periods}
        return {
            period: Staged(table, period, relation, rows, f"{rows}-{digest or 0}", shared)
            for period, (rows, digest) in sizes.items()
        }

    def publish(
        self,
        con: duckdb.DuckDBPyConnection,
        staged: Staged,
        *,
        inputs: str,
        code: str,
        facts: Mapping[str, Any] | None = None,
    ) -> Stamp:
        """Writes the staged rows beside the partition and renames them over it; the old one is whole until then."""
        stamp = Stamp(
            staged.content,
            staged.rows,
            inputs,
            code,
            datetime.now(UTC).isoformat(timespec="seconds"),
            dict(facts or {}),
        )
        target = self.path(staged.table, staged.period)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = self.staging_file(staged.table, staged.period)
        self.copy(con, staged.query, staging, stamp)
        rename_durably(staging, target)
        self.failed_file(staged.table, staged.period).unlink(missing_ok=True)
        return stamp

    def keep_failed(self, con: duckdb.DuckDBPyConnection, staged: Staged) -> Path:
        """Keeps rows that failed their audit for inspection, out of every view."""
        target = self.failed_file(staged.table, staged.period)
        target.parent.mkdir(parents=True, exist_ok=True)
        stamp = Stamp(staged.content, staged.rows, "", "", datetime.now(UTC).isoformat(timespec="seconds"))
        self.copy(con, staged.query, target, stamp)
        return target

    def failed_file(self, table: str, period: str) -> Path:
        """Where rows of a partition are kept that failed their audit, until it is published."""
        return self.root / ".failed" / table / f"{period}.parquet"

    def staging_file(self, table: str, period: str) -> Path:
        """A new file name in the staging folder, for one writer only."""
        folder = self.root / ".staging"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{table}-{period}-{os.getpid()}-{time.monotonic_ns()}.parquet"

    @staticmethod
    def copy(con: duckdb.DuckDBPyConnection, query: str, target: Path, stamp: Stamp | None) -> None:
        """Writes the rows of `query`, and the stamp where there is one, to the Parquet file `target`."""
        text = quote_literal(json.dumps(asdict(stamp), default=str)) if stamp else ""
        footer = f", KV_METADATA {{{_STAMP_KEY}: {text}}}" if stamp else ""
        con.execute(
            f"COPY ({query}) TO {quote_literal(str(target))}"
            f" (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1{footer})"
        )

    def sweep(self) -> None:
        """Removes what killed writers left in the staging folder; what is younger than a day may be in use."""
        for path in (self.root / ".staging").glob("*"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > 86_400:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def pin_files(files: Mapping[str, Path], folder: Path) -> list[Path]:
    """Gives files a second name in `folder`, under which they stay as they are when the first is renamed over.

    DuckDB opens a Parquet file again while it reads it; were it another file by then, the query would fail.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pinned = {file: folder / f"{name}.parquet" for name, file in files.items()}
    for file, name in pinned.items():
        try:
            name.hardlink_to(file)
        except OSError:  # a file system without hard links
            shutil.copy2(file, name)
    return list(pinned.values())


def rename_durably(source: Path, target: Path) -> None:
    """Renames `source` over `target` so that either survives a crash whole: file, then rename, then folder."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    source.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_stamp(path: Path) -> Stamp | None:
    """The stamp in the footer of a file; None without a file or a stamp."""
    try:
        found = path.stat()
        return _read_footer(path, found.st_ino, found.st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=50_000)
def _read_footer(path: Path, inode: int, mtime_ns: int) -> Stamp | None:  # noqa: ARG001  (they tell versions apart)
    text = pl.read_parquet_metadata(path).get(_STAMP_KEY)
    return Stamp(**json.loads(text)) if text else None
