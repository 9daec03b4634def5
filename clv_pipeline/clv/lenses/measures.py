"""What is measured on each customer, as numbers that sit exactly on round bin edges where they should.

Belongs here: the measures and their units. Does not belong here: their distribution.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

MEASURES = ("spend", "profit", "orders", "spend_per_order", "margin")


def measure_customers(customers: pl.DataFrame) -> pl.DataFrame:
    """One Float64 column per measure and profit_per_order; margin is null at zero spend.

    Ratios are divided once, column by column, from whole cents: 1.10 in 11 orders is the float 0.1, not the one above
    it. (A column divided by a number would be multiplied by its rounded reciprocal.)
    """
    spend, profit, orders = count_cents("spend"), count_cents("profit"), pl.col("orders").cast(pl.Float64)
    return customers.select(
        pl.col("spend", "profit").cast(pl.Float64),
        orders=orders,
        spend_per_order=spend / (100 * orders),
        profit_per_order=profit / (100 * orders),
        margin=pl.when(spend != 0).then(profit / spend),
    )


def count_cents(column: str) -> pl.Expr:
    """A money column in cents, as a float that holds a whole number."""
    return (pl.col(column).cast(pl.Float64) * 100).round()


def list_values(measured: pl.DataFrame, measure: str) -> Vector:
    """The values of a measure where it is defined, the smallest first."""
    return measured[measure].drop_nulls().sort().to_numpy()


def take_percentile(values: Vector, percent: int) -> float:
    """As PERCENTILE.INC: rank (n - 1) x percent / 100 from 0, linear between two ranks; `values` ascend, not empty."""
    rank, hundredths = divmod((len(values) - 1) * percent, 100)
    low, high = float(values[rank]), float(values[min(rank + 1, len(values) - 1)])
    return low + (high - low) * hundredths / 100
