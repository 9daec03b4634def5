"""What of the published state wakes a human: drift, a refused model, scores that are held back, a silent source,
an erasure that was cut off.

Belongs here: reading causes from the lake. Does not belong here: failed runs (`run_causes.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from clv_pipeline.clv.drift.causes import CAUSES
from clv_pipeline.privacy.log import find_cut_off
from clv_pipeline.state import State

WARN, ALERT = "warn", "alert"
_DRIFT, _USED, _REFITS, _PUBLICATION = "drift.diagnoses", "models.in_use", "models.refits", "scores.publication"
# Of so many gaps between days with a delivery the longest, and half of it again, is worth waiting for.
_GAPS, _FEWEST_GAPS, _PATIENCE = 20, 4, 1.5


@dataclass(frozen=True)
class Cause:
    """Something that wakes a human: `key` tells it from other causes for as long as it lasts.

    `since` is the as-of month or day that it shows from, `place` where in the web interface it can be seen. A cause
    that does not `open` an alert is too slight to wake anybody, but keeps an alert that it had opened from being over.
    """

    key: str
    kind: str
    level: str
    what: str
    since: str
    place: str = ""
    opens: bool = True


def find_causes(state: State, now: datetime) -> Iterator[Cause]:
    """The causes that the lake shows at the moment `now` (UTC, without a zone)."""
    yield from _find_drift(state)
    yield from _find_refusal(state)
    yield from _find_held(state)
    yield from _find_silence(state, now)
    yield from _find_unforgotten(state)


def _find_drift(state: State) -> Iterator[Cause]:
    """What the latest as-of month is diagnosed with: a cause is one and the same while its name and subject are."""
    published = state.stamps(_DRIFT)
    if not published:
        return
    for row in state.lake.read(_DRIFT, max(published)).iter_rows(named=True):
        key = ":".join(filter(None, ("drift", row["cause"], row["subject"])))
        about = f" ({row['subject']})" if row["subject"] else ""
        what = f"{CAUSES[row['cause']]}{about}: {row['meaning']}"
        opens = row["level"] == ALERT
        yield Cause(key, "drift", row["level"], what, row["since"], "assets/drift/diagnoses", opens)


def _find_refusal(state: State) -> Iterator[Cause]:
    """The latest fit, while it is one that was not taken."""
    due = [month for month, stamp in state.stamps(_REFITS).items() if stamp.facts.get("due")]
    stamp = state.stamp(_USED, max(due)) if due else None
    if stamp and stamp.facts.get("refused"):
        month = max(due)
        what = f"The fit of {month} was not promoted: {stamp.facts['reason']} Still in use: {stamp.facts['version']}."
        yield Cause(f"promotion:{month}", "promotion", WARN, what, month, "assets/models/promotions")


def _find_held(state: State) -> Iterator[Cause]:
    decided = state.stamps(_PUBLICATION)
    month = max((m for m, stamp in decided.items() if stamp.rows), default=None)
    if month and not decided[month].facts["published"]:
        facts = decided[month].facts
        what = f"The scores of {month} are held back, those of {facts['published_as_of']} stay: {facts['reason']}"
        yield Cause(
            f"publication:{facts['published_as_of']}", "publication", ALERT, what, month, "assets/scores/publication"
        )


def _find_silence(state: State, now: datetime) -> Iterator[Cause]:
    days = sorted(set(state.ledger.batches["loaded_at"].dt.date().to_list()))
    patience = find_patience(days, state.settings.alerts.stale_after_days)
    if patience is None:
        return
    last = state.ledger.batches["loaded_at"].max()
    assert isinstance(last, datetime)
    if now - last > patience:
        source = state.settings.source
        waited = (now - last) / timedelta(days=1)
        what = (
            f"No delivery for {waited:.1f} days, where one was due after {patience / timedelta(days=1):.1f};"
            f" nothing new {'in table ' + (source.table or '') if source.kind == 'sql' else 'matches ' + source.path}"
        )
        yield Cause(f"source:{last:%Y-%m-%d}", "source", ALERT, what, f"{last:%Y-%m-%d}", "assets/landing/lines")


def _find_unforgotten(state: State) -> Iterator[Cause]:
    if begun := find_cut_off(state.lake):
        what = "An erasure was cut off; somebody forgotten may still be there. `clv forget` without an id completes it."
        yield Cause("privacy:forget", "privacy", ALERT, what, f"{begun:%Y-%m-%d}")


def find_patience(days: list[date], configured: float | None) -> timedelta | None:
    """How long after the last delivery the next is overdue; None while too few `days` with one tell what is usual."""
    if configured is not None:
        return timedelta(days=configured) if days else None
    gaps = [(later - earlier).days for earlier, later in pairwise(days)][-_GAPS:]
    return timedelta(days=_PATIENCE * max(gaps)) if len(gaps) >= _FEWEST_GAPS else None
