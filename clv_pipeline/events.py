"""Tells Dagster what a step did: materialisations, versions, checks and metadata for each month.

Belongs here: the shape of events. Does not belong here: computing or publishing (`execution.py`).
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
from dagster._core.definitions.data_version import DATA_VERSION_TAG, extract_data_version_from_entry

from clv_pipeline.contracts import Audit, to_markdown
from clv_pipeline.execution import Outcome
from clv_pipeline.state import State
from clv_pipeline.steps import StepSpec, Table

_UP_TO_DATE = "up to date, not run again"
_NOTHING = "nothing landed"
Event = dg.MaterializeResult | dg.AssetMaterialization | AssetCheckEvaluation | dg.Output


def report_outcomes(context: dg.AssetExecutionContext, spec: StepSpec, outcomes: Sequence[Outcome]) -> Iterator[Event]:
    """Yields the events of a step, each month for itself; raises dg.Failure when a month failed its contract.

    Months that passed stay published, and are reported, even when another month of the same run failed.
    """
    if any(outcome.failed for outcome in outcomes):
        yield from _report_failure(context, spec, outcomes)
        return
    for table in spec.tables:
        described = {outcome.period: _describe(table, outcome) for outcome in outcomes}
        yield from report_months(
            context,
            table.key,
            {outcome.period: outcome.stamps[table.name].content for outcome in outcomes},
            described,
        )
        targets = _find_targets(context, table.key)
        for outcome in outcomes:
            yield from _evaluate(table, outcome, targets.get(outcome.period))
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


def report_months(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    contents: Mapping[str, str],
    described: Mapping[str, Mapping[str, Any]],
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Yields the materialisation of the months of this run, such that a version changes where the content does.

    Dagster records one version for all months of a run. Months that are as they were before, while others changed,
    are put back to the version that they had: else everything downstream of them would look stale.
    """
    for month, metadata in described.items():
        context.add_asset_metadata(metadata, asset_key=key, partition_key=month)
    known = read_versions(context.instance, key, contents)
    version = _choose_version(contents, known)
    yield dg.MaterializeResult(asset_key=key, data_version=dg.DataVersion(version))
    for month, recorded in known.items():
        if recorded != version:
            yield _put_back(context.instance, key, month, recorded)


def report_landed(
    context: dg.AssetExecutionContext, key: dg.AssetKey, state: State, load: Mapping[str, Any]
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """Yields the materialisation of the months that were asked for, and of every other whose landed rows changed."""
    chosen = context.partition_keys
    rows = state.ledger.count_live_rows(state.settings)
    recorded = _read_latest_versions(context.instance, key, None)
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


def read_versions(instance: dg.DagsterInstance, key: dg.AssetKey, contents: Mapping[str, str]) -> dict[str, str]:
    """The versions on record of those months whose content is still what was recorded with it."""
    versions: dict[str, str] = {}
    for month in sorted(_read_latest_versions(instance, key, list(contents))):
        record = instance.get_latest_data_version_record(key, partition_key=month)
        event = record.asset_materialization if record else None
        version = extract_data_version_from_entry(record.event_log_entry) if record else None
        if event and version and _recorded_content(event) == contents[month]:
            versions[month] = version.value
    return versions


def _read_latest_versions(instance: dg.DagsterInstance, key: dg.AssetKey, months: list[str] | None) -> dict[str, str]:
    found = instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=months
    )
    return {month: tags[DATA_VERSION_TAG] for month, tags in found.items()}


def _recorded_content(event: dg.AssetMaterialization) -> Any:
    return event.metadata["content"].value if "content" in event.metadata else None


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


def _evaluate(table: Table, outcome: Outcome, target: Target | None) -> Iterator[AssetCheckEvaluation]:
    audits = {audit.check: audit for audit in outcome.audits.get(table.name, [])}
    for check in _checks(table):
        blocking = check not in table.advice
        audit = audits.get(check, Audit(check, passed=True, summary=_UP_TO_DATE, blocking=blocking))
        yield AssetCheckEvaluation(
            asset_key=table.key,
            check_name=check,
            passed=audit.passed,
            metadata={"offending rows": dg.MetadataValue.md(audit.offending)} if audit.offending else {},
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description=f"{outcome.period}: {audit.summary}",
            blocking=blocking,
            partition=outcome.period,
            target_materialization_data=target,
        )


def _report_failure(context: dg.AssetExecutionContext, spec: StepSpec, outcomes: Sequence[Outcome]) -> Iterator[Event]:
    for table in spec.tables:
        for outcome in outcomes:
            if not outcome.failed:
                version = {DATA_VERSION_TAG: outcome.stamps[table.name].content}
                metadata = _describe(table, outcome)
                yield dg.AssetMaterialization(table.key, metadata=metadata, partition=outcome.period, tags=version)
        targets = _find_targets(context, table.key)
        for outcome in outcomes:
            yield from _evaluate(table, outcome, targets.get(outcome.period))
    period, name, audit = next((o.period, name, audit) for o in outcomes for name, audit in o.failed)
    what = f"{name} {period} failed its check '{audit.check}': {audit.summary}"
    raise dg.Failure(
        description=f"{what}; the published month is unchanged",
        metadata={"offending rows": dg.MetadataValue.md(audit.offending)} if audit.offending else {},
        allow_retries=False,
    )


def _describe(table: Table, outcome: Outcome) -> dict[str, Any]:
    stamp = outcome.stamps[table.name]
    described: dict[str, Any] = {
        "dagster/row_count": stamp.rows,
        "content": stamp.content,
        "published": stamp.published_at,
        **{name: as_metadata(value) for name, value in stamp.facts.items()},
    }
    if picture := outcome.pictures.get(table.name):
        described["picture"] = dg.MetadataValue.md(picture)
    if preview := outcome.previews.get(table.name):
        described["preview"] = dg.MetadataValue.md(preview)
    return described


def as_metadata(value: Any) -> Any:
    """`value` as people read it: lists of records as a table, lists of texts as one text."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return dg.MetadataValue.md(to_markdown(pl.DataFrame(value)))
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    return "none" if value is None else value
