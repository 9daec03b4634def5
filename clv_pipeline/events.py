"""Tells Dagster what a step did: materialisations, versions, checks and metadata for each month.

Belongs here: the shape of events. Does not belong here: computing or publishing (`steps.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from dagster import AssetCheckEvaluation

from clv_pipeline.contracts import Audit
from clv_pipeline.execution import Outcome
from clv_pipeline.steps import StepSpec, Table


def report_outcomes(
    context: dg.AssetExecutionContext, spec: StepSpec, outcomes: Sequence[Outcome]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Yields the results of a step; raises dg.Failure when a month failed its contract.

    Months that passed stay published, and are reported, even when another month of the same run failed.
    """
    if any(outcome.failed for outcome in outcomes):
        yield from _report_failure(context, spec, outcomes)
        return
    for table in spec.tables:
        if len(outcomes) > 1:
            _log_partition_events(context, table, outcomes)
        yield dg.MaterializeResult(
            asset_key=table.key,
            metadata=_describe(table, outcomes[0]) if len(outcomes) == 1 else {},
            data_version=_choose_version(context, table, outcomes),
            check_results=[_summarise(table, check, outcomes) for check in _checks(table)],
        )


def _checks(table: Table) -> tuple[str, ...]:
    return ("schema", *table.rules, *table.advice)


def _log_partition_events(context: dg.AssetExecutionContext, table: Table, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        context.add_asset_metadata(_describe(table, outcome), asset_key=table.key, partition_key=outcome.period)


def _evaluate(table: Table, audit: Audit, period: str) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=table.key,
        check_name=audit.check,
        passed=audit.passed,
        metadata={"offending rows": dg.MetadataValue.md(audit.offending)} if audit.offending else {},
        severity=dg.AssetCheckSeverity.ERROR if audit.blocking else dg.AssetCheckSeverity.WARN,
        description=f"{period}: {audit.summary}",
        blocking=audit.blocking,
        partition=period,
    )


def _summarise(table: Table, check: str, outcomes: Sequence[Outcome]) -> dg.AssetCheckResult:
    audits = [
        (outcome.period, audit)
        for outcome in outcomes
        for audit in outcome.audits.get(table.name, [])
        if audit.check == check
    ]
    failed = [(period, audit) for period, audit in audits if not audit.passed]
    shown = failed[:5] or audits[-1:]
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=table.key,
        check_name=check,
        severity=dg.AssetCheckSeverity.WARN if check in table.advice else dg.AssetCheckSeverity.ERROR,
        description="; ".join(f"{period}: {audit.summary}" for period, audit in shown) or "up to date, not run again",
        metadata={
            f"{period} offending rows": dg.MetadataValue.md(audit.offending)
            for period, audit in shown
            if audit.offending
        },
    )


def _report_failure(
    context: dg.AssetExecutionContext, spec: StepSpec, outcomes: Sequence[Outcome]
) -> Iterator[dg.AssetCheckResult]:
    for outcome in outcomes:
        for table in spec.tables:
            if not outcome.failed:
                context.log_event(
                    dg.AssetMaterialization(table.key, metadata=_describe(table, outcome), partition=outcome.period)
                )
            elif len(outcomes) > 1:
                for audit in outcome.audits[table.name]:
                    context.log_event(_evaluate(table, audit, outcome.period))  # pyright: ignore[reportArgumentType]
    for table in spec.tables:
        for check in _checks(table):
            yield _summarise(table, check, outcomes)
    period, name, audit = next((o.period, name, audit) for o in outcomes for name, audit in o.failed)
    raise dg.Failure(
        description=f"{name} {period} failed its check '{audit.check}': {audit.summary}; the published month is unchanged",
        metadata={"offending rows": dg.MetadataValue.md(audit.offending)},
        allow_retries=False,
    )


def _describe(table: Table, outcome: Outcome) -> dict[str, Any]:
    stamp = outcome.stamps[table.name]
    described: dict[str, Any] = {
        "dagster/row_count": stamp.rows,
        "content": stamp.content,
        "published": stamp.published_at,
        **{name: _as_metadata(value) for name, value in stamp.facts.items()},
    }
    if preview := outcome.previews.get(table.name):
        described["preview"] = dg.MetadataValue.md(preview)
    return described


def _as_metadata(value: Any) -> Any:
    if isinstance(value, list | dict):
        return dg.MetadataValue.json(value)
    return "" if value is None else value


def _choose_version(context: dg.AssetExecutionContext, table: Table, outcomes: Sequence[Outcome]) -> dg.DataVersion:
    """The content of the months, or the version already recorded while that content is unchanged.

    Dagster keeps one version per step, so a run over a range records the same version for each of its months; a later
    run of one month keeps that version as long as its result stays the same, and what is downstream stays fresh.
    """
    if not any(outcome.changed for outcome in outcomes):
        record = context.instance.get_latest_data_version_record(table.key, partition_key=outcomes[0].period)
        version = _recorded_version(record)
        if version:
            return version
    if len(outcomes) == 1:
        return dg.DataVersion(outcomes[0].stamps[table.name].content)
    combined = hash(tuple(outcome.stamps[table.name].content for outcome in outcomes))
    return dg.DataVersion(f"{outcomes[0].period}-{outcomes[-1].period}-{combined & 0xFFFFFFFFFFFF:x}")


def _recorded_version(record: Any) -> dg.DataVersion | None:
    from dagster._core.definitions.data_version import extract_data_version_from_entry  # noqa: PLC0415

    return extract_data_version_from_entry(record.event_log_entry) if record else None
