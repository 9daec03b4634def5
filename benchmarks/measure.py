"""Measures the pipeline as its users run it, beside what it is to be compared with, in one run on one machine.

    python benchmarks/measure.py              all measurements at full size (7 million lines)
    python benchmarks/measure.py --quick      the same at a twentieth
    python benchmarks/measure.py cold imports only these

Belongs here: the measurements and their limits. The pipeline is driven by its `clv` command alone, every time in a
process of its own; absolute seconds depend on the machine, the ratios hardly.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import duckdb
from bare import BARE
from dagster import DagsterInstance
from generate import Shop, generate
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
IMPORT = """
import sys, time
begun = time.perf_counter()
import clv_pipeline.definitions
print(time.perf_counter() - begun, int("pymc" in sys.modules or "pymc_marketing" in sys.modules))
"""


@dataclass(frozen=True)
class Result:
    """One measurement; `limit` bounds `value` from above."""

    name: str
    value: float
    unit: str
    limit: float
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.limit


@dataclass(frozen=True)
class Bench:
    """The folder to work in, the size of the shop, and where progress is printed."""

    work: Path
    shop: Shop
    console: Console

    @property
    def months(self) -> tuple[str, str]:
        """First and last month of the shop."""
        return f"{self.shop.start:%Y-%m}", f"{self.shop.end - timedelta(days=1):%Y-%m}"


def measure_cold(bench: Bench) -> list[Result]:
    """100,000 lines in one CSV file, from nothing to scores and report."""
    target = _empty(bench.work / "cold")
    generate(target, Shop(lines=100_000, customers=15_000, years=2))
    seconds = _run_clv(bench, "run", "--config", target / "clv.toml")
    _expect(target / "home" / "report" / "index.html")
    return [Result("cold: 100,000 lines to scores and report", seconds, "s", 20, "clv run, one process")]


def measure_delivery(bench: Bench) -> list[Result]:
    """The full load of all but the last day, then the last day's delivery on top of it."""
    target = _load_history(bench)
    full, full_load = json.loads((target / "full_load.json").read_text())
    for file in (target / "later").glob("*.parquet"):
        shutil.copy(file, target / "incoming" / file.name)
    before = _time_loading(target / "home")
    day = _run_clv(bench, "run", "--config", target / "clv.toml")
    day_load = _time_loading(target / "home") - before
    unchanged = _run_clv(bench, "run", "--config", target / "clv.toml")
    detail = f"full load {full:.1f} s, one day {day:.1f} s, nothing new {unchanged:.1f} s"
    loading = f"full load {full_load:.1f} s, one day {day_load:.1f} s"
    return [
        Result("one-day delivery / full load, lines to marts", day_load / full_load, "x", 0.10, loading),
        Result("the same, whole runs with every as-of asset and report", day / full, "x", 0.10, detail),
    ]


def measure_marts(bench: Bench) -> list[Result]:
    """Marts of all months and RFM of the last one, against bare queries for the same tables from the same files."""
    target = _load_history(bench)
    first, last = bench.months
    config = target / "clv.toml"
    start_up = _run_clv(bench, "status", "--config", config)
    lake = target / "home" / "lake"
    before, facts = _run_bare(lake, _empty(bench.work / "bare"))
    marts = _run_clv(bench, "backfill", first, last, "--select", "marts", "--config", config)
    rfm = _run_clv(bench, "backfill", last, last, "--select", "rfm", "--config", config)
    after, _ = _run_bare(lake, _empty(bench.work / "bare"))
    # The quicker of the two: when something else was running, the ratio comes out rather too high than too low.
    bare = min(before, after)
    _compare(target / "home" / "clv.duckdb", facts, last)
    # A backfill from rfm on ends with the report, which the bare queries do not make.
    report = _run_clv(bench, "report", "--config", config)
    wall, work = marts + rfm, max(marts - start_up, 0) + max(rfm - report, 0)
    detail = f"marts {marts:.1f} s, start-up {start_up:.1f}; rfm {rfm:.1f}, report {report:.1f}; "
    detail += f"bare {before:.1f}, {after:.1f}"
    return [
        Result("marts and RFM / bare queries", work / bare, "x", 2, detail),
        Result("the same with start-up and report", wall / bare, "x", float("inf"), "for information"),
    ]


def measure_imports(_: Bench) -> list[Result]:
    """Seconds to import the definitions, best of three, and whether that imports pymc."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True).stdout.split()
        for _ in range(3)
    ]
    seconds = min(float(run[-2]) for run in runs)
    return [
        Result("import of the definitions", seconds, "s", 3, "best of three processes"),
        Result("of which import pymc", float(runs[0][-1]), "", 0, "0: no, 1: yes"),
    ]


MEASUREMENTS: dict[str, Callable[[Bench], list[Result]]] = {
    "imports": measure_imports,
    "cold": measure_cold,
    "marts": measure_marts,
    "delivery": measure_delivery,
}


def _load_history(bench: Bench) -> Path:
    """The folder with the shop's history loaded by one `clv run`, timed in full_load.json; once per bench run."""
    target = bench.work / "shop"
    if (target / "full_load.json").exists():
        return target
    generate(_empty(target), bench.shop, layout="last-day", suffix=".parquet")
    seconds = _run_clv(bench, "run", "--config", target / "clv.toml")
    (target / "full_load.json").write_text(json.dumps([seconds, _time_loading(target / "home")]))
    return target


def _time_loading(home: Path) -> float:
    """Seconds of all runs so far that made landing, transactions or marts, by Dagster's record of them."""
    with DagsterInstance.from_config(str(home / "dagster_home")) as instance:
        records = instance.get_run_records()
    loading = {"landing", "transactions", "marts"}
    return sum(
        (record.end_time or 0) - (record.start_time or 0)
        for record in records
        if {key.path[0] for key in record.dagster_run.asset_selection or ()} <= loading
    )


def _run_clv(bench: Bench, *arguments: str | Path) -> float:
    """Wall seconds of `clv ARGUMENTS` in a process of its own."""
    command = [str(Path(sys.executable).parent / "clv"), *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLV_", "DAGSTER_"))}
    bench.console.print(f"clv {' '.join(command[1:3])} ...", style="dim", end=" ")
    begun = time.perf_counter()
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - begun
    bench.console.print(f"{seconds:.1f} s", style="dim")
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")
    return seconds


def _run_bare(lake: Path, target: Path) -> tuple[float, dict[str, tuple[object, ...]]]:
    """Seconds of the bare queries, each written to Parquet, and what identifies their results."""
    lines = lake / "transactions" / "lines" / "**" / "*.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {os.cpu_count() or 1}")
        connection.execute(f"CREATE VIEW lines AS FROM read_parquet('{lines}', hive_partitioning = true)")
        begun = time.perf_counter()
        for name, query in BARE.items():
            connection.execute(f"COPY ({query}) TO '{target / name}.parquet'")
            connection.execute(f"CREATE VIEW {name} AS FROM '{target / name}.parquet'")
        seconds = time.perf_counter() - begun
        return seconds, {
            "marts.orders": _fetch(connection, "SELECT count(*), sum(spend), sum(products) FROM orders"),
            "marts.customer_periods": _fetch(connection, "SELECT count(*), sum(spend) FROM customer_months"),
            "rfm.customers": _fetch(connection, "SELECT count(*), sum(frequency), sum(r_score) FROM rfm"),
        }


def _compare(database: Path, facts: dict[str, tuple[object, ...]], as_of: str) -> None:
    """Stops when the pipeline's tables are not those of the bare queries: their times would mean nothing."""
    queries = {
        "marts.orders": "SELECT count(*), sum(spend), sum(products) FROM marts.orders",
        "marts.customer_periods": "SELECT count(*), sum(spend) FROM marts.customer_periods",
        "rfm.customers": f"SELECT count(*), sum(frequency), sum(r_score) FROM rfm.customers WHERE as_of = '{as_of}'",
    }
    with duckdb.connect(str(database), read_only=True) as connection:
        for table, query in queries.items():
            if (found := _fetch(connection, query)) != facts[table]:
                raise SystemExit(f"{table} differs from the bare query: {found} against {facts[table]}")


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[object, ...]:
    return connection.execute(query).fetchall()[0]


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _expect(file: Path) -> None:
    if not file.is_file():
        raise SystemExit(f"{file} was not written")


def show_results(results: list[Result], console: Console) -> None:
    """Prints the results as a table."""
    table = Table("measurement", "value", "limit", "", "detail")
    for result in results:
        limit = "" if result.limit == float("inf") else f"{result.limit:g} {result.unit}"
        verdict = "ok" if result.holds else "[red]over"
        table.add_row(result.name, f"{result.value:.3g} {result.unit}", limit, verdict, result.detail)
    console.print(table)


def main() -> None:
    """The command line; exit code 1 when a limit does not hold at full size."""
    parser = argparse.ArgumentParser(description="Measure the pipeline beside bare queries, in one run.")
    parser.add_argument("only", nargs="*", metavar="MEASUREMENT", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the size")
    parser.add_argument("--work", type=Path, default=HERE / "data", help="folder for data, emptied at the start")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    given = parser.parse_args()
    if unknown := set(given.only) - set(MEASUREMENTS):
        parser.error(f"unknown measurement {', '.join(sorted(unknown))}; use {', '.join(MEASUREMENTS)}")
    lines, customers = (350_000, 50_000) if given.quick else (7_000_000, 1_000_000)
    work = _empty(given.work / "measure")
    bench = Bench(work, Shop(lines, customers, years=3), Console())
    if os.getloadavg()[0] > (busy := (os.cpu_count() or 1) / 2):
        bench.console.print(f"load is over {busy:g}: something else is running, the figures will be too high")
    results: list[Result] = []
    for name in given.only or MEASUREMENTS:
        results += MEASUREMENTS[name](bench)
    show_results(results, bench.console)
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=2), encoding="utf-8")
    shutil.rmtree(work)
    sys.exit(0 if given.quick or all(result.holds for result in results) else 1)


if __name__ == "__main__":
    main()
