"""Lens 3, value to date, on three years of seven customers, worked by hand."""

from decimal import Decimal

import polars as pl
import pytest

from clv_pipeline.schemas.lenses import lens3_value
from clv_pipeline_tests.sql.engine import AsOf
from clv_pipeline_tests.sql.three_years import annual

D = Decimal


def test_value_deciles_and_who_of_them_was_active(three_years: AsOf) -> None:
    deciles = three_years.run("4_lenses/lens3_value_deciles")
    activity = three_years.run("4_lenses/lens3_value_decile_activity")
    lens3_value.Lens3ValueDeciles.validate(deciles, lazy=True)
    lens3_value.Lens3ValueDecileActivity.validate(activity, lazy=True)
    # Of 46.00: a 24.00 reach 52%, c 20.00 more 96%, b 4.00 more 104%, and d cost 2.00.
    columns = ("decile", "customers", "orders", "spend", "profit", "highest_profit", "lowest_profit", "threshold")
    assert annual(deciles, *columns, cohort="2020") == [
        (6, 1, 3, D(60), D(24), D(24), D(24), D(20)),
        (10, 3, 5, D(80), D(22), D(20), D(-2), None),
    ]
    ratios = ("share_customers", "share_orders", "share_spend", "share_profit", "aof", "aov", "margin")
    last = (0.75, 0.625, 0.571429, 0.478261, 1.666667, 16.0, 0.275)
    assert annual(deciles, *ratios, cohort="2020")[-1] == last
    assert annual(activity, "decile", "year", "active", "pct_active", cohort="2020") == [
        (6, 1, 1, 1.0),
        (6, 2, 1, 1.0),
        (6, 3, 1, 1.0),
        (10, 1, 3, 1.0),
        (10, 2, 1, 0.333333),
        (10, 3, 1, 0.333333),
    ]


def test_value_statistics_and_histogram(frames: dict[str, pl.DataFrame]) -> None:
    statistics, histogram = frames["lens3_value_statistics"], frames["lens3_value_histogram"]
    lens3_value.Lens3ValueStatistics.validate(statistics, lazy=True)
    lens3_value.Lens3ValueHistogram.validate(histogram, lazy=True)
    found = dict(annual(statistics, "statistic", "value", cohort="2020", measure="profit"))
    expected = {"customers": 4, "mean": 11.5, "min": -2, "p25": 2.5, "median": 12, "p95": 23.4, "max": 24}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["share_below_mean"] == 0.5
    orders = dict(annual(statistics, "statistic", "value", cohort="2020", measure="orders"))
    assert (orders["mean"], orders["median"]) == (2.0, 2.0)
    # The largest profit to date is 60.00, so 20 bins of 5.00 reach far enough, and 20 of 2.00 do not.
    filled = histogram.filter(pl.col("customers") > 0)
    assert annual(filled, "bin", "lower", "upper", "customers", cohort="2020", measure="profit") == [
        (0, None, 0.0, 1),
        (1, 0.0, 5.0, 1),
        (4, 15.0, 20.0, 1),
        (5, 20.0, 25.0, 1),
    ]


def test_rfm(frames: dict[str, pl.DataFrame]) -> None:
    rfm = frames["lens3_rfm"]
    lens3_value.Lens3Rfm.validate(rfm, lazy=True)
    # Profit per order above zero: 2, 3, 8, 10, 20, 30, cut at 3, 8, 10 and 20.
    columns = ("last_active", "frequency", "profit_band", "profit_per_order_over", "profit_per_order_to", "profit")
    assert sorted(annual(rfm, *columns, cohort="2020"), key=str) == [
        ("2020", 1, 4, 10.0, 20.0, D(20)),
        ("2021", 2, 0, None, 0.0, D(-2)),
        ("2022", 2, 1, 0.0, 3.0, D(4)),
        ("2022", 3, 2, 3.0, 8.0, D(24)),
    ]
    assert annual(rfm, "profit_band", "profit_per_order_to", cohort="2021") == [(3, 10.0), (5, None)]
