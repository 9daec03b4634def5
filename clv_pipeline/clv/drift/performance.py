"""Forecasts made some months ago against what happened since, by cohort, and whether the misses are of a new kind.

Belongs here: residuals, and the control limits of the whole base's. Does not belong here: forecasts (`forecasts.py`).

A model without season misses every December by as much, so that the miss of a horizon shorter than a year is held
against that of the same months a year before; of a year, against the recent ones. What the posterior predictive
distribution allows, and what earlier misses scattered, both count as chance.
"""

from collections.abc import Iterator, Sequence
from math import exp, log, sqrt

import numpy as np
import polars as pl

from clv_pipeline.clv.drift.checks import PERFORMANCE, PREVIOUS, Check, Topic
from clv_pipeline.clv.drift.levels import Limits
from clv_pipeline.clv.drift.observations import index_month, name_month

PERFORMANCE_TEST = "forecast_error"
ALL = "all"
PERFORMANCE_SCHEMA = {
    "target": pl.String,
    "horizon_months": pl.Int64,
    "origin": pl.String,
    "until": pl.String,
    "cohort": pl.String,
    "version": pl.String,
    "customers": pl.Int64,
    "expected": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "actual": pl.Float64,
    "residual": pl.Float64,
    "ratio": pl.Float64,
}
_YEAR, _RECENT, _FEWEST = 12, 6, 3
_95 = 1.96
_BEYOND = 3.29
# Forecasts of a base err by more than a rate moves; while the season is not known, by more still.
_FORECAST, _UNKNOWN_SEASON = 2.0, 3.0
# Less says more about chance than about a forecast.
_FEWEST_PURCHASES = 20.0


def track_forecasts(forecasts: pl.DataFrame, cells: pl.DataFrame, last: str, cohort_months: int) -> pl.DataFrame:
    """One row per target, forecast and cohort (and 'all'), of every forecast whose months have ended by `last`.

    `forecasts`: as_of (its origin), version, and FORECASTS_SCHEMA. `cells`: cohort_month, period, order_days, spend of
    every cohort and month. `cohort_months`: 1, 3 or 12. residual: (actual - expected) in standard deviations of the
    posterior predictive distribution, and lower and upper its 95% interval, of purchases; ratio: actual / expected.
    """
    ended = forecasts.with_columns(
        until=_shift(pl.col("as_of"), pl.col("horizon_months")), cohort=_name_cohort(cohort_months)
    ).filter(pl.col("until") <= last)
    if ended.is_empty():
        return pl.DataFrame(schema=PERFORMANCE_SCHEMA)
    happened = (
        ended.select("as_of", "until", "cohort_month", "horizon_months")
        .join(cells.select("cohort_month", "period", "order_days", happened="spend"), on="cohort_month")
        .filter(pl.col("period").is_between(pl.col("as_of"), pl.col("until"), closed="right"))
        .group_by("as_of", "horizon_months", "cohort_month")
        .agg(pl.col("order_days", "happened").sum())
    )
    both = ended.join(happened, on=["as_of", "horizon_months", "cohort_month"], how="left").fill_null(0)
    everybody = both.with_columns(cohort=pl.lit(ALL))
    keys = ["horizon_months", "as_of", "until", "cohort", "version"]
    summed = (
        pl.concat([both, everybody])
        .group_by(keys)
        .agg(
            pl.col("customers", "purchases", "spend", "order_days", "happened").sum(),
            chance=(pl.col("chance_sd") ** 2).sum(),
            parameter_sd=pl.col("parameter_sd").max(),
        )
        .sort(keys)
        .with_columns(sd=(pl.col("chance") + (pl.col("purchases") * pl.col("parameter_sd")) ** 2).sqrt())
    )
    return pl.concat([_lay_out(summed, "purchases"), _lay_out(summed, "spend")])


def check_forecasts(tracked: pl.DataFrame, last: str, change: Limits) -> Iterator[Check]:
    """One check per horizon: the purchases of the whole base up to `last`, against how forecasts missed before."""
    purchases = tracked.filter((pl.col("cohort") == ALL) & (pl.col("target") == "purchases"))
    for horizon in purchases["horizon_months"].unique().sort():
        of_horizon = purchases.filter((pl.col("horizon_months") == horizon) & (pl.col("ratio") > 0))
        latest = of_horizon.filter(pl.col("until") == last)
        if latest.is_empty() or latest["expected"][0] < _FEWEST_PURCHASES:
            continue
        earlier = dict(of_horizon.filter(pl.col("until") < last).select("until", pl.col("ratio").log()).iter_rows())
        yield _check(latest.row(0, named=True), earlier, last, change)


def _check(row: dict[str, object], earlier: dict[str, float], last: str, change: Limits) -> Check:
    horizon, expected, actual = (row[name] for name in ("horizon_months", "expected", "actual"))
    assert isinstance(horizon, int)
    assert isinstance(expected, float)
    assert isinstance(actual, float)
    centre, knows_season = _find_centre(horizon, earlier, last)
    miss = log(actual / expected) - centre
    upper = row["upper"]
    assert isinstance(upper, float)
    sigma = max((upper - expected) / _95 / expected * sqrt(2), _scatter(list(earlier.values())))
    factor = _FORECAST * (1.0 if knows_season else _UNKNOWN_SEASON)
    usual = f", where {exp(centre) - 1:+.1%} is usual" if centre else ""
    return Check(
        topic=Topic(PERFORMANCE, f"purchases_{horizon}_months", f"forecasts over {horizon} months"),
        reference=str(row["origin"]),
        reference_kind=PREVIOUS,
        test=PERFORMANCE_TEST,
        statistic=abs(exp(miss) - 1),
        limits=Limits(change.warn * factor, change.alert * factor),
        chance=abs(exp(_BEYOND * sigma * (1 if miss > 0 else -1)) - 1),
        effect=exp(miss) - 1,
        sizes=(actual, expected),
        meaning=(
            f"of the forecast of {row['origin']} for {horizon} months, {expected:,.0f} purchases,"
            f" {actual:,.0f} happened ({actual / expected - 1:+.1%}{usual})"
        ),
    )


def _find_centre(horizon: int, earlier: dict[str, float], last: str) -> tuple[float, bool]:
    """What a forecast of this horizon usually misses by (in logarithms), and whether that knows the season."""
    if horizon < _YEAR:
        year_before = earlier.get(name_month(index_month(last) - _YEAR))
        return (year_before, True) if year_before is not None else (0.0, False)
    recent = [earlier[month] for month in sorted(earlier)[-_RECENT:]]
    return (float(np.median(recent)), True) if len(recent) >= _FEWEST else (0.0, True)


def _scatter(earlier: Sequence[float]) -> float:
    if len(earlier) < _RECENT:
        return 0.0
    return float(1.4826 * np.median(np.abs(np.array(earlier) - np.median(earlier))))


def _lay_out(summed: pl.DataFrame, target: str) -> pl.DataFrame:
    is_purchases = target == "purchases"
    expected, actual = pl.col(target), pl.col("order_days" if is_purchases else "happened").cast(pl.Float64)
    sd = pl.when(is_purchases).then(pl.col("sd"))
    return summed.select(
        pl.lit(target).alias("target"),
        "horizon_months",
        pl.col("as_of").alias("origin"),
        "until",
        "cohort",
        "version",
        "customers",
        expected.alias("expected"),
        (expected - _95 * sd).clip(0).alias("lower"),
        (expected + _95 * sd).alias("upper"),
        actual.alias("actual"),
        pl.when(sd > 0).then((actual - expected) / sd).alias("residual"),
        pl.when(expected > 0).then(actual / expected).alias("ratio"),
    )


def _name_cohort(months: int) -> pl.Expr:
    year, month = pl.col("cohort_month").str.slice(0, 4), pl.col("cohort_month").str.slice(5, 2).cast(pl.Int64)
    if months == _YEAR:
        return year
    return pl.col("cohort_month") if months == 1 else pl.format("{}Q{}", year, (month - 1) // 3 + 1)


def _shift(month: pl.Expr, months: pl.Expr) -> pl.Expr:
    return month.str.to_date("%Y-%m").dt.offset_by(pl.format("{}mo", months)).dt.strftime("%Y-%m")
