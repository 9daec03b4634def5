"""Runs one month of a step: read, compute, stage, audit, publish.

Belongs here: locks, stamps and the order of things that makes a rerun harmless. Does not belong here: which months run
(`plan.py`) or how Dagster hears of it (`events.py`).
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import duckdb

from clv_pipeline.contracts import Audit, audit_query, audit_schema, preview
from clv_pipeline.lake import LakeError, Staged, Stamp
from clv_pipeline.periods import list_periods
from clv_pipeline.state import State
from clv_pipeline.steps import Reach, Step, StepSpec, compared_months, list_inputs

_ATTEMPTS = 10


@dataclass(frozen=True)
class Outcome:
    """What a step did for one month."""

    period: str
    stamps: Mapping[str, Stamp]
    audits: Mapping[str, list[Audit]]
    previews: Mapping[str, str]
    pictures: Mapping[str, str]
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
                return Outcome(period, stamps, {}, {}, {}, skipped=True)
            inputs = spec.inputs(state, period)
            if inputs is None:
                raise LakeError(_name_missing(spec, state, period))
            step = Step(con, lake, state.settings, state, period)
            _expose_reads(spec, step)
            result = spec.compute(step)
            contents = result if isinstance(result, Mapping) else {spec.tables[0].name: result}
            staged = {name: lake.stage(con, name, period, content) for name, content in contents.items()}
            audited = _audit(spec, step, staged)
            if spec.inputs(state.look_again(), period) == inputs:
                return _publish(spec, step, staged, audited, inputs)
        raise LakeError(f"{spec.stage} {period}: what it reads kept changing; run it again when other runs are done")


def _audit(spec: StepSpec, step: Step, staged: Mapping[str, Staged]) -> Outcome:
    audits: dict[str, list[Audit]] = {}
    previews: dict[str, str] = {}
    pictures: dict[str, str] = {}
    for table in spec.tables:
        frame = step.frame(f"FROM {staged[table.name].relation}")
        rules = [audit_query(step.con, name, step.select(query)) for name, query in table.rules.items()]
        audits[table.name] = [audit_schema(frame, table.schema), *rules, *step.advices.get(table.name, [])]
        previews[table.name] = preview(frame)
        pictures[table.name] = table.picture(frame) if table.picture and audits[table.name][0].passed else ""
    return Outcome(step.period, {}, audits, previews, pictures)


def _publish(spec: StepSpec, step: Step, staged: Mapping[str, Staged], audited: Outcome, inputs: str) -> Outcome:
    if audited.failed:
        for name, _ in audited.failed:
            step.lake.keep_failed(step.con, staged[name])
        return audited
    code = spec.code_version(step.settings)
    stamps = {
        name: step.lake.publish(step.con, item, inputs=inputs, code=code, facts=step.facts.get(name))
        for name, item in staged.items()
    }
    return replace(audited, stamps=stamps)


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
        if list_inputs(read, state, period) is None:
            stamps = state.stamps(read.table)
            months = list_periods(state.periods[0], period) if read.reach is Reach.HISTORY else [period]
            gap = next(month for month in months if month not in stamps)
            stage = read.table.split(".")[0]
            return (
                f"{spec.stage} {period} needs {read.table} of {gap}, which is not published;"
                f" run `clv backfill {gap} {period} --select {stage}` first"
            )
    return f"{spec.stage} {period} lacks an input"
