"""The one query that accepts rows accepts what pandera accepts, and leaves to pandera what it does not know."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Optional

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from clv_pipeline.acceptance import fits, read_rules
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.schemas import Money, Table, require_key, require_rows

TABLES = [table for step in (*MONTH_STEPS, *AS_OF_STEPS) for table in step.tables]


class Everything(Table):
    """Every kind of rule that the contracts use."""

    month: str = pa.Field(str_matches=r"^\d{4}-\d\d$")
    word: str = pa.Field(isin=("a", "b"), nullable=True)
    label: str = pa.Field(str_length={"min_value": 1}, nullable=True)
    count: int = pa.Field(ge=0, unique=True)
    rank: int = pa.Field(in_range=(1, 3), nullable=True)
    share: float = pa.Field(gt=-1, le=1)
    size: float = pa.Field(lt=float("inf"), nullable=True)
    money: Money = pa.Field(ge=0, nullable=True)
    at: pl.Datetime = pa.Field(nullable=True)
    known: bool

    has_key = require_key("month", "word")
    in_order = require_rows("size is below share", pl.col("size") >= pl.col("share"))
    rising = require_rows("count falls", pl.col("count") >= pl.col("count").shift(1).over("known", order_by="rank"))


class Open(pa.DataFrameModel):
    """Other columns may follow."""

    count: int = pa.Field(ge=0)
    share: float = pa.Field(nullable=True)


VALID = {
    "month": ["2024-01", "2024-02", "2024-03"],
    "word": ["a", "b", None],
    "label": ["x", None, "long"],
    "count": [0, 1, 5],
    "rank": [1, 2, None],
    "share": [-0.5, 0.0, 1.0],
    "size": [0.0, None, 7.5],
    "money": [Decimal("0.00"), Decimal("1.50"), None],
    "at": [datetime(2024, 1, 1), None, datetime(2024, 1, 2)],
    "known": [True, True, False],
}
ODD = {
    "month": ["2024-1", "", None, "2024-01\n"],
    "word": ["c", "", "a", None],
    "label": ["", "é", None],
    "count": [-1, 0, 1, None],
    "rank": [0, 3, 4, None],
    "share": [-1.0, 1.5, float("nan"), float("inf"), None],
    "size": [float("inf"), float("nan"), -float("inf"), None],
    "money": [Decimal("-0.01"), Decimal(7), None],
    "at": [datetime(1, 1, 1), None],
    "known": [False, None],
}
TYPES = {name: column.dtype.type for name, column in Everything.to_schema().columns.items()}
Damage = Callable[[pl.DataFrame], pl.DataFrame]


def put(name: str, row: int, value: object) -> Damage:
    def damage(frame: pl.DataFrame) -> pl.DataFrame:
        if name not in frame.columns or not frame.height:
            return frame
        values: list[object] = frame[name].to_list()
        values[row % frame.height] = value
        return frame.with_columns(pl.Series(name, values, TYPES[name]))

    return damage


cells = st.sampled_from([(name, value) for name, values in ODD.items() for value in values])
damages = st.one_of(
    st.builds(lambda cell, row: put(cell[0], row, cell[1]), cells, st.integers(0, 2)),
    st.builds(lambda cell, row: put(cell[0], row, cell[1]), cells, st.integers(0, 2)),
    st.sampled_from([lambda f, n=name: f.drop(n, strict=False) for name in ("word", "count")]),
    st.sampled_from(
        [
            lambda f: f.clear(),
            lambda f: f.head(1),
            lambda f: f.reverse(),
            lambda f: pl.concat([f, f.head(1)]),
            lambda f: f.with_columns(more=pl.lit(1)),
            lambda f: f.select(reversed(f.columns)),
            lambda f: f.with_columns(pl.selectors.integer().cast(pl.Int32)),
            lambda f: f.with_columns(pl.selectors.decimal().cast(pl.Decimal(18, 3))),
            lambda f: f.with_columns(pl.selectors.datetime().dt.replace_time_zone("UTC")),
            lambda f: f.with_columns(pl.selectors.datetime().dt.cast_time_unit("ns")),
            lambda f: f.with_columns(pl.selectors.string().cast(pl.Categorical)),
        ]
    ),
)


def pandera_accepts(frame: pl.DataFrame, model: type[pa.DataFrameModel]) -> bool:
    try:
        model.validate(frame, lazy=True)
    except SchemaErrors:
        return False
    return True


@settings(max_examples=150, derandomize=True)
@given(st.lists(damages, max_size=3), st.sampled_from([Everything, Open]))
def test_rows_are_accepted_exactly_when_pandera_accepts_them(damage: list[Damage], model: type[Table]) -> None:
    frame = pl.DataFrame(VALID, schema=TYPES)
    for each in damage:
        frame = each(frame)
    assert fits(frame, model) == pandera_accepts(frame, model)


def test_valid_rows_and_no_rows_are_accepted() -> None:
    frame = pl.DataFrame(VALID, schema=TYPES)
    assert fits(frame, Everything)
    assert fits(frame.clear(), Everything)
    assert fits(frame, Open)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_nothing_in_the_contracts_is_left_to_pandera(table: object) -> None:
    assert read_rules(table.schema)  # pyright: ignore[reportAttributeAccessIssue]


def of(**fields: object) -> type[pa.DataFrameModel]:
    return type("Model", (pa.DataFrameModel,), {"__annotations__": dict.fromkeys(fields, int), **fields})


class _Mended(pa.DataFrameModel):
    number: int

    class Config(pa.DataFrameModel.Config):
        coerce = True


class _Ordered(pa.DataFrameModel):
    number: int

    class Config(pa.DataFrameModel.Config):
        ordered = True


class _Optional(pa.DataFrameModel):
    number: Optional[int]  # noqa: UP045  (what pandera takes)


class _Counted(pa.DataFrameModel):
    number: int

    @pa.dataframe_check
    def not_many(cls, data: pa.PolarsData) -> bool:  # noqa: N805
        return data.lazyframe.collect().height < 10


@pytest.mark.parametrize(
    "model",
    [
        _Mended,
        _Ordered,
        _Counted,
        _Optional,
        of(number=pa.Field(coerce=True)),
        of(number=pa.Field(default=1)),
        of(number=pa.Field(ge=0, raise_warning=True)),
        of(number=pa.Field(alias="^n", regex=True)),
        of(number=pa.Field(unique_values_eq=[1])),
    ],
)
def test_what_is_not_known_is_left_to_pandera(model: type[pa.DataFrameModel]) -> None:
    assert read_rules(model) is None
    assert not fits(pl.DataFrame({"number": [1]}), model)
