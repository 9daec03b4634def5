"""Three years of seven customers, small enough to work every lens by hand.

Belongs here: the orders, and looking at annual rows. Does not belong here: expectations.
"""

from typing import Any

import polars as pl

from clv_pipeline_tests.sql.engine import Order

# A leap year comes first; e orders twice in a fortnight, f a year to the day later, d across the turn of the year.
ORDERS: list[Order] = [
    ("a", "2020-02-10", "10", "4"),
    ("a", "2021-05-01", "20", "8"),
    ("a", "2022-03-01", "30", "12"),
    ("b", "2020-05-20", "10", "2"),
    ("b", "2022-07-01", "10", "2"),
    ("c", "2020-11-30", "50", "20"),
    ("d", "2020-12-15", "5", "-1"),
    ("d", "2021-01-05", "5", "-1"),
    ("e", "2021-03-03", "40", "10"),
    ("e", "2021-03-17", "40", "10"),
    ("f", "2021-09-09", "100", "30"),
    ("f", "2022-09-09", "100", "30"),
    ("g", "2022-02-02", "7", "3"),
]


def annual(table: pl.DataFrame, *columns: str, **keys: object) -> list[tuple[Any, ...]]:
    """The rows of grain 'year' with these keys, to six digits."""
    rows = table.filter(pl.col("grain") == "year", *(pl.col(key) == value for key, value in keys.items()))
    return [
        tuple(round(value, 6) if isinstance(value, float) else value for value in row)
        for row in rows.select(columns).rows()
    ]
