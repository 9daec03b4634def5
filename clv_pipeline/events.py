"""Tells Dagster what a step did: materialisations, versions, checks and metadata for each month.

Belongs here: the shape of events. Does not belong here: computing or publishing (`execution.py`), what was told before
(`records.py`).
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import dagster as dg
import polars as pl
from dagster import AssetCheckEvaluation
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData as Target,
)
from dagster._core.definitions.data_version import DATA_VERSION_TAG

from clv_pipeline.contracts import Audit, audit_schema, to_markdown
from clv_pipeline.execution import Outcome, show_rows
from clv_pipeline.lake import Lake
from clv_pipeline.records import Recorded, read_advice, read_latest_versions, read_recorded
from clv_pipeline.state import State
from clv_pipeline.steps import StepSpec, Table

_UP_TO_DATE = "up to date, not run again"
_NOTHING = "nothing landed"
Event = dg.MaterializeResult | dg.AssetMaterialization | AssetCheckEvaluation | dg.Output


def report_outcomes(
    context: dg.AssetExecutionContext, lake: Lake, spec: StepSpec, outcomes: Sequence[Outcome]
) -> Iterator[Event]:
    """Yields the events of a step, each month for itself; raises dg.Failure when a month failed its contract.

    Months that passed stay published, and are reported, even when another month of the same run failed. What was up to
    date is reported as it was before: Dagster shows the latest event of a month, and no other.
    """
    failed = any(outcome.failed for outcome in outcomes)
    for table in spec.tables:
        passed = [outcome for outcome in outcomes if not outcome.failed]
        contents = {outcome.period: outcome.stamps[table.name].content for outcome in passed}
        recorded = read_recorded(context.instance, table.key, contents)
        described = {o.period: _describe(lake, table, o, recorded.get(o.period)) for o in passed}
        audits = {o.period: _list_audits(context.instance, table, o, recorded.get(o.period)) for o in outcomes}
        if failed:
            yield from _report_passed(table.key, contents, described)
        else:
            yield from _report_months(context, table.key, contents, described, recorded)
        targets = _find_targets(context, table.key)
        for month, found in audits.items():
            yield from _evaluate(table, month, found, targets.get(month))
    if failed:
        raise _explain_failure(outcomes)
    yield from _close_checks(context)


def report_check(
    context: dg.AssetExecutionContext, key: dg.AssetKey, audit: Audit, metadata: Mapping[str, Any]
) -> Iterator[Event]:
    """Yields the only check of a step, with the same result for each month of the run."""
    targets = _find_targets(context, key)
    for month in context.partition_keys:
        yield AssetCheckEvaluation(
            asset_key=key,
            check_name=audit.check,
            passed=audit.passed,
            metadata=metadata,
            severity=dg.AssetCheckSeverity.ERROR if audit.blocking else dg.AssetCheckSeverity.WARN,
            description=audit.summary,
            blocking=audit.blocking,
            partition=month,
            target_materialization_data=targets.get(month),
        )
    yield from _close_checks(context)


def _close_checks(context: dg.AssetExecutionContext) -> Iterator[dg.Output[None]]:
    """The outputs of the checks: Dagster derives an evaluation from a result only for a run of a single month."""
    for name in context.assets_def.check_specs_by_output_name:
        yield dg.Output(None, output_name=name)


def _report_months(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    contents: Mapping[str, str],
    described: Mapping[str, Mapping[str, Any]],
    recorded: Mapping[str, Recorded],
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Yields the materialisation of the months of this run, such that a version changes where the content does.

    Dagster records one version for all months of a run. Months that are as they were before, while others changed,
    are put back to the version that they had: else everything downstream of them would look stale.
    """
    for month, metadata in described.items():
        context.add_asset_metadata(metadata, asset_key=key, partition_key=month)
    known = {month: found.version for month, found in recorded.items()}
    version = _choose_version(contents, known)
    yield dg.MaterializeResult(asset_key=key, data_version=dg.DataVersion(version))
    for month, before in known.items():
        if before != version:
            yield _put_back(context.instance, key, month, before)


def _report_passed(
    key: dg.AssetKey, contents: Mapping[str, str], described: Mapping[str, Mapping[str, Any]]
) -> Iterator[dg.AssetMaterialization]:
    """Yields the materialisation of the months that passed, of a run in which another failed."""
    for month, metadata in described.items():
        tags = {DATA_VERSION_TAG: contents[month]}
        yield dg.AssetMaterialization(key, metadata=metadata, partition=month, tags=tags)


def report_landed(
    context: dg.AssetExecutionContext, key: dg.AssetKey, state: State, load: Mapping[str, Any]
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Yields the materialisation of the months that were asked for, and of every other whose landed rows changed."""
    chosen = context.partition_keys
    rows = state.ledger.count_live_rows(state.settings)
    recorded = read_latest_versions(context.instance, key, None)
    versions = {month: state.fingerprints.get(month, _NOTHING) for month in sorted({*rows, *recorded, *chosen})}
    changed = [month for month, version in versions.items() if recorded.get(month, _NOTHING) != version]
    metadata = {**load, "months changed": ", ".join(changed) or "none"}
    for month in chosen:
        context.add_asset_metadata(_count(rows, month), asset_key=key, partition_key=month)
    shared = versions[chosen[0]] if len(chosen) == 1 else _NOTHING
    yield dg.MaterializeResult(asset_key=key, metadata=metadata, data_version=dg.DataVersion(shared))
    recorded |= dict.fromkeys(chosen, shared)
    for month, version in versions.items():
        if recorded.get(month) != version:
            tags = {DATA_VERSION_TAG: version}
            yield dg.AssetMaterialization(key, partition=month, metadata={**metadata, **_count(rows, month)}, tags=tags)


def _count(rows: Mapping[str, int], month: str) -> dict[str, Any]:
    return {"dagster/row_count": rows.get(month, 0)}


def _choose_version(contents: Mapping[str, str], known: Mapping[str, str]) -> str:
    if len(known) == len(contents):
        return Counter(known.values()).most_common(1)[0][0]
    if len(contents) == 1:
        return next(iter(contents.values()))
    return sha256(repr(sorted(contents.items())).encode()).hexdigest()[:20]


def _put_back(instance: dg.DagsterInstance, key: dg.AssetKey, month: str, version: str) -> dg.AssetMaterialization:
    record = instance.get_latest_data_version_record(key, partition_key=month)
    now = record.asset_materialization if record else None
    assert now is not None, f"{key} {month} was materialised by this run"
    return dg.AssetMaterialization(
        key, partition=month, metadata=now.metadata, tags={**(now.tags or {}), DATA_VERSION_TAG: version}
    )


def _checks(table: Table) -> tuple[str, ...]:
    return ("schema", *table.rules, *table.advice)


def _find_targets(context: dg.AssetExecutionContext, key: dg.AssetKey) -> dict[str, Target]:
    """The latest materialisation of each month, which its checks are about; without it they count as outdated."""
    found = context.instance.event_log_storage.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(context.partition_keys)
    )
    return {
        month: Target(storage_id=at, run_id=context.run.run_id, timestamp=time.time()) for month, at in found.items()
    }


def _list_audits(
    instance: dg.DagsterInstance, table: Table, outcome: Outcome, recorded: Recorded | None
) -> list[Audit]:
    """What the checks of a month say; of one that was up to date, what they said when it was run.

    It passed those that keep a month from being published; the others may have warned.
    """
    if not outcome.skipped:
        return outcome.audits.get(table.name, [])
    return read_advice(instance, table.key, outcome.period, table.advice) if recorded else []


def _evaluate(
    table: Table, month: str, found: Sequence[Audit], target: Target | None
) -> Iterator[AssetCheckEvaluation]:
    audits = {audit.check: audit for audit in found}
    for check in _checks(table):
        blocking = check not in table.advice
        audit = audits.get(check, Audit(check, passed=True, summary=_UP_TO_DATE, blocking=blocking))
        yield AssetCheckEvaluation(
            asset_key=table.key,
            check_name=check,
            passed=audit.passed,
            metadata={"offending rows": dg.MetadataValue.md(audit.offending)} if audit.offending else {},
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description=f"{month}: {audit.summary}",
            blocking=blocking,
            partition=month,
            target_materialization_data=target,
        )


def _explain_failure(outcomes: Sequence[Outcome]) -> dg.Failure:
    period, name, audit = next((o.period, name, audit) for o in outcomes for name, audit in o.failed)
    what = f"{name} {period} failed its check '{audit.check}': {audit.summary}"
    return dg.Failure(
        description=f"{what}; the published month is unchanged",
        metadata={"offending rows": dg.MetadataValue.md(audit.offending)} if audit.offending else {},
        allow_retries=False,
    )


def _describe(lake: Lake, table: Table, outcome: Outcome, recorded: Recorded | None) -> dict[str, Any]:
    stamp = outcome.stamps[table.name]
    shown = _show_again(lake, table, outcome.period, recorded) if outcome.skipped else outcome.shown[table.name]
    return {
        "dagster/row_count": stamp.rows,
        "content": stamp.content,
        "published": stamp.published_at,
        **{name: as_metadata(value) for name, value in stamp.facts.items()},
        **{name: dg.MetadataValue.md(text) for name, text in shown.items() if text},
    }


def _show_again(lake: Lake, table: Table, month: str, recorded: Recorded | None) -> dict[str, str]:
    """What was shown of a month that is as it was; its rows are read only where nothing was shown of them yet."""
    if recorded and "preview" in recorded.metadata:
        return {name: recorded.metadata[name].value for name in ("picture", "preview") if name in recorded.metadata}
    rows = lake.read(table.name, month)
    return show_rows(table, rows, fits=audit_schema(rows, table.schema).passed)


def as_metadata(value: Any) -> Any:
    """`value` as people read it: lists of records as a table, lists of texts as one text."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return dg.MetadataValue.md(to_markdown(pl.DataFrame(value)))
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    return "none" if value is None else value
