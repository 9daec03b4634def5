"""What the traffic lights count of lines and orders, against numbers by hand."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import duckdb
import pytest

from clv_pipeline.sql import load_sql


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        con.execute("""
            CREATE SCHEMA transactions; CREATE SCHEMA marts;
            CREATE TABLE transactions.lines AS SELECT * FROM (VALUES
                ('a', 10.00, FALSE), ('a', -2.50, TRUE), (NULL, 5.00, FALSE)
            ) AS l (customer_id, line_total, is_return);
            CREATE TABLE marts.orders AS SELECT * FROM (VALUES
                ('a', TIMESTAMP '2024-01-01 00:00:00', 10.00, 1, 1), ('a', TIMESTAMP '2024-01-01 06:59:59', 1.00, 1, 1),
                ('a', TIMESTAMP '2024-01-01 07:00:00', 1.05, 1, 1), ('b', TIMESTAMP '2024-01-03 21:59:59', 1.04, 1, 1),
                ('b', TIMESTAMP '2024-01-03 21:59:59', 1.04, 1, 1), ('b', TIMESTAMP '2024-01-03 21:59:59', 1.04, 2, 1),
                (NULL, TIMESTAMP '2024-01-03 22:00:00', 0.00, 1, 1), (NULL, TIMESTAMP '2024-01-03 22:00:00', 0.00, 1, 1)
            ) AS o (customer_id, order_ts, spend, quantity, products);
            CREATE TABLE marts.customer_periods AS SELECT * FROM (VALUES
                ('a', 2, 2), ('a', 1, 1), ('b', 1, 1), ('c', 0, 0)) AS p (customer_id, orders, order_days)""")
        yield con


def test_counts_by_hand(con: duckdb.DuckDBPyConnection) -> None:
    found = {
        name: con.execute(load_sql(f"0_quality/{name}")).fetchall()
        for name in ("lines", "days", "repeated_orders", "frequencies", "sizes")
    }

    assert found["lines"] == [(3, 1, Decimal("15.00"), Decimal("2.50"))]
    assert found["days"] == [(date(2024, 1, 1), 3, 1, 1), (date(2024, 1, 3), 5, 0, 3)]
    assert found["repeated_orders"] == [(1, 6)]
    assert sorted(found["frequencies"]) == [(0,), (2,)]
    # 1.00 and 1.04 lie in class 0, 1.05 in class 1 (or 0, by the last bit of its logarithm), 10 in class 47.
    assert sum(orders for _, orders, _ in found["sizes"]) == 6
    assert found["sizes"][-1] == (47, 1, Decimal("10.00"))
