"""Runs retention without being asked: a job of Dagster, and a schedule that is off until it is wanted.

Belongs here: when it runs. Does not belong here: what is dropped, and when it must not be (`retention.py`).
"""

import dagster as dg

from clv_pipeline.lake import Lake
from clv_pipeline.privacy.log import RETENTION
from clv_pipeline.privacy.rebuilding import build_again
from clv_pipeline.privacy.retention import drop_raw_lines
from clv_pipeline.retries import retry_what_passes
from clv_pipeline.settings import Settings


def build_retention(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedule and its job, where `[privacy] keep_raw_months` says what to drop; else nothing.

    A refusal fails the run, which raises an alert: raw lines that stay beyond their age are nothing to be silent about.
    """
    keep, automation = settings.privacy.keep_raw_months, settings.automation
    if keep is None:
        return []

    @dg.op(name=RETENTION, description=f"Drops raw lines older than {keep} months, as `clv retention` does.")
    def drop(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        with retry_what_passes():
            plan = drop_raw_lines(lake, settings)
            build_again(lake, settings)
        context.log.info("%d raw lines of %d months dropped; kept from %s", plan.rows, len(plan.months), plan.kept_from)

    @dg.job(name=RETENTION, description="Drops raw lines beyond their age; marts, scores and the report stay.")
    def retention() -> None:
        drop()

    @dg.schedule(
        job=retention,
        cron_schedule="0 6 * * 0",
        name="drop_raw_lines",
        description=f"Drops raw lines older than {keep} months, every Sunday at six.",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING
            if automation.enabled and automation.retention
            else dg.DefaultScheduleStatus.STOPPED
        ),
    )
    def drop_on_sundays(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(
            run_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags={"clv/why": "raw lines beyond their age"}
        )

    return [drop_on_sundays]
