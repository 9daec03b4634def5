"""Whether rows fit their contract, asked of polars in one query.

Belongs here: reading the rules of a pandera model into expressions. Does not belong here: the rules (`schemas/`) and
saying what breaks them, which stays pandera's (`contracts.py`). Pandera asks several queries about every column, which
for the many small tables of an as-of month costs more than making them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import polars as pl

from clv_pipeline.validation import pa


def fits(frame: pl.DataFrame, model: type[pa.DataFrameModel]) -> bool:
    """Whether `frame` surely satisfies `model`; False when it does not, and where only pandera can tell."""
    rules = read_rules(model)
    if rules is None or not rules.fit_columns(frame.schema):
        return False
    try:
        return all(frame.select(rules.rows).row(0))
    except pl.exceptions.PolarsError:
        return False


@dataclass(frozen=True)
class Rules:
    """What a model asks: columns by name with the test of their type, and expressions that must be true of the rows."""

    types: dict[str, Callable[[pl.DataType], object]]
    strict: bool
    rows: list[pl.Expr]

    def fit_columns(self, schema: pl.Schema) -> bool:
        """Whether the columns are there, of their types and, if strict, no others."""
        if not self.types.keys() <= schema.keys() or (self.strict and len(schema) > len(self.types)):
            return False
        return all(is_type(schema[name]) for name, is_type in self.types.items())


@cache
def read_rules(model: type[pa.DataFrameModel]) -> Rules | None:
    """The rules of `model`; None when it says anything that is not known here."""
    schema: Any = model.to_schema()
    # Built from what is known and compared, so that whatever else it may say shows as a difference.
    known = pa.DataFrameSchema(schema.columns, checks=schema.checks, strict=schema.strict, **_describe(schema))
    if schema != known or schema.strict not in (True, False):
        return None
    try:
        rows = [rule for name, column in schema.columns.items() for rule in _read_column(name, column)]
        rows += [_read_check(check, "*") for check in schema.checks]
    except _UnknownError:
        return None
    return Rules(
        {name: column.dtype.check for name, column in schema.columns.items()},
        bool(schema.strict),
        [rule.alias(str(number)) for number, rule in enumerate(rows)],
    )


class _UnknownError(Exception):
    """A model says something that only pandera can judge."""


class _Asked:
    """Stands in for the frame that a check looks at and keeps what the check selects from it."""

    selected: tuple[pl.Expr, ...] = ()

    def select(self, *expressions: pl.Expr) -> "_Asked":
        self.selected += expressions
        return self


def _describe(described: Any) -> dict[str, Any]:
    return {name: getattr(described, name) for name in ("name", "title", "description", "metadata")}


def _read_column(name: str, column: Any) -> Iterator[pl.Expr]:
    """Null, unique and the checks of a column; nan is null to pandera where nulls are not allowed."""
    told = {part: getattr(column, part) for part in ("checks", "nullable", "unique")}
    if column.dtype is None or column != pa.Column(column.dtype, **told, **_describe(column)):
        raise _UnknownError
    if not column.nullable:
        values = pl.col(name)
        yield values.is_not_null().all()
        if column.dtype.type in (pl.Float32, pl.Float64):
            yield values.is_not_nan().all()
    if column.unique:
        yield ~pl.col(name).is_duplicated().any()
    for check in column.checks:
        yield _read_check(check, name)


def _read_check(check: Any, key: str) -> pl.Expr:
    """What a check selects of a frame; null passes where it ignores nulls."""
    if type(check) is not pa.Check or check.element_wise or check.groupby or check.raise_warning:
        raise _UnknownError
    asked = _Asked()
    try:
        answer = check._check_fn(pa.PolarsData(cast("pl.LazyFrame", asked), key), **check._check_kwargs)
    except (AttributeError, TypeError) as error:
        raise _UnknownError from error
    if answer is not asked or len(asked.selected) != 1:
        raise _UnknownError
    return asked.selected[0].fill_null(value=check.ignore_na).all()
