"""Lands the optional customer file: who became a customer when, and what else is known about them.

Belongs here: reading and judging that file. Does not belong here: cohorts (`sql/2_marts/customers.sql`).
"""

from pathlib import Path

import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.settings import Settings, SettingsError

TABLE = "landing.customers"


def land_customers(lake: Lake, settings: Settings) -> int:
    """Publishes the customer file (an empty table without one) when it changed; returns the number of customers.

    Raises SettingsError, naming file, row and column, for a file that cannot be used.
    """
    with lake.hold(TABLE), lake.connect() as con:
        frame = _read(settings)
        staged = lake.stage(con, TABLE, "all", frame)
        before = lake.read_stamp(TABLE, "all")
        if before is None or before.content != staged.content:
            lake.publish(con, staged, inputs=staged.content, code="")
        return frame.height


def _read(settings: Settings) -> pl.DataFrame:
    if settings.customers.path is None:
        return pl.DataFrame(schema={"customer_id": pl.String, "acquisition_ts": pl.Datetime("us")})
    pattern = Path(settings.customers.path).expanduser()
    root = Path(pattern.anchor) if pattern.is_absolute() else settings.base
    files = sorted(root.glob(str(pattern.relative_to(root) if pattern.is_absolute() else pattern)))
    if not files:
        raise SettingsError(f"[customers] path: no file matches {settings.customers.path}; mend the path or remove it")
    frame = pl.concat([_read_file(file) for file in files], how="diagonal")
    others = [name for name in frame.columns if name not in {"customer_id", "acquisition_ts"}]
    return (
        frame.group_by("customer_id")
        .agg(pl.col("acquisition_ts").min(), *(pl.col(name).drop_nulls().last() for name in others))
        .sort("customer_id")
    )


def _read_file(file: Path) -> pl.DataFrame:
    name = file.name
    try:
        frame = pl.read_parquet(file) if file.suffix in (".parquet", ".pq") else pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SettingsError(f"{name}: cannot be read ({str(error).splitlines()[0]}); deliver it again") from None
    frame = frame.rename({column: column.strip().lstrip("\ufeff") for column in frame.columns})
    if "customer_id" not in frame.columns:
        raise SettingsError(f"{name}: has no column 'customer_id'; it has {', '.join(frame.columns[:20])}; rename one")
    frame = frame.with_columns(pl.all().cast(pl.String).str.strip_chars()).with_columns(
        pl.col("customer_id").replace("", None)
    )
    if "acquisition_ts" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("acquisition_ts"))
    text = pl.col("acquisition_ts").replace("", None)
    parsed = frame.with_row_index("row", offset=1).with_columns(
        text.alias("text"),
        pl.coalesce(
            text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False),
            text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False),
            text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        ).alias("acquisition_ts"),
    )
    if (bad := parsed.filter(pl.col("text").is_not_null() & pl.col("acquisition_ts").is_null())).height:
        row = bad.row(0, named=True)
        raise SettingsError(f"{name}: row {row['row']}: acquisition_ts {row['text']!r} is no date; write YYYY-MM-DD")
    if (bad := parsed.filter(pl.col("customer_id").is_null())).height:
        raise SettingsError(f"{name}: row {bad['row'][0]}: customer_id is missing; fill it or remove the row")
    return parsed.drop("row", "text")
