"""Tables of the lake that are one small file, read whole and written whole: logs, tombstones, lists.

Belongs here: reading one, and renaming the next into its place. Does not belong here: tables by month, which are
staged, audited and stamped (`lake.py`), or the locks under which somebody writes.
"""

import polars as pl

from clv_pipeline.lake import Lake, rename_durably


def read_whole(lake: Lake, table: str, schema: pl.Schema) -> pl.DataFrame:
    """The rows of `table`; none, of `schema`, before the first was written."""
    return lake.read(table, "all") if lake.path(table, "all").exists() else pl.DataFrame(schema=schema)


def write_whole(lake: Lake, table: str, rows: pl.DataFrame) -> None:
    """Puts `rows` into the place of `table` in one rename."""
    target = lake.path(table, "all")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = lake.staging_file(table, "all")
    rows.write_parquet(staging)
    rename_durably(staging, target)
