"""A company whose steps run through Dagster, in this process; shared by the tests of events and of automation.

Belongs here: an instance in memory, runs as the daemon and the UI would start them, and Dagster's own answers about
what it recorded and what it holds for stale.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.definitions.temporal_context import TemporalContext
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._time import get_current_datetime

from clv_pipeline.assembly import build_definitions
from clv_pipeline.automation import RANGE_END_TAG, RANGE_START_TAG, keys_of
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.stages.transactions import CUSTOMERS, LANDING
from clv_pipeline.steps import ONLY_STALE_TAG
from clv_pipeline_tests.warehouse import AUDIT_STEPS, Warehouse

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
AUDIT = keys_of(tuple(AUDIT_STEPS))
MONTHLY = keys_of(MONTH_STEPS)


def make_rows(month: str, orders: int = 3) -> list[list[object]]:
    """Lines of one month: customer 1 orders every month, the others are new."""
    return [
        [f"{month}-{i}", f"{month if i else 'c'}-{i}", f"{month}-{i + 1:02d}", "tea", 1, "2.50"] for i in range(orders)
    ]


class Orchestra:
    """A company and a Dagster instance; definitions are built anew when the months change, as a reload does."""

    def __init__(self, company: Warehouse) -> None:
        self.company = company
        self.instance = dg.DagsterInstance.ephemeral()
        self._defined: tuple[object, dg.Definitions] | None = None

    def deliver(self, months: Iterable[str]) -> None:
        """A delivery for each of the months."""
        for month in months:
            self.company.deliver(f"{month}.csv", make_rows(month))

    def copy_to(self, root: Path) -> "Orchestra":
        """An orchestra of its own that has got as far as this one."""
        copied = Orchestra(self.company.copy_to(root))
        for ours, theirs in (
            (self.instance.run_storage, copied.instance.run_storage),
            (self.instance.event_log_storage, copied.instance.event_log_storage),
        ):
            _reach_database(ours).backup(_reach_database(theirs))
        return copied

    def close(self) -> None:
        """Removes what the instance keeps on disk."""
        self.instance.dispose()

    @property
    def definitions(self) -> dg.Definitions:
        """The definitions for the months and settings that there are now."""
        now = (tuple(self.company.state.known_periods), self.company.settings)
        if self._defined is None or self._defined[0] != now:
            self._defined = now, build_definitions(self.company.settings)
        return self._defined[1]

    def land(self, month: str | None = None) -> dg.ExecuteInProcessResult:
        """Materialises what lands deliveries."""
        last = month or self.partitions.get_last_partition_key() or ""
        return self.run([LANDING, CUSTOMERS], last, last)

    @property
    def partitions(self) -> dg.PartitionsDefinition[str]:
        """The months."""
        found = self.definitions.resolve_asset_graph().get(LANDING).partitions_def
        assert found
        return found

    def run(
        self, keys: Sequence[dg.AssetKey], first: str, last: str, *, only_stale: bool = False
    ) -> dg.ExecuteInProcessResult:
        """One run over a range of months, as a backfill of the UI."""
        tags = {RANGE_START_TAG: first, RANGE_END_TAG: last, **({ONLY_STALE_TAG: "true"} if only_stale else {})}
        return self.execute(keys, tags)

    def execute(
        self, keys: Sequence[dg.AssetKey], tags: dict[str, str], partition: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """One run of the assets `keys`."""
        definitions = self.definitions
        result = dg.materialize(
            list(definitions.assets or []),  # pyright: ignore[reportArgumentType]
            instance=self.instance,
            resources=definitions.resources,
            selection=list(keys),
            partition_key=partition,
            tags=tags,
            raise_on_error=False,
            run_config=QUIET,
        )
        for event in result.filter_events(lambda event: event.is_step_failure):
            print(event.step_key, event.step_failure_data.error)  # shown with a failed test
        return result

    def load(self) -> None:
        """Lands everything and brings all months, and the last as-of month, up to date in three runs."""
        assert self.land().success
        months = self.company.state.periods
        assert self.run(MONTHLY, months[0], months[-1]).success
        assert self.run(AUDIT, months[-1], months[-1]).success

    def find_stale(self, keys: Iterable[dg.AssetKey]) -> dict[str, list[str]]:
        """By table the materialised months that Dagster shows as stale."""
        graph = self.definitions.resolve_asset_graph()
        now = TemporalContext(effective_dt=get_current_datetime(), last_event_id=None)
        view = AssetGraphView(temporal_context=now, instance=self.instance, asset_graph=graph)
        resolver = CachingStaleStatusResolver(instance=self.instance, asset_graph=graph, loading_context=view)
        stale = {
            ".".join(key.path): [m for m in self.materialised(key) if resolver.get_status(key, m) == StaleStatus.STALE]
            for key in keys
        }
        return {table: months for table, months in stale.items() if months}

    def materialised(self, key: dg.AssetKey) -> list[str]:
        """The months of an asset that Dagster holds for materialised."""
        return sorted(self.instance.get_materialized_partitions(key))

    def read_event(self, key: dg.AssetKey, month: str) -> dg.AssetMaterialization:
        """The latest materialisation of a month."""
        record = self.instance.get_latest_data_version_record(key, partition_key=month)
        assert record
        assert record.asset_materialization
        return record.asset_materialization

    def read_metadata(self, key: dg.AssetKey, month: str) -> dict[str, Any]:
        """The metadata of the latest materialisation of a month."""
        return {name: value.value for name, value in self.read_event(key, month).metadata.items()}

    def read_check(self, key: dg.AssetKey, check: str) -> dict[str | None, AssetCheckExecutionRecordStatus]:
        """The latest status of a check by month, None for what belongs to no month; outdated ones are left out."""
        found = self.instance.event_log_storage.get_asset_check_partition_info([dg.AssetCheckKey(key, check)])
        return {info.partition_key: info.latest_execution_status for info in found if info.is_current}

    def execute_requests(self, requests: Iterable[dg.RunRequest]) -> list[dg.ExecuteInProcessResult]:
        """Runs what a sensor requested, with the tags that the daemon gives a run."""
        return [
            self.execute(
                request.asset_selection or [],
                {**request.tags, "dagster/run_key": str(request.run_key), "dagster/sensor_name": "deliveries"},
                request.partition_key,
            )
            for request in requests
        ]


def _reach_database(storage: Any) -> sqlite3.Connection:
    """The SQLite database in memory behind a storage of an ephemeral instance."""
    return storage._held_conn.connection.dbapi_connection
