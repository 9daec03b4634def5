"""RFM as of a month: worked by hand on the scenario, and its properties on random lines."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from pandera.errors import SchemaErrors

from clv_pipeline.schemas.rfm import RfmCustomers
from clv_pipeline.sql import bind, load_sql
from clv_pipeline_tests.sql.engine import Marts, build_marts, random_lines

LAST_DAY = date(1997, 6, 30)


def _rfm(marts: Marts) -> dict[str, dict[str, object]]:
    customers = marts.as_of("1997-06", LAST_DAY).run("3_rfm/customers")
    RfmCustomers.validate(customers, lazy=True)
    return {row["customer_id"]: row for row in customers.to_dicts()}


@pytest.mark.parametrize(
    ("customer_id", "frequency", "recency_days", "T_days", "monetary_value"),
    [
        ("once", 0, 0, 176, None),
        ("two_a_day", 1, 31, 171, 10.0),
        ("steady", 4, 151, 166, 10.0),
        ("gap", 1, 151, 161, 40.0),
        ("full_return", 0, 0, 118, None),
        ("late_return", 0, 0, 115, None),
        ("unknown_return", 1, 120, 139, 5.0),
        ("known_before", 1, 151, 179, 50.0),
        ("gift", 0, 0, 77, None),
    ],
)
def test_recency_frequency_value(
    marts: Marts,
    customer_id: str,
    *,
    frequency: int,
    recency_days: int,
    T_days: int,
    monetary_value: float | None,
) -> None:
    customer = _rfm(marts)[customer_id]
    assert customer["frequency"] == frequency
    assert customer["recency"] == pytest.approx(recency_days / 7)
    assert customer["T"] == pytest.approx(T_days / 7)
    assert customer["monetary_value"] == monetary_value


def test_scores_and_segments(marts: Marts) -> None:
    scored = {
        customer_id: (row["r_score"], row["f_score"], row["m_score"], row["segment"])
        for customer_id, row in _rfm(marts).items()
    }
    assert scored == {
        "once": (1, 1, 1, "lost"),
        "part_return": (1, 1, 3, "lost"),
        "two_a_day": (1, 3, 3, "hibernating"),
        "full_return": (2, 1, 1, "hibernating"),
        "late_return": (2, 1, 2, "hibernating"),
        "repeated_line": (2, 1, 2, "hibernating"),
        "gift": (3, 1, 1, "about to sleep"),
        "known_cost": (3, 3, 5, "needs attention"),
        "known_before": (4, 3, 5, "potential loyalist"),
        "unknown_return": (4, 3, 2, "potential loyalist"),
        "steady": (4, 5, 4, "champions"),
        "gap": (5, 3, 4, "potential loyalist"),
        "loss_maker": (5, 3, 2, "potential loyalist"),
    }


def test_every_cell_of_the_documented_grid_has_its_segment(marts: Marts) -> None:
    grid = {
        5: ("cannot lose", "at risk", "loyal", "champions", "champions"),
        4: ("at risk", "at risk", "loyal", "loyal", "champions"),
        3: ("hibernating", "at risk", "needs attention", "potential loyalist", "potential loyalist"),
        2: ("lost", "hibernating", "about to sleep", "potential loyalist", "potential loyalist"),
        1: ("lost", "hibernating", "about to sleep", "promising", "new"),
    }
    # 25 customers, one for each pair of a recency rank (five to a day) and a frequency rank (five to a count).
    marts.con.execute(
        """
        CREATE OR REPLACE VIEW marts.customer_periods AS
        SELECT '1997-06' AS period, r || '-' || f AS customer_id, CAST(f AS BIGINT) AS orders,
            CAST(f AS DECIMAL(18, 2)) AS spend, CAST(0 AS DECIMAL(18, 2)) AS profit, CAST(f AS BIGINT) AS order_days,
            TIMESTAMP '1997-06-01' AS first_order, TIMESTAMP '1997-06-10' + to_days(CAST(r AS INTEGER)) AS last_order,
            CAST(1 AS DECIMAL(18, 2)) AS first_day_spend
        FROM range(1, 6) AS t (r), range(1, 6) AS u (f)
        """
    )
    query = bind(load_sql("3_rfm/customers"), as_of="1997-06", as_of_end=LAST_DAY)
    found = {(row[1], row[0]): row[2] for row in marts.rows(f"SELECT r_score, f_score, segment FROM ({query})")}
    assert found == {(f, r): grid[f][r - 1] for f in range(1, 6) for r in range(1, 6)}


def test_as_of_an_earlier_month_sees_only_what_was_known(marts: Marts) -> None:
    customers = marts.as_of("1997-02", date(1997, 2, 28)).run("3_rfm/customers")
    steady = customers.filter(pl.col("customer_id") == "steady").to_dicts()[0]
    assert len(customers) == 9
    assert (steady["frequency"], steady["recency"], steady["T"]) == (1, 31 / 7, 44 / 7)


def test_the_contract_refuses_an_order_after_the_as_of(marts: Marts) -> None:
    customers = marts.as_of("1997-06", date(1997, 6, 19)).run("3_rfm/customers")
    with pytest.raises(SchemaErrors, match="the last order is after the as-of day"):
        RfmCustomers.validate(customers, lazy=True)


@settings(max_examples=15)
@given(lines=random_lines())
def test_random_lines_keep_the_contract_and_equal_values_score_equal(lines: pl.DataFrame) -> None:
    with build_marts(lines) as marts:
        customers = marts.as_of("1997-06", LAST_DAY).run("3_rfm/customers")
        days = dict(
            marts.rows(
                "SELECT customer_id, count(DISTINCT CAST(order_ts AS DATE)) FROM built.orders "
                "WHERE customer_id IS NOT NULL GROUP BY customer_id"
            )
        )
    RfmCustomers.validate(customers, lazy=True)
    assert {row["customer_id"]: row["frequency"] + 1 for row in customers.to_dicts()} == days
    for value, score in (("frequency", "f_score"), ("spend", "m_score")):
        assert (
            customers.group_by(value).agg(pl.col(score).n_unique())[score].to_list()
            == [1] * customers[value].n_unique()
        )
        assert customers.sort(value)[score].is_sorted()
