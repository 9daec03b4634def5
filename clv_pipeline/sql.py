"""Reads the SELECTs under `sql/` and binds their named parameters.

Belongs here: finding a query file and turning `$name` into a literal, so that one text serves a query, a COPY and a
view. Does not belong here: running queries (`lake.py`), or building SQL from pieces.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

Literal = str | int | bool | Decimal | date | datetime | None

_PARAMETER = re.compile(r"(?<![\w$])\$([a-z_]+)\b")


def project_root() -> Path:
    """The folder that holds `sql/` and `dagster_home/`: the checkout, or the package when installed from a wheel."""
    package = Path(__file__).resolve().parent
    return package if (package / "sql").is_dir() else package.parent


@cache
def load_sql(name: str) -> str:
    """The text of `sql/<name>.sql`, for example `load_sql("2_marts/orders")`."""
    return (project_root() / "sql" / f"{name}.sql").read_text(encoding="utf-8").strip().rstrip(";")


def bind(query: str, **parameters: Literal) -> str:
    """`query` with each `$name` replaced by the literal of `parameters[name]`; KeyError names a missing one."""
    return _PARAMETER.sub(lambda match: quote_literal(parameters[match.group(1)]), query)


def quote_literal(value: Literal) -> str:
    """`value` as a SQL literal that DuckDB and Spark read alike."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | Decimal():
            return str(value)
        case datetime():
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"
        case date():
            return f"DATE '{value:%Y-%m-%d}'"
        case str():
            return "'" + value.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_paths(paths: Iterable[Path]) -> str:
    """`paths` as a SQL list, for read_parquet and its kin."""
    return "[" + ", ".join(quote_literal(str(path)) for path in paths) + "]"
