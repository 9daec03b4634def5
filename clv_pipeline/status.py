"""What `clv status` prints: freshness, rows, checks, model, drift, quarantine, what is stale.

Belongs here: reading stamps and views and laying them out. Does not belong here: deciding what to run (`plan.py`).
"""

from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.table import Table as Grid

from clv_pipeline.automation import list_new_files
from clv_pipeline.lake import Lake
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import Stale, find_stale
from clv_pipeline.reconciliation import reconcile
from clv_pipeline.settings import Settings
from clv_pipeline.state import State
from clv_pipeline.steps import StepSpec


def print_status(settings: Settings, console: Console) -> None:
    """Prints the state of one home; never changes it."""
    lake = Lake(settings.home, settings.engine)
    state = State(lake, settings)
    console.print(f"home      {settings.home}")
    if not state.periods:
        console.print("data      nothing landed yet; put files where [source] path points and run `clv run`")
        return
    console.print(f"data      {state.periods[0]} to {state.periods[-1]}, last day {state.last_loaded_day}")
    new = list_new_files(state)
    console.print(f"waiting   {len(new)} new or changed files" if new else "waiting   no new files")
    existing = sorted(state.stamps(AS_OF_STEPS[0].tables[0].name))
    stale = [*find_stale(MONTH_STEPS, state, state.known_periods), *find_stale(AS_OF_STEPS, state, existing)]
    _print_tables(state, stale, console)
    _print_model(state, console)
    _print_drift(lake, console)
    _print_reconciliation(state, console)
    _print_failed(lake, console)


def _print_tables(state: State, stale: Sequence[Stale], console: Console) -> None:
    grid = Grid("table", "months", "rows", "latest", "published", "stale", box=None, header_style="bold")
    for step in (*MONTH_STEPS, *AS_OF_STEPS):
        for table in step.tables:
            stamps = {month: stamp for month, stamp in state.stamps(table.name).items() if month != "none"}
            latest = max(stamps, default="-")
            published = max((stamp.published_at for stamp in stamps.values()), default="-")
            rows = sum(stamp.rows for stamp in stamps.values())
            grid.add_row(table.name, str(len(stamps)), f"{rows:,}", latest, published[:16], _list_stale(step, stale))
    console.print(grid)


def _list_stale(step: StepSpec, stale: Sequence[Stale]) -> str:
    mine = [item for item in stale if item.step is step]
    if not mine:
        return ""
    months = ", ".join(item.period for item in mine[:3]) + (f" and {len(mine) - 3} more" if len(mine) > 3 else "")
    return f"{months}: {mine[0].reason}"


def _print_model(state: State, console: Console) -> None:
    stamps = state.stamps("models.parameters")
    if stamps:
        latest = max(stamps)
        console.print(f"model     {stamps[latest].facts.get('version')}")
        for note in stamps[latest].facts.get("notes", []):
            console.print(f"          {note}")


def _print_drift(lake: Lake, console: Console) -> None:
    published = lake.published("drift.checks")
    if not published:
        return
    latest = max(published)
    checks = pl.read_parquet(published[latest])
    drifted = checks.filter(pl.col("drifted"))
    for row in drifted.iter_rows(named=True):
        console.print(f"drift     {row['feature']} against {row['reference']}: {row['test']} {row['statistic']:.3f}")
    if drifted.is_empty():
        console.print(
            f"drift     none at {latest}" if checks.height else f"drift     nothing to compare {latest} with yet"
        )


def _print_reconciliation(state: State, console: Console) -> None:
    grid = Grid("delivered rows", "lines", "amount", box=None, header_style="bold")
    for item, lines, amount in reconcile(state).iter_rows():
        grid.add_row(item, f"{lines:,}", f"{amount:,.2f}")
    console.print(grid)


def _print_failed(lake: Lake, console: Console) -> None:
    for file in sorted((lake.root / ".failed").glob("*/*.parquet")):
        console.print(f"failed    {file.parent.name} {file.stem}: rows kept for inspection in {file}")
