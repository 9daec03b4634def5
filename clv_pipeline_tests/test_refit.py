"""When a small company's models are fitted: by age, after drift, never in the middle of a month.

The fit is replaced by a quick one that only looks like one, and drift by what the test says of a month.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline.clv.models.refit import AGE, DRIFT, FIRST, NOT_DUE, decide_refit
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.schemas.drift import Checks
from clv_pipeline.stages import drift, models
from clv_pipeline.steps import REFIT_FOR, Reach, Read, Step
from clv_pipeline_tests.processes import make_rows
from clv_pipeline_tests.test_champion import fit_quickly
from clv_pipeline_tests.warehouse import Warehouse

MONTHS = tuple(f"2024-0{number}" for number in range(1, 7))


def say_drift(step: Step) -> pl.DataFrame:
    if step.period == "2024-02":
        step.record("drift.checks", {REFIT_FOR: ["clv against 2024-01"]})
    step.advise("drift.checks", drift.DRIFT.tables[0].advice[0], "as told", passed=True)
    return Checks.empty()


QUIET = tuple(step for step in AS_OF_STEPS if step.name in {"customers", "backtest", "fit", "champion"})
DRIFTING = (*QUIET, replace(drift.DRIFT, compute=say_drift, reads=(Read("rfm.customers", Reach.SAME),)))
TABLES = tuple(table.name for step in QUIET for table in step.tables)


@pytest.fixture
def open_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Warehouse]:
    monkeypatch.setattr(models, "fit", fit_quickly)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return lambda name: Warehouse(tmp_path / name, extra="[models]\ndraws = 100\n")


def live(company: Warehouse, steps: Sequence[object], months: Sequence[str] = MONTHS) -> dict[str, list[str]]:
    """Delivers each month in two halves and refreshes after each; returns what ran in the month's second half."""
    ran = {}
    for month in months:
        for half in (0, 1):
            rows = [row for row in make_rows(month) if (str(row[2])[8:10] > "14") == bool(half)]
            company.deliver(f"{month}-{half}.csv", rows)
            plans = company.refresh(month, steps)  # pyright: ignore[reportArgumentType]
        ran[month] = [step.name for plan in plans for step in plan.steps if step.is_as_of and plan.last == month]
    return ran


def read_fits(company: Warehouse) -> list[tuple[str, ...]]:
    return company.query(
        "SELECT r.as_of, r.trigger, r.fitted_as_of, p.decision, p.version[:7] FROM models.refits r"
        " JOIN models.promotions p USING (as_of) ORDER BY 1"
    ).rows()


@pytest.mark.parametrize(
    ("age", "every", "alerts", "trigger"),
    [
        (None, "quarter", [], FIRST),
        (2, "quarter", [], NOT_DUE),
        (3, "quarter", [], AGE),
        (1, "month", [], AGE),
        (5, "half_year", [], NOT_DUE),
        (12, "year", [], AGE),
        (1, "year", ["clv"], DRIFT),
        (0, "month", ["clv"], NOT_DUE),
    ],
)
def test_age_and_drift_ask_for_a_fit(age: int | None, every: str, alerts: list[str], trigger: str) -> None:
    assert decide_refit(age, every=every, alerts=alerts).trigger == trigger


def test_an_open_month_goes_on_with_the_last_fit_and_days_equal_a_rebuild(
    open_company: Callable[[str], Warehouse],
) -> None:
    daily, rebuild = open_company("daily"), open_company("rebuild")
    ran = live(daily, QUIET)
    assert ran["2024-03"] == ["customers", "customers"]  # RFM and scores: neither backtest nor fit
    # A month has ended once the next one begins here; until the first has, there is nothing else to fit to.
    assert read_fits(daily) == [
        ("2024-01", "first", "2024-01", "first", "2024-01"),
        ("2024-02", "not due", "2024-01", "reused", "2024-01"),
        ("2024-03", "not due", "2024-01", "reused", "2024-01"),
        ("2024-04", "age", "2024-04", "promoted", "2024-04"),
        ("2024-05", "not due", "2024-04", "reused", "2024-04"),
        ("2024-06", "not due", "2024-04", "reused", "2024-04"),
    ]
    for file in sorted(daily.incoming.iterdir()):
        (rebuild.incoming / file.name).write_bytes(file.read_bytes())
    rebuild.refresh(MONTHS[-1], QUIET)
    for month in MONTHS:
        rebuild.refresh(month, QUIET)
    while rebuild.refresh(MONTHS[-1], QUIET):
        pass
    found, expected = daily.tables(TABLES), rebuild.tables(TABLES)
    for table in TABLES:
        assert_frame_equal(found[table], expected[table], check_exact=True)


def test_late_data_are_fitted_where_a_fit_was_due_and_carried_on(open_company: Callable[[str], Warehouse]) -> None:
    company = open_company("company")
    live(company, QUIET, MONTHS[:3])
    before = company.query("SELECT min(estimate) FROM models.in_use WHERE as_of = '2024-03'").item()
    company.deliver("late.csv", [["late", "late", "2024-01-20 10:00:00", "tea", 5, "9.99"]])
    company.refresh(MONTHS[2], QUIET)
    versions = company.query("SELECT DISTINCT version FROM models.in_use")["version"].to_list()
    assert len(versions) == 1
    assert company.query("SELECT min(estimate) FROM models.in_use WHERE as_of = '2024-03'").item() > before


def test_drift_has_the_models_fitted_at_once_to_months_that_have_ended(
    open_company: Callable[[str], Warehouse],
) -> None:
    daily = open_company("daily")
    live(daily, DRIFTING, MONTHS[:4])
    assert read_fits(daily)[2:] == [
        ("2024-03", "drift", "2024-03", "promoted", "2024-03"),
        ("2024-04", "not due", "2024-03", "reused", "2024-03"),
    ]
    open_month = open_company("open")
    for file in daily.incoming.iterdir():
        if file.name < "2024-03-1":
            (open_month.incoming / file.name).write_bytes(file.read_bytes())
    for month in MONTHS[:3]:
        open_month.refresh(month, DRIFTING)
    while open_month.refresh(MONTHS[2], DRIFTING):
        pass
    assert read_fits(open_month)[2] == ("2024-03", "drift", "2024-02", "promoted", "2024-02")
    reason = open_month.query("SELECT reason FROM models.refits WHERE as_of = '2024-03'").item()
    assert reason == "Drift in the month before: clv against 2024-01."
