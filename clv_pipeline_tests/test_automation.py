"""The sensor asks for what a delivery makes stale and for nothing else; the schedule for the open month."""

import errno
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from clv_pipeline import automation, publication
from clv_pipeline.contracts import Audit
from clv_pipeline.lake import Lake, LakeError
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.retries import retry_what_passes
from clv_pipeline.settings import Settings
from clv_pipeline.stages import charts, report
from clv_pipeline.state import State
from clv_pipeline.steps import ONLY_STALE_TAG
from clv_pipeline_tests.conftest import MONTHS
from clv_pipeline_tests.orchestra import Orchestra, make_rows
from clv_pipeline_tests.warehouse import AUDIT_STEPS, RFM_STEPS

RFM = RFM_STEPS
Conduct = Callable[..., Orchestra]
Asked = tuple[str, str, str]


@pytest.fixture(autouse=True)
def with_little_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the as-of months only RFM, which the plan treats as it treats all steps, and a page that says nothing."""

    def publish_report(lake: Lake, settings: Settings) -> Path:
        page = lake.home / "report" / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("")
        (lake.root / publication._MADE_FROM).write_text(publication.describe_contents(State(lake, settings)))
        return page

    monkeypatch.setattr(automation, "AS_OF_STEPS", RFM)
    monkeypatch.setattr(report, "publish_report", publish_report)


@pytest.fixture
def with_lenses(with_little_to_do: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lenses and the page too."""
    monkeypatch.setattr(automation, "AS_OF_STEPS", AUDIT_STEPS)
    monkeypatch.setattr(report, "publish_report", publication.publish_report)


def ask(orchestra: Orchestra, name: str = "deliveries") -> dg.SensorResult:
    """One evaluation of a sensor, as the daemon does it."""
    sensor = orchestra.definitions.get_repository_def().get_sensor_def(name)
    context = dg.build_sensor_context(instance=orchestra.instance, resources={"lake": orchestra.company.lake})
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def describe(requests: Sequence[dg.RunRequest]) -> list[Asked]:
    """The stages and months of requests."""
    return [
        (
            " ".join(dict.fromkeys(key.path[0] for key in request.asset_selection or [])),
            request.tags.get(automation.RANGE_START_TAG, request.partition_key or ""),
            request.tags.get(automation.RANGE_END_TAG, request.partition_key or ""),
        )
        for request in requests
    ]


def settle(orchestra: Orchestra) -> list[Asked]:
    """Lets the sensor ask and runs what it asks for until it asks for nothing; returns what it asked for."""
    asked: list[Asked] = []
    for _ in range(8):
        requests = ask(orchestra).run_requests or []
        if not requests:
            return asked
        asked += describe(requests)
        orchestra.execute_requests(requests)
    raise AssertionError(f"the sensor never stops: {asked}")


def test_a_first_delivery_takes_one_run_for_each_group_of_stages(conduct: Conduct, with_lenses: None) -> None:
    orchestra = conduct(MONTHS)
    asked = settle(orchestra)
    assert [stages for stages, _, _ in asked] == ["landing", "transactions marts", "rfm quality lenses report"]
    assert [months for _, *months in asked[1:]] == [["2024-01", "2024-04"], ["2024-04", "2024-04"]]
    assert orchestra.company.query("SELECT sum(orders)::INT FROM marts.periods").item() == 12
    assert (orchestra.company.settings.home / "report" / "index.html").exists()


def test_late_lines_ask_for_their_month_and_the_as_of_months_from_it_on(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS)
    orchestra.company.refresh("2024-01", RFM)
    orchestra.company.refresh("2024-02", RFM)
    orchestra.company.refresh("2024-04", RFM)
    settle(orchestra)
    orchestra.company.deliver("late.csv", [["late", "c-0", "2024-02-20", "pie", 1, "9.00"]])
    assert settle(orchestra)[1:] == [
        ("transactions marts", "2024-02", "2024-02"),
        ("rfm report", "2024-02", "2024-02"),
        ("rfm report", "2024-04", "2024-04"),
    ]
    latest = "SELECT orders FROM rfm.customers WHERE as_of = '2024-04' AND customer_id = 'c-0'"
    assert orchestra.company.query(latest).item() == 5


def test_a_redelivery_without_change_asks_for_nothing(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:2])
    settle(orchestra)
    assert ask(orchestra).skip_reason == dg.SkipReason("everything is up to date")
    path = orchestra.company.deliver("2024-01.csv", make_rows("2024-01"))
    os.utime(path, (2_000_000_000, 2_000_000_000))
    assert ask(orchestra).skip_reason == dg.SkipReason("everything is up to date")


def test_a_copy_under_another_name_is_landed_and_counted_and_runs_no_month(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:2])
    settle(orchestra)
    orchestra.company.deliver("2024-01 again.csv", make_rows("2024-01"))
    assert [stages for stages, _, _ in settle(orchestra)] == ["landing", "report"]


def test_a_correction_that_is_taken_back_is_followed_both_times(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:2])
    settle(orchestra)
    month = ("transactions marts", "2024-01", "2024-01")
    for orders in (5, 3, 5):
        orchestra.company.deliver("2024-01.csv", make_rows("2024-01", orders=orders))
        assert month in settle(orchestra)
        assert orchestra.company.query("SELECT orders FROM marts.periods WHERE period = '2024-01'").item() == orders


def test_nothing_is_asked_for_while_a_requested_run_is_unfinished(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:2])
    running = orchestra.instance.create_run_for_job(
        orchestra.definitions.resolve_job_def("refresh_month"),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/sensor_name": "deliveries", "dagster/partition": "2024-01"},
    )
    assert ask(orchestra).skip_reason == dg.SkipReason("1 requested runs are not finished yet")
    orchestra.instance.report_run_failed(running)
    assert [stages for stages, _, _ in describe(ask(orchestra).run_requests or [])] == ["landing"]


def test_a_run_that_fails_is_not_asked_for_again_until_the_data_change(
    conduct: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    orchestra = conduct(MONTHS[:2])
    settle(orchestra)
    with monkeypatch.context() as broken:
        broken.setattr(
            "clv_pipeline.execution.audit_schema", lambda *_: Audit("schema", passed=False, summary="nothing is right")
        )
        orchestra.company.deliver("2024-01.csv", make_rows("2024-01", orders=5))
        assert [stages for stages, _, _ in settle(orchestra)] == ["landing", "transactions marts"]
        reason = ask(orchestra).skip_reason
        assert reason
        assert "failed" in str(reason.skip_message)
        assert orchestra.company.query("SELECT sum(orders)::INT FROM marts.periods").item() == 6
    assert not ask(orchestra).run_requests
    orchestra.company.deliver("2024-01.csv", make_rows("2024-01", orders=4))
    assert ("transactions marts", "2024-01", "2024-01") in settle(orchestra)
    assert orchestra.company.query("SELECT sum(orders)::INT FROM marts.periods").item() == 7


def test_an_unreadable_file_holds_nothing_else_up(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:1])
    (orchestra.company.incoming / "bad.csv").write_bytes(b"\x00\x01\x02PK\x03")
    assert ("transactions marts", "2024-01", "2024-01") in settle(orchestra)
    assert ask(orchestra).skip_reason == dg.SkipReason("everything is up to date")


def test_a_customer_file_is_followed(conduct: Conduct, with_lenses: None) -> None:
    orchestra = conduct(MONTHS[:2], extra='[customers]\npath = "customers.csv"\n')
    file = orchestra.company.root / "customers.csv"
    file.write_text("customer_id,acquisition_ts\nc-0,2023-12-01\n")
    settle(orchestra)
    file.write_text("customer_id,acquisition_ts\nc-0,2023-11-01\n")
    assert [stages for stages, _, _ in settle(orchestra)] == ["landing", "lenses report"]


@pytest.mark.slow
def test_a_merge_and_a_withdrawn_consent_ask_for_the_months_they_touch(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[:3], extra='[customers]\npath = "who.csv"\nid_map = "ids.csv"\n')
    root = orchestra.company.root
    consents = "customer_id,consent\n" + "".join(f"{row[1]},yes\n" for month in MONTHS[:3] for row in make_rows(month))
    (root / "who.csv").write_text(consents)
    settle(orchestra)
    (root / "ids.csv").write_text("source_id,customer_id\n2024-02-1,2024-01-1\n")
    assert settle(orchestra)[1:] == [("transactions marts", "2024-02", "2024-02"), ("rfm report", "2024-03", "2024-03")]
    (root / "who.csv").write_text(consents.replace("2024-03-1,yes", "2024-03-1,no"))
    assert settle(orchestra)[1:] == [("rfm report", "2024-03", "2024-03")]
    named = orchestra.company.query("SELECT customer_id FROM rfm.customers ORDER BY ALL")["customer_id"].to_list()
    assert named == ["2024-01-1", "2024-01-2", "2024-02-2", "2024-03-2", "c-0"]


def test_months_before_the_first_are_run_when_they_arrive(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS[2:])
    settle(orchestra)
    orchestra.company.deliver("2024-01.csv", make_rows("2024-01"))
    assert settle(orchestra)[1:] == [
        ("transactions marts", "2024-01", "2024-02"),
        ("rfm report", "2024-04", "2024-04"),
    ]
    assert orchestra.materialised(dg.AssetKey(["marts", "orders"])) == list(MONTHS)


@pytest.mark.slow
def test_late_data_reach_as_of_months_with_more_history_than_dagster_follows(conduct: Conduct) -> None:
    # Dagster looks at fewer than a hundred upstream months; the plan looks at all of them.
    months = [f"{2010 + index // 12}-{index % 12 + 1:02d}" for index in range(101)]
    orchestra = conduct()
    company = orchestra.company
    company.deliver("all.csv", [row for month in months for row in make_rows(month, orders=1)])
    company.refresh(months[-1], RFM)
    settle(orchestra)
    company.deliver("late.csv", [["late", "c-0", f"{months[1]}-20", "pie", 1, "9.00"]])
    last = months[-1]
    assert settle(orchestra)[1:] == [("transactions marts", months[1], months[1]), ("rfm report", last, last)]
    assert company.query(f"SELECT orders FROM rfm.customers WHERE as_of = '{last}'").item() == 102


def test_charts_are_drawn_once_for_each_state_of_the_lenses(loaded: Orchestra, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = {"lenses.lens1_headline": {"A chart": b"PNG"}}
    monkeypatch.setattr(charts, "draw_lenses", lambda *_: drawn)
    [first] = ask(loaded, "charts").run_requests or []
    assert loaded.execute([charts.CHARTS], {}).success
    headline = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["lenses", "lens1_headline"]), asset_partitions=["2024-04"])
    [record] = loaded.instance.fetch_observations(headline, limit=9).records
    assert record.asset_observation
    assert record.asset_observation.metadata["A chart"].value == "![A chart](data:image/png;base64,UE5H)"
    assert ask(loaded, "charts").skip_reason == dg.SkipReason("the charts are those of the lenses")
    loaded.company.deliver("late.csv", [["late", "c-0", "2024-02-20", "pie", 1, "9.00"]])
    loaded.company.refresh("2024-04", AUDIT_STEPS)
    [second] = ask(loaded, "charts").run_requests or []
    assert second.run_key != first.run_key


def test_there_are_no_charts_to_draw_before_the_first_lenses(conduct: Conduct) -> None:
    assert ask(conduct(), "charts").skip_reason == dg.SkipReason("there is nothing to draw yet")


def test_the_schedule_asks_for_the_open_month_once_a_day(conduct: Conduct) -> None:
    orchestra = conduct(MONTHS)
    orchestra.company.land()
    schedule = orchestra.definitions.get_repository_def().get_schedule_def("refresh_open_month")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert schedule.cron_schedule == "0 5 * * *"
    moment = datetime(2024, 4, 20, 5, tzinfo=UTC)
    with dg.build_schedule_context(instance=orchestra.instance, scheduled_execution_time=moment) as context:
        request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert (request.run_key, request.partition_key) == ("2024-04-20", "2024-04")
    assert request.tags[ONLY_STALE_TAG] == "true"


def test_one_setting_switches_everything_on(conduct: Conduct) -> None:
    started = {}
    for enabled in ("false", "true"):
        repository = conduct(extra=f"[automation]\nenabled = {enabled}\n").definitions.get_repository_def()
        parts = [*repository.sensor_defs, *repository.schedule_defs]
        started[enabled] = {part.name for part in parts if part.default_status.value == "RUNNING"} - {"charts"}
        scores = repository.asset_graph.get(dg.AssetKey(["scores", "customers"]))
        assert (scores.freshness_policy is not None) == (enabled == "true")
    watchers = {"alerts", "alert_after_failure", "alert_after_success"}
    assert started == {"false": set(), "true": {"refresh_open_month", "deliveries", *watchers}}


def test_only_what_passes_by_itself_is_tried_again() -> None:
    with pytest.raises(dg.RetryRequested) as again, retry_what_passes():
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    assert again.value.max_retries == 2
    with pytest.raises(dg.RetryRequested), retry_what_passes():
        raise duckdb.IOException(f'IO Error: Could not read file "x": {os.strerror(errno.EIO)}')
    for lasting in (OSError(errno.ENOSPC, "full"), duckdb.IOException("IO Error: No space left"), LakeError("wrong")):
        with pytest.raises(type(lasting)), retry_what_passes():
            raise lasting


@pytest.mark.slow
def test_the_scheduled_job_lands_and_refreshes_the_open_month(conduct: Conduct, with_lenses: None) -> None:
    orchestra = conduct(MONTHS[:3])
    orchestra.land()
    orchestra.run([table.key for step in MONTH_STEPS for table in step.tables], "2024-01", "2024-02")
    orchestra.company.deliver("new.csv", [["new", "c-0", "2024-03-30", "pie", 1, "9.00"]])
    job = orchestra.definitions.resolve_job_def("refresh_month")
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    assert job.execute_in_process(partition_key="2024-03", instance=orchestra.instance, run_config=quiet).success
    query = "SELECT lines FROM marts.periods WHERE period = '2024-03'"
    assert orchestra.company.query(query).item() == 4
    assert orchestra.company.query("SELECT count(*) FROM scores.customers WHERE as_of = '2024-03'").item() == 7
    assert (orchestra.company.settings.home / "report" / "2024-03.html").exists()
    assert orchestra.find_stale(orchestra.definitions.resolve_asset_graph().get_all_asset_keys()) == {}
