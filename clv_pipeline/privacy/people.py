"""Where a customer's rows are in the lake: every table that names customers, and how.

Belongs here: finding those tables and the ids in them. Does not belong here: what becomes of the rows (`erasure.py`,
`export.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.customers.id_map import INDEX, ROWS, name_ids
from clv_pipeline.lake import Lake
from clv_pipeline.privacy.guard import name_in_landing
from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_name, quote_paths

LANDED, QUARANTINED = "landing.lines", "transactions.quarantine"


@dataclass(frozen=True)
class Place:
    """A table that names customers: its files, and the SQL expression of a row's customer (text, trimmed)."""

    table: str
    files: tuple[Path, ...]
    customer: str

    @property
    def relation(self) -> str:
        """All its rows, with the file that each is in as `clv_file`."""
        return _read(self.files)


def _read(files: Sequence[Path]) -> str:
    return f"read_parquet({quote_paths(files)}, union_by_name = true, hive_partitioning = false, filename = 'clv_file')"


def list_places(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> list[Place]:
    """The tables of the lake that name customers, landing last: as long as it names somebody, nothing is lost."""
    found = [place for table, files in _list_tables(lake) for place in _look(con, settings, table, files)]
    return sorted(found, key=lambda place: (place.table == LANDED, place.table))


def list_ids(con: duckdb.DuckDBPyConnection, places: Sequence[Place]) -> list[str]:
    """Every customer that any of the tables names."""
    each = [f"SELECT {place.customer} AS id FROM {place.relation}" for place in places]
    found = (
        con.execute(f"SELECT DISTINCT id FROM ({' UNION ALL '.join(each)}) WHERE id <> ''").fetchall() if each else []
    )
    return sorted(one for (one,) in found)


def keep_ids(con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> None:
    """Makes `ids` the table `person` (id)."""
    frame = pl.DataFrame({"id": ids}, schema={"id": pl.String})
    con.register("given", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    con.execute("CREATE OR REPLACE TEMP TABLE person AS FROM given")
    con.unregister("given")


def find_files(con: duckdb.DuckDBPyConnection, place: Place) -> dict[Path, int]:
    """The files of a place that name somebody of the table `person`, with the number of their rows."""
    found = con.execute(
        f"SELECT clv_file, count(*) FROM {place.relation} WHERE {place.customer} IN (SELECT id FROM person)"
        " GROUP BY clv_file ORDER BY clv_file"
    ).fetchall()
    return {Path(file): rows for file, rows in found}


def _list_tables(lake: Lake) -> Iterator[tuple[str, tuple[Path, ...]]]:
    for folder in sorted(lake.root.glob("[!.]*/*/")):
        if files := tuple(sorted(folder.glob("*=*/*.parquet"))):
            yield f"{folder.parent.name}.{folder.name}", files


def _look(con: duckdb.DuckDBPyConnection, settings: Settings, table: str, files: tuple[Path, ...]) -> Iterator[Place]:
    described = con.execute(f"DESCRIBE SELECT * FROM {_read(files)}").fetchall()
    columns = {name for name, *_ in described}
    theirs = name_in_landing(settings, "customer_id")
    if table == QUARANTINED:
        path = quote_literal('$."' + theirs.replace('"', '\\"') + '"')
        yield Place(table, files, f"TRIM(json_extract_string(raw, {path}))")
        return
    named = {LANDED: [theirs], ROWS: name_ids(settings), INDEX: ["source_id"]}.get(table, ["customer_id"])
    yield from (Place(table, files, f"TRIM({quote_name(column)})") for column in named if column in columns)
