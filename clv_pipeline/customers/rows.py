"""Reads customer files and the map of identifiers row by row, and says of each bad cell where it is and how to mend it.

Belongs here: required fields, types, times between 1970 and now. Does not belong here: tables of databases
(`tables.py`), what good rows say together (`clv/customers/`), or when they are landed (`landing.py`, `id_map.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.moments import tell_business_time
from clv_pipeline.privacy.guard import Guard
from clv_pipeline.settings import Settings, SettingsError
from clv_pipeline.sources import RESERVED_COLUMNS, Protect, SourceFile, stage_files, stored_name
from clv_pipeline.sql import bind, load_sql

PROBLEMS = pl.Schema(
    {
        "source": pl.String,
        "row_number": pl.Int64,
        "field": pl.String,
        "value": pl.String,
        "reason": pl.String,
        "fix": pl.String,
        "raw": pl.String,
    }
)
PLACE = ("source", "row_number", "malformed")
# Before what a file calls its columns, so that none of them is mistaken for one of ours.
THEIRS = "their "
_TRUE, _FALSE = ("true", "t", "1", "yes", "y"), ("false", "f", "0", "no", "n")
_FIXES = {
    "missing": "fill it or remove the row",
    "no date": "write YYYY-MM-DD",
    "before 1970": "write the day it was, or leave it empty",
    "in the future": "write the day it was, or leave it empty",
    "no yes or no": "write true or false",
    "before valid_from": "write when it ended, or leave it empty",
    "malformed line": "mend the separators and quotes of the line",
}


@dataclass(frozen=True)
class Fields:
    """What the cells of a row have to be: `required` ones filled, `times` a time, `flags` a yes or a no.

    `bounds` are the columns of the first moment that a row holds, and of the first that it holds no longer: any times.
    """

    required: Sequence[str]
    times: Sequence[str] = ()
    flags: Sequence[str] = ()
    bounds: tuple[str, str] | None = None


def read_rows(
    lake: Lake,
    settings: Settings,
    guard: Guard,
    files: Sequence[SourceFile],
    *,
    needed: Sequence[str],
    ids: Sequence[str],
) -> pl.DataFrame:
    """The rows of `files`: source, row_number, malformed, and their columns as text, called THEIRS and their name.

    Blanks around names and cells are gone, an empty cell is null, and the columns `ids` say what the lake calls people.

    Raises SettingsError, in one line, for a file that cannot be read or lacks a column of `needed`.
    """
    frames = [pl.DataFrame(schema={"source": pl.String, "row_number": pl.Int64, "malformed": pl.String})]
    with TemporaryDirectory(prefix="people-", dir=lake.root / ".staging") as folder, lake.connect() as con:
        guard.encrypt_spill(con)
        protect = protect_ids(guard, con, ids)
        for number, file in enumerate(files):
            place = Path(folder) / str(number)
            place.mkdir()
            if not file.size:
                raise SettingsError(f"{file.name}: is empty, without even a header; deliver it again")
            if bad := stage_files(con, [file], place, settings.source.encoding, [], protect=protect):
                raise SettingsError(str(bad[0]))
            frames += [name_rows(pl.read_parquet(staged), file.name, needed) for staged in place.glob("*.parquet")]
    return pl.concat(frames, how="diagonal")


def protect_ids(guard: Guard, con: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> Protect:
    """Makes of rows whose columns `ids` name people what may be written of them."""

    def protect(query: str, columns: Sequence[str]) -> str:
        return guard.protect_people(con, query, [name for name in columns if _clean(name) in ids])

    return protect


def name_rows(frame: pl.DataFrame, source: str, needed: Sequence[str]) -> pl.DataFrame:
    """The staged rows of one file or table with the names and cells that `read_rows` gives."""
    clean = {column: _clean(column) for column in frame.columns if column not in PLACE}
    found = list(clean.values())
    # DuckDB numbers the second of two columns of one name.
    if twice := next((name for name in found if found.count(name) > 1 or f"{name}_1" in found), None):
        raise SettingsError(f"{source}: has column {twice!r} twice; rename one of them")
    if missing := next((name for name in needed if name not in found), None):
        raise SettingsError(f"{source}: has no column {missing!r}; it has {', '.join(found[:20])}; rename one")
    rows = frame.rename({column: THEIRS + name for column, name in clean.items()}).cast({"row_number": pl.Int64})
    return rows.with_columns(pl.col(f"^{THEIRS}.*$").str.strip_chars().replace("", None))


def _clean(column: str) -> str:
    """The name of a column without blanks, and without the mark that tells it from one of the landing log."""
    name = column.strip().lstrip("\ufeff")
    return name[:-1] if name.endswith("_") and name.lower().rstrip("_") in RESERVED_COLUMNS else name


def store_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` as `read_rows` gives them, with the column names of the landing log."""
    theirs = {name: stored_name(name.removeprefix(THEIRS)) for name in rows.columns if name.startswith(THEIRS)}
    return rows.rename(theirs)


def recall_rows(stored: pl.DataFrame) -> pl.DataFrame:
    """What `store_rows` was given."""
    theirs = [name for name in stored.columns if name not in PLACE]
    return stored.rename({name: THEIRS + _clean(name) for name in theirs})


def judge_rows(
    con: duckdb.DuckDBPyConnection, settings: Settings, rows: pl.DataFrame, fields: Fields
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`rows` with times and flags for what they are called, and the problems found (as PROBLEMS).

    A time is wall-clock time of the business, null where the cell is empty or wrong; a flag is a boolean, null where it
    is empty and false where it is wrong: only a yes is one. The column `is_bad` says that a row has a problem.
    """
    found = [_find(rows, pl.col("malformed").is_not_null(), "malformed line", "", pl.col("malformed"))]
    typed = rows
    for name in fields.required:
        cell = _cell(rows, name)
        found.append(_find(rows, pl.col("malformed").is_null() & cell.is_null(), "missing", name, cell))
    for name in fields.times:
        moments = _read_moments(con, settings, rows, name)
        good = pl.when(moments["problem"].is_null()).then(moments["moment"])
        typed = typed.with_columns(good.alias(name))
        for reason in ("no date", "before 1970", "in the future"):
            is_wrong = (moments["problem"] == reason).fill_null(value=False)
            found.append(_find(rows, is_wrong, reason, name, _cell(rows, name)))
    for name in fields.flags:
        text = _cell(rows, name).str.to_lowercase()
        flag = pl.when(text.is_not_null()).then(text.is_in(_TRUE))
        typed = typed.with_columns(flag.alias(name))
        wrong = text.is_not_null() & ~text.is_in((*_TRUE, *_FALSE))
        found.append(_find(rows, wrong, "no yes or no", name, _cell(rows, name)))
    if fields.bounds:
        typed, wrong_bounds = _judge_bounds(con, settings, rows, typed, fields.bounds)
        found += wrong_bounds
    problems = pl.concat(found).sort("source", "row_number", "field")
    bad = problems.select("source", "row_number").unique().with_columns(is_bad=pl.lit(True))
    judged = typed.join(bad, on=["source", "row_number"], how="left", maintain_order="left")
    return judged.with_columns(pl.col("is_bad").fill_null(value=False)), problems


def _judge_bounds(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    rows: pl.DataFrame,
    typed: pl.DataFrame,
    bounds: tuple[str, str],
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """`typed` with the moments of both bounds, null where there is none, and the problems of their cells."""
    found = []
    for name in bounds:
        # PostgreSQL's words for no bound.
        endless = _cell(rows, name).replace(["infinity", "-infinity"], None)
        said = _read_moments(con, settings, rows.select(endless.alias(THEIRS + name)), name)
        typed = typed.with_columns(said["moment"].alias(name))
        is_wrong = (said["problem"] == "no date").fill_null(value=False)
        found.append(_find(rows, is_wrong, "no date", name, _cell(rows, name)))
    begin, end = bounds
    ends_early = (typed[end] < typed[begin]).fill_null(value=False)
    return typed, [*found, _find(rows, ends_early, f"before {begin}", end, _cell(rows, end))]


def describe_problem(problem: Mapping[str, object]) -> str:
    """A row of PROBLEMS in one line: file, row, field, what is wrong and the fix."""
    place = f"{problem['source']}: row {problem['row_number']}"
    if not problem["field"]:
        return f"{place}: {problem['reason']}; {problem['fix']}"
    if problem["value"] is None:
        return f"{place}: {problem['field']} is {problem['reason']}; {problem['fix']}"
    return f"{place}: {problem['field']} {str(problem['value'])!r} is {problem['reason']}; {problem['fix']}"


def _cell(rows: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(THEIRS + name) if THEIRS + name in rows.columns else pl.lit(None, pl.String)


def _find(rows: pl.DataFrame, is_wrong: pl.Expr | pl.Series, reason: str, field: str, value: pl.Expr) -> pl.DataFrame:
    theirs = [pl.col(name).alias(name.removeprefix(THEIRS)) for name in rows.columns if name.startswith(THEIRS)]
    return rows.filter(is_wrong).select(
        "source",
        "row_number",
        pl.lit(field).alias("field"),
        value.alias("value"),
        pl.lit(reason).alias("reason"),
        pl.lit(_FIXES[reason]).alias("fix"),
        pl.struct(theirs).struct.json_encode().alias("raw") if theirs else pl.lit("{}").alias("raw"),
    )


def _read_moments(con: duckdb.DuckDBPyConnection, settings: Settings, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """moment and problem of each row's cell `name`; a moment may be there in spite of a problem."""
    said = rows.select(pl.int_range(pl.len()).alias("place"), _cell(rows, name).alias("said"))
    con.register("given_moments", said.to_arrow(compat_level=pl.CompatLevel.oldest()))
    zone = settings.source.business_timezone
    now = tell_business_time(settings)
    moments = con.sql(bind(load_sql("1_transactions/moments"), business_timezone=zone, now=now)).pl()
    con.unregister("given_moments")
    columns = {"place": pl.Int64, "moment": pl.Datetime("us"), "problem": pl.String}
    return said.join(moments.cast(columns), on="place", how="left", maintain_order="left")
