"""What drift compares of a month: how many customers of each age have which value."""

import duckdb

from clv_pipeline.sql import bind, load_sql

CUSTOMERS = """
    CREATE SCHEMA drift;
    CREATE TABLE drift.customers (
        age BIGINT, is_early BOOLEAN, segment VARCHAR, frequency DOUBLE, recency DOUBLE, monetary_value DOUBLE,
        clv DOUBLE, expected_purchases DOUBLE, p_alive DOUBLE
    );
    INSERT INTO drift.customers VALUES
        (3, FALSE, 'loyal', 2, 5, 10, 40, 1.5, 0.9),
        (3, FALSE, 'lost', 2, 0, 0, 40, 0.2, 0),
        (0, TRUE, 'new', 0, 0, NULL, NULL, NULL, NULL)
"""


def test_each_feature_counts_its_values_and_nobody_without_one() -> None:
    with duckdb.connect() as con:
        con.execute(CUSTOMERS)
        rows = con.execute(bind(load_sql("7_drift/profiles"), as_of="2024-03")).fetchall()
    assert {row[0] for row in rows} == {"2024-03"}
    assert [row[1:] for row in rows] == [
        (3, False, "clv", 40.0, None, 2),
        (3, False, "expected_purchases", 0.2, None, 1),
        (3, False, "expected_purchases", 1.5, None, 1),
        (0, True, "frequency", 0.0, None, 1),
        (3, False, "frequency", 2.0, None, 2),
        (3, False, "monetary_value", 0.0, None, 1),
        (3, False, "monetary_value", 10.0, None, 1),
        (3, False, "p_alive", 0.0, None, 1),
        (3, False, "p_alive", 0.9, None, 1),
        (0, True, "recency", 0.0, None, 1),
        (3, False, "recency", 0.0, None, 1),
        (3, False, "recency", 5.0, None, 1),
        (0, True, "segment", None, "new", 1),
        (3, False, "segment", None, "lost", 1),
        (3, False, "segment", None, "loyal", 1),
    ]
