"""The command line as somebody new meets it: exit codes, messages of one line, progress, and what is left on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clv_pipeline import runs
from clv_pipeline.cli import run_app
from clv_pipeline.lake import LakeError
from clv_pipeline_tests.warehouse import Warehouse

COMMANDS = ("run", "backfill", "check", "status", "report", "models", "promote", "rollback", "generate", "ui", "demo")
ROW = ["1", "ann", "2024-01-05", "tea", 2, "1.25"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("CLV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def fail(capsys: Capture, *arguments: str, code: int = 1) -> str:
    """Runs a command that has to fail and returns its message, which is one line."""
    assert run_app(list(arguments)) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def succeed(capsys: Capture, *arguments: str) -> str:
    assert run_app(list(arguments)) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out


def at(house: Warehouse) -> tuple[str, str]:
    return "--config", str(house.config)


def test_help_comes_with_an_example_and_without_loading_the_engines() -> None:
    program = f"""
import sys
from clv_pipeline.cli import run_app
for arguments in (["--help"], *([name, "--help"] for name in {COMMANDS})):
    assert run_app(arguments) == 0
    print("---")
heavy = {{"dagster", "duckdb", "polars", "pymc", "altair", "pandera"}} & set(sys.modules)
assert not heavy, heavy
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    pages = found.stdout.split("---\n")[:-1]
    assert len(pages) == 1 + len(COMMANDS)
    for name, page in zip(("demo", *COMMANDS), pages, strict=True):
        assert f"Example: clv {name}" in page


def test_the_bare_command_shows_its_help(capsys: Capture) -> None:
    assert run_app([]) == 2
    shown = capsys.readouterr()
    assert "Commands" in shown.out + shown.err
    assert "error" not in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'. Example: clv demo cdnow"),
        (["runn"], "No such command 'runn'. Did you mean 'run'?"),
        (["backfill", "2024-01"], "Missing argument 'TO'. Example: clv backfill 1997-01 1997-06"),
        (["run", "--asof", "2024-01"], "No such option: --asof (Possible options: --as-of) Example: clv run --as-of"),
        (["run", "2024-01"], "Got unexpected extra argument(s) (2024-01) Example: clv run"),
        (["ui", "--port", "x"], "Invalid value for '--port'"),
    ],
)
def test_a_wrong_command_line_is_answered_with_an_example(arguments: list[str], message: str, capsys: Capture) -> None:
    assert message in fail(capsys, *arguments, code=2)


@pytest.mark.parametrize("command", [["run"], ["status"], ["report"], ["ui"], ["backfill", "2024-01", "2024-02"]])
def test_without_settings_nothing_happens_but_advice(command: list[str], tmp_path: Path, capsys: Capture) -> None:
    message = fail(capsys, *command)
    assert message == (
        f"no clv.toml in {tmp_path}; write one (the README has an example), name one with --config,"
        " or see it work with `clv demo`"
    )
    assert list(tmp_path.iterdir()) == []


def test_without_a_mapping_run_says_what_to_map(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "clv.toml").write_text('home = "home"\n')
    assert "clv.toml: [source.columns] is missing; write which column of the source is order_id" in fail(capsys, "run")
    assert "[source.columns] is missing in clv.toml; write it to load data" in succeed(capsys, "status")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--as-of", "2024-13"], "'2024-13' is no month; write YYYY-MM, for example 1998-06"),
        (["run", "--as-of", "2024-01\n"], "is no month; write YYYY-MM"),
        (["report", "--as-of", "may"], "there is nothing to report yet; run `clv run` first"),
        (["backfill", "x", "2024-01"], "'x' is no month"),
        (["backfill", "2024-03", "2024-01"], "FROM 2024-03 is after TO 2024-01; swap them"),
        (["backfill", "2024-01", "2024-01", "--select", "rfmm"], "--select: unknown stage 'rfmm'; choose from"),
        (["backfill", "2024-01", "2024-01", "--select", ""], "--select: unknown stage ''; choose from transactions, "),
    ],
)
def test_wrong_months_and_stages_are_refused_before_anything_runs(
    arguments: list[str], message: str, warehouse: Warehouse, capsys: Capture
) -> None:
    warehouse.deliver("a.csv", [ROW])
    assert message in fail(capsys, *arguments, *at(warehouse))
    assert not warehouse.lake.home.exists()


def test_demo_names_its_data_sets(tmp_path: Path, capsys: Capture) -> None:
    assert fail(capsys, "demo", "cdnov") == "unknown demo 'cdnov'; use one of cdnow, journey, texas"
    assert list(tmp_path.iterdir()) == []


def test_check_shows_the_lights_before_any_as_of_month_exists(warehouse: Warehouse, capsys: Capture) -> None:
    assert run_app(["check", *at(warehouse)]) == 1
    assert capsys.readouterr().err.startswith("error: no file matches incoming/*")
    warehouse.deliver("a.csv", [ROW, ["2", "", "2024-02-05", "pie", 1, 3]])

    assert run_app(["check", *at(warehouse)]) == 1
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "● red    Lines without a customer (green: at most 5%)\n" in shown.out
    assert "         50.0% of 2 lines name no customer: they count for the company, and for no customer.\n" in shown.out
    assert "2024-02: 5 red, 3 green, 2 grey" in shown.out.splitlines()[-1]
    assert warehouse.lake.published("marts.orders")
    assert not warehouse.lake.published("quality.sufficiency")


def test_a_source_without_data_is_named(warehouse: Warehouse, capsys: Capture) -> None:
    message = fail(capsys, "run", *at(warehouse))
    assert message == f"no file matches incoming/* in {warehouse.root}; mend [source] path in clv.toml"
    (warehouse.incoming / "a.csv").write_text("")
    assert fail(capsys, "run", *at(warehouse)).startswith("a.csv has no rows, nor has any other file that matches inco")
    warehouse.deliver("a.csv", [["1", "ann", "13.05.2024", "tea", 1, 1]])
    assert fail(capsys, "backfill", "2024-01", "2024-02", *at(warehouse)) == (
        "no delivered row can be used: 1 of 1 delivered rows are in transactions.quarantine, all for 'unparseable"
        " timestamp', first in a.csv row 1; mend the files, or [source] in clv.toml"
    )


def test_a_home_that_cannot_be_written_is_one_line(warehouse: Warehouse, capsys: Capture) -> None:
    warehouse.deliver("a.csv", [ROW])
    warehouse.lake.home.write_text("in the way")
    for command in (["run"], ["backfill", "2024-01", "2024-01"]):
        message = fail(capsys, *command, *at(warehouse))
        assert message.startswith(f"cannot write to home {warehouse.lake.home} (")
        assert message.endswith("; fix its permissions or set home")


@pytest.mark.slow
def test_from_a_bad_file_to_an_up_to_date_home(warehouse: Warehouse, capsys: Capture) -> None:
    warehouse.config.write_text(warehouse.config.read_text() + '[models]\nestimation = "map"\n')
    bob = ["2", "bob", "2024-02-05", "pie", 1, 3]
    warehouse.deliver("a.csv", [ROW, bob, ["3", "bob", "2024-02-06", "pie", "x", 3]])
    warehouse.deliver("b.csv", [["9"]], ("number",))

    assert run_app(["run", *at(warehouse)]) == 1
    shown = capsys.readouterr()
    error, note = shown.err.splitlines()
    assert error.startswith("error: b.csv: has no column 'order_id', ")
    assert note == (
        "note: 1 of 3 delivered rows are in transactions.quarantine, all for 'non-numeric quantity',"
        " first in a.csv row 3"
    )
    assert shown.out.splitlines()[:5] == [
        "looking for new and changed files",
        "  3 new rows from 1 file, 0 files known, 1 bad",
        "running transactions, marts for 2024-01 to 2024-02: not there yet",
        "running rfm, quality, lenses, models, scores, drift for 2024-02: not there yet",
        "building the report and clv.duckdb",
    ]
    assert len(warehouse.query("FROM scores.current")) == 2

    warehouse.deliver("b.csv", [["4", "cyd", "2024-02-07", "pie", 1, 3]])
    warehouse.deliver("a.csv", [ROW, bob, ["3", "bob", "2024-02-06", "pie", "1", 3]])
    out = succeed(capsys, "run", *at(warehouse))
    assert "  4 new rows from 2 files, 0 files known\n" in out
    assert "running transactions, marts for 2024-02: new data\n" in out
    assert len(warehouse.query("FROM scores.current")) == 3

    os.environ["COLUMNS"] = "40"
    out = succeed(capsys, "run", *at(warehouse))
    assert "  nothing new, 2 files known\n  everything is up to date\n" in out
    assert f"report    {warehouse.lake.home / 'report' / 'index.html'}\n" in out  # whole, to copy, in any terminal
    assert "stale     nothing, every published month is up to date" in succeed(capsys, "status", *at(warehouse))

    outside = "as-of 2023-12 is outside the data; choose from 2024-01 to 2024-02"
    assert fail(capsys, "run", "--as-of", "2023-12", *at(warehouse)) == outside
    assert "no month from 1999-01 to 1999-02 has data" in fail(capsys, "backfill", "1999-01", "1999-02", *at(warehouse))
    assert "as-of 2024-01 has not been run; run `clv run --as-of 2024-01`" in fail(
        capsys, "report", "--as-of", "2024-01", *at(warehouse)
    )
    assert "report/index.html" in succeed(capsys, "report", *at(warehouse))


def test_a_stage_that_fails_is_one_line_and_the_rest_can_be_seen(tmp_path: Path, capsys: Capture) -> None:
    house = Warehouse(tmp_path / "flat", extra='[models]\npriors = "flat"\n')
    house.deliver("a.csv", [ROW])
    for _ in range(2):
        assert fail(capsys, "run", *at(house)) == (
            "models.priors = 'flat' cannot fit bg_nbd, no customer has a repeat purchase yet: use 'default'"
        )
    assert (house.lake.home / "report" / "index.html").exists()
    assert "stale     models, scores, drift 2024-01: not there yet" in succeed(capsys, "status", *at(house))


def test_a_customer_file_with_a_bad_row_is_one_line(tmp_path: Path, capsys: Capture) -> None:
    house = Warehouse(tmp_path / "customers", extra='[customers]\npath = "who.csv"\n')
    house.deliver("a.csv", [ROW])
    (house.root / "who.csv").write_text("customer_id,acquisition_ts\nann,soon\n")
    assert run_app(["run", *at(house)]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "who.csv" in line]
    assert "row 1: acquisition_ts 'soon'" in line, line


def test_what_goes_wrong_inside_is_one_line_too(
    warehouse: Warehouse, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[BaseException, int, str]] = [
        (KeyboardInterrupt(), 130, "stopped; the same command goes on from here"),
        (OSError(28, "No space left on device", "lake/part.parquet"), 1, "error: lake/part.parquet: No space left on"),
        (LakeError("the lake\nis dry"), 1, "error: the lake is dry"),
        (ZeroDivisionError("oops [red]"), 1, "unexpected: oops [red] (set CLV_DEBUG=1 for the traceback)"),
    ]
    raised = iter(error for error, _, _ in cases)

    def land(_: runs.Runner) -> runs.Landed:
        raise next(raised)

    monkeypatch.setattr(runs.Runner, "land", land)
    for _, code, message in cases:
        assert run_app(["run", *at(warehouse)]) == code
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(message)
