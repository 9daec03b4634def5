"""Lands the map of identifiers, each delivered row exactly once, and knows which months an identifier has lines in.

Belongs here: the log of the map's rows, its live statements, the index of identifiers by month. Does not belong here:
resolving the map (`clv/customers/identities.py`), or what is published of it (`landing.py`).

Each file of the map is one partition of the log, with its digest in the footer: data and bookkeeping are renamed into
place together. A file delivered again under its name replaces what it said before, as deliveries of lines do. A table
is landed as a file of its name; of what it said before nothing is kept, since it says all there is each time.
"""

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.customers.rows import THEIRS, Fields, judge_rows, read_rows, recall_rows, store_rows
from clv_pipeline.customers.tables import TableRows
from clv_pipeline.lake import Lake, Stamp
from clv_pipeline.ledger import UNDATED, Ledger
from clv_pipeline.privacy.closed_months import read_closed
from clv_pipeline.privacy.guard import Guard
from clv_pipeline.settings import Settings
from clv_pipeline.settings.customers import Customers
from clv_pipeline.sources import SourceFile, digest, list_files, stored_name
from clv_pipeline.sql import quote_name, quote_paths
from clv_pipeline.state import IDENTITIES
from clv_pipeline.whole_tables import read_whole

ROWS = "landing.id_map_rows"
INDEX = "landing.identifiers"
_PERIODS = "marts.customer_periods"
_IDENTITIES = pl.Schema({"source_id": pl.String, "customer_id": pl.String})


def land_id_map(lake: Lake, settings: Settings, guard: Guard, table: TableRows | None = None) -> None:
    """Appends every file of `[customers] id_map`, or its `table`, that is new or changed to the log.

    Raises SettingsError, in one line, for a file that cannot be read; those before it are landed.
    """
    if table:
        _land_table(lake, table)
    if settings.customers.id_map is None:
        return
    latest = _find_latest(lake)
    number = _count_landed(lake)
    needed = [settings.customers.name_id_column(name) for name in ("source_id", "customer_id")]
    for file in _list_map(settings):
        content = digest(file.path)
        if file.name in latest and latest[file.name][1].facts["sha256"] == content:
            continue
        number += 1
        _append(lake, file.name, content, number, read_rows(lake, settings, guard, [file], needed=needed, ids=needed))


def _land_table(lake: Lake, table: TableRows) -> None:
    content = sha256(table.content.encode()).hexdigest()
    landed = {batch: stamp for batch, stamp in lake.read_stamps(ROWS).items() if stamp.facts.get("is_table")}
    latest = max(landed, default=None)
    if latest is None or (landed[latest].facts["source"], landed[latest].facts["sha256"]) != (table.name, content):
        _append(lake, table.name, content, _count_landed(lake) + 1, table.rows, is_table=True)
    else:
        del landed[latest]
    for batch in landed:
        shutil.rmtree(lake.path(ROWS, batch).parent)


def _count_landed(lake: Lake) -> int:
    return max((int(stamp.facts["seq"]) for stamp in lake.read_stamps(ROWS).values()), default=0)


def _append(lake: Lake, source: str, content: str, number: int, rows: pl.DataFrame, *, is_table: bool = False) -> None:
    batch = f"{number:08d}-{content[:12]}"
    with lake.connect() as con:
        staged = lake.stage(con, ROWS, [batch], store_rows(rows))[batch]
        facts = {"source": source, "sha256": content, "seq": number, "is_table": is_table}
        lake.publish(con, staged, inputs=content, code="", facts=facts)


def describe_id_map(settings: Settings) -> list[str]:
    """A line for each file of the map as it is now."""
    if settings.customers.id_map is None:
        return []
    return [f"{file.name}:{file.size}:{file.mtime_ns}" for file in _list_map(settings)]


def _list_map(settings: Settings) -> list[SourceFile]:
    return sorted(list_files(settings, settings.customers.id_map), key=lambda file: file.name)


def _find_latest(lake: Lake) -> dict[str, tuple[str, Stamp]]:
    """The latest batch of each file of the map, and of its table, by name."""
    return {str(stamp.facts["source"]): (batch, stamp) for batch, stamp in sorted(lake.read_stamps(ROWS).items())}


def _list_live(lake: Lake, customers: Customers) -> list[str]:
    """The batches that count: of tables that of the one which is set, of files the latest of each name."""
    found = _find_latest(lake).values()
    return sorted(
        batch
        for batch, stamp in found
        if not stamp.facts.get("is_table") or stamp.facts["source"] == customers.id_map_table
    )


def read_statements(
    lake: Lake, settings: Settings, con: duckdb.DuckDBPyConnection
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the live rows of the map say (source_id, customer_id, updated_at, source, row_number), and bad rows."""
    customers = settings.customers
    batches = _list_live(lake, customers) if customers.merges else []
    empty = pl.DataFrame(schema={"source": pl.String, "row_number": pl.Int64, "malformed": pl.String})
    rows = pl.concat([empty, *(recall_rows(lake.read(ROWS, batch)) for batch in batches)], how="diagonal")
    names = {theirs: customers.name_id_column(theirs) for theirs in ("source_id", "customer_id", "updated_at")}
    required = [names["source_id"], names["customer_id"]]
    missing = [pl.lit(None, pl.String).alias(THEIRS + name) for name in required if THEIRS + name not in rows.columns]
    fields = Fields(required=required, times=[names["updated_at"]])
    judged, problems = judge_rows(con, settings, rows.with_columns(missing), fields)
    said = judged.filter(~pl.col("is_bad")).select(
        *(pl.col(THEIRS + names[ours]).alias(ours) for ours in ("source_id", "customer_id")),
        pl.col(names["updated_at"]).alias("updated_at"),
        "source",
        "row_number",
    )
    return said, problems


def name_ids(settings: Settings) -> list[str]:
    """What the log calls the columns that name people."""
    return [stored_name(settings.customers.name_id_column(name)) for name in ("source_id", "customer_id")]


def list_identifiers(lake: Lake, people: Sequence[str]) -> list[str]:
    """Every identifier of the customers that any of `people` is, and `people` themselves."""
    known = read_whole(lake, IDENTITIES, _IDENTITIES)
    theirs = known.filter(pl.col("source_id").is_in(people))["customer_id"]
    customers = {*people, *theirs}
    merged = known.filter(pl.col("customer_id").is_in(list(customers)))["source_id"]
    return sorted({*customers, *merged})


def index_identifiers(lake: Lake, settings: Settings, ledger: Ledger, con: duckdb.DuckDBPyConnection) -> None:
    """Makes `landing.known` (period, source_id, is_closed): each identifier and the months in which it has live lines.

    What a load brought is kept beside the log, and read from the log where it is missing; of closed months, whose raw
    lines were dropped, customers are known by what they are called in the marts.
    """
    kept = lake.published(INDEX)
    for load in sorted(ledger.loads - kept.keys()):
        staged = lake.stage(con, INDEX, [load], _select_identifiers(lake, settings, load))[load]
        lake.publish(con, staged, inputs="", code="")
    con.register("live", ledger.live(settings).select("batch_id").to_arrow(compat_level=pl.CompatLevel.oldest()))
    closed = read_closed(lake)
    marts = [file for month, file in lake.published(_PERIODS).items() if closed.holds(month)]
    loads = [file for load, file in lake.published(INDEX).items() if load in ledger.loads]
    parts = ["SELECT NULL::VARCHAR AS period, NULL::VARCHAR AS source_id, FALSE AS is_closed WHERE FALSE"]
    if loads:
        parts.append(f"SELECT period, source_id, FALSE FROM {_read(loads)} SEMI JOIN live USING (batch_id)")
    if marts:
        parts.append(f"SELECT period, customer_id, TRUE FROM {_read(marts)}")
    con.execute(f"CREATE OR REPLACE TABLE landing.known AS {' UNION '.join(parts)}")


def _read(files: Sequence[Path]) -> str:
    return f"read_parquet({quote_paths(files)}, union_by_name = true, hive_partitioning = false)"


def _select_identifiers(lake: Lake, settings: Settings, load: str) -> str:
    files = sorted((lake.root / "landing" / "lines").glob(f"period=*/{load}_*.parquet"))
    name = quote_name(stored_name(settings.source.columns["customer_id"]))
    if not files:
        return "SELECT NULL::VARCHAR AS batch_id, NULL::VARCHAR AS period, NULL::VARCHAR AS source_id WHERE FALSE"
    return f"""
        SELECT DISTINCT batch_id, period, TRIM({name}) AS source_id
        FROM {_read(files)}
        WHERE COALESCE(period, '{UNDATED}') <> '{UNDATED}' AND TRIM({name}) <> ''"""


def digest_by_month(con: duckdb.DuckDBPyConnection, query: str) -> Mapping[str, str]:
    """Per month a fingerprint of the rows of `query` (period and anything else), whatever their order."""
    rows = con.sql(f"SELECT t.period, CAST(sum(hash(t)) AS VARCHAR) FROM ({query}) AS t GROUP BY ALL ORDER BY ALL")
    return dict(rows.fetchall())
