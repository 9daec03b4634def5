"""What the gate reads of orders and customers, against numbers by hand."""

import duckdb

from clv_pipeline.sql import bind, load_sql

_HIDDEN = "CREATE SCHEMA landing; CREATE TABLE landing.hidden_customers AS SELECT 'hidden' AS customer_id"


def test_intervals_count_purchase_days_not_orders() -> None:
    with duckdb.connect() as con:
        con.execute(_HIDDEN)
        con.execute("""
            CREATE SCHEMA marts;
            CREATE TABLE marts.orders AS SELECT * FROM (VALUES
                ('a', TIMESTAMP '2024-01-01 09:00'), ('a', TIMESTAMP '2024-01-01 18:00'),
                ('a', TIMESTAMP '2024-01-31 23:00'), ('a', TIMESTAMP '2024-01-11 07:00'),
                ('b', TIMESTAMP '2024-01-01 09:00'), ('b', TIMESTAMP '2024-02-01 09:00'),
                ('hidden', TIMESTAMP '2024-01-01 09:00'), ('hidden', TIMESTAMP '2024-01-02 09:00'),
                ('hidden', TIMESTAMP '2024-01-03 09:00'),
                (NULL, TIMESTAMP '2024-01-01 09:00')) AS o (customer_id, order_ts)""")
        found = con.execute(bind(load_sql("5_models/purchase_intervals"), fewest=2)).fetchall()
    assert found == [("a", 2, 30, 500)]


def test_first_months_tell_who_was_acquired_before() -> None:
    with duckdb.connect() as con:
        con.execute(_HIDDEN)
        con.execute("""
            CREATE SCHEMA marts;
            CREATE TABLE marts.customers AS SELECT * FROM (VALUES
                ('a', DATE '2024-01-05', TRUE), ('b', DATE '2024-01-31', FALSE), ('c', DATE '2024-02-01', FALSE),
                ('hidden', DATE '2024-02-01', FALSE)
            ) AS c (customer_id, first_order, acquired_before_data)""")
        found = con.execute(load_sql("5_models/first_months")).fetchall()
    assert found == [("2024-01", 2, 1), ("2024-02", 1, 0)]
