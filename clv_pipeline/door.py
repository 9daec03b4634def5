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
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from clv_pipeline.lake import Lake, pin_files, rename_durably
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.reconciliation import reconcile
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql, quote_literal, quote_name
from clv_pipeline.state import State

_SCHEMAS = ("landing", "transactions", "marts", "rfm", "lenses", "models", "scores", "drift")
_DERIVED = ("customers", "customer_quarters", "customer_years")


def rebuild_door(lake: Lake, settings: Settings) -> Path:
    """Rebuilds `clv.duckdb`; whoever has the old file open keeps reading it, undisturbed."""
    target = lake.home / "clv.duckdb"
    doors = lake.root / ".door"
    with lake.hold("door"):
        built = doors / f"{time.time_ns()}"
        kept = {built.name, target.resolve().parent.name}
        built.mkdir(parents=True)
        with duckdb.connect(str(built / target.name)) as con:
            _create_views(con, lake, settings, built)
        link = built / "link"
        link.symlink_to((built / target.name).absolute())
        rename_durably(link, target)
        for old in doors.iterdir():
            if old.name not in kept and not _is_open(old / target.name):
                shutil.rmtree(old, ignore_errors=True)
    return target


def _is_open(database: Path) -> bool:
    """Whether another process has the file open: DuckDB holds a lock on what it has open."""
    with suppress(FileNotFoundError), database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


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
    tables = ["landing.batches", "landing.customers"]
    tables += [table.name for step in (*MONTH_STEPS, *AS_OF_STEPS) for table in step.tables]
    for table in tables:
        if files := lake.published(table):
            _create_view(con, table, f"SELECT * FROM {_read_pinned(files, folder / table)}")
    if state.ledger.batches.height:
        _create_landing_view(con, state, folder)
    if lake.published("marts.customer_periods") and lake.published("landing.customers") and state.periods:
        cohort_months, start = settings.periods.cohort_months, state.periods[0]
        for name in _DERIVED:
            query = bind(load_sql(f"2_marts/{name}"), cohort_months=cohort_months, data_start=start)
            _create_view(con, f"marts.{name}", query)
    if existing := lake.published("scores.customers"):
        latest = quote_literal(max(existing))
        _create_view(con, "scores.current", f"SELECT * FROM scores.customers WHERE as_of = {latest}")
    reconciliation = reconcile(state).to_arrow(compat_level=pl.CompatLevel.oldest())
    con.register("reconciliation", reconciliation)
    con.execute("CREATE TABLE transactions.reconciliation AS SELECT * FROM reconciliation")


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
