"""The marts: worked by hand on the scenario, and sums that agree between levels on random lines."""

from datetime import date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from pandera.errors import SchemaErrors

from clv_pipeline.schemas.marts import CustomerPeriods, Customers, Orders, Periods
from clv_pipeline_tests.sql.engine import Marts, build_marts, random_lines

D = Decimal


def test_returns_reduce_the_order_they_name(marts: Marts) -> None:
    assert marts.rows(
        "SELECT order_id, order_ts, spend, profit, quantity, products, lines FROM built.orders "
        "WHERE period = '1997-02' ORDER BY order_id"
    ) == [
        ("part-1", datetime(1997, 2, 3, 12), D("40.00"), D("12.00"), D("3.000"), 2, 3),
        ("steady-2", datetime(1997, 2, 15, 12), D("10.00"), D("3.00"), D("1.000"), 1, 1),
        ("two-3", datetime(1997, 2, 10, 12), D("10.00"), D("3.00"), D("1.000"), 1, 1),
        ("unknown-1", datetime(1997, 2, 11, 12), D("25.00"), D("7.50"), D("2.000"), 1, 1),
    ]


@pytest.mark.parametrize(
    ("order_id", "expected"),
    [
        ("cost-1", (D("40.05"), D("10.02"), 2, 2)),
        ("repeated-1", (D(25), D("7.50"), 1, 3)),
        ("gift-1", (D(0), D(0), 1, 1)),
        ("loss-1", (D(20), D(-30), 1, 1)),
        ("nobody-1", (D("9.99"), D(3), 1, 1)),
    ],
)
def test_orders_of_note(marts: Marts, order_id: str, expected: tuple[Decimal, Decimal, int, int]) -> None:
    query = f"SELECT spend, profit, products, lines FROM built.orders WHERE order_id = '{order_id}'"
    assert marts.rows(query) == [expected]


def test_customer_periods(marts: Marts) -> None:
    at = [datetime(1997, 1, 10, 9), datetime(1997, 1, 10, 15), datetime(1997, 2, 11, 12), datetime(1997, 2, 3, 12)]
    assert marts.rows(
        "SELECT period, customer_id, orders, spend, profit, quantity, order_days, first_order, last_order, "
        "first_day_spend, returned FROM built.customer_periods WHERE customer_id IN "
        "('two_a_day', 'part_return', 'unknown_return', 'full_return', 'late_return', 'only_returns') "
        "AND period BETWEEN '1997-01' AND '1997-04' ORDER BY period, customer_id"
    ) == [
        ("1997-01", "two_a_day", 2, D(30), D(9), D(3), 1, at[0], at[1], D(30), D(0)),
        ("1997-02", "full_return", 0, D(0), D(0), D(0), 0, None, None, None, D(0)),
        ("1997-02", "part_return", 1, D(40), D(12), D(3), 1, at[3], at[3], D(40), D(0)),
        (
            "1997-02",
            "two_a_day",
            1,
            D(10),
            D(3),
            D(1),
            1,
            datetime(1997, 2, 10, 12),
            datetime(1997, 2, 10, 12),
            D(10),
            D(0),
        ),
        ("1997-02", "unknown_return", 1, D(20), D(6), D(1), 1, at[2], at[2], D(25), D(-5)),
        (
            "1997-03",
            "full_return",
            1,
            D(15),
            D("4.50"),
            D(1),
            1,
            datetime(1997, 3, 4, 12),
            datetime(1997, 3, 4, 12),
            D(15),
            D(0),
        ),
        (
            "1997-03",
            "late_return",
            1,
            D(50),
            D(15),
            D(1),
            1,
            datetime(1997, 3, 7, 12),
            datetime(1997, 3, 7, 12),
            D(50),
            D(0),
        ),
        ("1997-03", "only_returns", 0, D(-8), D("-2.40"), D(-1), 0, None, None, None, D(-8)),
        ("1997-04", "late_return", 0, D(-20), D(-6), D(-1), 0, None, None, None, D(-20)),
    ]


def test_periods(marts: Marts) -> None:
    assert marts.rows(
        "SELECT period, lines, orders, customers, spend, profit, quantity, lines_without_customer, "
        "spend_without_customer, returned FROM built.periods ORDER BY period"
    ) == [
        ("1997-01", 10, 9, 7, D("240.04"), D("34.02"), D(11), 1, D("9.99"), D(0)),
        ("1997-02", 9, 4, 4, D(80), D(24), D(6), 0, D(0), D(-5)),
        ("1997-03", 7, 4, 4, D(92), D("27.60"), D(5), 0, D(0), D(-8)),
        ("1997-04", 5, 3, 3, D(46), D("10.80"), D(1), 1, D(-4), D(-24)),
        ("1997-05", 0, 0, 0, D(0), D(0), D(0), 0, D(0), D(0)),
        ("1997-06", 5, 5, 5, D(120), D(13), D(5), 0, D(0), D(0)),
    ]


def test_quarters_and_years_are_sums_of_months(marts: Marts) -> None:
    now = marts.as_of("1997-06", date(1997, 6, 30))
    who = pl.col("customer_id").is_in(["unknown_return", "full_return"])
    columns = ["customer_id", "orders", "spend", "profit", "order_days", "first_day_spend", "returned"]
    quarters = now.run("2_marts/customer_quarters").filter(who).sort("customer_id", "quarter")
    assert quarters.select("quarter", *columns).rows() == [
        ("1997Q1", "full_return", 1, D(15), D("4.50"), 1, D(15), D(0)),
        ("1997Q1", "unknown_return", 1, D(20), D(6), 1, D(25), D(-5)),
        ("1997Q2", "unknown_return", 1, D(10), D(3), 1, D(10), D(0)),
    ]
    years = now.run("2_marts/customer_years").filter(who).sort("customer_id")
    assert years.select("year", *columns, "first_order", "last_order").rows() == [
        (
            "1997",
            "full_return",
            1,
            D(15),
            D("4.50"),
            1,
            D(15),
            D(0),
            datetime(1997, 3, 4, 12),
            datetime(1997, 3, 4, 12),
        ),
        (
            "1997",
            "unknown_return",
            2,
            D(30),
            D(9),
            2,
            D(25),
            D(-5),
            datetime(1997, 2, 11, 12),
            datetime(1997, 6, 11, 12),
        ),
    ]


@pytest.mark.parametrize(
    ("cohort_months", "gift", "full_return"),
    [
        (1, ("1997-02", "1997-02"), ("1997-03", "1997-03")),
        (3, ("1997Q1", "1997-01"), ("1997Q1", "1997-01")),
        (12, ("1997", "1997-01"), ("1997", "1997-01")),
    ],
)
def test_customers_have_a_cohort(
    marts: Marts, cohort_months: int, gift: tuple[str, str], full_return: tuple[str, str]
) -> None:
    customers = marts.as_of("1997-06", date(1997, 6, 30), cohort_months=cohort_months).run("2_marts/customers")
    Customers.validate(customers, lazy=True)
    of = {row["customer_id"]: row for row in customers.to_dicts()}
    assert len(of) == 13
    assert not {"only_returns", "never_ordered"} & of.keys()
    assert (of["gift"]["cohort"], of["gift"]["cohort_start"]) == gift
    assert (of["full_return"]["cohort"], of["full_return"]["cohort_start"]) == full_return
    assert (of["known_before"]["cohort"], of["known_before"]["cohort_start"]) == ("before 1997-01", None)


def test_acquisition_is_the_file_date_unless_an_order_came_first(marts: Marts) -> None:
    customers = marts.as_of("1997-06", date(1997, 6, 30)).run("2_marts/customers")
    of = {row["customer_id"]: row["acquisition_ts"] for row in customers.to_dicts()}
    assert of["gift"] == datetime(1997, 2, 1)
    assert of["known_before"] == datetime(1996, 11, 15)
    assert of["once"] == datetime(1997, 1, 5, 10)
    assert of["gap"] == datetime(1997, 1, 20, 12)


def test_customers_know_nothing_after_the_as_of(marts: Marts) -> None:
    customers = marts.as_of("1997-02", date(1997, 2, 28)).run("2_marts/customers")
    assert len(customers) == 9
    assert customers["last_order"].max() == datetime(1997, 2, 15, 12)


def test_the_contracts_accept_the_scenario_and_name_what_is_wrong(marts: Marts) -> None:
    orders = marts.select("SELECT * FROM built.orders")
    Orders.validate(orders, lazy=True)
    Periods.validate(marts.select("SELECT * FROM built.periods"), lazy=True)
    customer_periods = marts.select("SELECT * FROM built.customer_periods")
    CustomerPeriods.validate(customer_periods, lazy=True)
    with pytest.raises(SchemaErrors, match="order_ts lies outside the period"):
        Orders.validate(orders.with_columns(period=pl.lit("1997-01")), lazy=True)
    with pytest.raises(SchemaErrors, match="without an order, spend must be what was returned"):
        CustomerPeriods.validate(customer_periods.with_columns(returned=pl.lit(1, pl.Decimal(18, 2))), lazy=True)


@settings(max_examples=25)
@given(lines=random_lines())
def test_totals_reconcile_between_levels(lines: pl.DataFrame) -> None:
    with build_marts(lines) as marts:
        _assert_reconciled(marts)


def _assert_reconciled(marts: Marts) -> None:
    Orders.validate(marts.select("SELECT * FROM built.orders"), lazy=True)
    CustomerPeriods.validate(marts.select("SELECT * FROM built.customer_periods"), lazy=True)
    Periods.validate(marts.select("SELECT * FROM built.periods"), lazy=True)
    assert not marts.rows(
        """
        WITH of_lines AS (
            SELECT period, sum(line_total) FILTER (customer_id IS NOT NULL) AS spend,
                sum(quantity) FILTER (customer_id IS NOT NULL) AS quantity, sum(line_total) AS all_spend,
                sum(coalesce(line_total - line_cost, round(line_total * 0.30, 2)))
                    FILTER (customer_id IS NOT NULL) AS profit
            FROM built.lines GROUP BY period
        ),
        of_customers AS (
            SELECT period, sum(spend) AS spend, sum(profit) AS profit, sum(quantity) AS quantity,
                sum(returned) AS returned, sum(orders) AS orders
            FROM built.customer_periods GROUP BY period
        ),
        of_orders AS (
            SELECT period, sum(spend) FILTER (customer_id IS NOT NULL) AS spend, sum(spend) AS all_spend,
                count(customer_id) AS orders
            FROM built.orders GROUP BY period
        )
        SELECT period FROM of_lines
        FULL JOIN of_customers USING (period) FULL JOIN of_orders USING (period) JOIN built.periods AS p USING (period)
        WHERE coalesce(of_lines.spend, 0) <> coalesce(of_customers.spend, 0)
            OR coalesce(of_lines.profit, 0) <> coalesce(of_customers.profit, 0)
            OR coalesce(of_lines.quantity, 0) <> coalesce(of_customers.quantity, 0)
            OR coalesce(of_orders.orders, 0) <> coalesce(of_customers.orders, 0)
            OR coalesce(of_orders.spend, 0) + coalesce(of_customers.returned, 0) <> coalesce(of_customers.spend, 0)
            OR p.spend <> coalesce(of_orders.all_spend, 0) + p.returned
            OR p.spend <> coalesce(of_customers.spend, 0) + p.spend_without_customer
            OR p.spend <> of_lines.all_spend
        """
    )
