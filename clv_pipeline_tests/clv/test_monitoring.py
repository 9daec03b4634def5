"""Series against their past, days, prices, hours and new values, and the one cause that explains them."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.drift.checks import Check, Topic
from clv_pipeline.clv.drift.control import Series, find_onset, watch
from clv_pipeline.clv.drift.days import find_empty_runs
from clv_pipeline.clv.drift.diagnosis import diagnose
from clv_pipeline.clv.drift.examination import Examined, examine
from clv_pipeline.clv.drift.hours import watch_hours
from clv_pipeline.clv.drift.levels import Limits, Thresholds
from clv_pipeline.clv.drift.newcomers import NewValue, find_new_values
from clv_pipeline.clv.drift.observations import Observations, name_month
from clv_pipeline.clv.drift.performance import check_forecasts, track_forecasts
from clv_pipeline.clv.drift.prices import compare_prices
from clv_pipeline.clv.drift.rates import Rates

LIMITS = Limits(0.05, 0.1)
THRESHOLDS = Thresholds(Limits(0.1, 0.25), LIMITS, Limits(0.02, 0.05), 3)
MONTHS = tuple(name_month(12 * 2020 + at) for at in range(30))
SEASON = np.tile(np.log([0.8, 0.8, 1, 1, 1, 1, 0.9, 0.9, 1, 1, 1.2, 1.5]), 3)[:30]
GROWTH = np.linspace(0, 0.6, 30)


def make_series(values: np.ndarray, error: float = 0.01, **changes: object) -> Series:
    sizes = np.full(len(values), 1 / error**2)
    series = Series(Topic("data", "x", "x"), values, np.full(len(values), error), sizes, LIMITS, is_seasonal=True)
    return replace(series, **changes)  # pyright: ignore[reportArgumentType]


def read_levels(series: Series) -> list[str | None]:
    return [reading.level if reading else None for reading in watch(series)]


def test_growth_and_season_are_expected_and_a_bad_month_disturbs_no_other() -> None:
    levels = read_levels(make_series(SEASON + GROWTH))
    assert levels == [None] * 15 + ["ok"] * 15
    once = SEASON + GROWTH
    once[16] -= 0.3
    assert read_levels(make_series(once)) == [*levels[:16], "alert", *levels[17:]]


def test_a_change_that_stays_is_the_new_level_after_two_months_and_in_the_next_year() -> None:
    stays = SEASON + GROWTH - 0.2 * (np.arange(30) >= 16)
    readings = watch(make_series(stays))
    assert [reading.level for reading in readings[15:] if reading] == ["ok", "alert", "alert", *["ok"] * 12]
    assert find_onset(readings, 17) == 16
    assert readings[16]
    assert readings[16].change == pytest.approx(np.exp(-0.2) - 1)


def test_few_customers_need_a_larger_change() -> None:
    once = SEASON + GROWTH
    once[20] -= 0.2
    assert read_levels(make_series(once, error=0.01))[20] == "alert"
    assert read_levels(make_series(once, error=0.1))[20] == "ok"


def test_months_without_lines_leave_a_share_and_its_limits_known() -> None:
    share, error = np.full(12, 0.2), np.full(12, 0.01)
    share[5:8] = error[5:8] = np.nan
    readings = watch(make_series(share, errors=error, is_share=True, is_seasonal=False))
    assert [reading is None for reading in readings] == [*[True] * 3, False, False, *[True] * 3, *[False] * 4]
    assert all(reading.level == "ok" and np.isfinite(reading.chance) for reading in readings if reading)


def make_days(until: date, closed: set[date]) -> pl.DataFrame:
    """Twenty lines a day but on Sundays, for two years."""
    days = [until - timedelta(days=back) for back in range(730)]
    open_days = [day for day in days if day.weekday() != 6 and day not in closed]
    return pl.DataFrame({"day": open_days, "lines": [20] * len(open_days)}).sort("day")


def test_a_lost_week_is_found_and_holidays_are_a_habit() -> None:
    until = date(2023, 6, 30)
    week = {date(2023, 6, 5) + timedelta(days=day) for day in range(7)}
    [run] = find_empty_runs(make_days(until, week), until, 3)
    # Monday to Saturday: on Sundays nothing was to be expected.
    assert (run.first, run.last, len(run.days), run.lost) == (date(2023, 6, 5), date(2023, 6, 10), 6, 120.0)
    holidays = week | {date(2022, 6, 5) + timedelta(days=day) for day in range(7)}
    assert [run.first.year for run in find_empty_runs(make_days(until, holidays), until, 3)] == [2022]
    two_days = find_empty_runs(make_days(until, {date(2023, 6, 6), date(2023, 6, 7)}), until, 3)
    assert two_days == []


def test_prices_are_those_of_the_same_products() -> None:
    """a rises by 10%, b stays; both have half of the spend in each month; c is new and dear."""
    columns = [pl.lit(10).alias("lines"), pl.lit(0.0).alias("price_squared")]
    no_cost = pl.lit(None, pl.Float64).alias("unit_cost")
    then = pl.DataFrame({"product_id": ["a", "b"], "spend": [50.0, 50.0], "price": [1.0, 2.0]})
    now = pl.DataFrame({"product_id": ["a", "b", "c"], "spend": [50.0, 50.0, 900.0], "price": [1.1, 2.0, 99.0]})
    move = compare_prices(*(side.with_columns(*columns, no_cost) for side in (now, then)))
    assert move
    assert move.change == pytest.approx(np.log(1.1) / 2)
    assert move.products == 2


def test_a_shifted_clock_is_told_from_other_hours() -> None:
    usual = 3000 * np.exp(-(((np.arange(24) - 13) / 3.0) ** 2))
    evening = 3000 * np.exp(-(((np.arange(24) - 20) / 1.0) ** 2))
    *_, shifted = watch_hours([usual] * 4 + [np.roll(usual, -5)], THRESHOLDS.psi)
    *_, other = watch_hours([usual] * 4 + [usual + evening], THRESHOLDS.psi)
    assert shifted
    assert other
    assert (shifted.shift, shifted.is_shifted) == (-5, True)
    assert (other.level, other.is_shifted) == ("alert", False)


def test_a_new_value_is_judged_by_others_of_the_same_months() -> None:
    categories = pl.DataFrame(
        [("channel", month, "web", 900) for month in MONTHS] + [("channel", MONTHS[-1], "partner", 100)],
        schema=["attribute", "period", "value", "lines"],
        orient="row",
    )
    newcomers = pl.DataFrame(
        [("channel", "web", MONTHS[-1], 400, 4000.0, 50_000.0), ("channel", "partner", MONTHS[-1], 100, 500.0, 3000.0)],
        schema=["attribute", "value", "cohort_month", "customers", "spend", "spend_squared"],
        orient="row",
    )
    [new] = find_new_values(categories, newcomers, MONTHS[-1], THRESHOLDS.share, LIMITS)
    assert (new.share_lines, new.share_new, new.worth, new.is_worse) == (0.1, 0.2, 0.5, True)
    assert find_new_values(categories, newcomers, MONTHS[1], THRESHOLDS.share, LIMITS) == []


def judge_newcomers(mean: float, customers: int) -> NewValue:
    """A new value whose customers spend `mean` each, give or take 10, beside as many others who spend 20."""
    rows = [
        ("channel", value, MONTHS[-1], customers, customers * spend, customers * (spend**2 + 100.0))
        for value, spend in (("web", 20.0), ("partner", mean))
    ]
    newcomers = pl.DataFrame(
        rows, schema=["attribute", "value", "cohort_month", "customers", "spend", "spend_squared"], orient="row"
    )
    known = [("channel", month, "web", 900) for month in MONTHS] + [("channel", MONTHS[-1], "partner", 100)]
    categories = pl.DataFrame(known, schema=["attribute", "period", "value", "lines"], orient="row")
    [new] = find_new_values(categories, newcomers, MONTHS[-1], THRESHOLDS.share, LIMITS)
    return new


def test_customers_of_a_new_value_are_worse_beyond_the_limit_and_chance() -> None:
    """The means of n customers differ by 10 * sqrt(2 / n) by chance, 4.5% of 20 with n = 250; the limit is 10%."""
    assert [judge_newcomers(mean, 250).is_worse for mean in (17.0, 17.6, 18.2, 23.0)] == [True, True, False, False]
    assert [judge_newcomers(17.0, customers).is_worse for customers in (40, 150)] == [False, True]


def make_cells(rate: float = 0.3, months: tuple[str, ...] = MONTHS) -> pl.DataFrame:
    """A thousand customers a month for a year, nobody after it, of whom a share is active in every later month."""
    rows = [
        (cohort, period, 1000 if age == 0 else int(1000 * rate * 0.95**age), 100, age)
        for start, cohort in enumerate(months[:12])
        for age, period in enumerate(months[start:])
    ]
    cells = pl.DataFrame(rows, schema=["cohort_month", "period", "active", "again", "age"], orient="row")
    active = pl.col("active")
    return cells.with_columns(orders=active, order_days=active, spend=active * 40.0, profit=active * 12.0).drop("age")


def observe(**changes: pl.DataFrame) -> Observations:
    """Thirty months in which nothing happens."""
    lines = pl.DataFrame({"period": MONTHS, "lines": [3000] * 30})
    nothing = [
        pl.lit(0, pl.Int64).alias(name) for name in ("missing_customer_id", "missing_product_id", "missing_line_cost")
    ]
    prices = pl.DataFrame({"period": MONTHS}).join(pl.DataFrame({"product_id": ["a", "b", "c"]}), how="cross")
    frames = {
        "cells": make_cells(),
        "days": pl.DataFrame(schema={"day": pl.Date, "lines": pl.Int64}),
        "hours": pl.DataFrame(schema={"period": pl.String, "hour": pl.Int64, "lines": pl.Int64}),
        "gaps": lines.with_columns(nothing),
        "repeats": lines.tail(9).with_columns(pl.lit(0, pl.Int64).alias("repeated_lines")),
        "prices": prices.with_columns(
            lines=100, spend=1000.0, price=10.0, price_squared=100.0, unit_cost=pl.lit(None, pl.Float64)
        ),
        "categories": pl.DataFrame(schema=["attribute", "period", "value", "lines"]),
        "newcomers": pl.DataFrame(schema=["attribute", "value", "cohort_month"]),
        "rejected": pl.DataFrame(schema={"period": pl.String, "rejected_rows": pl.Int64}),
        "late": pl.DataFrame(schema={"period": pl.String, "delivered_rows": pl.Int64, "late_rows": pl.Int64}),
    }
    return Observations(months=MONTHS, until=date(2022, 6, 30), settled=MONTHS[0], **(frames | changes))


def name_causes(seen: Observations) -> list[tuple[str, str]]:
    examined: Examined = examine(seen, THRESHOLDS)
    return [(one.cause, one.since) for one in diagnose(examined, [])]


def test_a_base_that_only_ages_keeps_its_rate() -> None:
    """No newcomers for a year and a half: fewer buy every month, and as many as ever of their age."""
    seen = observe()
    found, expected = Rates(seen, np.full(30, 30.0)).compare("active", (1, 9999))
    assert found[-1] < found[12] / 2
    assert found[12:] / expected[12:] == pytest.approx(np.ones(18), abs=0.01)
    assert name_causes(seen) == []


def rise(prices: pl.DataFrame, factor: float) -> pl.DataFrame:
    last = pl.col("period") == MONTHS[-1]
    return prices.with_columns(price=pl.col("price") * pl.when(last).then(factor).otherwise(1.0))


def test_one_cause_is_named_for_all_that_it_moves() -> None:
    seen = observe()
    last = pl.col("period") == MONTHS[-1]
    dearer = pl.when(last).then(1.15).otherwise(1.0)
    spent = seen.cells.with_columns(pl.col("spend") * dearer)
    # Order value moves with prices, and alone it is told as what it is.
    assert name_causes(observe(cells=spent)) == [("margin", MONTHS[-1]), ("order_value", MONTHS[-1])]
    paid = spent.with_columns(pl.col("profit") * pl.when(last).then(1.3).otherwise(1.0))
    assert name_causes(observe(cells=paid, prices=rise(seen.prices, 1.15))) == [("price_change", MONTHS[-1])]
    assert name_causes(observe(prices=rise(seen.prices, 1.5))) == [("currency_change", MONTHS[-1])]
    more = pl.when(last).then(6000).otherwise(pl.col("lines")).alias("lines")
    twice = seen.repeats.with_columns(more, repeated_lines=pl.when(last).then(3000).otherwise(0))
    assert name_causes(observe(gaps=seen.gaps.with_columns(more), repeats=twice)) == [("repeated_lines", MONTHS[-1])]
    fewer = seen.cells.with_columns(
        pl.when(last & (pl.col("cohort_month") < pl.col("period")))
        .then(pl.col("active", "orders", "order_days", "spend", "profit") * 0.8)
        .otherwise(pl.col("active", "orders", "order_days", "spend", "profit"))
    )
    assert name_causes(observe(cells=fewer))[0] == ("purchase_rate", MONTHS[-1])


def test_a_forecast_is_held_against_what_happened_and_against_its_usual_miss() -> None:
    cells = pl.DataFrame(
        [("2020-01", month, 50, 500.0) for month in MONTHS],
        schema=["cohort_month", "period", "order_days", "spend"],
        orient="row",
    )
    constants = {"version": "v", "horizon_months": 1, "cohort_month": "2020-01", "customers": 90, "chance_sd": 2.0}
    forecasts = pl.DataFrame({"as_of": MONTHS[:-1]}).with_columns(
        *(pl.lit(value).alias(name) for name, value in constants.items()), purchases=40.0, parameter_sd=0.0, spend=400.0
    )
    tracked = track_forecasts(forecasts, cells, MONTHS[-1], 12)
    [row] = tracked.filter(target="purchases", cohort="2020", until=MONTHS[-1]).to_dicts()
    assert (row["expected"], row["actual"], row["residual"], row["ratio"]) == (40.0, 50.0, 5.0, 1.25)
    # It missed by as much in every month of the year before.
    [check] = check_forecasts(tracked, MONTHS[-1], LIMITS)
    assert (check.level, check.effect) == ("ok", pytest.approx(0.0))
    [first] = check_forecasts(tracked.filter(pl.col("until") >= MONTHS[-1]), MONTHS[-1], LIMITS)
    assert first.effect == pytest.approx(0.25)


def test_a_forecast_that_missed_says_what_happened_since_or_that_nothing_was_found() -> None:
    seen, cohort = observe(), pl.col("cohort_month")
    lost = pl.col("period").is_in(MONTHS[-2:]) & (cohort < pl.col("period"))
    counts = pl.col("active", "orders", "order_days", "spend", "profit")
    fewer = seen.cells.with_columns(pl.when(lost).then(counts * 0.8).otherwise(counts))
    miss = Check(
        topic=Topic("performance", "purchases_3_months", "forecasts over 3 months"),
        reference=MONTHS[-4],
        reference_kind="previous",
        test="forecast_error",
        statistic=0.25,
        limits=LIMITS,
        chance=0.05,
        effect=-0.25,
        sizes=(750.0, 1000.0),
        meaning="750 of 1,000 happened",
    )

    def explain(seen: Observations, check: Check) -> str:
        [off] = [one for one in diagnose(examine(seen, THRESHOLDS), [check]) if one.cause == "forecast_off"]
        return off.meaning.partition("; ")[2]

    likely = explain(observe(cells=fewer), miss)
    assert likely.startswith(
        f"the likely cause: Customers buy more or less often since {MONTHS[-2]} (customers buy less"
    )
    # Fewer purchases explain no forecast that was too low.
    nothing = "nothing that was found since it was made explains it"
    assert explain(observe(cells=fewer), replace(miss, effect=0.25)) == nothing
    assert explain(seen, miss) == nothing
