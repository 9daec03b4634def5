"""`kill -9` at any point: the next run ends with the tables of an undisturbed one."""

import random
import time
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import find_stale
from clv_pipeline.publication import publish_report
from clv_pipeline_tests.processes import (
    MONTHS,
    assert_same_tables,
    deliver_on,
    open_company,
    read_tables,
    run_and_die,
    run_clv,
    start_clv,
)
from clv_pipeline_tests.warehouse import AUDIT_STEPS, Warehouse

# A step of many tables is killed at each of its first renames, then at every so many.
_EACH_RENAME, _STRIDE = 4, 9
CORRECTED = [["2024-02-0", "c99", "2024-02-03 10:00:00", "tea", 7, "9.99"]]


def land(company: Warehouse) -> None:
    company.land()


def refresh_and_report(company: Warehouse) -> None:
    company.refresh()
    publish_report(company.lake, company.settings)


def count_stale(company: Warehouse) -> int:
    return len(find_stale((*MONTH_STEPS, *AUDIT_STEPS), company.state, MONTHS))


def list_leftovers(company: Warehouse) -> list[str]:
    home, staging = company.settings.home, company.lake.root / ".staging"
    shown = {path.name for path in home.iterdir()} - {"clv.duckdb", "dagster_home", "lake", "models", "report"}
    loads = {path.name for path in staging.glob("load-*")}
    return sorted(shown | loads)


def test_landing_is_committed_whole_or_not_at_all(tmp_path: Path) -> None:
    reference, company = open_company(tmp_path / "reference"), open_company(tmp_path / "company")
    refresh_and_report(reference)
    kills = 0
    while run_and_die(land, company, at_rename=kills + 1):
        kills += 1
    assert kills == len(MONTHS) + 2  # before the file of each month, the ledger, and the table of customers
    refresh_and_report(company)
    assert_same_tables(company, read_tables(reference))
    assert not list_leftovers(company)


@pytest.mark.long
def test_a_correction_survives_a_kill_before_each_of_its_renames(tmp_path: Path) -> None:
    company = open_company(tmp_path / "company")
    refresh_and_report(company)
    deliver_on(company, 30, "2024-02.csv", CORRECTED)
    reference = company.copy_to(tmp_path / "reference")
    refresh_and_report(reference)
    company.land()
    kills, at_rename, stale = 0, 1, count_stale(company)
    while run_and_die(refresh_and_report, company, at_rename=at_rename):
        kills += 1
        if count_stale(company) < stale:
            at_rename = 2  # a step is done: on to the next
        else:
            at_rename += 1 if at_rename < _EACH_RENAME else _STRIDE
        stale = count_stale(company)
    assert kills >= 15  # tables of the month, of the as-of month, database, two pages, what they were made from
    assert_same_tables(company, read_tables(reference))
    assert not list_leftovers(company)
    assert company.refresh() == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    company = open_company(tmp_path_factory.mktemp("undisturbed") / "company")
    code, output = run_clv(company, "run")
    assert code == 0, output
    return read_tables(company)


def list_unfinished_runs(company: Warehouse) -> list[str]:
    with dg.DagsterInstance.from_config(str(company.settings.home / "dagster_home")) as instance:
        return [run.run_id for run in instance.get_runs() if not run.is_finished]


@pytest.mark.long
def test_a_killed_command_is_carried_on_by_the_next(tmp_path: Path, undisturbed: dict[str, pl.DataFrame]) -> None:
    company = open_company(tmp_path / "company")
    for place in ("landing:_write_lines", "stages.models:fit", "publication:rebuild_door"):
        code, output = run_clv(company, "run", dying_in=f"clv_pipeline.{place}")
        assert code == -9, (place, output)
        assert len(list_unfinished_runs(company)) == 1, place  # those killed before were found dead, and failed
    code, output = run_clv(company, "run")
    assert (code, "transactions" in output, "report" in output) == (0, False, True), output
    assert not list_unfinished_runs(company)
    assert_same_tables(company, undisturbed)
    assert not list_leftovers(company)
    assert "everything is up to date" in run_clv(company, "run")[1]


@pytest.mark.long
def test_kills_in_publication_drift_and_alerts_lose_and_double_nothing(
    tmp_path: Path, undisturbed: dict[str, pl.DataFrame]
) -> None:
    company = open_company(tmp_path / "company")
    (company.incoming / "bad.csv").write_bytes(b"\x00\x01\x02PK\x03")
    # The last two: before the alert is written down, and between that and its sending.
    for place in (
        "stages.scores:judge_scores",
        "stages.drift:diagnose",
        "alerts.log:write_whole",
        "alerts.watchman:_send",
    ):
        code, output = run_clv(company, "run", dying_in=f"clv_pipeline.{place}")
        assert code == -9, (place, output)
    run_clv(company, "run")
    found = read_tables(company)
    told = found.pop("monitoring.alerts")
    assert told.select("kind", "cleared_at").rows() == [("file", None)]
    expected = {name: frame for name, frame in undisturbed.items() if name != "monitoring.alerts"}
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if not found[name].equals(expected[name])] == []
    assert not list_unfinished_runs(company)


@pytest.mark.long
def test_kills_at_random_moments_leave_nothing_behind(tmp_path: Path, undisturbed: dict[str, pl.DataFrame]) -> None:
    company = open_company(tmp_path / "company")
    for _ in range(4):
        process = start_clv(company, "run")
        time.sleep(random.uniform(1, 8))
        process.kill()
        process.communicate()
    code, output = run_clv(company, "run")
    assert code == 0, output
    assert_same_tables(company, undisturbed)
    assert not list_leftovers(company)
    assert not list_unfinished_runs(company)
