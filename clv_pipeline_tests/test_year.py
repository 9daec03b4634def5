"""A year that nobody looks at: daily files, and the schedule's and sensors' own evaluations, as the daemon makes them.

Late lines, a file that cannot be read, a run that is killed, a model that is refused and a drift come up on the way.
The fit is replaced by a quick one, and drift by what the test says of a month; all else is real.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline import assembly, automation
from clv_pipeline.clv.backtest import rounds
from clv_pipeline.clv.drift.checks import Check, Topic, table_checks
from clv_pipeline.clv.drift.diagnosis import Diagnosis, table_diagnoses
from clv_pipeline.clv.drift.levels import Limits
from clv_pipeline.clv.models import ModelFit
from clv_pipeline.periods import list_periods
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.plan import plan_as_of
from clv_pipeline.stages import drift, models, report
from clv_pipeline.steps import Reach, Read, Step
from clv_pipeline_tests.orchestra import Orchestra
from clv_pipeline_tests.processes import make_rows
from clv_pipeline_tests.test_champion import fit_quickly
from clv_pipeline_tests.warehouse import Warehouse

MONTHS = list_periods("2024-01", "2024-12")
BUSY = ("2024-01", "2024-03", "2024-05", "2024-06", "2024-09")
DRIFTED, REFUSED, WEEKS_OF_REFUSED = "2024-08", "2024-07", (30.0, 31.0)


def fit_or_doubt(customers: pl.DataFrame, **settings: Any) -> ModelFit:
    fitted = fit_quickly(customers, **{"draws": 100, **settings})
    low, high = WEEKS_OF_REFUSED
    doubtful = low < float(customers["T"].max() or 0) < high  # pyright: ignore[reportArgumentType]
    return replace(fitted, doubts={"bg_nbd": "R-hat 1.2"}) if doubtful else fitted


def say_drift(step: Step) -> dict[str, pl.DataFrame]:
    topic, limits = Topic("data", "monetary_value", "spend"), Limits(0.1, 0.25)
    moved = Check(topic, "2024-07", "previous", "psi", 0.6, limits, 0.01, 0.3, (90.0, 90.0), "Spend is up by 30%.")
    checks = table_checks([moved] if step.period == DRIFTED else [])
    step.record("drift.checks", {drift.REFIT_FOR: checks["meaning"].to_list()})
    step.advise("drift.checks", drift.DRIFT.tables[0].advice[0], "as told", passed=checks.is_empty())
    spend = Diagnosis("order_value", "", DRIFTED, "alert", 0.3, "Spend is up by 30%.", ("monetary_value",))
    found = {"drift.checks": checks, "drift.diagnoses": table_diagnoses([spend] if step.period == DRIFTED else [])}
    return {name: frame.select(pl.lit(step.period).alias("as_of"), pl.all()) for name, frame in found.items()}


QUIET = tuple(step for step in AS_OF_STEPS if step.name in {"customers", "backtest", "fit", "champion"})
TOLD = replace(
    drift.DRIFT, tables=drift.DRIFT.tables[:2], compute=say_drift, reads=(Read("rfm.customers", Reach.SAME),)
)
STEPS = (*QUIET, TOLD)
TABLES = (*(table.name for step in STEPS for table in step.tables), "scores.current")


@pytest.fixture
def open_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Warehouse]:
    monkeypatch.setattr(models, "fit", fit_or_doubt)
    monkeypatch.setattr(rounds, "fit_models", fit_or_doubt)
    for module in (assembly, automation):
        monkeypatch.setattr(module, "AS_OF_STEPS", STEPS)
    monkeypatch.setattr(report, "publish_report", lambda lake, _: lake.path("landing.batches", "all"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    extra = '[models]\ndraws = 100\ncandidates = ["bg_nbd"]\n[automation]\nenabled = true\n'
    return lambda name: Warehouse(tmp_path / name, extra=extra)


def evaluate(orchestra: Orchestra, name: str) -> Any:
    """One evaluation of a sensor, as the daemon does it."""
    sensor = orchestra.definitions.get_repository_def().get_sensor_def(name)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    return sensor(dg.build_sensor_context(instance=orchestra.instance, resources={"lake": orchestra.company.lake}))


def live_on(orchestra: Orchestra, *, killed: bool = False) -> None:
    """Lets the sensors do what they do until they ask for nothing; `killed`: the second run dies without a word."""
    for number in count():
        requests = evaluate(orchestra, "deliveries").run_requests or []
        if not requests:
            break
        if killed and number == 1:
            die_in(orchestra, requests[0])
        else:
            assert all(result.success for result in orchestra.execute_requests(requests))
    evaluate(orchestra, "alerts")


def die_in(orchestra: Orchestra, request: dg.RunRequest) -> None:
    """Leaves what a killed process leaves: a run that has started, and a lock that nobody holds."""
    tags = {**request.tags, "dagster/run_key": str(request.run_key), "dagster/sensor_name": "deliveries"}
    run = orchestra.instance.create_run_for_job(
        orchestra.definitions.resolve_job_def("refresh_month"),
        status=dg.DagsterRunStatus.STARTED,
        tags=tags,
        asset_selection=frozenset(request.asset_selection or []),
    )
    sign = orchestra.company.lake.root / ".locks" / "runs" / f"{run.run_id}.lock"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()


def deliver_days(company: Warehouse, month: str, half: int) -> None:
    """A file for each day of the first or the second half of a month."""
    days: dict[str, list[list[object]]] = {}
    for row in make_rows(month, customers=200):
        days.setdefault(str(row[2])[:10], []).append(row)
    for day, rows in sorted(days.items()):
        if (day[8:] > "14") == bool(half):
            company.deliver(f"{day}.csv", rows)


@pytest.fixture
def orchestra(open_company: Callable[[str], Warehouse]) -> Iterator[Orchestra]:
    found = Orchestra(open_company("company"))
    yield found
    found.close()


@pytest.mark.long
def test_a_year_alone_ends_like_a_rebuild_and_woke_people_for_what_it_should(
    orchestra: Orchestra, open_company: Callable[[str], Warehouse]
) -> None:
    company = orchestra.company
    for month in MONTHS:
        for half in (0, 1):
            deliver_days(company, month, half)
            if half == 0 and month not in BUSY:  # the daemon looks once a month then, to save time
                continue
            match month, half:
                case "2024-03", 0:
                    (company.incoming / "extra.csv").write_bytes(b"\x00\x01\x02PK\x03")
                case "2024-03", 1:
                    company.deliver("extra.csv", [["extra", "c01", "2024-03-05 10:00:00", "tea", 2, "9.99"]])
                case "2024-06", 0:
                    company.deliver("late.csv", [["late", "late", "2024-04-20 10:00:00", "tea", 5, "9.99"]])
                case _:
                    pass
            live_on(orchestra, killed=(month, half) == ("2024-05", 0))

    fits = "SELECT as_of, decision FROM models.promotions WHERE decision <> 'reused' ORDER BY 1"
    assert company.query(fits).rows() == [
        ("2024-01", "first"),
        ("2024-04", "promoted"),
        (REFUSED, "kept"),
        ("2024-09", "promoted"),
    ]
    told = company.query(
        "SELECT kind, since, cleared_at IS NULL AS lasts FROM monitoring.alerts ORDER BY opened_at, kind"
    )
    assert told["kind"].to_list() == ["file", "run", "drift", "promotion"]
    assert told["since"].to_list()[2:] == [DRIFTED, REFUSED]
    assert not told["lasts"].any()

    rebuild = open_company("rebuild")
    for file in company.incoming.iterdir():
        (rebuild.incoming / file.name).write_bytes(file.read_bytes())
    rebuild.refresh(MONTHS[0], STEPS)
    while plans := plan_as_of(STEPS, rebuild.state, MONTHS):
        rebuild.execute(plans)
    found, expected = company.tables(TABLES), rebuild.tables(TABLES)
    for table in TABLES:
        assert_frame_equal(found[table], expected[table], check_exact=True)
