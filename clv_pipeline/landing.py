"""Appends deliveries to the landing log, exactly once, and says which months they touched.

Belongs here: what is new in a delivery (a file, its tail, changed lines), the order of arrival, the commit. Does not
belong here: reading files (`sources.py`), what the ledger implies (`ledger.py`), the state of a line (`sql/`).

A load becomes visible when the ledger that names it is renamed into place. Whatever a killed load left is swept by
the next one.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import duckdb
import polars as pl

from clv_pipeline.lake import Lake, rename_durably
from clv_pipeline.ledger import Ledger
from clv_pipeline.mapping import expose_parsed, list_source_columns
from clv_pipeline.settings import Settings
from clv_pipeline.sources import BadFile, SourceFile, digest, ends_with_newline, list_files, stage_files
from clv_pipeline.sql import bind, load_sql, quote_literal


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


def land_transactions(lake: Lake, settings: Settings) -> Load:
    """Lands every file under `[source] path` that is new, has grown or has changed since it was last delivered.

    Raises LedgerError when settings that decide how landed rows are read have changed since.
    """
    lake.prepare()
    with lake.hold("landing"):
        ledger = Ledger.read(lake)
        ledger.require_same_reading(settings)
        _sweep_uncommitted(lake, ledger)
        files = list_files(settings)
        deliveries, seen = _find_deliveries(files, ledger)
        if not deliveries:
            if seen:
                ledger.remember_times(seen).commit(lake, settings)
            return Load(unchanged_files=len(files))
        load = ledger.next_load
        folder = Path(mkdtemp(prefix=f"load-{load}-", dir=lake.root / ".staging"))
        try:
            with lake.connect() as con:
                return _land(con, lake, settings, ledger.remember_times(seen), deliveries, load, folder, len(files))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _find_deliveries(files: Sequence[SourceFile], ledger: Ledger) -> tuple[list[_Delivery], dict[str, int]]:
    """What has to be landed, in order of arrival, and the new modification times of files that did not change."""
    deliveries: list[_Delivery] = []
    touched: dict[str, int] = {}
    for file in files:
        last = ledger.last_batch(file.name)
        if last and (last["bytes"], last["mtime_ns"]) == (file.size, file.mtime_ns):
            continue
        sha256 = digest(file.path)
        if last and last["sha256"] == sha256:
            touched[file.name] = file.mtime_ns
            continue
        grown = bool(
            last
            and file.can_grow
            and 0 < last["bytes"] < file.size
            and ends_with_newline(file.path, last["bytes"])
            and digest(file.path, last["bytes"]) == last["sha256"]
        )
        seq = ledger.next_seq + len(deliveries)
        deliveries.append(
            _Delivery(
                file,
                f"{seq:08d}-{sha256[:12]}",
                seq,
                sha256,
                replaces=not grown,
                skip_rows=ledger.count_rows(file.name) if grown else 0,
            )
        )
    return deliveries, touched


def _land(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    settings: Settings,
    ledger: Ledger,
    deliveries: list[_Delivery],
    load: str,
    folder: Path,
    files: int,
) -> Load:
    needed = list(settings.source.columns.values())
    bad = stage_files(con, [d.file for d in deliveries], folder, settings.source.encoding, needed)
    unreadable = {problem.name for problem in bad}
    deliveries = [d for d in deliveries if d.file.name not in unreadable]
    months = pl.DataFrame()
    loaded_at = datetime.now(UTC).replace(tzinfo=None)
    if list(folder.glob("raw_*.parquet")):
        _expose_delivered(con, folder, deliveries, loaded_at)
        expose_parsed(con, settings, "delivered")
        moves = _resolve_versions(con, lake, settings) if ledger.is_keyed(settings) else None
        months = con.sql(bind(load_sql("1_transactions/touched"))).pl()
        if moves is not None:
            months = pl.concat([months, moves], how="vertical_relaxed")
        _write_lines(con, folder)
        _publish_lines(con, lake, folder, load, with_moves=moves is not None)
    counts = _count_rows(con) if months.height else {}
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
        unchanged_files=files - len(deliveries) - len(bad),
        empty_files=tuple(d.file.name for d in deliveries if not counts.get(d.batch_id)),
        bad_files=tuple(bad),
    )


def _expose_delivered(
    con: duckdb.DuckDBPyConnection, folder: Path, deliveries: list[_Delivery], loaded_at: datetime
) -> None:
    con.execute("CREATE TEMP TABLE delivery(source VARCHAR, batch_id VARCHAR, seq BIGINT, skip_rows BIGINT)")
    con.executemany(
        "INSERT INTO delivery VALUES (?, ?, ?, ?)", [(d.file.name, d.batch_id, d.seq, d.skip_rows) for d in deliveries]
    )
    raw = quote_literal(str(folder / "raw_*.parquet"))
    con.execute(f"""
        CREATE OR REPLACE VIEW delivered AS
        SELECT d.batch_id, d.seq, {quote_literal(loaded_at)} AS loaded_at, r.*
        FROM read_parquet({raw}, union_by_name = true) r JOIN delivery d USING (source)
        WHERE r.row_number > d.skip_rows""")


def _resolve_versions(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> pl.DataFrame:
    """Leaves rows that repeat a line's current version out of the load; finds lines known in several months.

    Returns one row per batch and month that a moved line touches, in the shape of `touched.sql`.
    """
    con.execute(f"CREATE TEMP TABLE new_version AS {bind(load_sql('1_transactions/versions'))}")
    _collect_prior_versions(con, lake, settings)
    con.execute("""
        CREATE TEMP TABLE unchanged AS
        SELECT n.line_id
        FROM new_version n JOIN (
            SELECT line_id, content FROM prior_version WHERE NOT conflict QUALIFY row_number() OVER (
                PARTITION BY line_id ORDER BY updated_at DESC NULLS LAST, seq DESC, row_number DESC) = 1
        ) p USING (line_id)
        GROUP BY n.line_id HAVING bool_and(n.content = p.content AND NOT n.conflict)""")
    con.execute("""
        CREATE TEMP TABLE repeated AS SELECT v.batch_id, v.row_number FROM new_version v JOIN unchanged USING (line_id)""")
    con.execute(
        "CREATE OR REPLACE VIEW changed AS SELECT * FROM delivered d ANTI JOIN repeated USING (batch_id, row_number)"
    )
    con.execute("DELETE FROM new_version WHERE line_id IN (FROM unchanged)")
    expose_parsed(con, settings, "changed")
    con.execute("""
        CREATE TEMP TABLE moves AS
        WITH known AS (
            SELECT *, TRUE AS is_new FROM new_version UNION ALL BY NAME SELECT *, FALSE AS is_new FROM prior_version
        )
        SELECT * FROM known WHERE line_id IN (
            SELECT line_id FROM known GROUP BY line_id HAVING bool_or(is_new) AND min(period) <> max(period))""")
    return con.sql("""
        SELECT n.batch_id, m.period, CAST(0 AS BIGINT) AS rows, CAST(0 AS DECIMAL(18, 2)) AS amount,
               CAST(sum(hash(n.line_id, n.content, n.period, n.updated_at)) AS VARCHAR) AS fingerprint
        FROM moves n JOIN (SELECT DISTINCT line_id, period FROM moves) m USING (line_id)
        WHERE n.is_new AND m.period <> n.period GROUP BY ALL ORDER BY ALL""").pl()


def _collect_prior_versions(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> None:
    files = list((lake.root / "landing" / "lines").glob("period=*/*.parquet"))
    con.execute("CREATE TEMP TABLE prior_version AS FROM new_version LIMIT 0")
    if not files:
        return
    line_id = settings.source.columns["line_id"].replace('"', '""')
    pattern = quote_literal(str(lake.root / "landing" / "lines" / "period=*" / "*.parquet"))
    con.execute(f"""
        CREATE OR REPLACE VIEW prior_lines AS
        SELECT l.* FROM read_parquet({pattern}, union_by_name = true, hive_partitioning = false) l
        SEMI JOIN new_version v ON TRIM(l."{line_id}") = v.line_id""")
    expose_parsed(con, settings, "prior_lines")
    con.execute(f"INSERT INTO prior_version BY NAME {bind(load_sql('1_transactions/versions'))}")
    expose_parsed(con, settings, "delivered")


def _write_lines(con: duckdb.DuckDBPyConnection, folder: Path) -> None:
    columns = list_source_columns(con, "delivered")
    raw = ", ".join(f'raw."{name.replace(chr(34), chr(34) * 2)}"' for name in columns)
    con.execute(f"""
        COPY (
            SELECT batch_id, source, row_number, loaded_at, seq, malformed, period, {raw},
                   COALESCE(period, 'none') AS month
            FROM transactions.parsed
        ) TO {quote_literal(str(folder / "lines"))}
        (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (month), FILENAME_PATTERN 'part_{{i}}')""")


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
    return dict(con.sql("SELECT batch_id, count(*) FROM delivered GROUP BY batch_id").fetchall())


def _sweep_uncommitted(lake: Lake, ledger: Ledger) -> None:
    for file in (lake.root / "landing").glob("*/**/*_*.parquet"):
        if file.name.partition("_")[0] not in ledger.loads:
            file.unlink()
