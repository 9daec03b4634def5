"""Stage 5: the origins that a backtest looks ahead from, and what is known at each.

Belongs here: which months are origins, and their customers before and after. Does not belong here: what is made of them
(`backtest.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil

import polars as pl

from clv_pipeline.clv.backtest import Fold
from clv_pipeline.clv.backtest.spend_level import LEAST_MONTHS, find_spend_level, measure_trend
from clv_pipeline.customers.attributes import join_attributes
from clv_pipeline.periods import last_day, shift_period
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql
from clv_pipeline.steps import Step

PERIODS = "marts.customer_periods"
_HISTORY_PER_HORIZON = 1.5
_YEAR = 12


@dataclass(frozen=True)
class Origin:
    """An origin, and the last month and day of what its forecasts are held against."""

    month: str
    until: str
    until_end: date
    horizon_months: int

    @property
    def end(self) -> date:
        """The last day that is known at the origin."""
        return last_day(self.month)

    @property
    def weeks(self) -> float:
        """The weeks that a forecast looks ahead."""
        return (self.until_end - self.end).days / 7


def choose_origins(step: Step) -> list[Origin]:
    """The origins of the folds, the latest first: one horizon before the last month that has ended, two, and so on.

    Their holdouts do not overlap, so that no purchase judges a model twice. The horizon is the configured one, or
    value.horizon_months shortened so that the history before the latest origin is at least 1.5 times as long; either
    leaves [backtest] min_months of history, or there is no origin.
    """
    until = step.state.last_ended(step.period)
    until_end = last_day(until)
    months = [month for month in step.state.periods if month <= until]
    horizon = _choose_horizon(step.settings, len(months))
    origins: list[Origin] = []
    for number in range(1, step.settings.backtest.folds + 1):
        history = len(months) - number * horizon
        if horizon < 1 or history < step.settings.backtest.min_months:
            break
        month = shift_period(until, -horizon)
        origins.append(Origin(month, until, until_end, horizon))
        until, until_end = month, last_day(month)
    return origins


def choose_lesson(step: Step, origins: Sequence[Origin]) -> list[Origin]:
    """The origin that teaches how far the intervals of the earliest fold can be trusted, as at that fold's origin.

    Its own holdout ends there, so that nothing later is known. None where there is nothing to teach, or no history.
    """
    if not origins or not step.settings.backtest.recalibrate:
        return []
    until = origins[-1].month
    months = sum(month <= until for month in step.state.periods)
    horizon = _choose_horizon(step.settings, months)
    if horizon < 1:
        return []
    return [Origin(shift_period(until, -horizon), until, last_day(until), horizon)]


def choose_years(step: Step, month: str, horizon: int) -> list[Origin]:
    """The origins that forecast the months of a forecast of `horizon` months from `month`, a year before and two.

    Of a longer horizon so many years before that it has ended. As far as each has a history as long as the horizon, and
    [backtest] min_months; none where the pace is not to be corrected.
    """
    if not step.settings.backtest.correct_pace:
        return []
    years: list[Origin] = []
    for number in (1, 2):
        origin = shift_period(month, -_YEAR * number * ceil(horizon / _YEAR))
        history = sum(period <= origin for period in step.state.periods)
        if history < max(horizon, step.settings.backtest.min_months):
            break
        until = shift_period(origin, horizon)
        years.append(Origin(origin, until, last_day(until), horizon))
    return years


def know_spend_level(step: Step, month: str, weeks: float) -> float:
    """The spend level of a forecast of `weeks` from the end of `month`, from what was known then."""
    months = sum(period <= month for period in step.state.periods)
    if not step.settings.backtest.correct_spend or months < LEAST_MONTHS:
        return 1.0
    step.lake.expose(step.con, PERIODS, _list_months(step, month))
    customers = step.frame(bind(load_sql("5_models/spend_trend"), as_of=month))
    return find_spend_level(measure_trend(customers), weeks)


def _choose_horizon(settings: Settings, months: int) -> int:
    longest = months - settings.backtest.min_months
    if settings.backtest.horizon_months:
        return min(settings.backtest.horizon_months, longest)
    supported = max(int(months / (1 + _HISTORY_PER_HORIZON)), 1)
    return min(settings.value.horizon_months, supported, longest)


def take_fold(step: Step, origin: Origin) -> Fold:
    """The customers as known at the origin, with what they did before and after it."""
    first = step.state.data_start
    before = shift_period(origin.month, -origin.horizon_months)
    last_from = max(shift_period(origin.month, -_YEAR), shift_period(first, -1))
    last_weeks = (origin.end - last_day(last_from)).days / 7
    known = _know(step, origin.month, origin.end)
    later = _know(step, origin.until, origin.until_end)
    earlier = _know(step, before, last_day(before)) if before >= first else known.clear()
    step.lake.expose(step.con, PERIODS, _list_months(step, origin.until))
    actual = _sum_window(step, origin.month, origin.until)
    last = _sum_window(step, last_from, origin.month)
    return Fold(
        customers=_join_window(_join_window(known, last, "last"), actual, "actual"),
        newcomers=later.filter(pl.col("first_order").dt.date() > origin.end),
        earlier=_join_window(earlier, _sum_window(step, before, origin.month), "actual"),
        weeks=origin.weeks,
        last_weeks=last_weeks,
        spend_level=know_spend_level(step, origin.month, origin.weeks),
    )


def _know(step: Step, month: str, end: date) -> pl.DataFrame:
    """The customers as known at the end of `month`: the lake is exposed up to it, so that nothing later can leak."""
    step.lake.expose(step.con, PERIODS, _list_months(step, month))
    step.materialize("marts.customers", step.select("2_marts/customers"))
    rfm = bind(load_sql("3_rfm/customers"), **(step.parameters | {"as_of": month, "as_of_end": end}))
    known = step.frame(
        f'SELECT k.customer_id, c.cohort, k.frequency, k.recency, k."T", k.monetary_value, k.spend, k.first_order'
        f" FROM ({rfm}) AS k INNER JOIN marts.customers AS c ON k.customer_id = c.customer_id ORDER BY k.customer_id"
    )
    return join_attributes(step, step.settings, known, step.settings.models.covariates)


def _list_months(step: Step, last: str) -> list[str]:
    return [month for month in step.state.periods if month <= last]


def _sum_window(step: Step, from_month: str, to_month: str) -> pl.DataFrame:
    return step.frame(step.select("5_models/backtest_window", from_month=from_month, to_month=to_month))


def _join_window(customers: pl.DataFrame, window: pl.DataFrame, name: str) -> pl.DataFrame:
    """`customers` with what they did in the window; returns that exceed what was bought leave nothing spent."""
    sums = {f"{name}_purchases": pl.col("purchases").fill_null(0)}
    sums[f"{name}_spend"] = pl.col("bought").cast(pl.Float64).fill_null(0.0).clip(lower_bound=0.0)
    joined = customers.join(window.rename({"spend": "bought"}), "customer_id", "left", maintain_order="left")
    return joined.with_columns(**sums).drop("purchases", "bought")
