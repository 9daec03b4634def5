"""Lenses 3 to 5 on three years of seven customers, worked by hand."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from clv_pipeline.schemas.lenses import lens3, lens4, lens5
from clv_pipeline_tests.sql.engine import AsOf, build_orders
from clv_pipeline_tests.sql.three_years import ORDERS, annual

D = Decimal


def test_every_measure_of_the_grid(three_years: AsOf) -> None:
    grid = three_years.run("4_lenses/lens4_cohort_grid")
    lens4.Lens4CohortGrid.validate(grid, lazy=True)
    columns = ("cohort", "age", "calendar_period", "cohort_size", "active", "orders", "spend", "profit")
    assert annual(grid, *columns) == [
        ("2020", 0, "2020", 4, 4, 4, D(75), D(25)),
        ("2020", 1, "2021", 4, 2, 2, D(25), D(7)),
        ("2020", 2, "2022", 4, 2, 2, D(40), D(14)),
        ("2021", 0, "2021", 2, 2, 3, D(180), D(50)),
        ("2021", 1, "2022", 2, 1, 1, D(100), D(30)),
        ("2022", 0, "2022", 1, 1, 1, D(7), D(3)),
    ]
    measures = ("pct_active", "aof", "aov", "margin", "profit_per_active", "profit_index")
    cumulative = ("cumulative_spend_per_acquired", "cumulative_profit_per_acquired", "pct_second_order")
    assert annual(grid, *measures, *cumulative, cohort="2020") == [
        (1.0, 1.0, 18.75, 0.333333, 6.25, 1.0, 18.75, 6.25, 0.0),
        (0.5, 1.0, 12.5, 0.28, 3.5, 0.28, 25.0, 8.0, 0.5),
        (0.5, 1.0, 20.0, 0.35, 7.0, 0.56, 35.0, 11.5, 0.75),
    ]
    gap = grid.filter(pl.col("cohort") == "2020Q2", pl.col("calendar_period") == "2021Q1")
    assert gap.select("age", "active", "profit", "aof", "profit_index").row(0) == (3, 0, D(0), None, 0.0)


def test_second_orders_by_period_and_by_day(three_years: AsOf) -> None:
    seconds = three_years.run("4_lenses/lens3_second_purchase")
    lens3.Lens3SecondPurchase.validate(seconds, lazy=True)
    assert annual(seconds, "cohort", "age", "customers", "share_customers", unit="period") == [
        ("2020", 0, 0, 0.0),
        ("2020", 1, 2, 0.5),
        ("2020", 2, 3, 0.75),
        ("2021", 0, 1, 0.5),
        ("2021", 1, 2, 1.0),
        ("2022", 0, 0, 0.0),
    ]
    days = [row[0] for row in annual(seconds, "customers", cohort="2021", unit="day")]
    assert len(days) == 366
    assert (days[13], days[14], days[364], days[365]) == (0, 1, 1, 2)
    # g has been a customer for 332 days; c and d, of 2020Q4, all for more than a year.
    assert len(annual(seconds, "age", cohort="2022", unit="day")) == 333
    assert [
        row for row in annual(seconds, "age", "customers", "complete", cohort="2020", unit="day") if row[0] == 21
    ] == [(21, 1, True)]


def test_a_day_is_complete_once_every_customer_has_lived_it() -> None:
    early = build_orders(ORDERS, "2021-01", date(2021, 1, 10), data_start="2020-01")
    days = early.run("4_lenses/lens3_second_purchase").filter(pl.col("unit") == "day", pl.col("cohort") == "2020Q4")
    # c was acquired 41 days before the last day, d 26.
    assert days.select("age", "complete").rows() == [(age, age <= 26) for age in range(42)]


def test_first_and_repeat_sales_by_week(three_years: AsOf) -> None:
    weeks = three_years.run("4_lenses/lens3_weekly_sales")
    lens3.Lens3WeeklySales.validate(weeks, lazy=True)
    columns = ("week_start", "first_orders", "repeat_orders", "first_spend", "repeat_spend")
    assert annual(weeks, *columns, cohort="2021")[:4] == [
        (date(2021, 3, 1), 1, 0, D(40), D(0)),
        (date(2021, 3, 8), 0, 0, D(0), D(0)),
        (date(2021, 3, 15), 0, 1, D(0), D(40)),
        (date(2021, 3, 22), 0, 0, D(0), D(0)),
    ]
    assert weeks["week_start"].max() == date(2022, 12, 26)
    assert weeks.filter(grain="year").select(pl.col("first_orders", "repeat_orders").sum()).row(0) == (7, 6)


def test_time_between_orders(frames: dict[str, pl.DataFrame]) -> None:
    waits, bands = frames["lens3_interpurchase"], frames["lens3_interpurchase_bands"]
    lens3.Lens3Interpurchase.validate(waits, lazy=True)
    lens3.Lens3InterpurchaseBands.validate(bands, lazy=True)
    # In days: e 14, d 21, f 365, a 446 (and then 304), b 772.
    assert annual(waits, "cohort", "from_order", "orders", "intervals", "mean_weeks", "median_weeks") == [
        ("all", 1, 7, 5, round(323.6 / 7, 6), round(365 / 7, 6)),
        ("all", 2, 5, 1, round(304 / 7, 6), round(304 / 7, 6)),
        ("all", 3, 1, 0, None, None),
        ("2020", 1, 4, 3, 59.0, round(446 / 7, 6)),
        ("2020", 2, 3, 1, round(304 / 7, 6), round(304 / 7, 6)),
        ("2020", 3, 1, 0, None, None),
        ("2021", 1, 2, 2, round(379 / 14, 6), round(379 / 14, 6)),
        ("2021", 2, 2, 0, None, None),
        ("2022", 1, 1, 0, None, None),
    ]
    assert annual(waits, "share_followed", cohort="2020") == [(0.75,), (round(1 / 3, 6),), (0.0,)]
    filled = bands.filter(pl.col("intervals") > 0)
    columns = ("lower_weeks", "upper_weeks", "intervals", "share_intervals", "share_of_orders")
    # Of seven first orders, five were followed.
    assert annual(filled, *columns, cohort="all", from_order=1) == [
        (1.0, 2.0, 1, 0.2, round(1 / 7, 6)),
        (2.0, 4.0, 1, 0.2, round(2 / 7, 6)),
        (52.0, None, 3, 0.6, round(5 / 7, 6)),
    ]


def test_annual_repeat_buying_rates(three_years: AsOf) -> None:
    rates = three_years.run("4_lenses/lens3_repeat_buying")
    lens3.Lens3RepeatBuying.validate(rates, lazy=True)
    columns = ("cohort", "age", "calendar_period", "next_period", "active", "active_again", "repeat_buying_rate")
    assert annual(rates, *columns) == [
        ("all", None, "2020", "2021", 4, 2, 0.5),
        ("all", None, "2021", "2022", 4, 2, 0.5),
        ("2020", 0, "2020", "2021", 4, 2, 0.5),
        ("2020", 1, "2021", "2022", 2, 1, 0.5),
        ("2021", 0, "2021", "2022", 2, 1, 0.5),
    ]
    quarter = rates.filter(pl.col("cohort") == "2020Q4", pl.col("active") > 0)
    assert quarter.select("calendar_period", "active", "active_again").rows() == [
        ("2020Q4", 2, 1),
        ("2021Q1", 1, 0),
    ]


def test_activity_patterns(frames: dict[str, pl.DataFrame]) -> None:
    patterns = frames["lens3_activity_patterns"]
    lens3.Lens3ActivityPatterns.validate(patterns, lazy=True)
    columns = ("cohort", "pattern", "repeat_pattern", "seen_again", "customers", "share_customers")
    assert sorted(annual(patterns, *columns, alignment="age")) == [
        ("2020", "YNN", "NNN", False, 1, 0.25),
        ("2020", "YNY", "NNY", True, 1, 0.25),
        ("2020", "YYN", "NYN", True, 1, 0.25),
        ("2020", "YYY", "NYY", True, 1, 0.25),
        ("2021", "YN", "YN", True, 1, 0.5),  # e, who ordered again after 14 days
        ("2021", "YY", "NY", True, 1, 0.5),
        ("2022", "Y", "N", False, 1, 1.0),
    ]
    # d came back within twelve months, but in the next calendar year.
    autumn = patterns.filter(pl.col("cohort") == "2020Q4").sort("alignment", "pattern", "repeat_pattern")
    assert autumn.select("alignment", "pattern", "repeat_pattern", "customers", "complete").rows() == [
        ("age", "YNN", "NNN", 1, False),
        ("age", "YNN", "YNN", 1, False),
        ("calendar", "YNN", "NNN", 1, True),
        ("calendar", "YYN", "NYN", 1, True),
    ]


def test_a_cohort_against_those_before_it_by_age_and_by_calendar(three_years: AsOf) -> None:
    compared = three_years.run("4_lenses/lens4_comparison")
    lens4.Lens4Comparison.validate(compared, lazy=True)
    columns = ("age", "value", "earlier_value", "difference")
    assert annual(compared, *columns, cohort="2021", measure="pct_active", alignment="age") == [
        (0, 1.0, 1.0, 0.0),
        (1, 0.5, 0.5, 0.0),
    ]
    # The same share in its first year is twice that of the older cohort in the same calendar year.
    assert annual(compared, *columns, cohort="2021", measure="pct_active", alignment="calendar") == [
        (0, 1.0, 0.5, 0.5),
        (1, 0.5, 0.5, 0.0),
    ]
    assert annual(compared, *columns, cohort="2021", measure="profit_index", alignment="age") == [
        (0, 1.0, 1.0, 0.0),
        (1, 0.6, 0.28, 0.32),
    ]
    # Both older cohorts of 2022 together: 44.00 of six customers.
    assert annual(compared, *columns, cohort="2022", measure="profit_per_acquired", alignment="calendar") == [
        (0, 3.0, round(44 / 6, 6), round(3 - 44 / 6, 6)),
    ]


def test_newer_against_older_cohorts(frames: dict[str, pl.DataFrame]) -> None:
    trend = frames["lens4_trend"]
    lens4.Lens4Trend.validate(trend, lazy=True)
    columns = ("age", "older_last", "older_customers", "newer_first", "newer_customers", "older", "newer")
    assert annual(trend, *columns, measure="cumulative_profit_per_acquired") == [
        (0, "2020", 4, "2022", 1, 6.25, 3.0),
        (1, "2020", 4, "2021", 2, 8.0, 40.0),
    ]
    [row] = trend.filter(grain="year", age=1, measure="cumulative_profit_per_acquired").to_dicts()
    assert row["difference_lower"] < row["difference"] == 32.0 < row["difference_upper"]
    # Whoever is drawn, the newer made 20.00 or 60.00, and the older 24.00 at the most.
    assert row["difference_lower"] >= -4
    assert row["difference_upper"] <= 62


def test_the_whole_base_by_period_and_by_window(three_years: AsOf) -> None:
    periods, windows = three_years.run("4_lenses/lens5_periods"), three_years.run("4_lenses/lens5_windows")
    lens5.Lens5Periods.validate(periods, lazy=True)
    lens5.Lens5Windows.validate(windows, lazy=True)
    counts = ("acquired", "active", "orders", "spend", "profit", "active_newest", "profit_earlier", "active_again")
    expected = [
        (4, 4, 4, D(75), D(25), 4, D(0), 0),
        (2, 4, 5, D(205), D(57), 2, D(7), 2),
        (1, 4, 4, D(147), D(47), 1, D(44), 2),
    ]
    assert annual(periods, *counts) == expected
    # The window is a year that ends with the calendar year, so it shows the same, latest first.
    assert windows.select(counts).rows() == expected[::-1]
    ratios = ("carry_over", "repeat_buying_rate", "share_active_newest", "share_profit_newest")
    assert annual(periods, *ratios) == [
        (None, None, 1.0, 1.0),
        (0.28, 0.5, 0.5, round(50 / 57, 6)),
        (round(44 / 57, 6), 0.5, 0.25, round(3 / 47, 6)),
    ]
    assert windows.select(ratios).row(0) == pytest.approx((44 / 57, 0.5, 0.25, 3 / 47))
    assert windows["window_start"].to_list() == ["2022-01", "2021-01", "2020-01"]


def test_shares_of_the_cohorts(three_years: AsOf) -> None:
    shares = three_years.run("4_lenses/lens5_shares", kind="acquisition")
    lens5.Lens5CohortShares.validate(shares, lazy=True)
    columns = ("cohort", "share_active", "share_orders", "share_spend", "share_profit", "profit_per_active")
    assert annual(shares, *columns, calendar_period="2021") == [
        ("2020", 0.5, 0.4, round(25 / 205, 6), round(7 / 57, 6), 3.5),
        ("2021", 0.5, 0.6, round(180 / 205, 6), round(50 / 57, 6), 25.0),
    ]
