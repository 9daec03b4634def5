"""Tells runs that work from runs whose process died, so that a dead run never takes a place in the queue for good.

Belongs here: the sign of life of a run, and failing runs that have lost it. Does not belong here: running anything.

Dagster learns that a run ended from the process that ran it, so a killed one stays "started" for ever and counts
against `max_concurrent_runs`. A lock tells the truth: the kernel frees it, whatever the process died of.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import dagster as dg

from clv_pipeline.lake import Lake

# Dagster shows no tag that begins like this: it says nothing to people.
SIGN_TAG = ".dagster/clv_sign_of_life"
_MESSAGE = "The process of this run ended without a word. What it had published stays; the next run does the rest."


@contextmanager
def show_life(lake: Lake, name: str | None = None) -> Iterator[str]:
    """Holds a sign of life called `name`: the id of a run, or (default) a new name for the tag `SIGN_TAG` of runs."""
    name = name or f"clv-{uuid4()}"
    sign = _folder(lake) / f"{name}.lock"
    sign.parent.mkdir(parents=True, exist_ok=True)
    unseen = sign.with_suffix(f".{os.getpid()}")
    with unseen.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        unseen.rename(sign)  # seen only once it is locked
        try:
            yield name
        finally:
            sign.unlink(missing_ok=True)


def fail_dead_runs(instance: dg.DagsterInstance, lake: Lake) -> list[str]:
    """Reports the runs whose process died as failed; returns their ids."""
    return [run_id for sign in sorted(_folder(lake).glob("*.lock")) for run_id in _fail_if_dead(instance, sign)]


def _fail_if_dead(instance: dg.DagsterInstance, sign: Path) -> list[str]:
    with suppress(OSError), sign.open("r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not sign.exists():
            return []
        tagged = instance.get_runs(dg.RunsFilter(tags={SIGN_TAG: sign.stem}))
        named = instance.get_run_by_id(sign.stem)
        dead = [run for run in (*tagged, *([named] if named else [])) if not run.is_finished]
        for run in dead:
            instance.report_run_failed(run, _MESSAGE)
        sign.unlink()
        return [run.run_id for run in dead]
    return []


def _folder(lake: Lake) -> Path:
    return lake.root / ".locks" / "runs"
