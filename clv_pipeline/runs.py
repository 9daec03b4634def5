"""Runs steps from a command: the Dagster instance of a home, one run after another, and what went wrong in one line.

Belongs here: opening the instance, executing planned runs, the whole refresh. Does not belong here: what is stale
(`plan.py`) or how it is shown (`cli.py`).
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from clv_pipeline.alerts import watch
from clv_pipeline.assembly import build_definitions, find_partitions
from clv_pipeline.automation import RANGE_END_TAG, RANGE_START_TAG, keys_of, range_tags
from clv_pipeline.clv.models import prepare_models
from clv_pipeline.dead_runs import SIGN_TAG, fail_dead_runs, show_life
from clv_pipeline.event_log import close_event_log, keep_event_log_open
from clv_pipeline.execution import ask_ahead
from clv_pipeline.fitting import ask, end_fits, prepare_fit
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.periods import list_periods
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import INHERITED, PlannedRun, plan_as_of, plan_months
from clv_pipeline.publication import describe_contents, read_made_from
from clv_pipeline.settings import Settings
from clv_pipeline.sql import project_root
from clv_pipeline.stages.backtest import BACKTEST
from clv_pipeline.stages.models import MODELS
from clv_pipeline.stages.report import REPORT
from clv_pipeline.stages.transactions import CUSTOMERS, LANDING
from clv_pipeline.state import State
from clv_pipeline.steps import StepSpec

Announce = Callable[[str], Any]
_ROUNDS = 8


@contextmanager
def watch_after(settings: Settings, lake: Lake, instance: dg.DagsterInstance, note: Announce) -> Iterator[None]:
    """Looks for alerts once the block ends, however that is; what goes wrong with it is noted and fails nothing."""
    try:
        yield
    finally:
        try:
            problems = watch(lake, settings, instance)
        except Exception as error:
            problems = [f"nobody could look for alerts: {type(error).__name__}; `clv alerts` tries again"]
        for problem in problems:
            note(problem)


class RunError(RuntimeError):
    """A run failed; the message is its first cause, in one line."""


def choose_dagster_home(settings: Settings) -> Path:
    """`$DAGSTER_HOME`, else `dagster_home/` beside the config file, else one inside home, so that homes never mix."""
    if configured := os.environ.get("DAGSTER_HOME"):
        return Path(configured)
    beside = settings.base / "dagster_home"
    return beside if (beside / "dagster.yaml").exists() else settings.home / "dagster_home"


@contextmanager
def open_instance(settings: Settings, lake: Lake) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance that records the runs of this home; created on first use, by one process at a time."""
    home = choose_dagster_home(settings)
    lake.prepare()
    with lake.hold("dagster_home"):
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists():
            with tempfile.NamedTemporaryFile("wb", dir=home, delete=False) as staged:
                staged.write((project_root() / "dagster_home" / "dagster.yaml").read_bytes())
            shutil.move(staged.name, home / "dagster.yaml")
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs_count()
        fail_dead_runs(instance, lake)
    with instance:
        keep_event_log_open(instance)
        try:
            yield instance
        finally:
            end_fits()
            close_event_log(instance)


@dataclass(frozen=True)
class Landed:
    """What a landing run reported."""

    rows: int
    batches: int
    unchanged_files: int
    bad_files: tuple[str, ...]


class Runner:
    """Executes runs of one home and announces each before it starts."""

    def __init__(self, settings: Settings, lake: Lake, instance: dg.DagsterInstance, announce: Announce) -> None:
        self.settings = settings
        self.lake = lake
        self.instance = instance
        self.announce = announce
        self._jobs: dict[tuple[str, ...], dg.JobDefinition] = {}

    @property
    def state(self) -> State:
        """A fresh look at the lake."""
        return State(self.lake, self.settings)

    def land(self) -> Landed:
        """Lands what is new."""
        self.announce("looking for new and changed files")
        month = find_partitions(self.settings, self.lake).get_last_partition_key() or ""
        result = self._execute([LANDING, CUSTOMERS], {RANGE_START_TAG: month, RANGE_END_TAG: month})
        metadata = result.asset_materializations_for_node("landing__lines")[0].metadata
        check = result.get_asset_check_evaluations()[0].metadata
        return Landed(
            rows=int(metadata["new rows"].value or 0),  # pyright: ignore[reportArgumentType]
            batches=int(metadata["new batches"].value or 0),  # pyright: ignore[reportArgumentType]
            unchanged_files=int(metadata["unchanged files"].value or 0),  # pyright: ignore[reportArgumentType]
            bad_files=tuple(check["bad files"].value or ()),  # pyright: ignore[reportArgumentType]
        )

    def refresh(self, as_of: str | None, *, months: int = 1) -> list[PlannedRun]:
        """Brings stale months of data, then as-of months, up to date; returns the runs it took.

        `months` ending with `as_of` (default: the last month with data), and every as-of month before it that exists.
        """

        def plan(state: State) -> list[PlannedRun]:
            known = [month for month in state.periods if as_of is None or month <= as_of]
            return plan_as_of(AS_OF_STEPS, state, known[-months:], last=as_of)

        return self._settle(plan)

    def refresh_months(self) -> None:
        """Brings stale months of data up to date, and no as-of month."""
        for plan in plan_months(MONTH_STEPS, self.state):
            self._run_through(plan)

    def _settle(self, plan_more: Callable[[State], list[PlannedRun]]) -> list[PlannedRun]:
        """Runs what is stale until nothing is: other processes may land and publish at the same time."""
        done: list[PlannedRun] = []
        # What drifted in one month may ask for a fit in the next, which is only known once the first is there.
        for _ in range(_ROUNDS + len(self.state.stamps("rfm.customers"))):
            state = self.state
            plans = plan_months(MONTH_STEPS, state) or (plan_more(state) if state.periods else [])
            if not plans:
                break
            if not state.stamps("models.parameters") or any(MODELS in plan.steps for plan in plans):
                self._prepare_fit()
            done += [self._run_through(plan) for plan in plans]
        return done

    def _prepare_fit(self) -> None:
        """Has the fit ready by the time that the months are there."""
        models = self.settings.models
        prepare_fit()
        if not models.covariates:  # How many coefficients there are is only known with the customers.
            ask(prepare_models, models.candidates, models.priors)

    def _run_through(self, plan: PlannedRun, *, force: bool = False) -> PlannedRun:
        landed = Ledger.identify(self.lake)
        try:
            return self.run(plan, force=force)
        except RunError:
            if Ledger.identify(self.lake) == landed:
                raise
        # Another process landed a month that this run needs, and has not published it yet.
        for months in plan_months(MONTH_STEPS, self.state):
            self.run(months)
        return self.run(plan, force=force)

    def is_report_current(self) -> bool:
        """Whether the report and `clv.duckdb` show what is published; they do not after a kill just before them."""
        page = self.settings.home / "report" / "index.html"
        return page.exists() and read_made_from(self.lake) == describe_contents(self.state)

    def report(self) -> None:
        """Rebuilds the report and `clv.duckdb`."""
        self.announce("building the report and clv.duckdb")
        self._execute([REPORT], {})

    def run(self, run: PlannedRun, *, force: bool = False) -> PlannedRun:
        """Executes one planned run; with `force` also what is up to date."""
        months = run.first if run.first == run.last else f"{run.first} to {run.last}"
        stages = ", ".join(dict.fromkeys(step.stage for step in run.steps))
        self.announce(f"running {stages} for {months}: {_explain(run)}")
        tags = range_tags(run)
        if BACKTEST in run.steps and run.first == run.last:
            ask_ahead(BACKTEST, self.state, run.first)
        if force:
            tags = {RANGE_START_TAG: run.first, RANGE_END_TAG: run.last}
        self._execute(keys_of(run.steps), tags)
        return run

    def backfill(self, steps: Sequence[StepSpec], first: str, last: str) -> list[PlannedRun]:
        """Runs `steps` for every month from `first` to `last`, stale or not; all steps: then what that made stale."""
        known = set(self.state.known_periods)
        months = [month for month in list_periods(first, last) if month in known]
        if not months:
            raise RunError(f"no month from {first} to {last} has data; `clv status` lists those that have")
        groups = [tuple(s for s in group if s in steps) for group in (MONTH_STEPS, AS_OF_STEPS)]
        plans = [PlannedRun(group, months[0], months[-1], ("backfill",)) for group in groups if group]
        done = [self._run_through(plan, force=True) for plan in plans]
        if all(step in steps for step in (*MONTH_STEPS, *AS_OF_STEPS)):
            done += self._settle(lambda state: plan_as_of(AS_OF_STEPS, state, []))
        return done

    def _define(self) -> dg.JobDefinition:
        """The job for the months that exist now; building it takes a while, so once per range of months."""
        months = tuple(self.state.known_periods)
        if months not in self._jobs:
            self._jobs[months] = build_definitions(self.settings).resolve_implicit_global_asset_job_def()
        return self._jobs[months]

    def _execute(self, keys: Sequence[dg.AssetKey], tags: dict[str, str]) -> dg.ExecuteInProcessResult:
        with show_life(self.lake) as sign, warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            # The job of all assets, as the web interface has it, and not `dg.materialize`: its runs name their assets.
            result = self._define().execute_in_process(
                instance=self.instance,
                asset_selection=list(keys),
                tags={**tags, SIGN_TAG: sign},
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        if not result.success:
            raise RunError(_find_cause(result))
        return result


def _explain(run: PlannedRun) -> str:
    """The reasons of a run, each once; that a step reads what the run makes anew is no news beside others."""
    reasons = dict.fromkeys(reason.partition(": ")[2] or reason for reason in run.reasons)
    causes = [reason for reason in reasons if reason != INHERITED]
    return ", ".join(causes or reasons)


def _find_cause(result: dg.ExecuteInProcessResult) -> str:
    """The first failure in one line; KeyboardInterrupt when somebody stopped the run."""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            if data.error and "Interrupted" in data.error.message:
                raise KeyboardInterrupt
            if data.error:
                error = data.error.cause or data.error
                return error.message.strip().splitlines()[0].partition(": ")[2] or error.message.strip()
    return "the run failed before its first step; see the run in `clv ui`"
