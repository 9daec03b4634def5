"""When a small company's models are fitted: by age, after drift, never in the middle of a month.

The fit is replaced by a quick one that only looks like one, and drift by what the test says of a month.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyarrow import parquet

from clv_pipeline.clv.models.refit import AGE, DRIFT, FIRST, NOT_DUE, decide_refit
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.plan import plan_as_of
from clv_pipeline.schemas.drift import Checks
from clv_pipeline.stages import drift, models
from clv_pipeline.steps import REFIT_FOR, Reach, Read, Step, StepSpec
from clv_pipeline_tests.processes import make_rows
from clv_pipeline_tests.test_champion import fit_quickly
from clv_pipeline_tests.warehouse import Warehouse

MONTHS = tuple(f"2024-0{number}" for number in range(1, 6))


def say_drift(step: Step) -> pl.DataFrame:
    if step.period == "2024-02":
        step.record("drift.checks", {REFIT_FOR: ["clv against 2024-01"]})
    step.advise("drift.checks", drift.DRIFT.tables[0].advice[0], "as told", passed=True)
    return Checks.empty()


QUIET = tuple(step for step in AS_OF_STEPS if step.name in {"customers", "backtest", "fit", "champion"})
TOLD = replace(
    drift.DRIFT, tables=drift.DRIFT.tables[:1], compute=say_drift, reads=(Read("rfm.customers", Reach.SAME),)
)
DRIFTING = (*QUIET, TOLD)
TABLES = tuple(table.name for step in QUIET for table in step.tables)


@pytest.fixture
def open_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Warehouse]:
    monkeypatch.setattr(models, "fit", fit_quickly)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return lambda name: Warehouse(tmp_path / name, extra="[models]\ndraws = 100\n")


def deliver(company: Warehouse, month: str, halves: Sequence[int] = (0, 1)) -> None:
    for half in halves:
        rows = [row for row in make_rows(month) if (str(row[2])[8:10] > "14") == bool(half)]
        company.deliver(f"{month}-{half}.csv", rows)


def refresh(company: Warehouse, month: str, steps: Sequence[StepSpec] = QUIET) -> list[str]:
    """Lands, and runs what is stale up to an as-of month; returns the steps that this month took."""
    plans = company.refresh(month, steps)
    return [step.name for plan in plans for step in plan.steps if step.is_as_of and plan.last == month]


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


def test_tables_of_an_earlier_version_are_not_taken_over(open_company: Callable[[str], Warehouse]) -> None:
    company = open_company("upgraded")
    for month in MONTHS[:2]:
        deliver(company, month)
    refresh(company, MONTHS[0])
    file = company.state.lake.path("models.recalibration", MONTHS[0])
    old = parquet.read_table(file).drop_columns(["pace"])
    parquet.write_table(old, file)
    assert company.state.lake.read_stamp("models.recalibration", MONTHS[0]) is not None

    refresh(company, MONTHS[1])
    assert read_fits(company)[1][1] == "not due"
    assert "pace" in company.state.lake.read("models.recalibration", MONTHS[1]).columns


def test_a_month_is_named_as_fitted_only_where_somebody_had_ordered(open_company: Callable[[str], Warehouse]) -> None:
    company = open_company("returns")

    def find_fitted(day: str, customer: str, quantity: int) -> list[tuple[str, str | None]]:
        company.deliver(f"{day}.csv", [[day, customer, day, "tea", quantity, "2.50"]])
        refresh(company, day[:7])
        return company.query("SELECT as_of, fitted_as_of FROM models.refits ORDER BY 1").rows()

    assert find_fitted("2024-01-20", "ann", -1) == [("2024-01", None)]
    assert find_fitted("2024-02-10", "ann", -1) == [("2024-01", None), ("2024-02", None)]
    # The month is still open, and there is nothing else to fit to.
    assert find_fitted("2024-02-20", "bob", 1) == [("2024-01", None), ("2024-02", "2024-02")]
    assert find_fitted("2024-03-10", "ann", -1)[1:] == [("2024-02", "2024-02"), ("2024-03", "2024-02")]
    assert [row[1] for row in read_fits(company)] == ["first", "not due"]


@pytest.mark.long
def test_an_open_month_goes_on_with_the_last_fit_and_days_equal_a_rebuild(
    open_company: Callable[[str], Warehouse],
) -> None:
    daily, rebuild = open_company("daily"), open_company("rebuild")
    for month in MONTHS:
        deliver(daily, month, [0])
        refresh(daily, month)
        deliver(daily, month, [1])
        if month == "2024-03":
            # RFM and scores: neither backtest nor fit.
            assert refresh(daily, month) == ["customers", "customers"]
    daily.deliver("late.csv", [["late", "late", "2024-01-20 10:00:00", "tea", 5, "9.99"]])
    refresh(daily, MONTHS[-1])
    # A month has ended once the next one begins here; until the first has, there is nothing else to fit to.
    assert read_fits(daily) == [
        ("2024-01", "first", "2024-01", "first", "2024-01"),
        ("2024-02", "not due", "2024-01", "reused", "2024-01"),
        ("2024-03", "not due", "2024-01", "reused", "2024-01"),
        ("2024-04", "age", "2024-04", "promoted", "2024-04"),
        ("2024-05", "not due", "2024-04", "reused", "2024-04"),
    ]
    for file in daily.incoming.iterdir():
        (rebuild.incoming / file.name).write_bytes(file.read_bytes())
    refresh(rebuild, MONTHS[0])
    while plans := plan_as_of(QUIET, rebuild.state, MONTHS):
        rebuild.execute(plans)
    found, expected = daily.tables(TABLES), rebuild.tables(TABLES)
    for table in TABLES:
        assert_frame_equal(found[table], expected[table], check_exact=True)


def test_drift_has_the_models_fitted_at_once_to_months_that_have_ended(
    open_company: Callable[[str], Warehouse],
) -> None:
    company = open_company("company")
    for month in MONTHS[:2]:
        deliver(company, month)
        refresh(company, month, DRIFTING)
    deliver(company, "2024-03", [0])
    refresh(company, "2024-03", DRIFTING)
    refresh(company, "2024-03", DRIFTING)  # February has ended only now, and its alert comes with its last day
    assert read_fits(company)[2] == ("2024-03", "drift", "2024-02", "promoted", "2024-02")
    reason = company.query("SELECT reason FROM models.refits WHERE as_of = '2024-03'").item()
    assert reason == "Drift in the month before: clv against 2024-01."
    deliver(company, "2024-03", [1])
    deliver(company, "2024-04", [0])
    refresh(company, "2024-03", DRIFTING)
    refresh(company, "2024-04", DRIFTING)
    assert read_fits(company)[2:] == [
        ("2024-03", "drift", "2024-03", "promoted", "2024-03"),
        ("2024-04", "not due", "2024-03", "reused", "2024-03"),
    ]
