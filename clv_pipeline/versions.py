"""Sources with a line id: which rows of a load say something new, and which lines are known in several months.

Belongs here: comparing a load with the versions landed before it. Does not belong here: which version wins in a month
(`sql/1_transactions/lines_by_id.sql`).
"""

import duckdb
import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.mapping import expose_parsed
from clv_pipeline.settings import Settings
from clv_pipeline.sources import stored_name
from clv_pipeline.sql import bind, load_sql, quote_literal, quote_name


def resolve_versions(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> pl.DataFrame:
    """Leaves rows that repeat a line's current version out of the load; finds lines known in several months.

    Returns one row per batch and month that a moved line touches, in the shape of `touched.sql`.
    """
    con.execute(f"CREATE TEMP TABLE new_version AS {bind(load_sql('1_transactions/versions'))}")
    _collect_prior_versions(con, lake, settings)
    con.execute(f"CREATE TEMP TABLE current_version AS {_pick_latest('prior_version')}")
    con.execute("""
        CREATE TEMP TABLE unchanged AS
        SELECT n.line_id FROM new_version n JOIN current_version c USING (line_id)
        GROUP BY n.line_id HAVING bool_and(n.content = c.content AND NOT n.conflict)""")
    con.execute(
        "CREATE TEMP TABLE repeated AS SELECT batch_id, row_number FROM new_version SEMI JOIN unchanged USING (line_id)"
    )
    con.execute("CREATE OR REPLACE VIEW changed AS FROM delivered ANTI JOIN repeated USING (batch_id, row_number)")
    con.execute("DELETE FROM new_version WHERE line_id IN (FROM unchanged)")
    expose_parsed(con, settings, "changed")
    con.execute("""
        CREATE TEMP TABLE moves AS
        WITH known AS (
            SELECT *, TRUE AS is_new FROM new_version UNION ALL BY NAME SELECT *, FALSE AS is_new FROM prior_version
        )
        SELECT * FROM known WHERE line_id IN (
            SELECT line_id FROM known GROUP BY line_id HAVING bool_or(is_new) AND min(period) <> max(period))""")
    return con.sql(f"""
        WITH winner AS (SELECT line_id, period FROM ({_pick_latest("moves")}) WHERE is_new),
        place AS (
            SELECT line_id, period FROM winner
            UNION SELECT line_id, period FROM current_version SEMI JOIN winner USING (line_id)
        )
        SELECT n.batch_id, p.period, CAST(0 AS BIGINT) AS rows, CAST(0 AS DECIMAL(18, 2)) AS amount,
               CAST(sum(hash(n.line_id, n.content, n.period, n.updated_at)) AS VARCHAR) AS fingerprint
        FROM moves n JOIN place p USING (line_id)
        WHERE n.is_new AND p.period <> n.period GROUP BY ALL ORDER BY ALL""").pl()


def _pick_latest(versions: str) -> str:
    return f"""
        SELECT * FROM {versions} WHERE NOT conflict QUALIFY row_number() OVER (
            PARTITION BY line_id ORDER BY updated_at DESC NULLS LAST, seq DESC, row_number DESC) = 1"""


def _collect_prior_versions(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> None:
    files = list((lake.root / "landing" / "lines").glob("period=*/*.parquet"))
    con.execute("CREATE TEMP TABLE prior_version AS FROM new_version LIMIT 0")
    if not files:
        return
    line_id = quote_name(stored_name(settings.source.columns["line_id"]))
    pattern = quote_literal(str(lake.root / "landing" / "lines" / "period=*" / "*.parquet"))
    con.execute(f"""
        CREATE OR REPLACE VIEW prior_lines AS
        SELECT l.* FROM read_parquet({pattern}, union_by_name = true, hive_partitioning = false) l
        SEMI JOIN new_version v ON TRIM(l.{line_id}) = v.line_id""")
    expose_parsed(con, settings, "prior_lines")
    con.execute(f"INSERT INTO prior_version BY NAME {bind(load_sql('1_transactions/versions'))}")
    expose_parsed(con, settings, "delivered")
