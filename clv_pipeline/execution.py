"""Runs months of a step: read, compute, stage, audit, publish.

Belongs here: locks, stamps and the order of things that makes a rerun harmless. Does not belong here: which months run
(`plan.py`) or how Dagster hears of it (`events.py`).
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from clv_pipeline.contracts import Audit, audit_query, audit_schema, preview
from clv_pipeline.lake import LakeError, Staged, Stamp
from clv_pipeline.periods import list_periods
from clv_pipeline.privacy.guard import LOCK
from clv_pipeline.sql import load_sql
from clv_pipeline.state import HIDDEN, State
from clv_pipeline.steps import Content, Reach, Step, StepSpec, Table, compared_months, list_history, list_inputs

_ATTEMPTS = 10
# Landed rows of the months that are computed together, a larger month alone: lines are wider than what is summed.
_CHUNK_LINES, _CHUNK_SUMS = 500_000, 1_200_000
_BESIDE = 2


@dataclass(frozen=True)
class Outcome:
    """What a step did for one month: by table its stamp, what checks said, and what there is to be shown of it."""

    period: str
    stamps: Mapping[str, Stamp]
    audits: dict[str, list[Audit]]
    shown: dict[str, dict[str, str]]
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


def run_months(
    spec: StepSpec, state: State, con: duckdb.DuckDBPyConnection, periods: Sequence[str], *, only_stale: bool = False
) -> list[Outcome]:
    """Computes, audits and publishes months of a step, under the locks of these months.

    Months of data are computed several at a time, for a month has a fixed cost that a small one does not repay; each
    is published for itself, and when an audit fails, each is judged alone. What a step reads may be replaced meanwhile
    by another run: then it computes again, so that what is published was made from what its stamp says.
    """
    chunks = list(_chunk_months(spec, state, periods))
    if spec.is_as_of or len(chunks) == 1:
        done = [_run_or_judge_alone(spec, state, con, chunk, only_stale=only_stale) for chunk in chunks]
    else:
        done = _run_beside(spec, state, chunks, only_stale=only_stale)
    return [outcome for outcomes in done for outcome in outcomes]


def _run_beside(spec: StepSpec, state: State, chunks: Sequence[list[str]], *, only_stale: bool) -> list[list[Outcome]]:
    """Runs chunks of months two at a time: one is audited and written on one core while another is computed.

    Each has a connection of its own. Locks of months are taken in ascending order, so that no two wait for each other.
    """

    def run(chunk: list[str]) -> list[Outcome]:
        with state.lake.connect(beside=_BESIDE) as con:
            return _run_or_judge_alone(spec, state, con, chunk, only_stale=only_stale)

    with ThreadPoolExecutor(_BESIDE) as pool:
        return list(pool.map(run, chunks))


def _run_or_judge_alone(
    spec: StepSpec, state: State, con: duckdb.DuckDBPyConnection, chunk: list[str], *, only_stale: bool
) -> list[Outcome]:
    done = _run_chunk(spec, state, con, chunk, only_stale=only_stale)
    if done is not None:
        return done
    alone = (_run_chunk(spec, state, con, [period], only_stale=only_stale) for period in chunk)
    return [outcome for outcomes in alone for outcome in outcomes or []]


def ask_ahead(spec: StepSpec, state: State, period: str) -> None:
    """Has the fits begun that a step of a stale as-of month will want, from what there is by now."""
    if spec.ask_ahead is None or spec.explain_staleness(state, period) is None:
        return
    # What fails here fails again, and is told, when the step runs.
    with suppress(Exception), state.lake.hold(LOCK, shared=True), state.lake.connect() as con:
        step = Step(con, state.lake, state.settings, state, [period])
        _expose_reads(spec, step)
        spec.ask_ahead(step)


def compute_only(spec: StepSpec, state: State, period: str) -> Content | Mapping[str, Content]:
    """What a step says of an as-of month, published nowhere; what it reads has to be there."""
    with state.lake.hold(LOCK, shared=True), state.lake.connect() as con:
        _require_inputs(spec, state, [period])
        step = Step(con, state.lake, state.settings, state, [period])
        _expose_reads(spec, step)
        return spec.compute(step)


def _chunk_months(spec: StepSpec, state: State, periods: Sequence[str]) -> Iterator[list[str]]:
    if spec.is_as_of:
        yield from ([period] for period in periods)
        return
    sizes = state.ledger.count_live_rows(state.settings)
    most = _CHUNK_LINES if spec.stage == "transactions" else _CHUNK_SUMS
    chunk: list[str] = []
    for period in periods:
        if chunk and sum(sizes.get(month, 0) for month in (*chunk, period)) > most:
            yield chunk
            chunk = []
        chunk.append(period)
    if chunk:
        yield chunk


def _run_chunk(
    spec: StepSpec, state: State, con: duckdb.DuckDBPyConnection, periods: list[str], *, only_stale: bool
) -> list[Outcome] | None:
    """The outcomes of months computed together; None when an audit failed and each has to be judged alone."""
    lake = state.lake
    with ExitStack() as locks:
        locks.enter_context(lake.hold(LOCK, shared=True))
        for period in periods:
            locks.enter_context(lake.hold(f"{spec.stage}.{spec.name}.{period}"))
        if spec.one_at_a_time:
            # A Dagster pool would stay taken when a run is killed; the kernel frees this lock.
            locks.enter_context(lake.hold(f"{spec.stage}.{spec.name}"))
        for _ in range(_ATTEMPTS):
            state = state.look_again()
            stale = [p for p in periods if not only_stale or spec.explain_staleness(state, p) is not None]
            _refuse_closed(spec, state, stale)
            fresh = [_find_published(spec, state, period) for period in periods if period not in stale]
            if not stale:
                return fresh
            inputs = _require_inputs(spec, state, stale)
            step = Step(con, lake, state.settings, state, stale)
            _expose_reads(spec, step)
            result = spec.compute(step)
            contents = result if isinstance(result, Mapping) else {spec.tables[0].name: result}
            staged = {name: lake.stage(con, name, stale, content) for name, content in contents.items()}
            outcomes = _audit(spec, step, staged)
            if len(stale) > 1 and any(outcome.failed for outcome in outcomes):
                return None
            if _list_inputs(spec, state.look_again(), stale) == inputs:
                published = _publish_all(spec, step, staged, outcomes, inputs)
                return sorted(fresh + published, key=lambda outcome: outcome.period)
        months = periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"
        raise LakeError(f"{spec.stage} {months}: what it reads kept changing; run it again when other runs are done")


def _refuse_closed(spec: StepSpec, state: State, periods: Sequence[str]) -> None:
    if closed := [period for period in periods if spec.is_closed(state, period)]:
        raise LakeError(
            f"{spec.stage} {closed[0]} cannot be run again: `clv retention` dropped the raw lines of the months before"
            f" {state.closed.kept_from}; choose later months, or stages that need none (rfm, lenses, models, scores)"
        )


def _find_published(spec: StepSpec, state: State, period: str) -> Outcome:
    stamps = {name: stamp for name in spec.names if (stamp := state.stamp(name, period))}
    return Outcome(period, stamps, {}, {}, skipped=True)


def _list_inputs(spec: StepSpec, state: State, periods: Sequence[str]) -> dict[str, str | None]:
    return {period: spec.inputs(state, period) for period in periods}


def _require_inputs(spec: StepSpec, state: State, periods: Sequence[str]) -> dict[str, str]:
    found = {period: inputs for period, inputs in _list_inputs(spec, state, periods).items() if inputs is not None}
    if missing := [period for period in periods if period not in found]:
        raise LakeError(_name_missing(spec, state, missing[0]))
    return found


def _audit(spec: StepSpec, step: Step, staged: Mapping[str, Mapping[str, Staged]]) -> list[Outcome]:
    outcomes = [Outcome(period, {}, {}, {}) for period in step.periods]
    for table in spec.tables:
        months = staged[table.name]
        frame = step.frame(f"FROM {months[step.period].relation}")
        rules = [audit_query(step.con, name, step.select(query)) for name, query in table.rules.items()]
        schema = audit_schema(frame, table.schema)
        samples = {step.period: frame}
        if len(months) > 1:
            samples = {str(key[0]): rows for key, rows in frame.partition_by("period", as_dict=True).items()}
        for outcome in outcomes:
            sample = samples.get(outcome.period, frame.clear())
            fits = replace(schema, summary=f"{sample.height} rows fit the schema") if schema.passed else schema
            outcome.audits[table.name] = [fits, *rules, *step.advices.get(table.name, [])]
            outcome.shown[table.name] = show_rows(table, sample, fits=schema.passed)
    return outcomes


def show_rows(table: Table, rows: pl.DataFrame, *, fits: bool) -> dict[str, str]:
    """What the web interface shows of a month, as Markdown; no picture of rows that do not fit the schema."""
    picture = table.picture(rows) if table.picture and fits else ""
    return {"picture": picture, "preview": preview(rows)}


def _publish_all(
    spec: StepSpec,
    step: Step,
    staged: Mapping[str, Mapping[str, Staged]],
    outcomes: Sequence[Outcome],
    inputs: Mapping[str, str],
) -> list[Outcome]:
    """Publishes months beside each other: DuckDB writes a file of a month's size on one core, and then waits for it."""

    def publish(outcome: Outcome) -> Outcome:
        with step.con.cursor() as con:
            return _publish(spec, replace(step, con=con), staged, outcome, inputs[outcome.period])

    with ThreadPoolExecutor(step.settings.engine.threads or os.cpu_count()) as pool:
        return list(pool.map(publish, outcomes))


def _publish(
    spec: StepSpec, step: Step, staged: Mapping[str, Mapping[str, Staged]], audited: Outcome, inputs: str
) -> Outcome:
    period = audited.period
    if audited.failed:
        for name, _ in audited.failed:
            step.lake.keep_failed(step.con, staged[name][period])
        return audited
    code = spec.code_version(step.settings)
    stamps = {
        name: step.lake.publish(
            step.con, months[period], inputs=inputs, code=code, facts=step.facts.get((name, period))
        )
        for name, months in staged.items()
    }
    return replace(audited, stamps=stamps)


def _expose_reads(spec: StepSpec, step: Step) -> None:
    for read in spec.reads:
        if list_inputs(read, step.state, step.period) is None:
            continue
        months: list[str] | None
        match read.reach:
            case Reach.LANDED | Reach.UP_TO | Reach.BEFORE | Reach.ALERTS | Reach.COSTS:
                continue
            case Reach.FITTED_AS_OF:
                if step.state.fit_month(step.period) != step.period:
                    continue
                months = [step.period]
            case Reach.HISTORY | Reach.ENDED | Reach.FITTED:
                months = list_history(read, step.state, step.period)
                if not months and read.reach is not Reach.HISTORY:  # none has ended yet
                    continue
            case Reach.COMPARED:
                months = [*compared_months(step.state, step.period), step.period]
            case Reach.KNOWN:
                if read.table == HIDDEN and not step.lake.published(
                    HIDDEN
                ):  # a home of before there was one, until its next landing
                    step.materialize(read.table, load_sql("1_transactions/nobody"))
                    continue
                months = None
            case Reach.SAME:
                months = list(step.periods)
        step.lake.expose(step.con, read.table, months)


def _name_missing(spec: StepSpec, state: State, period: str) -> str:
    for read in spec.reads:
        if list_inputs(read, state, period) is None:
            if read.reach is Reach.KNOWN:
                return f"{spec.stage} {period}: lines were landed without who may be shown of them; use `clv run`"
            stamps = state.stamps(read.table)
            history = read.reach in (Reach.HISTORY, Reach.ENDED, Reach.FITTED)
            months = list_periods(state.periods[0], period) if history else [period]
            gap = next(month for month in months if month not in stamps)
            stage = read.table.split(".")[0]
            return (
                f"{spec.stage} {period} needs {read.table} of {gap}, which is not published;"
                f" run `clv backfill {gap} {period} --select {stage}` first"
            )
    return f"{spec.stage} {period} lacks an input"
