"""Dagster's daemon over a company, with its clock in the test's hands.

Belongs here: the loops of `dagster-daemon` (schedule, sensors, queue, retries) on the project's own instance settings,
each turned by hand; runs in this process, or in one that is killed. Left out are the threads that turn the loops, the
code server, and the wait between two looks.
"""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, override
from unittest import mock

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.execution.api import execute_run
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget, WorkspaceLoadTarget
from dagster._daemon import sensor
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.hosted_user_process import recon_job_from_origin

from clv_pipeline import assembly
from clv_pipeline.sql import project_root
from clv_pipeline_tests.processes import start_process
from clv_pipeline_tests.warehouse import Warehouse

_LAUNCHER = "\nrun_launcher: {module: clv_pipeline_tests.daemon, class: Launcher}\n"
_LOOK, _LONG_LOOK = timedelta(seconds=31), timedelta(seconds=301)
_LOGGER = logging.getLogger("clv_pipeline_tests.daemon")
# The rename at which a run that is to be killed dies: some tables of its first step are published by then.
_FATAL_RENAME = 3


class Launcher(SyncInMemoryRunLauncher):
    """Runs what is launched at once and here, but for the next that asks for `deadly`: that dies in its own process."""

    deadly: frozenset[str] = frozenset()

    @override
    def launch_run(self, context: LaunchRunContext) -> None:
        stages = {key.path[0] for key in context.dagster_run.asset_selection or ()}
        if Launcher.deadly and stages >= Launcher.deadly:
            Launcher.deadly = frozenset()
            child = start_process(_run_and_die, os.environ["DAGSTER_HOME"], context.dagster_run.run_id)
            child.join()
            assert child.exitcode == -signal.SIGKILL
            return
        super().launch_run(context)


def _run_and_die(home: str, run_id: str) -> None:
    rename, renames = Path.replace, 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal renames
        renames += ".parquet" in target.name
        if renames == _FATAL_RENAME:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    with dg.DagsterInstance.from_config(home) as instance, mock.patch.object(Path, "replace", replace):
        run = instance.get_run_by_id(run_id)
        assert run
        assert run.job_code_origin
        execute_run(recon_job_from_origin(run.job_code_origin), run, instance)


class Daemon:
    """Schedule, sensors, queue and retries of one company; `now` is what Dagster takes for the present."""

    def __init__(self, instance: dg.DagsterInstance, target: WorkspaceLoadTarget, company: Warehouse) -> None:
        self.instance = instance
        self.company = company
        self.now = datetime.min.replace(tzinfo=UTC)
        self._target = target
        self._context: WorkspaceProcessContext | None = None
        self._months: list[str] | None = None
        self._queue, self._retries = QueuedRunCoordinatorDaemon(interval_seconds=1), EventLogConsumerDaemon()
        self._scheduled: dict[str, Any] = {}

    def live_until(self, moment: datetime, *, mornings: bool = True) -> None:
        """Lets time pass in one leap: what is due by then is done, and what follows from it, until all is quiet.

        Without `mornings` the schedule is not looked at, whose run is one of everything.
        """
        self.now = max(self.now, moment)
        quiet = 0
        while quiet < 2:
            before = self.instance.get_runs_count()
            self._turn(mornings=mornings)
            # Half a minute wakes most sensors, five minutes wake all.
            quiet = 0 if self.instance.get_runs_count() > before else quiet + 1
            self.now += _LONG_LOOK if quiet else _LOOK

    def _turn(self, *, mornings: bool) -> None:
        """Each loop of the daemon once, as `clv ui` has the definitions reloaded in between."""
        months = self.company.state.known_periods
        with (
            freeze_time(self.now),
            mock.patch.object(assembly, "date", mock.Mock(today=self.now.date)),
            mock.patch.object(sensor, "shuffled_round_robin_by_key", _put_in_order),
        ):
            if self._context is None or months != self._months:
                self._months = months
                self.close()
                self._context = WorkspaceProcessContext(self.instance, self._target)
            context, now = self._context, self.now
            if mornings:
                _exhaust(launch_scheduled_runs(context, _LOGGER, now, self._scheduled, max_catchup_runs=1))
            # A run that is tried again waits in the queue until the sensors have seen that it had failed.
            _exhaust(self._retries.run_iteration(context))
            _exhaust(execute_sensor_iteration(context, _LOGGER, None, None))
            while self.instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])):
                _exhaust(self._queue.run_iteration(context, fixed_iteration_time=now.timestamp()))

    def close(self) -> None:
        """Ends what has been loaded."""
        ReconstructableJob.get_definition.cache_clear()
        ReconstructableJob.get_repository_definition.cache_clear()
        if self._context:
            self._context.__exit__(None, None, None)


def _put_in_order(sensors: Iterable[Any], key: object) -> list[Any]:
    """The sensor of deliveries first, which finds dead runs: others then see them before the next run mends all."""
    return sorted(sensors, key=lambda one: (one.name != "deliveries", one.name))


def _exhaust(loop: Iterator[Any]) -> None:
    """Turns a loop to its end; an error that the daemon would log is one here."""
    for told in loop:
        assert not hasattr(told, "cls_name"), told


@contextmanager
def start_daemon(company: Warehouse) -> Iterator[Daemon]:
    """The daemon of a company, with the project's instance settings but for the process that a run gets."""
    home, definitions = company.root / "dagster_home", company.root / "company.py"
    home.mkdir()
    (home / "dagster.yaml").write_text((project_root() / "dagster_home" / "dagster.yaml").read_text() + _LAUNCHER)
    definitions.write_text(
        "from pathlib import Path\n"
        "from clv_pipeline.assembly import build_definitions\n"
        "from clv_pipeline.settings import load_settings\n"
        f"defs = build_definitions(load_settings(Path({str(company.config)!r}), {{}}))\n"
    )
    target = LoadableTargetOrigin(
        executable_path=sys.executable, python_file=str(definitions), working_directory=str(company.root)
    )
    origin = InProcessCodeLocationOrigin(target, location_name="clv_pipeline")
    with (
        mock.patch.dict(os.environ, {"DAGSTER_HOME": str(home)}),
        dg.DagsterInstance.from_config(str(home)) as instance,
        closing(Daemon(instance, InProcessWorkspaceLoadTarget(origin), company)) as daemon,
    ):
        yield daemon
