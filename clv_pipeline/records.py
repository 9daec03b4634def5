"""Reads back what Dagster has on record of the months of a table: versions, what was shown, what checks said.

Belongs here: looking into the event log. Does not belong here: what is told to it (`events.py`), how quick it is
(`event_log.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import DATA_VERSION_TAG, extract_data_version_from_entry
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES

from clv_pipeline.contracts import Audit


@dataclass(frozen=True)
class Recorded:
    """The latest materialisation of a month."""

    version: str
    metadata: Mapping[str, Any]


def read_recorded(instance: dg.DagsterInstance, key: dg.AssetKey, contents: Mapping[str, str]) -> dict[str, Recorded]:
    """What is on record of those months whose content is still what was recorded with it."""
    found: dict[str, Recorded] = {}
    for month in sorted(read_latest_versions(instance, key, list(contents))):
        record = instance.get_latest_data_version_record(key, partition_key=month)
        event = record.asset_materialization if record else None
        version = extract_data_version_from_entry(record.event_log_entry) if record else None
        if event and version and "content" in event.metadata and event.metadata["content"].value == contents[month]:
            found[month] = Recorded(version.value, event.metadata)
    return found


def read_latest_versions(instance: dg.DagsterInstance, key: dg.AssetKey, months: list[str] | None) -> dict[str, str]:
    """The version on record of each of the months (default: of all)."""
    found = instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=months
    )
    return {month: tags[DATA_VERSION_TAG] for month, tags in found.items()}


def read_advice(instance: dg.DagsterInstance, key: dg.AssetKey, month: str, checks: Iterable[str]) -> list[Audit]:
    """What those of the checks that keep nothing from being published last said of a month."""
    said = []
    for check in checks:
        records = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(key, check),
            limit=1,
            status=COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES,
            partition_filter=PartitionKeyFilter(key=month),
        )
        if records and (found := records[0].evaluation):
            summary = (found.description or "").removeprefix(f"{month}: ")
            said.append(Audit(check, found.passed, summary, blocking=False))
    return said
