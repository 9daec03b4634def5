"""What every published table must look like: one pandera model per table, one file per stage.

Belongs here: column types and the rules that one row, or the key of the table, must satisfy. Does not belong here:
rules between tables (reconciliation, in the stage that publishes), or turning a model into a check (`contracts.py`).
"""

from typing import Annotated, Any

import polars as pl

from clv_pipeline.validation import BaseConfig, pa

Money = Annotated[pl.Decimal, 18, 2]
Quantity = Annotated[pl.Decimal, 18, 3]

MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
COHORT = r"^(before )?\d{4}(-(0[1-9]|1[0-2])|Q[1-4])?$"


class Table(pa.DataFrameModel):
    """A published table: exactly the declared columns, each of the declared type."""

    class Config(BaseConfig):
        """No column may be missing or come on top."""

        strict = True


def require_rows(error: str, holds: pl.Expr) -> Any:
    """A rule of a Table: the boolean `holds` is true on every row (null passes), else `error` is shown."""

    def check(_table: type[pa.DataFrameModel], data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(holds)

    return pa.dataframe_check(error=error)(check)


def require_key(*columns: str) -> Any:
    """A rule of a Table: no two rows have the same `columns`."""
    return require_rows(f"more than one row for the same {', '.join(columns)}", pl.struct(columns).is_unique())
