"""What the best customers bring: their share of profit and of spend, and how few of them make half of it.

Belongs here: cuts of the ranking by value. Does not belong here: deciles (`sql/4_lenses/deciles.sql`).
"""

from decimal import Decimal

import numpy as np
import polars as pl

from clv_pipeline.clv.lenses.measures import count_cents

TOP_PERCENT = (1, 5, 10, 20, 50)
HALF = "half of the total"

CONCENTRATION_SCHEMA = {
    "measure": pl.String,
    "cut": pl.String,
    "customers": pl.Int64,
    "share_customers": pl.Float64,
    "value": pl.Decimal(18, 2),
    "share_value": pl.Float64,
}


def measure_concentration(customers: pl.DataFrame) -> pl.DataFrame:
    """measure (profit, spend), cut, customers, share_customers, value, share_value; each measure ranked by itself.

    Cut 'top 10%' is the best tenth of customers (see `clv.lenses`), rounded up like customer decile 1; 'half of the
    total' as few of the best as make half of it (nulls where the total is not positive). Empty without customers.
    """
    rows = [row for measure in ("profit", "spend") for row in _cut(customers, measure)] if customers.height else []
    return pl.DataFrame(rows, schema=CONCENTRATION_SCHEMA, orient="row")


def _cut(customers: pl.DataFrame, measure: str) -> list[tuple[object, ...]]:
    cents = customers.select(count_cents(measure).cast(pl.Int64)).to_series().sort(descending=True).to_numpy()
    cumulated = np.cumsum(cents)
    number, total = len(cumulated), int(cumulated[-1])
    # Whole numbers only: a tenth of 30 is 3 customers, where 0.1 * 30 would round up to 4.
    tops = [(f"top {percent}%", -(-number * percent // 100)) for percent in TOP_PERCENT]
    rows = [_describe(measure, cut, size, cumulated) for cut, size in tops]
    if total <= 0:
        return [*rows, (measure, HALF, None, None, None, None)]
    return [*rows, _describe(measure, HALF, int(np.argmax(2 * cumulated >= total)) + 1, cumulated)]


def _describe(measure: str, cut: str, size: int, cumulated: np.ndarray) -> tuple[object, ...]:
    value, total = int(cumulated[size - 1]), int(cumulated[-1])
    return measure, cut, size, size / len(cumulated), Decimal(value) / 100, value / total if total else None
