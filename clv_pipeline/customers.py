"""Lands the optional customer file: who became a customer when, and what else is known about them.

Belongs here: reading and judging that file. Does not belong here: cohorts (`sql/2_marts/customers.sql`).
"""

from datetime import datetime
from pathlib import Path

import polars as pl
import polars.selectors as cs

from clv_pipeline.formats import PARQUET_SUFFIXES
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.privacy import LOCK, open_guard
from clv_pipeline.settings import Settings, SettingsError, require_attributes

TABLE = "landing.customers"


def land_customers(lake: Lake, settings: Settings) -> int:
    """Publishes the customer file (an empty table without one) when it changed; returns the number of customers.

    Raises SettingsError, naming file, row and column, for a file that cannot be used.
    """
    with lake.hold(LOCK, shared=True), lake.hold(TABLE), lake.connect() as con:
        guard = open_guard(lake, settings, has_data=not Ledger.read(lake).batches.is_empty())
        frame = guard.protect_customers(_read(settings))
        staged = lake.stage(con, TABLE, ["all"], frame)["all"]
        before = lake.read_stamp(TABLE, "all")
        if before is None or before.content != staged.content:
            lake.publish(con, staged, inputs=staged.content, code="")
        return frame.height


def list_new_customer_files(lake: Lake, settings: Settings) -> list[str]:
    """A line for each customer file that was written after the customers were last published."""
    if settings.customers.path is None:
        return []
    stamp = lake.read_stamp(TABLE, "all")
    since = datetime.fromisoformat(stamp.published_at).timestamp() if stamp else 0.0
    found = [(file.name, file.stat()) for file in _list_files(settings.customers.path, settings.base)]
    return [f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found if stat.st_mtime > since]


def _list_files(path: str, base: Path) -> list[Path]:
    pattern = Path(path).expanduser()
    root = Path(pattern.anchor) if pattern.is_absolute() else base
    return sorted(root.glob(str(pattern.relative_to(root) if pattern.is_absolute() else pattern)))


def _read(settings: Settings) -> pl.DataFrame:
    if settings.customers.path is None:
        return pl.DataFrame(schema={"customer_id": pl.String, "acquisition_ts": pl.Datetime("us")})
    files = _list_files(settings.customers.path, settings.base)
    if not files:
        raise SettingsError(f"[customers] path: no file matches {settings.customers.path}; mend the path or remove it")
    frame = pl.concat([_read_file(file, settings.source.business_timezone) for file in files], how="diagonal")
    _require_attributes(frame.columns, files[0].name, settings)
    others = [name for name in frame.columns if name not in {"customer_id", "acquisition_ts"}]
    return (
        frame.group_by("customer_id")
        .agg(pl.col("acquisition_ts").min(), *(pl.col(name).drop_nulls().last() for name in others))
        .sort("customer_id")
    )


def _require_attributes(columns: list[str], file: str, settings: Settings) -> None:
    known = [name for name in columns if name not in {"customer_id", "acquisition_ts"}]
    try:
        require_attributes(settings, known, f"[source.columns] or {file}")
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _read_texts(file: Path, timezone: str) -> pl.DataFrame:
    """The columns of a file as text; times with a zone of their own as times of the business."""
    parquet = file.suffix.lower() in PARQUET_SUFFIXES
    frame = pl.read_parquet(file) if parquet else pl.read_csv(file, infer_schema=False)
    local = cs.datetime(time_zone="*").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    texts = frame.with_columns(local).with_columns(pl.all().cast(pl.String).str.strip_chars())
    return texts.rename({column: column.strip().lstrip("\ufeff") for column in texts.columns})


def _read_file(file: Path, timezone: str) -> pl.DataFrame:
    name = file.name
    try:
        frame = _read_texts(file, timezone)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SettingsError(f"{name}: cannot be read ({str(error).splitlines()[0]}); deliver it again") from None
    if "customer_id" not in frame.columns:
        raise SettingsError(f"{name}: has no column 'customer_id'; it has {', '.join(frame.columns[:20])}; rename one")
    frame = frame.with_columns(pl.col("customer_id").replace("", None))
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
