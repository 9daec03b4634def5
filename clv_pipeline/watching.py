"""Sensors that look for what needs a human: after every run, and from time to time.

Belongs here: when somebody looks. Does not belong here: what is found, and whom it is told (`alerts/`).
"""

import dagster as dg

from clv_pipeline.alerts import watch
from clv_pipeline.dead_runs import fail_dead_runs
from clv_pipeline.lake import Lake
from clv_pipeline.settings import Settings

_STATUSES = {
    "alert_after_failure": (dg.DagsterRunStatus.FAILURE, "Tells people of a run that failed, once per cause."),
    "alert_after_success": (
        dg.DagsterRunStatus.SUCCESS,
        "Looks for drift, refused models and held scores, and closes alerts whose cause is gone.",
    ),
}


def build_watchers(lake: Lake, settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors that raise and close alerts."""
    status = dg.DefaultSensorStatus.RUNNING if settings.automation.enabled else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=300,
        description="Notices a source that fell silent and runs whose process died, and sends what was not sent.",
        default_status=status,
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        dead = fail_dead_runs(context.instance, lake)
        problems = watch(lake, settings, context.instance)
        for problem in problems:
            context.log.warning(problem)
        return dg.SkipReason("; ".join([*problems, *(f"run {run} had died" for run in dead)]) or "looked for causes")

    return [alerts, *(_build_status_sensor(name, lake, settings, status) for name in _STATUSES)]


def _build_status_sensor(
    name: str, lake: Lake, settings: Settings, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    run_status, description = _STATUSES[name]

    @dg.run_status_sensor(
        run_status=run_status,
        name=name,
        description=description,
        minimum_interval_seconds=30,
        default_status=status,
    )
    def look(context: dg.RunStatusSensorContext) -> dg.SkipReason:
        problems = watch(lake, settings, context.instance)
        return dg.SkipReason("; ".join(problems) or "looked for causes")

    return look
