"""Percentiles, bins and intervals over customers, against numbers from elsewhere."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.lenses.trend import compare_newer
from clv_pipeline.clv.lenses.values import BINS, band_customers, choose_width, count_bins, describe_values
from clv_pipeline.clv.lenses.waits import describe_waits


def test_percentiles_are_those_of_a_spreadsheet() -> None:
    spend = np.random.default_rng(1).lognormal(3, 1, 101).round(2)
    values = pl.DataFrame({"cohort": ["x"] * 101, "orders": [1] * 101, "spend": spend, "profit": spend})
    found = describe_values(values, ["cohort"]).filter(measure="spend")
    statistics = dict(found.select("statistic", "value").rows())
    assert statistics["p35"] == pytest.approx(np.percentile(spend, 35, method="linear"))
    assert statistics["median"] == statistics["p50"] == pytest.approx(float(np.median(spend)))


def test_who_spent_nothing_has_no_margin() -> None:
    values = pl.DataFrame({"cohort": ["x", "x"], "orders": [1, 2], "spend": [0.0, 10.0], "profit": [0.0, 4.0]})
    found = describe_values(values, ["cohort"]).filter(statistic="customers")
    assert dict(found.select("measure", "value").rows())["margin"] == 1.0


def test_a_cohort_without_any_margin_has_no_row_of_it() -> None:
    values = pl.DataFrame({"cohort": ["x"], "orders": [1], "spend": [0.0], "profit": [0.0]})
    assert "margin" not in describe_values(values, ["cohort"])["measure"].to_list()


@pytest.mark.parametrize(
    ("largest", "whole", "width"),
    [(100.0, False, 5.0), (101.0, False, 10.0), (0.3, False, 0.02), (3.0, True, 1.0), (0.0, False, 1.0)],
)
def test_bins_have_round_widths(largest: float, whole: bool, width: float) -> None:
    assert choose_width(pl.Series([largest]), whole=whole) == pytest.approx(width)


def test_bins_hold_their_upper_end() -> None:
    profit = [-0.01, 0.0, 5.0, 5.01, 100.0, *[100.0] * 200, 100.01]
    values = pl.DataFrame({"cohort": "x", "orders": 1, "spend": profit, "profit": profit})
    found = count_bins(values, ["cohort"]).filter(measure="profit")
    counted = dict(found.filter(pl.col("customers") > 0).select("bin", "customers").rows())
    assert counted == {0: 1, 1: 2, 2: 1, BINS: 201, BINS + 1: 1}


def test_the_median_wait_is_that_of_the_single_waits() -> None:
    waits = pl.DataFrame({"cohort": ["x"] * 5, "days": [70, 7, 14, 7, None], "orders": [1, 2, 2, 1, 4]})
    [row] = describe_waits(waits, ["cohort"]).rows()
    assert row == ("x", 10, 6, 0.6, pytest.approx(17 / 6), 1.5)


def _cohort(label: str, rate: float, rng: np.random.Generator, customers: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A cohort of one age whose customers are active by chance, each with one order of 10.00 that earns 3.00."""
    bucket = np.arange(customers) % 256
    active = np.bincount(bucket, weights=rng.random(customers) < rate, minlength=256)
    key = {"grain": "year", "cohort": label, "bucket": np.arange(256)}
    sizes = pl.DataFrame({**key, "cohort_start": f"{label}-01", "last_age": 0, "customers": np.bincount(bucket)})
    sums = pl.DataFrame(
        {**key, "age": 0, "active": active, "orders": active, "spend": 10 * active, "profit": 3 * active}
    )
    return sizes, sums


@pytest.mark.parametrize("customers", [256, 25600])
def test_the_interval_has_the_width_of_theory(customers: int) -> None:
    rng = np.random.default_rng(7)
    sizes, sums = zip(*(_cohort(label, 0.4, rng, customers) for label in ("2020", "2021")), strict=True)
    [row] = compare_newer(pl.concat(sizes), pl.concat(sums)).filter(measure="pct_active").to_dicts()
    width = row["difference_upper"] - row["difference_lower"]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(2 * 0.4 * 0.6 / customers), rel=0.15)


def test_bands_are_those_given() -> None:
    values = pl.DataFrame(
        {"cohort": "2020", "orders": [1, 2, 3, 9], "spend": [9.0, 9.0, 9.0, 9.0], "profit": [5.0, 11.0, -1.0, 9.0]}
    )
    rfm = band_customers(values, ["cohort"], profit_edges=[5.0], order_starts=[1, 2, 4])
    assert rfm.select("frequency", "orders_to", "profit_band", "lower", "upper", "customers").rows() == [
        (1, 1, 1, 0.0, 5.0, 1),
        (2, 3, 0, None, 0.0, 1),
        (2, 3, 2, 5.0, None, 1),
        (4, None, 1, 0.0, 5.0, 1),
    ]


def test_a_real_difference_is_named_and_chance_is_not() -> None:
    rng = np.random.default_rng(3)
    older, newer = _cohort("2020", 0.4, rng, 5000), _cohort("2021", 0.3, rng, 5000)
    trend = compare_newer(pl.concat([older[0], newer[0]]), pl.concat([older[1], newer[1]]))
    directions = dict(trend.select("measure", "direction").rows())
    assert directions["pct_active"] == directions["profit_per_acquired"] == "lower"
    assert directions["aof"] == directions["aov"] == "no clear difference"


def test_a_ratio_that_nothing_divides_is_no_difference() -> None:
    """Losses without spend: the margin of both halves is no number, and neither is its difference."""
    key = {"grain": "year", "cohort": ["2020", "2021"], "bucket": 0}
    sizes = pl.DataFrame({**key, "cohort_start": ["2020-01", "2021-01"], "last_age": 0, "customers": 1})
    sums = pl.DataFrame({**key, "age": 0, "active": 1, "orders": 1, "spend": 0.0, "profit": -1.0})
    trend = compare_newer(sizes, sums)
    assert trend.filter(measure="margin").select("older", "newer", "difference").row(0) == (None, None, None)
