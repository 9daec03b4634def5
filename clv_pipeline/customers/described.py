"""What files or table say of customers: their rows, judged, each with the customer it is about.

Belongs here: which columns are read under which names, attributes, flags. Does not belong here: the cells (`rows.py`),
what rows say together (`clv/customers/`), or publishing it (`landing.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from clv_pipeline.customers.rows import PLACE, THEIRS, Fields, judge_rows, read_rows
from clv_pipeline.customers.tables import TableRows
from clv_pipeline.lake import Lake
from clv_pipeline.privacy.guard import Guard
from clv_pipeline.settings import Settings, SettingsError, require_attributes
from clv_pipeline.settings.customers import Customers
from clv_pipeline.sources import SourceFile, list_files

_BOUNDS = ("valid_from", "valid_to")
_NO_ATTRIBUTES = ("customer_id", "acquisition_ts", "updated_at", *_BOUNDS)


@dataclass(frozen=True)
class Described:
    """The rows that name somebody, bad cells (as PROBLEMS), the columns of `rows` with attributes, and flags."""

    rows: pl.DataFrame
    problems: pl.DataFrame
    attributes: Sequence[str]
    flags: Sequence[str]


def read_described(
    lake: Lake,
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    *,
    guard: Guard,
    table: TableRows | None,
    identities: pl.DataFrame,
) -> Described:
    """What customer files, or their `table`, say; `identities` has the customer of identifiers that are another's.

    Raises SettingsError, naming the file, for one that cannot be read, and for columns that are asked for in vain.
    """
    customers = settings.customers
    is_dated = customers.history == "source"
    files = [] if table else _list_customer_files(settings)
    needed = ["customer_id", *customers.required, *(_BOUNDS[:1] if is_dated else [])]
    theirs = [customers.name_column(name) for name in needed]
    rows = table.rows if table else read_rows(lake, settings, guard, files, needed=theirs, ids=theirs[:1])
    rows = _use_our_names(rows, customers)
    if table and (missing := next((name for name in needed if THEIRS + name not in rows.columns), None)):
        raise SettingsError(f"{table.name}: has no column {missing!r}; map it in [customers.columns]")
    if not is_dated and (found := next((name for name in _BOUNDS if THEIRS + name in rows.columns), None)):
        raise SettingsError(
            f"{table.name if table else files[0].name}: has column {found!r}; set [customers] history = 'source', so"
            " that it is heeded, or leave it out by [customers.columns]"
        )
    flags = _list_flags(customers, rows)
    bounds = _BOUNDS if is_dated else None
    fields = Fields(("customer_id", *customers.required), ("acquisition_ts", "updated_at"), flags, bounds)
    found = [name.removeprefix(THEIRS) for name in rows.columns if name.startswith(THEIRS)]
    known = [name for name in found if name not in _NO_ATTRIBUTES]
    if files or table:
        _require_attributes(known, table.name if table else files[0].name, settings)
    judged, problems = judge_rows(con, settings, rows, fields)
    attributes = [THEIRS + name for name in known if name not in flags]
    return Described(_identify(judged, identities), problems, attributes, flags)


def _use_our_names(rows: pl.DataFrame, customers: Customers) -> pl.DataFrame:
    """`rows` with the columns of [customers.columns] under our names, and of the others who may be shown."""
    if not customers.columns or rows.is_empty():
        return rows
    named = [pl.col(THEIRS + theirs).alias(THEIRS + ours) for ours, theirs in customers.columns.items()]
    flags = [
        pl.col(THEIRS + name)
        for name in (customers.visible, customers.consent)
        if name not in customers.columns and THEIRS + name in rows.columns
    ]
    if lacking := [theirs for theirs in customers.columns.values() if THEIRS + theirs not in rows.columns]:
        raise SettingsError(f"[customers.columns] names {lacking[0]!r}, which no customer file has; mend it")
    return rows.select(*PLACE, *named, *flags)


def _list_customer_files(settings: Settings) -> list[SourceFile]:
    path = settings.customers.path
    files = sorted(list_files(settings, path), key=lambda file: file.name) if path else []
    if path and not files:
        raise SettingsError(f"[customers] path: no file matches {path}; mend the path or remove it")
    return files


def _require_attributes(columns: list[str], file: str, settings: Settings) -> None:
    try:
        require_attributes(settings, columns, f"[source.columns] or {file}")
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _list_flags(customers: Customers, rows: pl.DataFrame) -> list[str]:
    """The columns of visibility and consent that there are; SettingsError for one that is asked for in vain."""
    wanted = {name: getattr(customers, name) for name in ("visible", "consent") if getattr(customers, name)}
    for setting, column in wanted.items():
        asked = customers.describes and setting in customers.model_fields_set
        if asked and THEIRS + column not in rows.columns:
            where = "the table of customers does not have" if customers.table else "no customer file has"
            raise SettingsError(f"[customers] {setting} names {column!r}, which {where}; name a column of it")
    return [column for column in wanted.values() if THEIRS + column in rows.columns]


def _identify(rows: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    """`rows` that name somebody, each with the customer it is about."""
    system = THEIRS + "source_system"
    theirs = [pl.col(system).alias("source_system")] if system in rows.columns else []
    source_id = pl.col(THEIRS + "customer_id") if rows.height else pl.lit(None, pl.String)
    named = rows.with_columns(source_id.alias("source_id"), *theirs).filter(pl.col("source_id").is_not_null())
    merged = named.join(identities, on="source_id", how="left", maintain_order="left")
    return merged.with_columns(pl.coalesce("customer_id", "source_id").alias("customer_id"))
