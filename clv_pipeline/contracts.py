"""From pandera models to what the orchestrator shows: audits, check results and column schemas.

Belongs here: running a contract on staged rows and describing what failed. Does not belong here: the contracts
themselves (`schemas/`) or what happens after a failure (`steps.py`).
"""

import re
from dataclasses import dataclass
from functools import cache

import dagster as dg
import duckdb
import polars as pl

from clv_pipeline.acceptance import fits
from clv_pipeline.columns import MEANINGS
from clv_pipeline.validation import SchemaErrors, pa

_SHOWN_ROWS = 10
# Longer Markdown hides behind a link in the web interface.
_SHOWN_CHARACTERS = 1000
# What tells who somebody is, which the web interface, its logs and alerts have no need to know.
_PERSONAL = ("customer_id", "raw")
_HIDDEN = "(hidden)"
_TYPES = {"String": "VARCHAR", "Int64": "BIGINT", "Float64": "DOUBLE", "Boolean": "BOOLEAN", "Datetime": "TIMESTAMP"}


@dataclass(frozen=True)
class Audit:
    """The outcome of one check on one staged partition; `offending` shows the first rows that failed."""

    check: str
    passed: bool
    summary: str = ""
    offending: str = ""
    blocking: bool = True


def audit_schema(frame: pl.DataFrame, schema: type[pa.DataFrameModel]) -> Audit:
    """Checks types, nullability, ranges and keys of `frame` against `schema`."""
    try:
        if not fits(frame, schema):
            schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        first = cases.row(0, named=True)
        rows = cases["index"].drop_nulls().unique() if "index" in cases.columns else pl.Series([], dtype=pl.Int64)
        shown = frame[rows.cast(pl.Int64).sort().head(_SHOWN_ROWS).to_list()] if rows.len() else cases.head(_SHOWN_ROWS)
        column = f"{first['column']}: " if first.get("column") else ""
        case = _HIDDEN if first.get("column") in _PERSONAL else first["failure_case"]
        summary = f"{column}{first['check']} fails for {case} ({cases.height} cases)"
        return Audit("schema", passed=False, summary=summary, offending=to_markdown(_hide(shown)))
    return Audit("schema", passed=True, summary=f"{frame.height} rows fit the schema")


def audit_query(con: duckdb.DuckDBPyConnection, check: str, query: str) -> Audit:
    """Runs a SELECT that returns the rows which break a rule; none may come back."""
    offending = _hide(con.sql(query).pl())
    if offending.is_empty():
        return Audit(check, passed=True, summary="nothing offends")
    summary = f"{offending.height} rows break the rule, first: {offending.row(0, named=True)}"
    return Audit(check, passed=False, summary=summary, offending=to_markdown(offending.head(_SHOWN_ROWS)))


@cache
def describe_columns(schema: type[pa.DataFrameModel]) -> dg.TableSchema:
    """The columns of `schema` as Dagster shows them."""
    columns = schema.to_schema().columns
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type=_name_type(str(column.dtype)),
                description=column.description or MEANINGS.get(name),
                constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=bool(column.unique)),
            )
            for name, column in columns.items()
        ]
    )


def _name_type(dtype: str) -> str:
    """The type as `clv.duckdb` names it."""
    if dtype.startswith("Decimal"):
        return "DECIMAL({}, {})".format(*re.findall(r"\d+", dtype))
    return _TYPES.get(dtype.partition("(")[0], dtype)


def preview(frame: pl.DataFrame) -> str:
    """The first rows of `frame`, as many as the web interface shows without a click.

    Without the month that they share, and without what tells who somebody is.
    """
    frame = frame.drop("period", "as_of", *_PERSONAL, strict=False)
    for rows in range(min(frame.height, 5), 1, -1):
        if len(text := to_markdown(frame.head(rows))) < _SHOWN_CHARACTERS:
            return text
    return to_markdown(frame.head(1))


def to_markdown(frame: pl.DataFrame) -> str:
    """The rows of `frame` as a Markdown table, for metadata."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(_show(value) for value in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines)


def _hide(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` without what tells who somebody is; its order ids, and the file with the rows, lead there."""
    hidden = [name for name in _PERSONAL if name in frame.columns]
    cases = [pl.lit(_HIDDEN).alias(name) for name in hidden]
    if {"column", "failure_case"} <= set(frame.columns):
        is_personal = pl.col("column").is_in(_PERSONAL)
        cases.append(pl.when(is_personal).then(pl.lit(_HIDDEN)).otherwise("failure_case").alias("failure_case"))
    return frame.with_columns(cases)


def _show(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    text = "" if value is None else str(value)
    text = text.removesuffix(" 00:00:00")
    return text.replace("|", "\\|").replace("\n", " ")[:60]
