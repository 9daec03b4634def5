"""The level of spend: its trend in SQL against a regression, what is believed of it, and what it does to scores."""

from datetime import date
from math import exp

import duckdb
import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.backtest.spend_level import SpendTrend, find_spend_level, measure_trend
from clv_pipeline.clv.scores import Recalibration, score_customers
from clv_pipeline.sql import bind, load_sql
from clv_pipeline_tests.clv.test_projection import make_customers
from clv_pipeline_tests.clv.test_scores import make_parameters

MONTHS = [f"{date(2022 + number // 12, number % 12 + 1, 1):%Y-%m}" for number in range(36)]
YEAR = 365.25 / 7


def make_periods(trend: float, customers: int = 200, seed: int = 3) -> pl.DataFrame:
    """Customers who come in any month, buy in some later ones, and spend as each of them does, more by `trend` a year.

    Those who come later spend less from the start, first purchases are half as large again, and so is all that is
    bought in December: none of it is a trend.
    """
    random = np.random.default_rng(seed)
    rows: list[tuple[str, str, int, float, float, float | None]] = []
    for customer in range(customers):
        first, level = random.integers(0, 30), random.normal(3, 1)
        for month in range(first, 36):
            if month == first or random.random() < (0.8 if month % 12 == 11 else 0.4):
                days = int(random.integers(1, 4))
                mean = exp(level - 0.1 * first + trend * month / 12 + random.normal(0, 0.3))
                spent = np.full(days, mean * (1.5 if month % 12 == 11 else 1.0))
                spent[0] *= 1.5 if month == first else 1.0
                rows.append((f"c{customer}", MONTHS[month], days, spent.sum() - 2.0, -2.0, spent[0]))
    rows.append(("c0", MONTHS[35], 0, -50.0, -50.0, None))
    schema = ["customer_id", "period", "order_days", "spend", "returned", "first_day_spend"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def find_trend(periods: pl.DataFrame, as_of: str) -> SpendTrend | None:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA marts; CREATE SCHEMA landing")
        con.register("rows", periods.to_arrow())
        con.execute("CREATE TABLE marts.customer_periods AS SELECT * FROM rows")
        con.execute("CREATE TABLE landing.hidden_customers AS SELECT 'hidden' AS customer_id")
        return measure_trend(con.sql(bind(load_sql("5_models/spend_trend"), as_of=as_of)).pl())


def test_the_trend_is_the_mean_growth_of_single_customers_from_a_month_to_that_of_the_next_year() -> None:
    periods = make_periods(0.06)
    hidden = periods.head(20).with_columns(pl.lit("hidden").alias("customer_id"), pl.col("spend") * 9)
    found = find_trend(pl.concat([periods, hidden]), "2024-06")

    amounts: dict[str, dict[int, tuple[int, float]]] = {}
    for customer, month, days, spend, returned, first_day in periods.sort("period").iter_rows():
        number, own = MONTHS.index(month), amounts.setdefault(customer, {})
        if number > 29 or not days:
            continue
        repeats, bought = (days, spend - returned) if own else (days - 1, spend - returned - first_day)
        own[number] = (repeats, np.log(bought / repeats) if repeats else 0.0)
    pairs = [
        (min(own[month][0], own[month - 12][0]), own[month][1] - own[month - 12][1])
        for own in amounts.values()
        for month in own
        if own.get(month - 12, (0, 0))[0] and own[month][0]
    ]
    assert found is not None
    assert found.trend == pytest.approx(
        np.average([up for _, up in pairs], weights=[weight for weight, _ in pairs]), rel=1e-4
    )
    assert found.trend == pytest.approx(0.06, abs=found.doubt)
    # Each customer's repeat purchases are so old on average, and he counts by those of the last year.
    repeats = [[(29.5 - month, days) for month, (days, _) in own.items() if days] for own in amounts.values()]
    known = [own for own in repeats if own]
    ages = [np.average([age for age, _ in own], weights=[days for _, days in own]) for own in known]
    recent = [sum(days for age, days in own if age < 12) for own in known]
    assert found.mean_age == pytest.approx(np.average(ages, weights=recent) / 12)


def test_the_doubt_of_the_trend_is_two_standard_errors_of_it() -> None:
    found = [it for seed in range(60) if (it := find_trend(make_periods(0.03, 60, seed), "2024-12"))]
    off = np.sqrt(np.mean([(it.trend - 0.03) ** 2 for it in found]))
    assert np.mean([it.doubt for it in found]) == pytest.approx(2 * off, rel=0.25)


def test_few_customers_are_no_trend() -> None:
    assert find_trend(make_periods(0.1, 25), "2024-12") is None
    assert find_trend(make_periods(0.1).group_by("customer_id").first(), "2024-12") is None
    assert find_spend_level(None, 52.0) == 1.0


def test_a_sure_trend_is_believed_from_the_middle_of_the_past_to_that_of_the_horizon() -> None:
    assert find_spend_level(SpendTrend(0.05, 0.0, 1.5), YEAR) == pytest.approx(exp(0.05 * 2.0))
    assert find_spend_level(SpendTrend(-0.05, 0.0, 1.5), YEAR / 2) == pytest.approx(exp(-0.05 * 1.75))
    # 1 - (0.025 / 0.05)^2 = 3/4 of a trend of twice its doubt; none of what is all doubt.
    assert find_spend_level(SpendTrend(0.05, 0.025, 1.5), YEAR) == pytest.approx(exp(0.05 * 0.75 * 2.0))
    assert find_spend_level(SpendTrend(0.05, 0.05, 1.5), YEAR) == 1.0
    assert find_spend_level(SpendTrend(0.9, 0.0, 1.5), YEAR) == pytest.approx(exp(0.25 * 2.0))


@pytest.mark.parametrize("mean", [None, 40.0], ids=["gamma_gamma", "mean_spend"])
def test_a_level_is_the_same_customers_in_another_currency(mean: float | None) -> None:
    customers = make_customers(50)
    level, settings = 1.25, {"horizon_months": 12, "annual_discount_rate": 0.1, "margin": 0.3}
    raised = score_customers(
        customers, make_parameters("bg_nbd", mean=mean), recalibration=Recalibration(spend_level=level), **settings
    )
    money = pl.col("parameter").is_in(["gamma", "mean"])
    dearer = make_parameters("bg_nbd", mean=mean).with_columns(
        estimate=pl.when(money).then(pl.col("estimate") * level).otherwise("estimate")
    )
    same = score_customers(customers.with_columns(pl.col("monetary_value") * level), dearer, **settings)

    assert raised["spend_level"].unique().to_list() == [level]
    for name in (column for column in same.columns if column.startswith(("clv", "expected", "residual"))):
        factor = 1 / level if name == "clv_uncorrected" else 1.0
        assert raised[name].to_list() == pytest.approx((same[name] * factor).to_list(), rel=1e-9), name
    assert raised["clv_uncorrected"].to_list() == pytest.approx((raised["clv"] / level).to_list())
