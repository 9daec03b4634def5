"""What runs without being asked: the daily schedule and the sensor that follows deliveries.

Belongs here: turning the plan into run requests. Does not belong here: what is stale (`plan.py`).
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.data_version import extract_data_version_from_entry

from clv_pipeline.customers.news import list_new_customers
from clv_pipeline.dead_runs import fail_dead_runs
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import PlannedRun, plan_as_of, plan_months
from clv_pipeline.publication import describe_contents, read_made_from
from clv_pipeline.settings import Settings
from clv_pipeline.sources import digest, list_files
from clv_pipeline.stages.charts import CHARTS, describe_lenses, find_month
from clv_pipeline.stages.report import REPORT
from clv_pipeline.stages.transactions import CUSTOMERS, LANDING
from clv_pipeline.state import State
from clv_pipeline.steps import ONLY_STALE_TAG, StepSpec

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
_RUN_KEY_TAG = "dagster/run_key"
_SENSOR = "deliveries"
_UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def range_tags(run: PlannedRun) -> dict[str, str]:
    """The tags that make one Dagster run cover the months of `run`, leaving out what is up to date by then."""
    return {RANGE_START_TAG: run.first, RANGE_END_TAG: run.last, ONLY_STALE_TAG: "true"}


def keys_of(steps: tuple[StepSpec, ...]) -> list[dg.AssetKey]:
    """The asset keys of `steps`."""
    return [table.key for step in steps for table in step.tables]


def build_daily_schedule(
    job: "UnresolvedAssetJobDefinition", settings: Settings, partitions: dg.MonthlyPartitionsDefinition
) -> dg.ScheduleDefinition:
    """Every morning: land what is new and refresh the open month, but for what is up to date."""
    on = settings.automation.enabled

    @dg.schedule(
        job=job,
        cron_schedule="0 5 * * *",
        name="refresh_open_month",
        description="Lands new deliveries and brings the open month up to date, every morning at five.",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
    def refresh_open_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        open_month = partitions.get_last_partition_key()
        if open_month is None:
            return dg.SkipReason("no month has data yet")
        return dg.RunRequest(
            run_key=f"{context.scheduled_execution_time:%Y-%m-%d}",
            partition_key=open_month,
            tags={ONLY_STALE_TAG: "true", "clv/why": "the daily refresh"},
        )

    return refresh_open_month


def build_delivery_sensor(settings: Settings, partitions: dg.MonthlyPartitionsDefinition) -> dg.SensorDefinition:
    """Watches the source folder and requests what a delivery made stale, and nothing else.

    It waits for the runs that it asked for: what is half done would otherwise be asked for again as another range.
    """
    on = settings.automation.enabled

    @dg.sensor(
        name=_SENSOR,
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=30,
        description="Lands new and changed files, then runs exactly the months they touched and what depends on them.",
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
    )
    def deliveries(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
        instance = context.instance
        fail_dead_runs(instance, lake)
        unfinished = dg.RunsFilter(statuses=_UNFINISHED, tags={"dagster/sensor_name": _SENSOR})
        if waiting := instance.get_runs_count(unfinished):
            return dg.SensorResult(skip_reason=f"{waiting} requested runs are not finished yet")

        def was_tried(request: dg.RunRequest) -> bool:
            return instance.get_runs_count(dg.RunsFilter(tags={_RUN_KEY_TAG: str(request.run_key)})) > 0

        last = partitions.get_last_partition_key()
        landing = [request for request in request_landing(lake, settings, last) if not was_tried(request)]
        requests = landing or request_runs(lake, settings)
        if due := [request for request in requests if not was_tried(request)]:
            # As-of months one range after the other: drift compares a month with earlier ones.
            independent = [request for request in due if REPORT not in (request.asset_selection or [])]
            return dg.SensorResult(run_requests=independent or due[:1])
        if requests:
            tried = ", ".join(request.tags["clv/why"] for request in requests)
            return dg.SensorResult(skip_reason=f"the run for this failed, see Runs; mend it and run it again: {tried}")
        return dg.SensorResult(skip_reason="everything is up to date")

    return deliveries


def build_chart_sensor(settings: Settings) -> dg.SensorDefinition:
    """Has the charts drawn that are older than the lenses; on from the start, as it changes no data."""

    @dg.sensor(
        name="charts",
        target=[CHARTS],
        minimum_interval_seconds=30,
        description="Draws the charts shown here with the tables of the lenses, when those have changed.",
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def charts(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
        state = State(lake, settings)
        month = find_month(state)
        if month is None:
            return dg.SensorResult(skip_reason="there is nothing to draw yet")
        version = describe_lenses(state, month)
        drawn = context.instance.get_latest_data_version_record(CHARTS)
        recorded = extract_data_version_from_entry(drawn.event_log_entry) if drawn else None
        if recorded and recorded.value == version:
            return dg.SensorResult(skip_reason="the charts are those of the lenses")
        # A run that failed is not asked for again before the lenses change.
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=version)])

    return charts


def request_landing(lake: Lake, settings: Settings, month: str | None) -> list[dg.RunRequest]:
    """The landing run that new files ask for; which `month` it runs for makes no difference."""
    new = [*list_news(State(lake, settings)), *list_new_customers(lake, settings)]
    if not new:
        return []
    why = {"clv/why": f"{len(new)} new or changed {'files' if settings.source.kind == 'files' else 'tables'}"}
    key = _hash("landing", *new)
    return [dg.RunRequest(run_key=key, asset_selection=[LANDING, CUSTOMERS], partition_key=month, tags=why)]


def request_runs(lake: Lake, settings: Settings) -> list[dg.RunRequest]:
    """The runs that are due for what is landed: months of data first, then as-of months, then the report."""
    state = State(lake, settings)
    if runs := plan_months(MONTH_STEPS, state):
        return [_request(run, state) for run in runs]
    existing = state.stamps(AS_OF_STEPS[0].tables[0].name)
    newest = [month for month in state.periods[-1:] if not existing or month > max(existing)]
    if runs := plan_as_of(AS_OF_STEPS, state, newest):
        return [_request(run, state, REPORT) for run in runs]
    made_from = read_made_from(lake)
    if made_from and made_from != describe_contents(state):
        page = lake.home / "report" / "index.html"
        written = str(page.stat().st_mtime_ns) if page.exists() else ""
        key, why = _hash("report", written, describe_contents(state)), "the report is older than the tables"
        return [dg.RunRequest(run_key=key, asset_selection=[REPORT], tags={"clv/why": why})]
    return []


def list_news(state: State) -> list[str]:
    """A line for each file, or table of a database, that is new or has changed since it was landed."""
    source = state.settings.source
    if source.kind == "files":
        return list_new_files(state)
    from clv_pipeline.databases.news import describe_news  # noqa: PLC0415  (its libraries are an extra)

    news = describe_news(state.lake, state.settings, state.ledger)
    return [news] if news else []


def list_new_files(state: State) -> list[str]:
    """A line for each file that is new or has changed since it was landed; being written again is no change."""
    ledger: Ledger = state.ledger
    found = []
    for file in list_files(state.settings):
        last = ledger.last_batch(file.name)
        if last and last["bytes"] == file.size:
            same = last["mtime_ns"] == file.mtime_ns or last["sha256"] == _digest_once(file.path, file.mtime_ns)
        else:
            same = False
        if not same:
            found.append(f"{file.name}:{file.size}:{file.mtime_ns}")
    return found


@lru_cache(maxsize=10_000)
def _digest_once(path: Path, mtime_ns: int) -> str:  # noqa: ARG001  (tells one version of the file from the next)
    return digest(path)


def _request(run: PlannedRun, state: State, *more: dg.AssetKey) -> dg.RunRequest:
    """A request whose key changes with what the run reads and with what it replaces.

    A run that failed is so not asked for again until something is different, and one that succeeded is, when a
    correction is taken back.
    """
    months = [month for month in state.known_periods if run.first <= month <= run.last]
    steps = [
        f"{step.name}:{month}:{step.inputs(state, month)}:{step.code_version(state.settings)}"
        for step in run.steps
        for month in months
    ]
    replaced = [
        f"{table}:{month}:{stamp.published_at}"
        for step in run.steps
        for table in step.names
        for month in months
        if (stamp := state.stamp(table, month))
    ]
    return dg.RunRequest(
        run_key=_hash(run.first, run.last, *steps, *replaced),
        asset_selection=[*keys_of(run.steps), *more],
        tags={**range_tags(run), "clv/why": "; ".join(run.reasons)[:200]},
    )


def _hash(*parts: str) -> str:
    return sha256("|".join(parts).encode()).hexdigest()[:20]
