"""Several processes on one home at default settings: all succeed, nothing is mixed, readers never wait or fail."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clv_pipeline.door import rebuild_door
from clv_pipeline.execution import run_months
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import plan_months
from clv_pipeline.stages.marts import ORDERS, compute_orders
from clv_pipeline.stages.transactions import TRANSACTIONS
from clv_pipeline.steps import Content, Step
from clv_pipeline_tests.processes import (
    assert_same_tables,
    deliver_on,
    make_rows,
    open_company,
    read_tables,
    start_clv,
    start_together,
)
from clv_pipeline_tests.warehouse import RFM_STEPS, Warehouse

# An analyst who writes a table of his own into the database, before and after others have replaced it.
WRITER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
con.execute("CREATE TABLE scratch AS SELECT * FROM marts.periods")
print("open", flush=True)
for line in sys.stdin:
    con.execute("INSERT INTO scratch SELECT * FROM marts.periods")
    print(con.execute("SELECT count(*) FROM scratch").fetchone()[0], flush=True)
"""
# An analyst who asks every view, over one connection that he keeps and over new ones, until a file says to stop.
READER = """
import duckdb, pathlib, sys, time
door, stop, january = sys.argv[1], pathlib.Path(sys.argv[2]), {int(sys.argv[3]), int(sys.argv[3]) + 1}
names = "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal AND database_name = 'clv'"
kept, rounds = duckdb.connect(door, read_only=True), 0
while not stop.exists() or not rounds:
    with duckdb.connect() as fresh:
        fresh.execute(f"ATTACH '{door}' AS clv (READ_ONLY)")
        fresh.execute("USE clv")
        for con in (kept, fresh):
            views = con.execute(names).fetchall()
            assert len(views) > 10, views
            for (view,) in views:
                con.execute(f"SELECT * FROM {view}").fetchall()
            found = con.execute("SELECT count(*) FROM transactions.lines WHERE period = '2024-01'").fetchone()[0]
            assert found in january, found
    rounds += 1
    time.sleep(0.5)
print(rounds)
"""
COMMANDS = (
    ("backfill", "2024-01", "2024-03", "--select", "transactions,marts"),
    ("backfill", "2024-02", "2024-02"),
    ("run",),
    ("run",),
)


@pytest.fixture
def started() -> Iterator[ExitStack]:
    """Processes entered here do not outlive a test that fails."""
    with ExitStack() as processes:
        yield processes


def watch(started: ExitStack, process: "subprocess.Popen[str]") -> "subprocess.Popen[str]":
    started.enter_context(process)
    started.callback(process.kill)
    return process


def start_python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT)


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def deliver_more(company: Warehouse) -> None:
    """A late order for the first month, and a month of its own."""
    late = ["2024-01-late", "c99", "2024-01-30 10:00:00", "tea", 1, "9.99"]
    deliver_on(company, 40, "more.csv", [late, *make_rows("2024-04")])


@contextmanager
def two_analysts(started: ExitStack, company: Warehouse) -> Iterator[None]:
    """One with the database open for writing, one who asks all the time; neither may notice anything."""
    door, stop = company.settings.home / "clv.duckdb", company.root / "stop"
    writer = watch(started, start_python(WRITER, door))
    assert writer.stdin
    assert writer.stdout
    assert writer.stdout.readline() == "open\n"
    rebuild_door(company.lake, company.settings)
    reader = watch(started, start_python(READER, door, stop, len(make_rows("2024-01"))))
    yield
    print("more", file=writer.stdin, flush=True)
    stop.touch()
    assert int(finish(reader)) > 0
    assert int(finish(writer)) == 3 + 3


@pytest.mark.long
def test_two_backfills_and_two_runs_at_once(tmp_path: Path, started: ExitStack) -> None:
    quiet, busy = open_company(tmp_path / "quiet"), open_company(tmp_path / "busy")
    for company in (quiet, busy):
        company.land()
        company.execute(plan_months(MONTH_STEPS, company.state))
        rebuild_door(company.lake, company.settings)
        deliver_more(company)
    with two_analysts(started, busy):
        processes = [watch(started, start_clv(busy, *command)) for command in COMMANDS]
        for process in processes:
            finish(process)
    for as_of in ("2024-02", "2024-04"):
        quiet.refresh(as_of, AS_OF_STEPS)
    rebuild_door(quiet.lake, quiet.settings)
    assert_same_tables(busy, read_tables(quiet))
    assert "everything is up to date" in finish(watch(started, start_clv(busy, "run")))


def test_deliveries_land_once_whoever_is_first(tmp_path: Path) -> None:
    quiet, busy = open_company(tmp_path / "quiet"), open_company(tmp_path / "busy")
    start_together(Warehouse.land, busy, times=4)
    for company in (quiet, busy):
        company.refresh(steps=RFM_STEPS)
        rebuild_door(company.lake, company.settings)
    assert_same_tables(busy, read_tables(quiet))


def test_a_month_that_changes_while_it_is_read_is_computed_again(warehouse: Warehouse) -> None:
    def compute_late(step: Step) -> Content:
        if not seen:
            deliver_on(warehouse, 1, "a.csv", [["1", "ann", "2024-01-05", "tea", 7, 1]])
            warehouse.land()
            with warehouse.lake.connect() as con:
                run_months(TRANSACTIONS, warehouse.state, con, ["2024-01"])
        seen.append(step.frame("SELECT quantity FROM transactions.lines").item())
        return compute_orders(step)

    seen: list[Decimal] = []
    deliver_on(warehouse, 0, "a.csv", [["1", "ann", "2024-01-05", "tea", 2, 1]])
    warehouse.land()
    before = warehouse.state
    with warehouse.lake.connect() as con:
        run_months(TRANSACTIONS, before, con, ["2024-01"])
        run_months(replace(ORDERS, compute=compute_late), before, con, ["2024-01"])
        again = run_months(TRANSACTIONS, before, con, ["2024-01"], only_stale=True)[0]
    assert len(seen) == 2
    assert warehouse.query("SELECT quantity FROM marts.orders").item() == 7
    assert again.skipped  # it looks at the lake as it is, not as it was when the run began


def test_the_database_opens_beside_somebody_who_writes_into_it(warehouse: Warehouse) -> None:
    deliver_on(warehouse, 0, "a.csv", make_rows("2024-01"))
    warehouse.refresh(steps=RFM_STEPS)
    door = rebuild_door(warehouse.lake, warehouse.settings)
    with duckdb.connect(str(door)) as writer:
        writer.execute("CREATE TABLE scratch AS SELECT 1")
        for _ in range(3):
            assert warehouse.query("SELECT count(*) FROM marts.periods").item() == 1
        assert writer.sql("SELECT count(*) FROM scratch, marts.periods").fetchall() == [(1,)]
