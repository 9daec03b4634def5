"""Lens 1 worked by hand on the scenario: the seven customers active in April to June 1997.

spend 0 10 10 20 40 50 60, profit 0 3 -20 6 12 15 15; two orders of 20 together, one order each of the others
"""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from clv_pipeline_tests.sql.engine import Marts

D = Decimal
LAST_DAY = date(1997, 6, 30)


@pytest.fixture(scope="module")
def lenses(marts: Marts) -> dict[str, pl.DataFrame]:
    return marts.as_of("1997-06", LAST_DAY).take_lenses()


def test_statistics(lenses: dict[str, pl.DataFrame]) -> None:
    rows = lenses["lens1_statistics"].rows()
    value = {(measure, statistic): figure for _, measure, statistic, figure in rows}
    spend = [value["spend", name] for name in ("customers", "min", "max", "median", "zero_spend")]
    assert spend == [7, 0, 60, 20, 1]
    # Rank 0.05 x 6 = 0.3 lies between 0 and 10, rank 0.95 x 6 = 5.7 between 50 and 60.
    assert [value["spend", name] for name in ("p05", "p25", "p50", "p95")] == pytest.approx([3, 10, 20, 57])
    assert [value["spend", name] for name in ("mean", "share_below_mean")] == pytest.approx([190 / 7, 4 / 7])
    assert [value["profit", name] for name in ("min", "mean", "lost_money", "share_lost_money")] == pytest.approx(
        [-20, 31 / 7, 1, 1 / 7]
    )
    assert [value["orders", name] for name in ("max", "bought_once", "share_bought_once")] == pytest.approx(
        [2, 6, 6 / 7]
    )
    # The mean of each customer's own, which is not AOV (23.75).
    assert value["spend_per_order", "mean"] == pytest.approx(180 / 7)
    # sum(dx dy) = 6/7 (10 - 180/7) - 1/7 (180/7 - 10); sum(dx^2) = 6/7; sum(dy^2) = 8000 - 180^2/7
    assert value["spend_per_order", "correlation_with_orders"] == pytest.approx(
        -(180 / 7 - 10) / (6 / 7 * (8000 - 180**2 / 7)) ** 0.5
    )
    # The gift has no margin.
    assert [value["margin", name] for name in ("customers", "min", "median", "max")] == [6, -2, 0.3, 0.3]


def test_histograms(lenses: dict[str, pl.DataFrame]) -> None:
    bins = (
        lenses["lens1_histograms"]
        .filter(pl.col("customers") > 0)
        .select("measure", "bin", "lower", "upper", "customers")
    )
    found = {name: [row[1:] for row in bins.rows() if row[0] == name] for name in bins["measure"].unique()}
    # The 95th percentile is 57, a twentieth of it 2.85: a width of 5.
    assert found["spend"] == [
        (1, 0, 5, 1),
        (2, 5, 10, 2),
        (4, 15, 20, 1),
        (8, 35, 40, 1),
        (10, 45, 50, 1),
        (12, 55, 60, 1),
    ]
    assert found["profit"] == [
        (0, None, 0, 1),
        (1, 0, 1, 1),
        (3, 2, 3, 1),
        (6, 5, 6, 1),
        (12, 11, 12, 1),
        (15, 14, 15, 2),
    ]
    assert found["orders"] == [(1, 0, 1, 6), (2, 1, 2, 1)]
    assert found["margin"] == [(0, None, 0, 1), (13, 0.24, 0.26, 1), (15, 0.28, 0.3, 4)]
    last = lenses["lens1_histograms"].filter(pl.col("measure") == "spend").row(-1)
    assert last == ("1997-06", "spend", 13, 60, None, 0, 0)


def test_spend_by_orders(lenses: dict[str, pl.DataFrame]) -> None:
    by_orders = lenses["lens1_spend_by_orders"]
    assert by_orders["number_of_orders"].to_list() == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10+"]
    columns = ("number_of_orders", "customers", "orders", "spend", "profit")
    assert by_orders.filter(pl.col("customers") > 0).select(columns).rows() == [
        ("1", 6, 6, D(170), D(25)),
        ("2", 1, 2, D(20), D(6)),
    ]
    once, twice, *_, often = by_orders.select("share_customers", "aov", pl.col("^.*_spend_per_order$")).rows()
    # mean, sd, min, p05, median, p95, max of 0 10 10 40 50 60; rank 0.05 x 5 lies between 0 and 10
    squares = 7900 - 170**2 / 6
    assert once == pytest.approx((6 / 7, 170 / 6, 170 / 6, (squares / 5) ** 0.5, 0, 2.5, 25, 57.5, 60))
    assert twice == pytest.approx((1 / 7, 10, 10, None, 10, 10, 10, 10, 10))
    assert often == (0, *[None] * 8)


def test_value_deciles_end_where_the_profit_passes_a_tenth(marts: Marts) -> None:
    # Of 85.02: 30 reach 35%, 15 more 53%, two of 12 together 81%, 10.02 more 93%; then 9, 7.50, ... and a loss of 30.
    deciles = marts.as_of("1997-03", date(1997, 3, 31)).take_lenses()["lens1_value_deciles"]
    columns = ("decile", "customers", "orders", "spend", "profit", "highest_profit", "lowest_profit", "threshold")
    assert deciles.select(columns).rows() == [
        (4, 1, 1, D(100), D(30), D(30), D(30), D(15)),
        (6, 1, 1, D(50), D(15), D(15), D(15), D(12)),
        (9, 2, 4, D(80), D(24), D(12), D(12), D("10.02")),
        (10, 8, 10, D("180.05"), D("16.02"), D("10.02"), D(-30), None),
    ]
    ratios = ("share_customers", "share_orders", "share_spend", "share_profit", "profit_per_customer", "aof", "aov")
    assert deciles.select(ratios).row(2) == pytest.approx((2 / 12, 4 / 16, 80 / 410.05, 24 / 85.02, 12, 2, 20))


def test_customers_of_equal_profit_share_a_value_decile(lenses: dict[str, pl.DataFrame]) -> None:
    # Of 31.00 the first of two with 15.00 passes half, so that 15.00 is every threshold, and nobody earned more.
    assert lenses["lens1_value_deciles"].select("decile", "customers", "profit").rows() == [(10, 7, D(31))]


def test_thresholds_of_customer_deciles(lenses: dict[str, pl.DataFrame]) -> None:
    deciles = lenses["lens1_customer_deciles"].select("decile", "highest_profit", "lowest_profit", "threshold")
    assert deciles.rows() == [
        (1, D(15), D(15), D(15)),
        (2, D(15), D(15), D(12)),
        (3, D(12), D(12), D(6)),
        (5, D(6), D(6), D(3)),
        (6, D(3), D(3), D(0)),
        (8, D(0), D(0), D(-20)),
        (9, D(-20), D(-20), None),
    ]


def test_concentration(lenses: dict[str, pl.DataFrame]) -> None:
    cuts = lenses["lens1_concentration"].select("measure", "cut", "customers", "value")
    assert cuts.rows() == [
        ("profit", "top 1%", 1, D(15)),
        ("profit", "top 5%", 1, D(15)),
        ("profit", "top 10%", 1, D(15)),
        ("profit", "top 20%", 2, D(30)),
        ("profit", "top 50%", 4, D(48)),
        ("profit", "half of the total", 2, D(30)),
        ("spend", "top 1%", 1, D(60)),
        ("spend", "top 5%", 1, D(60)),
        ("spend", "top 10%", 1, D(60)),
        ("spend", "top 20%", 2, D(110)),
        ("spend", "top 50%", 4, D(170)),
        ("spend", "half of the total", 2, D(110)),
    ]
    half = lenses["lens1_concentration"].select("share_customers", "share_value").row(5)
    assert half == pytest.approx((2 / 7, 30 / 31))


def test_recency_by_frequency(lenses: dict[str, pl.DataFrame]) -> None:
    cells = lenses["lens1_rfm"]
    assert cells.height == 3 * 10
    columns = ("last_active_from", "last_active_to", "number_of_orders", "customers", "orders", "spend", "profit")
    assert cells.filter(pl.col("customers") > 0).select(columns).rows() == [
        ("1997-04", "1997-04", "1", 2, 2, D(60), D(15)),
        ("1997-06", "1997-06", "1", 4, 4, D(110), D(10)),
        ("1997-06", "1997-06", "2", 1, 2, D(20), D(6)),
    ]


def test_recency_of_a_year_is_by_quarters_of_it(marts: Marts) -> None:
    cells = marts.as_of("1997-05", date(1997, 5, 31), window_months=12).take_lenses()["lens1_rfm"]
    parts = cells.select("last_active_from", "last_active_to").unique(maintain_order=True)
    assert parts.rows() == [
        ("1996-06", "1996-08"),
        ("1996-09", "1996-11"),
        ("1996-12", "1997-02"),
        ("1997-03", "1997-05"),
    ]
    # Once, in January: once, gap, loss_maker, known_before; in February: part_return, unknown_return.
    winter = cells.filter(last_active_from="1996-12", number_of_orders="1")
    assert winter.select("customers", "spend").row(0) == (6, D(10 + 20 + 20 + 100 + 40 + 20))


def test_monetary_bands(lenses: dict[str, pl.DataFrame]) -> None:
    bands = lenses["lens1_rfm_monetary"].filter(pl.col("customers") > 0)
    assert bands.select("band", "lower", "upper", "customers", "orders", "spend", "profit").rows() == [
        (0, None, 0, 1, 1, D(10), D(-20)),
        (1, 0, 1, 1, 1, D(0), D(0)),
        (3, 2, 3, 2, 3, D(30), D(9)),
        (12, 11, 12, 1, 1, D(40), D(12)),
        (15, 14, 15, 2, 2, D(110), D(30)),
    ]


def test_a_window_without_profit_has_no_value_deciles_and_no_half(marts: Marts) -> None:
    now = marts.as_of("1997-04", date(1997, 4, 30), window_months=1)
    now.con.execute("UPDATE built.customer_periods SET profit = -profit WHERE period = '1997-04'")
    try:
        lenses = now.take_lenses()
    finally:
        now.con.execute("UPDATE built.customer_periods SET profit = -profit WHERE period = '1997-04'")
    assert lenses["lens1_value_deciles"].is_empty()
    half = lenses["lens1_concentration"].filter(measure="profit", cut="half of the total")
    assert half.select("customers", "value", "share_value").row(0) == (None, None, None)


def test_an_empty_window_has_tables_that_say_so(marts: Marts) -> None:
    lenses = marts.as_of("1997-05", date(1997, 5, 31), window_months=1).take_lenses()
    assert lenses["lens1_statistics"].filter(statistic="customers")["value"].to_list() == [0] * 5
    assert lenses["lens1_statistics"].filter(statistic="median")["value"].to_list() == [None] * 5
    assert lenses["lens1_spend_by_orders"]["customers"].to_list() == [0] * 10
    empty = {name for name, table in lenses.items() if name.startswith(("lens1", "lens2")) and table.is_empty()}
    assert empty == {
        "lens1_customer_deciles",
        "lens1_value_deciles",
        "lens1_concentration",
        "lens1_rfm_monetary",
        "lens2_common_deciles",
        "lens2_migration",
        "lens2_up_down",
    }
