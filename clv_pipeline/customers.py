"""Lands the optional customers: who became one when, and what else is known about them, now or since when.

Belongs here: reading and judging their files or table. Does not belong here: cohorts (`sql/2_marts/customers.sql`), or
how versions follow each other (`clv/history.py`).
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import polars.selectors as cs

from clv_pipeline.clv.history import keep_history, read_history
from clv_pipeline.formats import PARQUET_SUFFIXES
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.privacy import LOCK, open_guard
from clv_pipeline.settings import Settings, SettingsError, require_attributes

TABLE = "landing.customers"
_DATES = ("acquisition_ts", "valid_from", "valid_to")


def land_customers(lake: Lake, settings: Settings) -> int:
    """Publishes the customers (an empty table without any) when they changed; returns their number.

    With `[customers] history` one row for each version of a customer. Raises SettingsError, naming file, row and
    column, for a file that cannot be used, and DatabaseError for a table that cannot.
    """
    with lake.hold(LOCK, shared=True), lake.hold(TABLE), lake.connect() as con:
        guard = open_guard(lake, settings, has_data=not Ledger.read(lake).batches.is_empty())
        frame = guard.protect_customers(_read(settings))
        if settings.customers.history and settings.customers.origin:
            frame = _add_history(lake, settings, frame)
        staged = lake.stage(con, TABLE, ["all"], frame)["all"]
        before = lake.read_stamp(TABLE, "all")
        if before is None or before.content != staged.content:
            lake.publish(con, staged, inputs=staged.content, code="")
        return frame["customer_id"].n_unique()


def _add_history(lake: Lake, settings: Settings, frame: pl.DataFrame) -> pl.DataFrame:
    if "valid_from" in frame.columns:
        return read_history(frame)
    landed = lake.read(TABLE, "all") if lake.read_stamp(TABLE, "all") else None
    before = landed if landed is not None and "valid_to" in landed.columns else None
    now = datetime.now(UTC).astimezone(ZoneInfo(settings.source.business_timezone)).replace(tzinfo=None)
    return keep_history(before, frame, now)


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
    if settings.customers.origin is None:
        return pl.DataFrame(schema={"customer_id": pl.String, "acquisition_ts": pl.Datetime("us")})
    parts = dict(_read_parts(settings))
    frame = pl.concat(parts.values(), how="diagonal")
    _require_attributes(frame.columns, Path(next(iter(parts))).name, settings)
    others = [name for name in frame.columns if name not in {"customer_id", "acquisition_ts", "valid_from"}]
    is_dated = settings.customers.history and "valid_from" in frame.columns
    return (
        frame.group_by("customer_id", *(["valid_from"] if is_dated else []))
        .agg(pl.col("acquisition_ts").min(), *(pl.col(name).drop_nulls().last() for name in others))
        .sort("customer_id", *(["valid_from"] if is_dated else []))
    )


def _read_parts(settings: Settings) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each file, or the table, by its name."""
    zone, dated = settings.source.business_timezone, _DATES if settings.customers.history else _DATES[:1]
    if table := settings.customers.table:
        from clv_pipeline.databases.reading import read_whole_table  # noqa: PLC0415  (its libraries are an extra)

        yield table, _parse(_as_texts(read_whole_table(settings, table), zone), table, dated)
        return
    files = _list_files(settings.customers.path or "", settings.base)
    if not files:
        raise SettingsError(f"[customers] path: no file matches {settings.customers.path}; mend the path or remove it")
    for file in files:
        try:
            texts = _as_texts(_read_file(file), zone)
        except (pl.exceptions.PolarsError, OSError) as error:
            problem = str(error).splitlines()[0]
            raise SettingsError(f"{file.name}: cannot be read ({problem}); deliver it again") from None
        yield str(file), _parse(texts, file.name, dated)


def _require_attributes(columns: list[str], file: str, settings: Settings) -> None:
    known = [name for name in columns if name not in {"customer_id", "acquisition_ts"}]
    try:
        require_attributes(settings, known, f"[source.columns] or {file}")
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _read_file(file: Path) -> pl.DataFrame:
    parquet = file.suffix.lower() in PARQUET_SUFFIXES
    return pl.read_parquet(file) if parquet else pl.read_csv(file, infer_schema=False)


def _as_texts(frame: pl.DataFrame, timezone: str) -> pl.DataFrame:
    """The columns as text; times with a zone of their own as times of the business."""
    local = cs.datetime(time_zone="*").dt.convert_time_zone(timezone).dt.replace_time_zone(None)
    texts = frame.with_columns(local).with_columns(pl.all().cast(pl.String).str.strip_chars())
    return texts.rename({column: column.strip().lstrip("\ufeff") for column in texts.columns})


def _parse(frame: pl.DataFrame, name: str, dated: Sequence[str]) -> pl.DataFrame:
    """The customers of a file or table with the columns `dated` as times."""
    if "customer_id" not in frame.columns:
        raise SettingsError(f"{name}: has no column 'customer_id'; it has {', '.join(frame.columns[:20])}; rename one")
    frame = frame.with_columns(pl.col("customer_id").replace("", None))
    if "acquisition_ts" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("acquisition_ts"))
    for column in dated:
        if column in frame.columns:
            frame = _parse_times(frame, name, column)
    if (bad := frame.with_row_index("row", offset=1).filter(pl.col("customer_id").is_null())).height:
        raise SettingsError(f"{name}: row {bad['row'][0]}: customer_id is missing; fill it or remove the row")
    return frame


def _parse_times(frame: pl.DataFrame, name: str, column: str) -> pl.DataFrame:
    text = pl.col(column).replace("", None)
    parsed = frame.with_row_index("row", offset=1).with_columns(
        text.alias("text"),
        pl.coalesce(
            text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False),
            text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False),
            text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        ).alias(column),
    )
    if (bad := parsed.filter(pl.col("text").is_not_null() & pl.col(column).is_null())).height:
        row = bad.row(0, named=True)
        raise SettingsError(f"{name}: row {row['row']}: {column} {row['text']!r} is no date; write YYYY-MM-DD")
    return parsed.drop("row", "text")
