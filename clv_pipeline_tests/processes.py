"""Processes that die on cue, and the comparison of two homes; shared by the tests of kills and of concurrency."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest import mock

import duckdb
import polars as pl

from clv_pipeline_tests.warehouse import Warehouse

MONTHS = ("2024-01", "2024-02", "2024-03")
_MOMENTS = {"loaded_at", "mtime_ns"}
# Children start from a process that has imported everything and has started no thread yet.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["clv_pipeline_tests.processes", "clv_pipeline.report"])


def make_rows(month: str, customers: int = 12) -> list[list[object]]:
    """Order lines of one month, always the same; about a third of the customers buy nothing."""
    draw = random.Random(month)
    buyers = [f"c{number:02d}" for number in range(customers) for _ in range(draw.choice([0, 1, 2]))]
    return [
        [f"{month}-{i}", buyer, f"{month}-{draw.randint(1, 28):02d} 10:00:00", "tea", draw.randint(1, 3), "9.99"]
        for i, buyer in enumerate(buyers)
    ]


def open_company(root: Path, *, extra: str = "") -> Warehouse:
    """A company with one delivery for each of three months; equal calls give equal deliveries."""
    company = Warehouse(root, extra=extra)
    for day, month in enumerate(MONTHS):
        deliver_on(company, day, f"{month}.csv", make_rows(month))
    return company


def deliver_on(company: Warehouse, day: int, name: str, rows: Sequence[Sequence[object]]) -> None:
    """Delivers a file with a modification time that does not depend on when the test runs."""
    moment = 1_710_000_000 + day * 86_400
    os.utime(company.deliver(name, rows), (moment, moment))


def start_process(work: Callable[..., object], *arguments: object) -> BaseProcess:
    """Starts `work` in a process of its own, with the environment of this one as it is now."""
    child = _SERVER.Process(target=_work_in, args=(dict(os.environ), work, arguments))
    child.start()
    return child


def _work_in(environment: dict[str, str], work: Callable[..., object], arguments: Sequence[object]) -> None:
    os.environ.update(environment)
    work(*arguments)


def run_and_die(work: Callable[[Warehouse], object], company: Warehouse, *, at_rename: int) -> bool:
    """Does `work` in a process that kills itself before its n-th rename; returns whether it came to that."""
    child = start_process(_work_until_rename, work, company, at_rename)
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def start_together(work: Callable[[Warehouse], object], company: Warehouse, *, times: int) -> None:
    """Does `work` in several processes at once; all must succeed."""
    children = [start_process(work, company) for _ in range(times)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * times


def _work_until_rename(work: Callable[[Warehouse], object], company: Warehouse, at_rename: int) -> None:
    rename, renames = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += 1
        if renames == at_rename:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    with mock.patch.object(Path, "replace", replace):
        work(company)


def start_clv(company: Warehouse, *arguments: str, dying_in: str = "") -> "subprocess.Popen[str]":
    """Starts `clv` on the company; `dying_in` names a function (module:name) that kills the process when called."""
    module, _, name = dying_in.partition(":")
    trap = f"import os, {module}; {module}.{name} = lambda *_, **__: os.kill(os.getpid(), 9)\n" if dying_in else ""
    code = f"{trap}import sys; from clv_pipeline.cli import run_app; sys.exit(run_app(sys.argv[1:]))"
    environment = {**os.environ, "CLV_DEBUG": "1"}
    environment.pop("DAGSTER_HOME", None)
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--config", str(company.config)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_clv(company: Warehouse, *arguments: str, dying_in: str = "") -> tuple[int, str]:
    """The exit code and the output of `clv` on the company."""
    process = start_clv(company, *arguments, dying_in=dying_in)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def read_tables(company: Warehouse) -> dict[str, pl.DataFrame]:
    """All rows of every table of `clv.duckdb` as it is, without the moments at which things happened."""
    with duckdb.connect(str(company.settings.home / "clv.duckdb"), read_only=True) as con:
        views = con.execute(
            "SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE NOT internal"
            " UNION ALL SELECT schema_name || '.' || table_name FROM duckdb_tables()"
        ).fetchall()
        tables = {name: con.sql(f"SELECT * FROM {name} ORDER BY ALL").pl() for (name,) in views}
    return {name: frame.drop(_MOMENTS & set(frame.columns)) for name, frame in tables.items()}


def assert_same_tables(company: Warehouse, reference: dict[str, pl.DataFrame]) -> None:
    """Every table of the company holds the rows of the reference, no fewer and no more."""
    found = read_tables(company)
    assert sorted(found) == sorted(reference)
    different = [name for name in reference if not found[name].equals(reference[name])]
    assert not different, {name: (found[name], reference[name]) for name in different[:1]}
