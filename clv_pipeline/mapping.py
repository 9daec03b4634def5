"""Gives delivered rows our column names: the bridge from `[source.columns]` to `sql/1_transactions/parsed.sql`.

Belongs here: renaming and packing columns whose names only the settings know. Does not belong here: what a column
means or when a row is rejected (that is plain SQL).
"""

import duckdb

from clv_pipeline.settings import Settings
from clv_pipeline.settings.source import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from clv_pipeline.sources import RESERVED_COLUMNS, stored_name
from clv_pipeline.sql import Literal, bind, load_sql, quote_literal, quote_name

_SEPARATOR = "chr(31)"
_NEVER_MATCHES = "$^a"


def parse_parameters(settings: Settings) -> dict[str, Literal]:
    """The parameters of the SQL that types and judges delivered rows."""
    return {
        "timezone": settings.source.timezone,
        "business_timezone": settings.source.business_timezone,
        "timestamp_format": settings.source.timestamp_format,
        "return_pattern": settings.returns.order_id_pattern or _NEVER_MATCHES,
        "return_policy": settings.returns.policy,
        "keyed": "line_id" in settings.source.columns,
        "start": settings.periods.start,
    }


def expose_parsed(con: duckdb.DuckDBPyConnection, settings: Settings, relation: str) -> None:
    """Makes the delivered rows of `relation` readable as `landing.mapped` (text) and `transactions.parsed` (typed)."""
    con.execute("CREATE SCHEMA IF NOT EXISTS landing; CREATE SCHEMA IF NOT EXISTS transactions")
    con.execute(f"CREATE OR REPLACE VIEW landing.mapped AS {_map_columns(con, settings, relation)}")
    parsed = bind(load_sql("1_transactions/parsed"), **parse_parameters(settings))
    con.execute(f"CREATE OR REPLACE VIEW transactions.parsed AS {parsed}")


def list_source_columns(con: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """The columns of `relation` that came from the source, in name order."""
    columns = (row[0] for row in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall())
    return sorted(name for name in columns if name not in RESERVED_COLUMNS)


def _map_columns(con: duckdb.DuckDBPyConnection, settings: Settings, relation: str) -> str:
    available = list_source_columns(con, relation)
    theirs = {ours: stored_name(name) for ours, name in settings.source.columns.items()}

    def read(ours: str) -> str:
        name = theirs.get(ours)
        return quote_name(name) if name in available else "CAST(NULL AS VARCHAR)"

    mapped = [f"{read(ours)} AS in_{ours}" for ours in (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS) if ours != "quantity"]
    quantity = read("quantity") if "quantity" in theirs else "'1'"
    content = [name for name in available if name != theirs.get("is_deleted")]
    texts = ", ".join(f"{quote_literal(name + '=')} || {quote_name(name)}" for name in content)
    raw = ", ".join(f"{quote_name(name)} := {quote_name(name)}" for name in available)
    extra = ", ".join(f"{quote_name(ours)} := {read(ours)}" for ours in settings.source.extra_columns)
    return f"""
        SELECT batch_id, source, row_number, loaded_at, seq, malformed, {", ".join(mapped)}, {quantity} AS in_quantity,
               concat_ws({_SEPARATOR}, {texts or "''"}) AS raw_text,
               struct_pack({raw or "none := NULL"}) AS raw,
               struct_pack({extra or "none := NULL"}) AS extra
        FROM {relation}"""
