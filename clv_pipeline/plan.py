"""Decides what has to run: which months of which stages are stale, and why.

Belongs here: the comparison of stamps with what they should be, and its grouping into runs. Does not belong here:
running (`runs.py`). The command, the sensor and `clv status` all ask here, so they always agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clv_pipeline.periods import group_ranges
from clv_pipeline.state import State
from clv_pipeline.steps import Reach, Read, StepSpec, list_inputs

INHERITED = "what it reads is stale"


@dataclass(frozen=True)
class Stale:
    """One month of one step that has to run, and why."""

    step: StepSpec
    period: str
    reason: str


@dataclass(frozen=True)
class PlannedRun:
    """One run over consecutive months of some steps."""

    steps: tuple[StepSpec, ...]
    first: str
    last: str
    reasons: tuple[str, ...]


def find_stale(steps: Sequence[StepSpec], state: State, periods: Iterable[str]) -> list[Stale]:
    """The stale months of `steps`, which are in pipeline order; a month is stale when something before it is."""
    found: list[Stale] = []
    earlier: set[str] = set()
    for period in periods:
        dirty: set[str] = set()
        for step in steps:
            reason = step.explain_staleness(state, period)
            if (
                reason is None
                and not step.is_closed(state, period)
                and any(_is_dirty(read, state, period, dirty, earlier) for read in step.reads)
            ):
                reason = INHERITED
            if reason:
                dirty |= {table.name for table in step.tables}
                found.append(Stale(step, period, reason))
        earlier |= dirty
    return found


def _is_dirty(read: Read, state: State, period: str, dirty: set[str], earlier: set[str]) -> bool:
    """Whether a read means something that is stale; alerts are asked for again once the month before is there."""
    if read.reach in (Reach.BEFORE, Reach.ALERTS):
        return read.reach is Reach.BEFORE and read.table in earlier
    return read.table in dirty and list_inputs(read, state, period) != []


def plan_months(steps: Sequence[StepSpec], state: State) -> list[PlannedRun]:
    """The runs that bring every month of data up to date."""
    return _group(steps, find_stale(steps, state, state.known_periods))


def plan_as_of(
    steps: Sequence[StepSpec], state: State, targets: Iterable[str], last: str | None = None
) -> list[PlannedRun]:
    """The runs that bring `targets`, and every as-of month that exists, up to date (none after `last`)."""
    existing = set(state.stamps(steps[0].tables[0].name))
    months = sorted(month for month in existing | set(targets) if last is None or month <= last)
    return _group(steps, find_stale(steps, state, months))


def _group(steps: Sequence[StepSpec], stale: Sequence[Stale]) -> list[PlannedRun]:
    runs = []
    for first, last in group_ranges(item.period for item in stale):
        inside = [item for item in stale if first <= item.period <= last]
        wanted = {item.step.name + item.step.stage for item in inside}
        chosen = tuple(step for step in steps if step.name + step.stage in wanted)
        reasons = tuple(sorted({f"{item.step.stage}: {item.reason}" for item in inside}))
        runs.append(PlannedRun(chosen, first, last, reasons))
    return runs
