"""What `clv status` prints: freshness, rows, checks, model, drift, quarantine, what is stale.

Belongs here: reading stamps and views and laying them out. Does not belong here: deciding what to run (`plan.py`).
"""

from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as Grid

from clv_pipeline.alerts.log import AlertLog
from clv_pipeline.automation import list_new_files
from clv_pipeline.clv.drift.causes import CAUSES
from clv_pipeline.clv.models.promotion import REUSED
from clv_pipeline.customers.landing import CONFLICTED, REFUSED, list_problems
from clv_pipeline.door import find_published_scores
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import UNDATED
from clv_pipeline.periods import group_ranges, list_periods
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import INHERITED, Stale, find_stale
from clv_pipeline.privacy.log import find_cut_off
from clv_pipeline.reconciliation import reconcile
from clv_pipeline.settings import Settings
from clv_pipeline.sources import describe_source, list_files
from clv_pipeline.state import HIDDEN, State

_SHOWN_RANGES, _SHOWN_CHANGES = 3, 4
_LONG_GAP = 24
_WIDE = 78


def print_status(settings: Settings, console: Console) -> None:
    """Prints the state of one home; never changes it."""
    lake = Lake(settings.home, settings.engine)
    state = State(lake, settings)
    _say(console, "home", settings.home)
    _say(console, "data", _describe_data(state))
    if not settings.source.columns:
        _say(console, "source", f"[source.columns] is missing in {settings.config_file.name}; write it to load data")
    _say(console, "waiting", _describe_waiting(state))
    if state.periods:
        existing = sorted(state.stamps(AS_OF_STEPS[0].tables[0].name))
        stale = [*find_stale(MONTH_STEPS, state, state.known_periods), *find_stale(AS_OF_STEPS, state, existing)]
        _print_stale(stale, console)
        _print_model(state, console)
        _print_changes(state, console)
        _print_published(state, console)
        _print_drift(lake, console)
    for alert in AlertLog.read(lake).active.iter_rows(named=True):
        _say(console, "alert", f"since {alert['since']}: {alert['what']}")
    if closed := describe_closed(state):
        _say(console, "closed", closed)
    if find_cut_off(lake):
        _say(console, "privacy", "an erasure was cut off; `clv forget` without an id completes it")
    if quarantine := describe_quarantine(state):
        _say(console, "rejected", quarantine)
    if people := describe_people(state):
        _say(console, "customers", people)
    _print_failed(lake, console)
    if state.ledger.batches.height:
        _print_tables(state, console)
        _print_reconciliation(state, console)


def describe_quarantine(state: State) -> str | None:
    """How many delivered rows are quarantined, the commonest reason and where it occurs first; None without any."""
    files = state.lake.published("transactions.quarantine").values()
    rows = [pl.scan_parquet(file).select("source", "row_number", "reason") for file in files]
    quarantined = pl.concat(rows).collect() if rows else pl.DataFrame()
    if quarantined.is_empty():
        return None
    kind = pl.col("reason").str.split(": ").list.first()
    reasons = quarantined.group_by(kind).len().sort("len", "reason", descending=[True, False])
    reason, count = reasons.row(0)
    first = quarantined.filter(kind == reason).sort("source", "row_number").row(0, named=True)
    delivered = int(state.ledger.batches["rows"].sum())
    share = "all" if count == quarantined.height else f"{count:,} of them"
    return (
        f"{quarantined.height:,} of {delivered:,} delivered rows are in transactions.quarantine, {share} for"
        f" '{reason}', first in {first['source']} row {first['row_number']}"
    )


def describe_people(state: State) -> str | None:
    """Cells about customers that cannot be used, contradictions, and people who are not shown; None without any."""
    found = []
    if problems := list_problems(state.lake):
        found.append(f"{_count(len(problems), 'cell')} in {REFUSED}, first {problems[0]}")
    told = {CONFLICTED: "contradiction with what counts", HIDDEN: "customer who may not be shown"}
    for table, said in told.items():
        stamp = state.lake.read_stamp(table, "all")
        if stamp and stamp.rows:
            noun, _, more = said.partition(" ")
            found.append(f"{_count(stamp.rows, noun)} {more}, in {table}")
    return "; ".join(found) or None


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _say(console: Console, what: str, text: object) -> None:
    console.print(f"{what:<9} {escape(str(text))}", soft_wrap=True)


def _describe_waiting(state: State) -> str:
    if state.settings.source.kind == "sql":
        return f"`clv run` asks {describe_source(state.settings)} for news"
    new = len(list_new_files(state))
    return f"new or changed files: {new:,}; `clv run` loads them" if new else "no new files"


def _describe_data(state: State) -> str:
    if state.last_loaded_day:
        return f"{state.periods[0]} to {state.periods[-1]}, last day {state.last_loaded_day}"
    if state.ledger.batches.height:
        return "no usable line yet"
    settings = state.settings
    is_missing = settings.source.kind == "files" and not list_files(settings)
    return f"nothing landed yet{f'; no file matches {describe_source(settings)}' if is_missing else ''}"


def _print_stale(stale: Sequence[Stale], console: Console) -> None:
    causes = [item for item in stale if item.reason != INHERITED] or list(stale)
    if not causes:
        _say(console, "stale", "nothing, every published month is up to date")
    stages: dict[str, dict[str, None]] = {}
    for stage, reason in dict.fromkeys((item.step.stage, item.reason) for item in causes):
        months = [item.period for item in causes if (item.step.stage, item.reason) == (stage, reason)]
        ranges = [first if first == last else f"{first} to {last}" for first, last in group_ranges(months)]
        more = f" and {len(ranges) - _SHOWN_RANGES} more" if len(ranges) > _SHOWN_RANGES else ""
        stages.setdefault(f"{', '.join(ranges[:_SHOWN_RANGES])}{more}: {reason}", {})[stage] = None
    for rest, names in stages.items():
        _say(console, "stale", f"{', '.join(names)} {rest}")


def describe_gap(state: State) -> str | None:
    """A note on a first month with data years before the next: most often a placeholder such as 1970-01-01."""
    months = sorted(state.ledger.count_live_rows(state.settings))
    if state.settings.periods.start or len(months) < 2 or len(list_periods(*months[:2])) <= _LONG_GAP:
        return None
    first, after = months[:2]
    return (
        f'the data start in {first} and go on in {after}; if {first} is a placeholder, set [periods] start = "{after}"'
    )


def describe_closed(state: State) -> str | None:
    """A note on closed months that settings or code of now would make otherwise; None where there are none."""
    closed = [month for month in state.known_periods if state.closed.holds(month)]
    differ = [month for month in closed if any(step.find_difference(state, month) for step in MONTH_STEPS)]
    if not differ:
        return None
    months = "; ".join(first if first == last else f"{first} to {last}" for first, last in group_ranges(differ))
    changed = "settings, code or identifiers changed since `clv retention` dropped the raw lines"
    return f"{months}: {changed}; the months stay as they are"


def _print_tables(state: State, console: Console) -> None:
    headers = ["table", "months", "rows", "latest", "published (UTC)"]
    shown = len(headers) - (console.width < _WIDE)
    grid = _grid(*headers[:shown])
    for step in (*MONTH_STEPS, *AS_OF_STEPS):
        for table in step.tables:
            stamps = state.stamps(table.name)
            latest = max((month for month in stamps if month != UNDATED), default="-")
            published = max((stamp.published_at for stamp in stamps.values()), default="-")
            rows = sum(stamp.rows for stamp in stamps.values())
            months = len(stamps) - (UNDATED in stamps)
            cells = [table.name, str(months), f"{rows:,}", latest, published[:16].replace("T", " ")]
            grid.add_row(*cells[:shown])
    console.print()
    console.print(grid)


def _grid(name: str, *numbers: str) -> Grid:
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    grid.add_column(name, no_wrap=True, overflow="fold")
    for number in numbers:
        grid.add_column(number, justify="right", no_wrap=True)
    return grid


def _print_model(state: State, console: Console) -> None:
    used, fitted = state.stamps("models.in_use"), state.stamps("models.parameters")
    if not used:
        return
    latest = max(used)
    facts = used[latest].facts
    _say(console, "model", facts.get("version") or "none")
    reasons = [f"{facts['decision']}: {facts['reason']}"] if facts.get("decision") else []
    for note in (*reasons, *(fitted[latest].facts.get("notes", ()) if latest in fitted else ())):
        console.print(Padding(escape(note), (0, 0, 0, 10)))


def _print_changes(state: State, console: Console) -> None:
    """The latest promotions, refusals and choices; a month that went on with its version is none."""
    used = state.stamps("models.in_use")
    changes = [m for m in sorted(used) if used[m].facts.get("decision", REUSED) != REUSED]
    for month in changes[-_SHOWN_CHANGES:]:
        facts = used[month].facts
        _say(console, "change", f"{month} {facts['decision']}: {facts['version']}")


def _print_published(state: State, console: Console) -> None:
    month = find_published_scores(state)
    latest = max(state.stamps("scores.publication"), default=None)
    if month is None or latest is None:
        return
    facts = state.stamps("scores.publication")[latest].facts
    held = f"; {latest} is held back: {facts['reason']}" if facts.get("published") is False else ""
    _say(console, "scores", f"scores.current shows {month}{held}")


def _print_drift(lake: Lake, console: Console) -> None:
    published = lake.published("drift.diagnoses")
    if not published:
        return
    latest = max(published)
    causes = lake.read("drift.diagnoses", latest)
    for row in causes.iter_rows(named=True):
        _say(console, "drift", f"{row['level']} since {row['since']}: {CAUSES[row['cause']]}: {row['meaning']}")
    if causes.is_empty():
        compared = lake.read("drift.checks", latest).height
        _say(console, "drift", f"none at {latest}" if compared else f"nothing to compare {latest} with yet")


def _print_reconciliation(state: State, console: Console) -> None:
    grid = _grid("delivered rows", "lines", "amount")
    for item, lines, amount in reconcile(state).iter_rows():
        grid.add_row(item, f"{lines:,}", f"{amount:,.2f}")
    console.print()
    console.print(grid)


def _print_failed(lake: Lake, console: Console) -> None:
    for file in sorted((lake.root / ".failed").glob("*/*.parquet")):
        _say(console, "failed", f"{file.parent.name} {file.stem}: rows that failed a check are kept in {file}")
