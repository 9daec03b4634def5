"""`<home>/clv.duckdb`: the views that people and tools query, rebuilt beside and put into place by one rename.

Belongs here: which views exist and how they read the lake. Does not belong here: publishing partitions (`lake.py`).

`clv.duckdb` is a link to the latest of the files under `lake/.door/`. Somebody who opened it for writing keeps a write-
ahead log beside the file that he opened; beside a file renamed over it, that log would keep everybody else out. The
views read the partitions as they were when it was built, through second names beside it, so that no query ever meets a
file that is being replaced. It is built again at the end of every run.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from clv_pipeline.alerts.log import ALERTS
from clv_pipeline.contracts import describe_columns
from clv_pipeline.customers.id_map import ROWS
from clv_pipeline.customers.landing import DESCRIPTIONS
from clv_pipeline.lake import Lake, pin_files, rename_durably
from clv_pipeline.pins import PINS
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.privacy.log import PRIVACY_LOG
from clv_pipeline.reconciliation import reconcile
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql, quote_literal, quote_name
from clv_pipeline.state import State

_SCHEMAS = ("landing", "transactions", "marts", "rfm", "quality", "lenses", "models", "scores", "drift", "monitoring")
_DERIVED = ("customers", "customer_quarters", "customer_years")
_MADE_FROM = "made_from"
_KEEP_SECONDS = 3600
_OTHERS = {
    ALERTS: "What needed a human, since when, and until when; see clv alerts.",
    "landing.batches": "Every delivery that was landed, and when.",
    **DESCRIPTIONS,
    ROWS: "Every row of the map of identifiers as it was delivered, exactly once.",
    "landing.lines": "Every row as it was delivered, exactly once.",
    "marts.customers": "Every customer who ever ordered: acquisition, cohort, first and last order.",
    "marts.customer_quarters": "What each customer did in the quarter: sums of marts.customer_periods.",
    "marts.customer_years": "What each customer did in the year: sums of marts.customer_periods.",
    PRIVACY_LOG: "What was done for privacy: when, and to how many people and rows; see docs/privacy.md.",
    "scores.current": "The published scores: scores.customers of the latest month that passed every gate, see as_of.",
}


def rebuild_door(lake: Lake, settings: Settings) -> Path:
    """Rebuilds `clv.duckdb` when anything changed; whoever has the old file open keeps reading it, undisturbed."""
    target = lake.home / "clv.duckdb"
    doors = lake.root / ".door"
    with lake.hold("door"):
        current = target.resolve().parent
        made_from = _describe_files(lake, settings)
        described = current / _MADE_FROM
        if described.exists() and described.read_text() == made_from and not _is_taken(current / target.name):
            return target
        built = doors / f"{time.time_ns()}"
        built.mkdir(parents=True)
        with duckdb.connect(str(built / target.name)) as con:
            con.begin()  # one commit, as one for each of hundreds of statements takes seconds
            _create_views(con, lake, settings, built)
            _describe_views(con)
            con.commit()
        (built / _MADE_FROM).write_text(made_from)
        link = built / "link"
        link.symlink_to((built / target.name).absolute())
        rename_durably(link, target)
        _remove_unused(doors, {built.name, current.name})
    return target


def _describe_files(lake: Lake, settings: Settings) -> str:
    files = sorted(file for table in _list_tables() for file in lake.published(table).values())
    described = [(str(file), found.st_ino, found.st_mtime_ns) for file in files if (found := file.stat())]
    queries = [load_sql(f"2_marts/{name}") for name in _DERIVED]
    return sha256(repr((described, queries, settings.periods)).encode()).hexdigest()


def _is_taken(database: Path) -> bool:
    """Whether somebody has the file open for writing, which keeps every other process out; or this process at all."""
    if str(database) in _list_open_files(Path("/proc/self/fd")):
        return True  # to open and close it here would take DuckDB's lock from it
    with database.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _remove_unused(doors: Path, kept: set[str]) -> None:
    old = [door for door in doors.iterdir() if door.name not in kept]
    if old := [door for door in old if time.time() - door.stat().st_mtime > _KEEP_SECONDS]:
        open_files = _list_open_files(*Path("/proc").glob("[0-9]*/fd"))
        for door in old:
            if not any(file.startswith(f"{door.resolve()}/") for file in open_files):
                shutil.rmtree(door, ignore_errors=True)


def _list_open_files(*processes: Path) -> set[str]:
    """The files that processes of this user have open; none where the system does not tell."""
    found: set[str] = set()
    for folder in processes:
        with suppress(OSError):  # of another user, or not there any more
            for handle in folder.iterdir():
                with suppress(OSError):
                    found.add(str(handle.readlink()))
    return found


@contextmanager
def open_views(lake: Lake, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The views of `clv.duckdb` in memory, for readers that must not depend on who else has that file open."""
    with lake.connect() as con, TemporaryDirectory(prefix="views-", dir=lake.root / ".staging") as folder:
        _create_views(con, lake, settings, Path(folder))
        yield con


def _create_views(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings, folder: Path) -> None:
    state = State(lake, settings)
    for schema in _SCHEMAS:
        con.execute(f"CREATE SCHEMA {schema}")
    for table in _list_tables():
        if files := lake.published(table):
            _create_view(con, table, f"SELECT * FROM {_read_pinned(files, folder / table)}")
    if state.ledger.batches.height:
        _create_landing_view(con, state, folder)
    if lake.published("marts.customer_periods") and lake.published("landing.customers") and state.periods:
        cohort_months, start = settings.periods.cohort_months, state.periods[0]
        for name in _DERIVED:
            query = bind(load_sql(f"2_marts/{name}"), cohort_months=cohort_months, data_start=start)
            _create_view(con, f"marts.{name}", query)
    if lake.published("scores.customers"):
        latest = quote_literal(find_published_scores(state) or "")
        _create_view(con, "scores.current", f"SELECT * FROM scores.customers WHERE as_of = {latest}")
    reconciliation = reconcile(state).to_arrow(compat_level=pl.CompatLevel.oldest())
    con.register("reconciliation", reconciliation)
    con.execute("CREATE TABLE transactions.reconciliation AS SELECT * FROM reconciliation")


def find_published_scores(state: State) -> str | None:
    """The as-of month whose scores are the published ones; None before the first."""
    decided = state.stamps("scores.publication")
    scored = [month for month in decided if month in state.stamps("scores.customers") and decided[month].rows]
    if not scored:  # a home of before there was such a decision, until its next run
        return max(state.stamps("scores.customers"), default=None)
    return decided[max(scored)].facts["published_as_of"]


def _describe_views(con: duckdb.DuckDBPyConnection) -> None:
    """Says in the file itself what a row and a column are, for those who have nothing else."""
    found = con.execute("SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    views = {f"{schema}.{name}": f"{quote_name(schema)}.{quote_name(name)}" for schema, name in found}
    tables = [table for step in (*MONTH_STEPS, *AS_OF_STEPS) for table in step.tables if table.name in views]
    # An earlier version made a table without a column of today, or with others.
    there = set(con.execute("SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns()").fetchall())
    described = _OTHERS | {table.name: table.description for table in tables}
    comments = [
        f"COMMENT ON VIEW {views[name]} IS {quote_literal(described[name])}"
        for name in sorted(views.keys() & described)
    ]
    comments += [
        f"COMMENT ON COLUMN {views[table.name]}.{quote_name(column.name)} IS {quote_literal(column.description)}"
        for table in tables
        for column in describe_columns(table.schema).columns
        if column.description and (table.name, column.name) in there
    ]
    con.execute("; ".join(comments))


def _list_tables() -> list[str]:
    return [
        "landing.batches",
        *DESCRIPTIONS,
        ROWS,
        PINS,
        ALERTS,
        PRIVACY_LOG,
        *(name for step in (*MONTH_STEPS, *AS_OF_STEPS) for name in step.names),
    ]


def _create_landing_view(con: duckdb.DuckDBPyConnection, state: State, folder: Path) -> None:
    found = (state.lake.root / "landing" / "lines").glob("period=*/*.parquet")
    committed = state.ledger.loads
    files = {f"{file.parent.name}-{file.stem}": file for file in found if file.name.partition("_")[0] in committed}
    if files:
        _create_view(con, "landing.lines", f"SELECT * FROM {_read_pinned(files, folder / 'landing.lines')}")


def _read_pinned(files: Mapping[str, Path], folder: Path) -> str:
    pin_files(files, folder)
    pattern = quote_literal(str(folder / "*.parquet"))
    return f"read_parquet({pattern}, union_by_name = true, hive_partitioning = false)"


def _create_view(con: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    schema, name = table.split(".")
    con.execute(f"CREATE VIEW {quote_name(schema)}.{quote_name(name)} AS {query}")
