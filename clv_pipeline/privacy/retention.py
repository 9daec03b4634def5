"""Drops raw lines beyond their age: landed rows, lines and quarantine of old months; marts and all after them stay.

Belongs here: what is dropped, and when it must not be. Does not belong here: what a closed month is from then on
(`closed_months.py`).

The list of closed months is kept before anything is dropped: whatever a killed retention left is dropped by the next
one, and no month is ever made again from half of its lines.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.automation import list_new_files
from clv_pipeline.customers.news import find_new_customers
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.lake import Lake, rename_durably
from clv_pipeline.ledger import UNDATED
from clv_pipeline.mapping import list_source_columns
from clv_pipeline.moments import tell_time
from clv_pipeline.periods import shift_period
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import find_stale
from clv_pipeline.privacy.closed_months import CLOSED, CLOSED_SCHEMA, HASH_OF_LINE, closed_lines_folder, read_closed
from clv_pipeline.privacy.erasure import be_alone, remove_copies, rewrite
from clv_pipeline.privacy.guard import PrivacyError, name_in_landing
from clv_pipeline.privacy.log import RETENTION, Act, keep_act
from clv_pipeline.privacy.people import QUARANTINED
from clv_pipeline.settings import Settings, SettingsError
from clv_pipeline.sql import quote_literal, quote_name
from clv_pipeline.state import LINES, State
from clv_pipeline.whole_tables import write_whole

_DROPPED = "raw text dropped by clv retention"


@dataclass(frozen=True)
class Retention:
    """What is to go: months before `kept_from`, of which `months` still have `rows` raw rows."""

    kept_from: str
    months: tuple[str, ...]
    rows: int


def plan_retention(state: State, *, is_alone: bool = False) -> Retention:
    """What `[privacy] keep_raw_months` says to drop; the months count back from the last with data.

    `is_alone` says that the caller is alone with the lake. Raises PrivacyError where a month could not be made again
    that has to be, now or because of what waits to be landed, or where that cannot be told.
    """
    keep = state.settings.privacy.keep_raw_months
    if keep is None:
        raise PrivacyError("privacy.keep_raw_months is not set; write how many months raw lines are kept, 13 or more")
    if not state.periods:
        raise PrivacyError("there are no raw lines yet; run `clv run` first")
    kept_from = max(shift_period(state.periods[-1], 1 - keep), state.closed.kept_from)
    months = tuple(month for month in sorted(_folders(state.lake)) if month < kept_from)
    if waiting := _find_waiting(state, is_alone=is_alone):
        raise PrivacyError(f"{waiting} months that are to be closed; `clv run` first")
    if stale := find_stale(MONTH_STEPS, state, [month for month in state.known_periods if month < kept_from]):
        raise PrivacyError(
            f"{stale[0].step.stage} of {stale[0].period} is not up to date ({stale[0].reason}) and could not be made"
            " again later; `clv run` first"
        )
    rows = state.ledger.count_live_rows(state.settings)
    return Retention(kept_from, months, sum(rows.get(month, 0) for month in months))


def _find_waiting(state: State, *, is_alone: bool) -> str | None:
    """What is not landed yet and could not be heeded later; None where nothing waits."""
    lake, settings = state.lake, state.settings
    try:
        if settings.source.kind == "files" and (new := len(list_new_files(state))):
            return f"{new} delivered files are not landed yet and may correct"
        if settings.source.kind == "sql":
            from clv_pipeline.databases.news import find_news  # noqa: PLC0415  (its libraries are an extra)

            if find_news(lake, settings, state.ledger, is_alone=is_alone):
                return f"rows of table {settings.source.table} are not landed yet and may correct"
        # A merge cannot reach a closed month; all else that is said of customers can.
        if settings.customers.merges and find_new_customers(lake, settings, is_alone=is_alone):
            return "what is said of customers has changed since it was landed and may merge customers of"
    except (DatabaseError, DatabaseAwayError, SettingsError) as error:
        raise PrivacyError(f"whether anything waits to be landed cannot be told: {error}") from None
    return None


def drop_raw_lines(lake: Lake, settings: Settings) -> Retention:
    """Drops what `plan_retention` says, and closes the months; `clv.duckdb` is gone afterwards.

    Raises PrivacyError as `plan_retention` does.
    """
    with be_alone(lake), lake.connect() as con:
        began = tell_time()
        state = State(lake, settings)
        plan = plan_retention(state, is_alone=True)
        _keep_hashes(con, state, plan)
        _close(state, plan)
        for month in plan.months:
            shutil.rmtree(_folders(lake)[month])
        files = [file for table in (LINES, QUARANTINED) for file in _empty(con, lake, table, plan.kept_from)]
        _drop_undated(con, state, plan.kept_from)
        remove_copies(lake)
        note = f"raw lines before {plan.kept_from}"
        keep_act(lake, Act(RETENTION, began, rows=plan.rows, files=len(files), note=note))
    return plan


def _folders(lake: Lake) -> dict[str, Path]:
    found = (lake.root / "landing" / "lines").glob("period=*/")
    return {folder.name.partition("=")[2]: folder for folder in found if folder.name != f"period={UNDATED}"}


def _keep_hashes(con: duckdb.DuckDBPyConnection, state: State, plan: Retention) -> None:
    if not state.ledger.is_keyed(state.settings):
        return
    line = quote_name(name_in_landing(state.settings, "line_id"))
    for month in plan.months:
        files = quote_literal(str(_folders(state.lake)[month] / "*.parquet"))
        staging = state.lake.staging_file("closed", month)
        target = closed_lines_folder(state.lake) / f"period={month}" / "part.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        lines = f"SELECT DISTINCT TRIM({line}) AS line_id FROM read_parquet({files}, union_by_name = true)"
        query = f"SELECT {HASH_OF_LINE} AS line FROM ({lines}) WHERE line_id <> ''"
        state.lake.copy(con, query, staging, None)
        rename_durably(staging, target)


def _close(state: State, plan: Retention) -> None:
    before = read_closed(state.lake).fingerprints
    now = {month: fingerprint for month, fingerprint in state.fingerprints.items() if month < plan.kept_from}
    rows = [(month, fingerprint, plan.kept_from) for month, fingerprint in sorted((now | before).items())]
    write_whole(state.lake, CLOSED, pl.DataFrame(rows, schema=CLOSED_SCHEMA, orient="row"))


def _empty(con: duckdb.DuckDBPyConnection, lake: Lake, table: str, kept_from: str) -> list[str]:
    """Empties the closed months of a table; the stamps stay, by which what was made of them is up to date."""
    emptied = []
    for month, file in lake.published(table).items():
        stamp = lake.read_stamp(table, month)
        if month < kept_from and stamp and stamp.rows:
            rewrite(con, lake, file, f"SELECT * FROM read_parquet({quote_literal(str(file))}) LIMIT 0")
            emptied.append(month)
    return emptied


def _drop_undated(con: duckdb.DuckDBPyConnection, state: State, kept_from: str) -> None:
    """Empties rows that have no month by the moment they were landed at; they stay, counted, in quarantine."""
    lake, old = state.lake, f"loaded_at < TIMESTAMP '{kept_from}-01'"
    for file in sorted((lake.root / "landing" / "lines" / f"period={UNDATED}").glob("*.parquet")):
        rows = f"read_parquet({quote_literal(str(file))})"
        con.execute(f"CREATE OR REPLACE VIEW undated AS SELECT * FROM {rows}")
        columns = list_source_columns(con, "undated")
        emptied = "".join(
            f", CASE WHEN NOT {old} THEN {quote_name(name)} END AS {quote_name(name)}" for name in columns
        )
        malformed = f"IF({old}, '{_DROPPED}', malformed) AS malformed"
        rewrite(con, lake, file, f"SELECT * REPLACE ({malformed}{emptied}) FROM undated")
    if (file := lake.published(QUARANTINED).get(UNDATED)) is not None:
        con.register("batches", state.ledger.batches.select("batch_id", "loaded_at").to_arrow())
        raw = f"IF(batch_id IN (SELECT batch_id FROM batches WHERE {old}), '{{}}', raw) AS raw"
        rewrite(con, lake, file, f"SELECT * REPLACE ({raw}) FROM read_parquet({quote_literal(str(file))})")
        con.unregister("batches")
