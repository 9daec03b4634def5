"""The drift stage over a small company's months: what it publishes day by day is what a rebuild publishes.

The fit is replaced by a quick one that only looks like one.
"""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.stages import models
from clv_pipeline_tests.processes import make_rows
from clv_pipeline_tests.test_champion import fit_quickly
from clv_pipeline_tests.warehouse import Warehouse

MONTHS = ("2024-01", "2024-02", "2024-03", "2024-04")
STEPS = tuple(
    step for step in AS_OF_STEPS if step.name in {"customers", "backtest", "fit", "champion", "profiles", "checks"}
)
TABLES = tuple(table.name for step in STEPS if step.stage == "drift" for table in step.tables)


@pytest.mark.long
def test_late_data_equal_a_rebuild_and_forecasts_come_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "fit", fit_quickly)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    daily, rebuild = (Warehouse(tmp_path / name, extra="[models]\ndraws = 100\n") for name in ("daily", "rebuild"))
    for month in MONTHS:
        daily.deliver(f"{month}.csv", make_rows(month))
        daily.refresh(month, STEPS)
    daily.deliver("late.csv", [["late", "late", "2024-01-20 10:00:00", "tea", 5, "9.99"]])
    while daily.refresh(MONTHS[-1], STEPS):
        pass
    for file in sorted(daily.incoming.iterdir()):
        (rebuild.incoming / file.name).write_bytes(file.read_bytes())
    for month in MONTHS:
        rebuild.refresh(month, STEPS)
    while rebuild.refresh(MONTHS[-1], STEPS):
        pass

    found, expected = daily.tables(TABLES), rebuild.tables(TABLES)
    for table in TABLES:
        assert_frame_equal(found[table], expected[table], check_exact=True)
    # Of January one month ahead, and then of February too, and of January three months ahead.
    due = daily.query("SELECT as_of, horizon_months, origin FROM drift.performance WHERE cohort = 'all' ORDER BY ALL")
    assert {(origin, months) for _, months, origin in due.rows()} >= {("2024-01", 1), ("2024-02", 1)}
    assert daily.query("SELECT DISTINCT reference_kind FROM drift.checks").height >= 2
