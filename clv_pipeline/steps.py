"""One way to run a step: write, audit, publish, month by month, and tell Dagster about it.

Belongs here: the decorator that turns a function into assets, the loop over months, locks, stamps, checks, metadata.
Does not belong here: what a table holds (`stages/`, `sql/`, `clv/`) or which months to run (`plan.py`).
"""

import inspect
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandera.polars as pa
import polars as pl

from clv_pipeline.contracts import Audit, audit_query, audit_schema, describe_columns, to_markdown
from clv_pipeline.lake import Lake, LakeError, Staged, Stamp
from clv_pipeline.periods import list_periods, map_earlier, map_history, shift_period
from clv_pipeline.settings import Settings
from clv_pipeline.sql import Literal, bind, load_sql
from clv_pipeline.state import State

ONLY_STALE_TAG = "clv/only_stale"
_ATTEMPTS = 10
Content = str | pl.DataFrame


class Reach(Enum):
    """Which months of a table a step reads for its own month P."""

    LANDED = "the landed rows of P"
    SAME = "P"
    HISTORY = "every month up to P"
    COMPARED = "P, and the month before and the reference month where they exist"
    WHOLE = "an unpartitioned table"


@dataclass(frozen=True)
class Read:
    """A table that a step reads."""

    table: str
    reach: Reach


@dataclass(frozen=True)
class Table:
    """A table that a step publishes.

    `rules` are SELECTs (by name) that return the rows which break a rule and so keep the month from being published;
    `advice` names checks that the step reports with `Step.advise` and that keep nothing from being published.
    """

    name: str
    schema: type[pa.DataFrameModel]
    description: str
    rules: Mapping[str, str] = field(default_factory=dict)
    advice: tuple[str, ...] = ()

    @property
    def key(self) -> dg.AssetKey:
        """The asset key: schema and table name."""
        return dg.AssetKey(self.name.split("."))


@dataclass
class Step:
    """What the function of a step gets: a connection that sees only what the step may see, and parameters."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    settings: Settings
    state: State
    period: str
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    advices: dict[str, list[Audit]] = field(default_factory=dict)

    def advise(self, table: str, check: str, summary: str, *, passed: bool) -> None:
        """Reports a check that keeps nothing from being published."""
        self.advices.setdefault(table, []).append(Audit(check, passed, summary, blocking=False))

    @property
    def parameters(self) -> dict[str, Literal]:
        """The parameters that every SELECT of the marts, RFM and lenses may use."""
        periods = self.settings.periods
        return {
            "period": self.period,
            "as_of": self.period,
            "as_of_end": self.state.as_of_end(self.period),
            "data_start": self.state.data_start,
            "margin": self.settings.value.margin,
            "window_months": periods.window_months,
            "cohort_months": periods.cohort_months,
        }

    def select(self, name: str, **more: Literal) -> str:
        """The SELECT `sql/<name>.sql` with its parameters bound."""
        return bind(load_sql(name), **self.parameters, **more)

    def frame(self, query: str) -> pl.DataFrame:
        """The result of a SELECT."""
        return self.con.sql(query).pl()

    def materialize(self, table: str, query: str) -> None:
        """Keeps the result of `query` under `table` for the queries that follow."""
        schema, name = table.split(".")
        self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE OR REPLACE TABLE {schema}.{name} AS {query}")


@dataclass(frozen=True)
class StepSpec:
    """A step: its tables, what it reads, and everything its result depends on."""

    name: str
    stage: str
    tables: tuple[Table, ...]
    reads: tuple[Read, ...]
    compute: Callable[[Step], Content | Mapping[str, Content]]
    sql: tuple[str, ...]
    knobs: tuple[str, ...]
    code: tuple[str, ...]
    kinds: frozenset[str]
    one_at_a_time: bool = False

    @property
    def is_as_of(self) -> bool:
        """Whether partitions are as-of months rather than months of data."""
        return self.stage not in ("transactions", "marts")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tables."""
        return tuple(table.name for table in self.tables)

    @cached_property
    def _sources(self) -> str:
        package = Path(__file__).parent
        files = [
            path for name in self.code for path in sorted((package / name).rglob("*.py")) or [package / f"{name}.py"]
        ]
        rules = [rule for table in self.tables for rule in table.rules.values()]
        texts = [inspect.getsource(self.compute), *(load_sql(name) for name in (*self.sql, *rules))]
        return "\n".join([*texts, *(path.read_text(encoding="utf-8") for path in files)])

    def code_version(self, settings: Settings) -> str:
        """A hash of the SQL, the code and the settings that the result depends on."""
        dumped = settings.model_dump(mode="json")
        knobs = [dumped[section] if not key else dumped[section][key] for section, _, key in self._split_knobs()]
        return _hash(self._sources + json.dumps(knobs, sort_keys=True))

    def _split_knobs(self) -> Iterator[tuple[str, str, str]]:
        return (knob.partition(".") for knob in self.knobs)

    def inputs(self, state: State, period: str) -> str | None:
        """A hash of everything that `period` is made from; None while something required is missing."""
        parts: list[tuple[str, str, str]] = []
        for read in self.reads:
            found = _list_inputs(read, state, period)
            if found is None:
                return None
            parts += found
        if not self.is_as_of:
            parts.append(("calendar", period, str(period in state.periods)))
        else:
            parts.append(("calendar", state.data_start, str(state.as_of_end(period))))
        return _hash(repr(sorted(parts)))

    def explain_staleness(self, state: State, period: str) -> str | None:
        """Why `period` has to be run; None when it is up to date."""
        stamps = [state.stamp(table.name, period) for table in self.tables]
        if any(stamp is None for stamp in stamps):
            return "not there yet"
        if any(stamp.code != self.code_version(state.settings) for stamp in stamps if stamp):
            return "settings or code changed"
        inputs = self.inputs(state, period)
        return "new data" if any(stamp.inputs != inputs for stamp in stamps if stamp) else None


def _list_inputs(read: Read, state: State, period: str) -> list[tuple[str, str, str]] | None:
    if read.reach is Reach.LANDED:
        return [("landing", period, state.fingerprints.get(period, ""))]
    if read.reach is Reach.SAME:
        stamp = state.stamp(read.table, period)
        return None if stamp is None else [(read.table, period, stamp.content)]
    stamps = state.stamps(read.table)
    if read.reach is Reach.WHOLE:
        return [(read.table, month, stamp.content) for month, stamp in stamps.items()]
    months = [period]
    if read.reach is Reach.HISTORY:
        months = [month for month in state.periods if month <= period]
    if any(month not in stamps for month in months):
        return None
    if read.reach is Reach.COMPARED:
        months += [month for month in compared_months(state, period) if month in stamps]
    return [(read.table, month, stamps[month].content) for month in months]


def compared_months(state: State, period: str) -> list[str]:
    """The months that `period` is compared with: the one before, and the reference (default: the first as-of)."""
    existing = sorted(state.stamps("rfm.customers"))
    reference = state.settings.drift.reference or (existing[0] if existing else period)
    return sorted({month for month in (shift_period(period, -1), reference) if month < period})


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What a step did for one month."""

    period: str
    stamps: Mapping[str, Stamp]
    audits: Mapping[str, list[Audit]]
    previews: Mapping[str, str]
    changed: bool
    skipped: bool = False

    @property
    def failed(self) -> list[tuple[str, Audit]]:
        """The blocking audits that failed, with their table."""
        return [
            (table, audit)
            for table, audits in self.audits.items()
            for audit in audits
            if audit.blocking and not audit.passed
        ]


def run_month(
    spec: StepSpec, state: State, con: duckdb.DuckDBPyConnection, period: str, *, only_stale: bool = False
) -> Outcome:
    """Computes, audits and publishes one month of a step, under the lock of that month.

    What it reads may be replaced meanwhile by another run: then it computes again, so that what is published was made
    from what its stamp says.
    """
    lake = state.lake
    # A Dagster pool would stay taken when a run is killed; the kernel frees this lock.
    turn = lake.hold(f"{spec.stage}.{spec.name}") if spec.one_at_a_time else nullcontext()
    with lake.hold(f"{spec.stage}.{spec.name}.{period}"), turn:
        for _ in range(_ATTEMPTS):
            state = state.look_again()
            if only_stale and spec.explain_staleness(state, period) is None:
                stamps = {name: stamp for name in spec.names if (stamp := state.stamp(name, period))}
                return Outcome(period, stamps, {}, {}, changed=False, skipped=True)
            inputs = spec.inputs(state, period)
            if inputs is None:
                raise LakeError(_name_missing(spec, state, period))
            step = Step(con, lake, state.settings, state, period)
            _expose_reads(spec, step)
            result = spec.compute(step)
            contents = result if isinstance(result, Mapping) else {spec.tables[0].name: result}
            staged = {name: lake.stage(con, name, period, content) for name, content in contents.items()}
            if spec.inputs(state.look_again(), period) == inputs:
                return _audit_and_publish(spec, step, staged, inputs)
        raise LakeError(f"{spec.stage} {period}: what it reads kept changing; run it again when other runs are done")


def _audit_and_publish(spec: StepSpec, step: Step, staged: Mapping[str, Staged], inputs: str) -> Outcome:
    audits: dict[str, list[Audit]] = {}
    previews: dict[str, str] = {}
    for table in spec.tables:
        frame = step.frame(f"FROM {staged[table.name].relation}")
        rules = [audit_query(step.con, name, step.select(query)) for name, query in table.rules.items()]
        audits[table.name] = [audit_schema(frame, table.schema), *rules, *step.advices.get(table.name, [])]
        previews[table.name] = to_markdown(frame.head(5))
    before = {name: step.lake.read_stamp(name, step.period) for name in staged}
    outcome = Outcome(step.period, {}, audits, previews, changed=True)
    if outcome.failed:
        for name, _ in outcome.failed:
            step.lake.keep_failed(step.con, staged[name])
        return outcome
    code = spec.code_version(step.settings)
    stamps = {
        name: step.lake.publish(step.con, item, inputs=inputs, code=code, facts=step.facts.get(name))
        for name, item in staged.items()
    }
    changed = any(stamp.content != getattr(before[name], "content", None) for name, stamp in stamps.items())
    return Outcome(step.period, stamps, audits, previews, changed)


def _expose_reads(spec: StepSpec, step: Step) -> None:
    for read in spec.reads:
        months: list[str] | None
        match read.reach:
            case Reach.LANDED:
                continue
            case Reach.HISTORY:
                months = [month for month in step.state.periods if month <= step.period]
            case Reach.COMPARED:
                months = [*compared_months(step.state, step.period), step.period]
            case Reach.WHOLE:
                months = None
            case Reach.SAME:
                months = [step.period]
        step.lake.expose(step.con, read.table, months)


def _name_missing(spec: StepSpec, state: State, period: str) -> str:
    for read in spec.reads:
        if _list_inputs(read, state, period) is None:
            stamps = state.stamps(read.table)
            months = list_periods(state.periods[0], period) if read.reach is Reach.HISTORY else [period]
            gap = next(month for month in months if month not in stamps)
            stage = read.table.split(".")[0]
            return (
                f"{spec.stage} {period} needs {read.table} of {gap}, which is not published;"
                f" run `clv backfill {gap} {period} --select {stage}` first"
            )
    return f"{spec.stage} {period} lacks an input"


def declare_dependencies(spec: StepSpec, partitions: dg.MonthlyPartitionsDefinition) -> list[dg.AssetDep]:
    """The upstream assets of a step with the months they are read for."""
    mappings: dict[Reach, dg.PartitionMapping | None] = {
        Reach.LANDED: None,
        Reach.WHOLE: None,
        Reach.SAME: dg.TimeWindowPartitionMapping(),
        Reach.HISTORY: map_history(partitions),
        Reach.COMPARED: map_earlier(1),
    }
    return [
        dg.AssetDep(dg.AssetKey(read.table.split(".")), partition_mapping=mappings[read.reach]) for read in spec.reads
    ]


def build_asset(
    spec: StepSpec, settings: Settings, partitions: dg.MonthlyPartitionsDefinition, owner: str
) -> dg.AssetsDefinition:
    """The Dagster assets of a step, one per table, with their checks."""
    deps = declare_dependencies(spec, partitions)
    specs = [
        dg.AssetSpec(
            table.key,
            deps=deps,
            description=table.description,
            group_name=spec.stage,
            kinds=set(spec.kinds),
            owners=[owner],
            code_version=spec.code_version(settings),
            partitions_def=partitions,
            metadata={"dagster/column_schema": describe_columns(table.schema)},
        )
        for table in spec.tables
    ]

    @dg.multi_asset(
        name=f"{spec.stage}__{spec.name}",
        specs=specs,
        check_specs=_declare_checks(spec, partitions),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def run_step(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[Any]:
        from clv_pipeline.events import report_outcomes  # noqa: PLC0415  (events imports this module)

        state = State(lake, settings)
        only_stale = context.run.tags.get(ONLY_STALE_TAG) == "true"
        months = context.partition_keys
        with lake.connect() as con:
            outcomes = [run_month(spec, state, con, month, only_stale=only_stale) for month in months]
        published = sum(not outcome.skipped for outcome in outcomes)
        context.log.info(f"{spec.name}: {published} of {len(months)} months run, the others were up to date")
        yield from report_outcomes(context, spec, outcomes)

    return run_step


def _declare_checks(spec: StepSpec, partitions: dg.MonthlyPartitionsDefinition) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(name, asset=table.key, partitions_def=partitions, blocking=name not in table.advice)
            for table in spec.tables
            for name in ("schema", *table.rules, *table.advice)
        ]
