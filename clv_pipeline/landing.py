"""Appends deliveries to the landing log, exactly once, and says which months they touched.

Belongs here: what is new in a delivery (a file, its tail, changed lines), the order of arrival, the commit. Does not
belong here: reading files (`sources.py`) or tables (`databases/`), what the ledger implies (`ledger.py`), the state of
a line (`sql/`).

A load becomes visible when the ledger that names it is renamed into place. Whatever a killed load left is swept by
the next one.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

import duckdb
import polars as pl

from clv_pipeline.lake import Lake, rename_durably
from clv_pipeline.ledger import Ledger
from clv_pipeline.mapping import expose_parsed, list_source_columns, parse_parameters
from clv_pipeline.moments import tell_time
from clv_pipeline.privacy.closed_months import leave_out_closed
from clv_pipeline.privacy.guard import LOCK, Guard, open_guard
from clv_pipeline.settings import Settings
from clv_pipeline.sources import (
    BadFile,
    SourceFile,
    digest,
    ends_with_newline,
    explain_os_error,
    list_files,
    stage_files,
)
from clv_pipeline.sql import bind, load_sql, quote_literal
from clv_pipeline.versions import resolve_versions


@dataclass(frozen=True)
class Load:
    """What one call landed: new batches, their rows, the months they touched, the files that could not be read."""

    batches: int = 0
    rows: int = 0
    months: tuple[str, ...] = ()
    unchanged_files: int = 0
    empty_files: tuple[str, ...] = ()
    bad_files: tuple[BadFile, ...] = ()


@dataclass(frozen=True)
class _Delivery:
    file: SourceFile
    batch_id: str
    seq: int
    sha256: str
    replaces: bool
    skip_rows: int
    checkpoint: str | None = None


@dataclass(frozen=True)
class _Place:
    """Where one load is staged, and what it is called."""

    lake: Lake
    settings: Settings
    load: str
    folder: Path


def land_transactions(lake: Lake, settings: Settings) -> Load:
    """Lands every file under `[source] path` that is new, has grown or has changed since it was last delivered.

    Of a database, the rows of its table that are new or have changed. Raises LedgerError when settings that decide how
    landed rows are read have changed since, PrivacyError when the key has, and what `databases.extracts` raises.
    """
    lake.prepare()
    with lake.hold(LOCK, shared=True), lake.hold("landing"):
        landed = Ledger.read(lake)
        guard = open_guard(lake, settings, has_data=not landed.batches.is_empty())
        ledger = landed.accept_reading(settings)
        if ledger is not landed:
            ledger.commit(lake, settings)
        _sweep_uncommitted(lake, ledger)
        land = _land_table if settings.source.kind == "sql" else _land_files
        return land(lake, settings, guard, ledger)


def _land_files(lake: Lake, settings: Settings, guard: Guard, ledger: Ledger) -> Load:
    files = list_files(settings)
    deliveries, seen, bad = _find_deliveries(files, ledger)
    if not deliveries:
        if seen:
            ledger.remember_times(seen).commit(lake, settings)
        return Load(unchanged_files=len(files) - len(bad), bad_files=tuple(bad))
    needed = list(settings.source.columns.values())
    with _open_place(lake, settings, guard, ledger) as (con, place):
        files_now = [d.file for d in deliveries]
        protect = guard.bind(con, settings)
        bad += stage_files(con, files_now, place.folder, settings.source.encoding, needed, protect=protect)
        unreadable = {problem.name for problem in bad}
        deliveries = [d for d in deliveries if d.file.name not in unreadable]
        load = _append(con, place, ledger.remember_times(seen), deliveries)
    return replace(load, unchanged_files=len(files) - len(deliveries) - len(bad), bad_files=tuple(bad))


def _land_table(lake: Lake, settings: Settings, guard: Guard, ledger: Ledger) -> Load:
    from clv_pipeline.databases.extracts import extract_news  # noqa: PLC0415  (its libraries are an extra)

    with _open_place(lake, settings, guard, ledger) as (con, place):
        extract = extract_news(con, settings, guard, ledger.last_checkpoint(settings.source.table), place.folder)
        if extract is None:
            return Load(unchanged_files=1)
        sha256 = digest(extract.file)
        batch_id = f"{ledger.next_seq:08d}-{sha256[:12]}"
        file = SourceFile(extract.file, extract.name, extract.file.stat().st_size, time.time_ns())
        delivery = _Delivery(file, batch_id, ledger.next_seq, sha256, False, 0, extract.checkpoint)
        return _append(con, place, ledger, [delivery])


@contextmanager
def _open_place(
    lake: Lake, settings: Settings, guard: Guard, ledger: Ledger
) -> Iterator[tuple[duckdb.DuckDBPyConnection, _Place]]:
    load = ledger.next_load
    folder = Path(mkdtemp(prefix=f"load-{load}-", dir=lake.root / ".staging"))
    try:
        with lake.connect() as con:
            guard.encrypt_spill(con)
            yield con, _Place(lake, settings, load, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_deliveries(
    files: Sequence[SourceFile], ledger: Ledger
) -> tuple[list[_Delivery], dict[str, int], list[BadFile]]:
    """What to land, in order of arrival; new modification times of files that did not change; unreadable files."""
    deliveries: list[_Delivery] = []
    touched: dict[str, int] = {}
    bad: list[BadFile] = []
    for file in files:
        last = ledger.last_batch(file.name)
        if last and (last["bytes"], last["mtime_ns"]) == (file.size, file.mtime_ns):
            continue
        try:
            delivery = _describe_delivery(file, ledger, ledger.next_seq + len(deliveries))
        except OSError as error:
            bad.append(BadFile(file.name, explain_os_error(error)))
            continue
        if last and last["sha256"] == delivery.sha256:
            touched[file.name] = file.mtime_ns
        else:
            deliveries.append(delivery)
    return deliveries, touched, bad


def _describe_delivery(file: SourceFile, ledger: Ledger, seq: int) -> _Delivery:
    last = ledger.last_batch(file.name)
    sha256 = digest(file.path)
    grown = bool(
        last
        and file.can_grow
        and 0 < last["bytes"] < file.size
        and ends_with_newline(file.path, last["bytes"])
        and digest(file.path, last["bytes"]) == last["sha256"]
    )
    return _Delivery(
        file,
        f"{seq:08d}-{sha256[:12]}",
        seq,
        sha256,
        replaces=not grown,
        skip_rows=ledger.count_rows(file.name) if grown else 0,
    )


def _append(con: duckdb.DuckDBPyConnection, place: _Place, ledger: Ledger, deliveries: Sequence[_Delivery]) -> Load:
    """Publishes the staged rows of `deliveries` and commits the ledger that names them."""
    lake, settings, load, folder = place.lake, place.settings, place.load, place.folder
    is_reread = any(d.checkpoint for d in deliveries)
    months = pl.DataFrame()
    counts: dict[str, int] = {}
    loaded_at = tell_time()
    if list(folder.glob("raw_*.parquet")):
        _expose_delivered(con, folder, deliveries, loaded_at)
        expose_parsed(con, settings, "delivered")
        if leave_out_closed(con, lake, settings):
            expose_parsed(con, settings, "delivered")
        rows = bind(load_sql("1_transactions/load_rows"), **parse_parameters(settings))
        con.execute(f"CREATE TEMP TABLE load_row AS {rows}")
        counts = _count_rows(con)
        moves = None
        if ledger.is_keyed(settings):
            moves = resolve_versions(con, lake, settings, is_reread=is_reread)
            news = "delivered"
            if con.sql("SELECT count(*) FROM repeated").fetchall()[0][0]:
                con.execute("CREATE VIEW changed AS FROM delivered ANTI JOIN repeated USING (batch_id, row_number)")
                news = "changed"
            expose_parsed(con, settings, news)
            counts = _count_rows(con) if is_reread else counts
        months = con.sql(load_sql("1_transactions/touched")).pl()
        if moves is not None:
            months = pl.concat([months, moves], how="vertical_relaxed")
        _write_lines(con, folder)
        _publish_lines(con, lake, folder, load, with_moves=moves is not None)
    ledger = ledger.append(
        load,
        [
            {
                "batch_id": d.batch_id,
                "source": d.file.name,
                "seq": d.seq,
                "sha256": d.sha256,
                "bytes": d.file.size,
                "mtime_ns": d.file.mtime_ns,
                "rows": counts.get(d.batch_id, 0),
                "replaces": d.replaces,
                "checkpoint": d.checkpoint,
            }
            for d in deliveries
        ],
        months,
        loaded_at,
    )
    ledger.commit(lake, settings)
    return Load(
        batches=len(deliveries),
        rows=sum(counts.values()),
        months=tuple(sorted(set(months["period"]) - {"none"})) if months.height else (),
        empty_files=() if is_reread else tuple(d.file.name for d in deliveries if not counts.get(d.batch_id)),
    )


def _expose_delivered(
    con: duckdb.DuckDBPyConnection, folder: Path, deliveries: Sequence[_Delivery], loaded_at: datetime
) -> None:
    con.execute("CREATE TEMP TABLE delivery(source VARCHAR, batch_id VARCHAR, seq BIGINT, skip_rows BIGINT)")
    con.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?)", [(d.file.name, d.batch_id, d.seq, d.skip_rows) for d in deliveries]
    )
    raw = quote_literal(str(folder / "raw_*.parquet"))
    con.execute(f"""
        CREATE OR REPLACE VIEW arrived AS
        SELECT d.batch_id, d.seq, {quote_literal(loaded_at)} AS loaded_at, r.*
        FROM read_parquet({raw}, union_by_name = true) r JOIN delivery d USING (source)
        WHERE r.row_number > d.skip_rows""")
    con.execute("CREATE OR REPLACE VIEW delivered AS FROM arrived")


def _write_lines(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    columns = list_source_columns(con, "delivered")
    raw = ", ".join(f'raw."{name.replace(chr(34), chr(34) * 2)}"' for name in columns)
    con.execute(f"""
        COPY (
            SELECT batch_id, source, row_number, loaded_at, seq, malformed, period, {raw},
                   COALESCE(period, 'none') AS month
            FROM transactions.parsed
        ) TO {quote_literal(str(folder / "lines"))}
        (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (month), FILENAME_PATTERN 'part_{{i}}')""")


def _publish_lines(con: duckdb.DuckDBPyConnection, lake: Lake, folder: Path, load: str, *, with_moves: bool) -> None:
    for file in sorted((folder / "lines").glob("month=*/*.parquet")):
        target = lake.root / "landing" / "lines" / f"period={file.parent.name.partition('=')[2]}"
        target.mkdir(parents=True, exist_ok=True)
        rename_durably(file, target / f"{load}_{file.name}")
    if with_moves and con.sql("SELECT count(*) FROM moves").fetchall()[0][0]:
        staged = folder / "moves.parquet"
        con.execute(f"COPY (SELECT * EXCLUDE (is_new) FROM moves) TO {quote_literal(str(staged))} (FORMAT parquet)")
        target = lake.root / "landing" / "moves"
        target.mkdir(parents=True, exist_ok=True)
        rename_durably(staged, target / f"{load}_moves.parquet")


def _count_rows(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return dict(con.sql("SELECT batch_id, count(*) FROM load_row GROUP BY batch_id").fetchall())


def _sweep_uncommitted(lake: Lake, ledger: Ledger) -> None:
    lake.sweep()
    for folder in (lake.root / ".staging").glob("load-*"):
        shutil.rmtree(folder, ignore_errors=True)  # only the holder of the landing lock has one
    for file in (lake.root / "landing").glob("*/**/*_*.parquet"):
        if file.name.partition("_")[0] not in ledger.loads:
            file.unlink()
