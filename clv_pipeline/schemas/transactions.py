"""Contracts of the transactions stage: current lines and quarantined rows of a month.

Belongs here: types, nullability and ranges of one row. Does not belong here: rules across tables (`sql/`).
"""

from typing import Annotated

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Quantity, Table
from clv_pipeline.validation import BaseConfig, pa


class Lines(pa.DataFrameModel):
    """One line that counts, in its current state; mapped extra columns may follow."""

    period: str = pa.Field(str_matches=MONTH, description="month of order_ts")
    order_id: str = pa.Field(description="order that the line belongs to")
    line_id: str = pa.Field(description="the source's line id, else the place within the order")
    customer_id: str = pa.Field(nullable=True, description="null when the source names no customer")
    order_ts: pl.Datetime = pa.Field(description="wall-clock time in the business time zone")
    product_id: str = pa.Field(nullable=True)
    quantity: Quantity = pa.Field(description="negative for returns")
    unit_price: Annotated[pl.Decimal, 18, 4] = pa.Field(nullable=True, ge=0)
    line_total: Money = pa.Field(description="negative for returns")
    line_cost: Money = pa.Field(nullable=True)
    is_return: bool = pa.Field()

    class Config(BaseConfig):
        """Extra mapped columns are allowed."""

        strict = False


class Quarantine(Table):
    """One rejected row, with its reason and the row as it was delivered."""

    period: str = pa.Field(nullable=True, str_matches=MONTH)
    batch_id: str = pa.Field()
    source: str = pa.Field()
    row_number: int = pa.Field(ge=1)
    reason: str = pa.Field()
    raw: str = pa.Field()
