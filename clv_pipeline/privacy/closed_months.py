"""Months whose raw lines were dropped: they stay as they are, and what still comes for them is told.

Belongs here: which months are closed, and what becomes of rows delivered for one. Does not belong here: dropping raw
lines (`retention.py`).

A closed month cannot be computed again: it would be made from nothing. Of sources with line ids a hash of each dropped
line's id is kept, so that a correction which gives a line another date, or a deletion without one, does not count it
twice.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_paths
from clv_pipeline.whole_tables import read_whole

CLOSED = "landing.closed"
CLOSED_SCHEMA = pl.Schema({"period": pl.String, "fingerprint": pl.String, "kept_from": pl.String})
HASH_OF_LINE = "SUBSTR(MD5(line_id), 1, 16)"


@dataclass(frozen=True)
class ClosedMonths:
    """The fingerprint that the landed rows of each closed month had; raw lines are kept from `kept_from` on."""

    fingerprints: dict[str, str]
    kept_from: str = ""

    def holds(self, period: str) -> bool:
        """Whether `period` is closed."""
        return period < self.kept_from


def read_closed(lake: Lake) -> ClosedMonths:
    """The closed months of `lake`; none before the first retention."""
    rows = read_whole(lake, CLOSED, CLOSED_SCHEMA)
    if rows.is_empty():
        return ClosedMonths({})
    return ClosedMonths(dict(rows.select("period", "fingerprint").iter_rows()), max(rows["kept_from"]))


def closed_lines_folder(lake: Lake) -> Path:
    """Where the hashes of the dropped lines' ids are."""
    return lake.root / "landing" / "closed_lines"


def leave_out_closed(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> bool:
    """Puts, in the view `delivered`, one row for each file and closed month in the place of its rows.

    Needs `arrived` (the delivered rows) and `transactions.parsed` of them. The row has a reason and none of the
    source's columns, so that it is quarantined; returns whether there are any.
    """
    closed = read_closed(lake)
    if not closed.kept_from:
        return False
    known = "FALSE"
    if files := sorted(closed_lines_folder(lake).glob("*/part.parquet")):
        known = f"{HASH_OF_LINE} IN (SELECT line FROM read_parquet({quote_paths(files)}))"
    is_keyed = "line_id" in settings.source.columns
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE closed_row AS
        SELECT batch_id, row_number, COALESCE(period, 'no month') AS month FROM transactions.parsed
        WHERE COALESCE(period < {quote_literal(closed.kept_from)}, FALSE)
            OR ({"TRUE" if is_keyed else "FALSE"} AND COALESCE({known}, FALSE))""")
    if not con.execute("SELECT count(*) FROM closed_row").fetchall()[0][0]:
        return False
    con.execute("""
        CREATE OR REPLACE VIEW delivered AS
        SELECT * FROM arrived ANTI JOIN closed_row USING (batch_id, row_number)
        UNION ALL BY NAME
        SELECT batch_id, seq, loaded_at, source, min(row_number) AS row_number,
            CONCAT('closed month: ', count(*), ' rows of ', month, ' from this one on concern a month whose raw lines',
                ' were dropped (clv retention); it stays as it is') AS malformed
        FROM arrived JOIN closed_row USING (batch_id, row_number)
        GROUP BY batch_id, seq, loaded_at, source, month""")
    return True
