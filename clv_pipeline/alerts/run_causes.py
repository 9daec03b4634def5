"""What of Dagster's record wakes a human: runs that failed, contracts that failed, files that cannot be read.

Belongs here: reading causes from a Dagster instance. Does not belong here: what the lake shows (`causes.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from clv_pipeline.alerts.causes import ALERT, WARN, Cause
from clv_pipeline.privacy.log import RETENTION
from clv_pipeline.stages.transactions import LANDING

_READABLE = dg.AssetCheckKey(LANDING, "files_are_readable")
# Older failures have long been overtaken, or nobody minds.
_LOOKED_AT = 25
# A run of which no step failed: its process died.
_BROKEN_OFF = "broken off"
_LONGEST = 500


def find_run_causes(instance: dg.DagsterInstance) -> Iterator[Cause]:
    """The failed runs that no later run of the same stages has made good, and the files that cannot be read."""
    yield from _find_failures(instance)
    yield from _find_bad_files(instance)


def _find_failures(instance: dg.DagsterInstance) -> Iterator[Cause]:
    failed = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=_LOOKED_AT)
    if not failed:
        return
    since = min(record.create_timestamp for record in failed)
    good = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], created_after=since))
    told: set[str] = set()
    for record in failed:  # the latest first
        run = record.dagster_run
        stages, kind, message = _explain(instance, run)
        later = [other.dagster_run for other in good if other.create_timestamp > record.create_timestamp]
        # Retention does nothing of a run's work, and no run does its.
        later = [other for other in later if (other.job_name == RETENTION) == (stages == {RETENTION})]
        group = ", ".join(sorted(stages))
        if group in told or _is_made_good(stages, kind, later):
            continue
        told.add(group)
        at = datetime.fromtimestamp(record.create_timestamp.timestamp(), UTC)
        what = f"{'A contract' if kind == 'check' else 'A run'} of {group or 'the pipeline'} failed: {message}"
        shown = "run" if kind == _BROKEN_OFF else kind
        yield Cause(f"{shown}:{group}:{message}", shown, ALERT, what, f"{at:%Y-%m-%d}", f"runs/{run.run_id}")


def _explain(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[set[str], str, str]:
    """The stages that a run failed in, whether it was a run or a contract (check) that failed, and the first cause."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kinds) if entry.dagster_event]
    for event in events:
        if event.is_step_failure and event.step_key:
            data = event.step_failure_data
            told = data.user_failure_data.description if data.user_failure_data else None
            error = data.error.cause or data.error if data.error else None
            message = told or (error.message.strip().splitlines()[0] if error else "no reason given")
            kind = "check" if told and "failed its check" in told else "run"
            return {event.step_key.partition("__")[0]}, kind, message[:_LONGEST]
    message = next((event.message for event in reversed(events) if event.message), "") or "it ended without a word"
    return _list_stages(run), _BROKEN_OFF, message[:_LONGEST]


def _is_made_good(stages: set[str], kind: str, later: Sequence[dg.DagsterRun]) -> bool:
    """Whether `later` runs have done what failed; after one that broke off the next does only what it had left."""
    done = {stage for run in later for stage in _list_stages(run)}
    # A run without a selection of its own is one of everything.
    if any(not run.asset_selection for run in later) or (later and stages <= done):
        return True
    return kind == _BROKEN_OFF and bool(stages & done)


def _list_stages(run: dg.DagsterRun) -> set[str]:
    """The stages of the assets that a run was asked for; none for a run of everything."""
    if run.job_name == RETENTION:
        return {RETENTION}
    return {key.path[0] for key in run.asset_selection or ()}


def _find_bad_files(instance: dg.DagsterInstance) -> Iterator[Cause]:
    record = instance.event_log_storage.get_latest_asset_check_execution_by_key([_READABLE]).get(_READABLE)
    if record is None or record.status != Status.FAILED or record.event is None or record.event.dagster_event is None:
        return
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    day = f"{datetime.fromtimestamp(record.create_timestamp, UTC):%Y-%m-%d}"
    problems = evaluation.metadata["bad files"].value
    for problem in problems if isinstance(problems, list) else ():
        what = f"A delivered file cannot be read: {problem}"
        yield Cause(f"file:{problem}", "file", WARN, what, day, "assets/landing/lines")
