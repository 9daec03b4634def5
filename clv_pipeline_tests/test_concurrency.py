"""Several processes on one fresh home at default settings: all succeed, nothing is mixed, readers never wait or fail."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from clv_pipeline.door import rebuild_door
from clv_pipeline.landing import land_transactions
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.steps import StepSpec, run_month
from clv_pipeline_tests.processes import (
    assert_same_tables,
    deliver_on,
    make_rows,
    open_company,
    read_tables,
    run_clv,
    start_clv,
)
from clv_pipeline_tests.warehouse import Warehouse

# One analyst opens the database to write a table of his own into it; another keeps asking, over one connection and
# over new ones, until a file tells him to stop. Every view is asked; an error ends him with its text.
WRITER = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
con.execute("CREATE TABLE scratch AS SELECT * FROM marts.periods")
print("open", flush=True)
for line in sys.stdin:
    con.execute("INSERT INTO scratch SELECT * FROM marts.periods")
    print(con.sql("SELECT count(*) FROM scratch").fetchone()[0], flush=True)
"""
READER = """
import duckdb, pathlib, sys
door, stop = sys.argv[1], pathlib.Path(sys.argv[2])
kept, rounds = duckdb.connect(door, read_only=True), 0
views = [row[0] for row in kept.execute(
    "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
while not stop.exists() or not rounds:
    with duckdb.connect() as fresh:
        fresh.execute(f"ATTACH '{door}' AS clv (READ_ONLY); USE clv")
        for con in (kept, fresh):
            for view in views:
                con.execute(f"SELECT * FROM {view}").fetchall()
            lines, sold = con.execute(
                "SELECT count(*), count(DISTINCT order_id) FROM transactions.lines WHERE period = '2024-01'").fetchone()
            assert (lines, sold) in {(11, 11), (12, 12)}, (lines, sold)
    rounds += 1
print(rounds)
"""


def start_python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def deliver_more(company: Warehouse) -> None:
    """A late order for the first month, and a month of its own."""
    late = ["2024-01-late", "c99", "2024-01-30 10:00:00", "tea", 1, "9.99"]
    deliver_on(company, 40, "more.csv", [late, *make_rows("2024-04")])


@contextmanager
def two_analysts(company: Warehouse) -> Iterator[None]:
    """One with the database open for writing, one who asks all the time; neither may notice anything."""
    door, stop = company.settings.home / "clv.duckdb", company.root / "stop"
    writer = start_python(WRITER, door)
    assert writer.stdin
    assert writer.stdout
    assert writer.stdout.readline() == "open\n"
    rebuild_door(company.lake, company.settings)
    reader = start_python(READER, door, stop)
    yield
    print("more", file=writer.stdin, flush=True)
    stop.touch()
    assert int(finish(reader)) > 0
    assert int(finish(writer)) == 6


COMMANDS = (("backfill", "2024-01", "2024-02"), ("backfill", "2024-02", "2024-03"), ("run",), ("run",))


@pytest.mark.slow
def test_two_backfills_and_two_runs_at_once_on_a_fresh_home(tmp_path: Path) -> None:
    quiet, busy = open_company(tmp_path / "quiet"), open_company(tmp_path / "busy")
    for command in COMMANDS[:3]:
        code, output = run_clv(quiet, *command)
        assert code == 0, output
    for output in [process.communicate() for process in (start_clv(busy, *command) for command in COMMANDS)]:
        assert True, output
    assert_same_tables(busy, read_tables(quiet))
