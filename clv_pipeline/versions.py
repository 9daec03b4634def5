"""Sources with a line id: which rows of a load say something new, and which lines are known in several months.

Belongs here: comparing a load with the versions landed before it. Does not belong here: which version wins in a month
(`sql/1_transactions/lines_by_id.sql`).

Only lines that were landed before, or that a load brings more than once, are compared at all: of a first load none.
"""

import duckdb
import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.mapping import expose_parsed
from clv_pipeline.settings import Settings
from clv_pipeline.sources import stored_name
from clv_pipeline.sql import load_sql, quote_literal, quote_name


def resolve_versions(
    con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings, *, is_reread: bool = False
) -> pl.DataFrame:
    """Leaves rows that repeat a line's current version out of `load_row`; finds lines known in several months.

    With `is_reread` the load may hold rows that were landed before: rejected ones are then left out too. Makes the
    relations `repeated` (batch_id, row_number) and `moves`. Returns one row per batch and month that a moved line
    touches, in the shape of `touched.sql`.
    """
    _collect_rows(con, lake, settings, is_reread=is_reread)
    for which in ("prior", "new"):
        usable = f"SELECT * EXCLUDE (source, is_usable) FROM {which}_row WHERE is_usable"
        con.execute(f"CREATE TEMP TABLE {which}_version AS {usable}")
    con.execute(f"CREATE TEMP TABLE current_version AS {_pick_latest('prior_version')}")
    con.execute("""
        CREATE TEMP TABLE unchanged AS
        SELECT n.line_id FROM new_version n JOIN current_version c USING (line_id)
        GROUP BY n.line_id HAVING bool_and(n.content = c.content AND NOT n.conflict)""")
    con.execute(
        "CREATE TEMP TABLE repeated AS SELECT batch_id, row_number FROM new_version SEMI JOIN unchanged USING (line_id)"
    )
    if is_reread:
        con.execute("""
            INSERT INTO repeated SELECT batch_id, row_number FROM (FROM new_row WHERE NOT is_usable)
            SEMI JOIN (FROM prior_row WHERE NOT is_usable) USING (source, content)""")
    con.execute("""
        DELETE FROM load_row USING repeated r
        WHERE load_row.batch_id = r.batch_id AND load_row.row_number = r.row_number""")
    con.execute("DELETE FROM new_version WHERE line_id IN (FROM unchanged)")
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


def _collect_rows(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings, *, is_reread: bool) -> None:
    """Makes `prior_row` and `new_row`: the rows to compare, as `versions.sql` has them."""
    versions = load_sql("1_transactions/versions")
    con.execute(f"CREATE TEMP TABLE prior_row AS SELECT * FROM ({versions}) LIMIT 0")
    line_id = f"NULLIF(TRIM({quote_name(stored_name(settings.source.columns['line_id']))}), '')"
    if list((lake.root / "landing" / "lines").glob("period=*/*.parquet")):
        pattern = quote_literal(str(lake.root / "landing" / "lines" / "period=*" / "*.parquet"))
        con.execute(f"""
            CREATE OR REPLACE VIEW prior_lines AS
            SELECT * FROM read_parquet({pattern}, union_by_name = true, hive_partitioning = false)
            WHERE COALESCE({line_id}, '') IN (SELECT COALESCE(line_id, '') FROM load_row)""")
        expose_parsed(con, settings, "prior_lines")
        con.execute(f"INSERT INTO prior_row BY NAME {versions}")
    con.execute(f"""
        CREATE TEMP TABLE compared AS
        WITH known AS (
            SELECT line_id FROM prior_row UNION
            SELECT line_id FROM load_row WHERE is_usable GROUP BY line_id HAVING count(*) > 1
        )
        SELECT batch_id, row_number FROM load_row
        WHERE line_id IN (FROM known WHERE line_id IS NOT NULL) OR ({is_reread} AND NOT is_usable)""")
    con.execute(
        "CREATE OR REPLACE VIEW compared_lines AS FROM delivered SEMI JOIN compared USING (batch_id, row_number)"
    )
    expose_parsed(con, settings, "compared_lines")
    con.execute(f"CREATE TEMP TABLE new_row AS {versions}")
