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

    Those who come later spend less from the start, which is no trend.
    """
    random = np.random.default_rng(seed)
    rows: list[tuple[str, str, int, float, float]] = []
    for customer in range(customers):
        first, level = random.integers(0, 30), random.normal(3, 1)
        for month in range(first, 36):
            if month == first or random.random() < 0.3:
                days = int(random.integers(1, 4))
                mean = exp(level - 0.1 * first + trend * month / 12 + random.normal(0, 0.3))
                rows.append((f"c{customer}", MONTHS[month], days, days * mean, 0.0))
    rows.append(("c0", MONTHS[35], 0, -50.0, -50.0))
    schema = ["customer_id", "period", "order_days", "spend", "returned"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def find_trend(periods: pl.DataFrame, as_of: str) -> SpendTrend | None:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA marts; CREATE SCHEMA landing")
        con.register("rows", periods.to_arrow())
        con.execute("CREATE TABLE marts.customer_periods AS SELECT * FROM rows")
        con.execute("CREATE TABLE landing.hidden_customers AS SELECT 'hidden' AS customer_id")
        return measure_trend(con.sql(bind(load_sql("5_models/spend_trend"), as_of=as_of)).pl())


def test_the_trend_is_the_slope_of_a_regression_with_a_constant_for_each_customer() -> None:
    periods = make_periods(0.06)
    hidden = periods.head(20).with_columns(pl.lit("hidden").alias("customer_id"), pl.col("spend") * 9)
    found = find_trend(pl.concat([periods, hidden]), "2024-06")

    assert found is not None
    seen = periods.filter(pl.col("period") <= "2024-06", pl.col("order_days") > 0)
    seen = seen.filter(pl.len().over("customer_id") > 1)
    year = np.array([MONTHS.index(month) / 12 for month in seen["period"]])
    weight = seen["order_days"].to_numpy()
    _, who = np.unique(seen["customer_id"].to_numpy(), return_inverse=True)
    design = np.column_stack([year, np.eye(who.max() + 1)[who]]) * np.sqrt(weight)[:, None]
    amount = np.log((seen["spend"] / seen["order_days"]).to_numpy())
    solved, *_ = np.linalg.lstsq(design, amount * np.sqrt(weight), rcond=None)
    assert found.trend == pytest.approx(solved[0], rel=1e-4)
    assert found.trend == pytest.approx(0.06, abs=2 * found.error)
    # Each customer's purchases are so old on average, and he counts by those of the last year.
    ages = [np.average(29.5 / 12 - year[who == one], weights=weight[who == one]) for one in range(who.max() + 1)]
    recent = [weight[(who == one) & (29 / 12 - year < 0.99)].sum() for one in range(who.max() + 1)]
    assert found.mean_age == pytest.approx(np.average(ages, weights=recent))


def test_the_error_of_the_trend_is_how_far_it_is_off() -> None:
    found = [it for seed in range(60) if (it := find_trend(make_periods(0.03, 60, seed), "2024-12"))]
    off = np.sqrt(np.mean([(it.trend - 0.03) ** 2 for it in found]))
    assert np.mean([it.error for it in found]) == pytest.approx(off, rel=0.25)


def test_nobody_who_bought_twice_is_no_trend() -> None:
    once = make_periods(0.1).group_by("customer_id").first()
    assert find_trend(once, "2024-12") is None
    assert find_spend_level(None, 52.0) == 1.0


def test_a_sure_trend_is_believed_from_the_middle_of_the_past_to_that_of_the_horizon() -> None:
    assert find_spend_level(SpendTrend(0.05, 0.0, 1.5), YEAR) == pytest.approx(exp(0.05 * 2.0))
    assert find_spend_level(SpendTrend(-0.05, 0.0, 1.5), YEAR / 2) == pytest.approx(exp(-0.05 * 1.75))
    # 1 - (2 x 0.0125 / 0.05)^2 = 3/4 of a trend of four standard errors; none of two.
    assert find_spend_level(SpendTrend(0.05, 0.0125, 1.5), YEAR) == pytest.approx(exp(0.05 * 0.75 * 2.0))
    assert find_spend_level(SpendTrend(0.05, 0.025, 1.5), YEAR) == 1.0
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
