"""Business time: how the readiness to order passes over the hours of the calendar, in one city.

Belongs here: seasons, weekdays, opening hours and promotions as one intensity, and the way to and from calendar hours.
Does not belong here: customers. Hours count from the first day of the scenario; a business week passes in a calendar
week of ordinary readiness, so that orders are a Poisson process at the customer's own weekly rate in business time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.catalogue import Catalogue
from clv_pipeline.clv.synthetic.scenario import City, Promotion, Scenario, Seasonality

type Floats = NDArray[np.float64]

HOURS_PER_WEEK = 168.0


@dataclass(frozen=True)
class Clock:
    """Cumulative sums over the hours 0..n: business weeks, and the same weighted with price and with profit an item.

    `arrivals` is the cumulative share of the customers of the city acquired by each hour, up to the end of the data.
    """

    weeks: Floats
    price: Floats
    profit: Floats
    arrivals: Floats

    @cached_property
    def hours(self) -> Floats:
        """The hours that the sums are of."""
        return np.arange(len(self.weeks), dtype=np.float64)

    @property
    def last_hour(self) -> float:
        """Where the calendar ends."""
        return self.hours[-1]

    def pass_weeks(self, hours: Floats) -> Floats:
        """Business weeks passed by calendar hours; beyond the calendar, those of its end."""
        return np.interp(hours, self.hours, self.weeks)

    def find_hours(self, weeks: Floats) -> Floats:
        """The calendar hours at which so many business weeks have passed; infinite beyond the calendar."""
        return np.interp(weeks, self.weeks, self.hours, right=np.inf)

    def draw_arrivals(self, uniform: Floats) -> Floats:
        """The hours of acquisitions, for numbers drawn between 0 and 1."""
        return np.interp(uniform, self.arrivals, self.hours)

    def sum_between(self, sums: Floats, start: Floats, end: Floats) -> Floats:
        """How much of `sums` (`weeks`, `price` or `profit`) passes from `start` to `end`, in hours; 0 if reversed."""
        return np.maximum(np.interp(end, self.hours, sums) - np.interp(start, self.hours, sums), 0.0)


def build_clocks(scenario: Scenario, catalogue: Catalogue, *, without: str | None = None) -> list[Clock]:
    """The clock of each city of the scenario; `without` leaves a promotion out, to tell what it brings."""
    promotions = [promotion for promotion in scenario.promotions if promotion.name != without]
    return [_build_clock(scenario, city, promotions, catalogue) for city in scenario.cities]


def list_days(scenario: Scenario) -> list[date]:
    """The calendar: every day of the data and of the horizon."""
    days = (scenario.end - scenario.start).days + scenario.horizon_days
    return [scenario.start + timedelta(days=day) for day in range(days)]


def mark_days(scenario: Scenario, promotion: Promotion) -> NDArray[np.bool_]:
    """Which days of the calendar the promotion is on."""
    days = list_days(scenario)
    marked = np.zeros(len(days), dtype=bool)
    for start in _list_starts(promotion, days[-1].year):
        first = (start - scenario.start).days
        marked[max(first, 0) : max(first + promotion.days, 0)] = True
    return marked


def _list_starts(promotion: Promotion, last_year: int) -> list[date]:
    start = promotion.start
    if not promotion.every_year:
        return [start]
    day = min(start.day, 28) if start.month == 2 else start.day
    return [start.replace(year=year, day=day) for year in range(start.year, last_year + 1)]


def _build_clock(scenario: Scenario, city: City, promotions: Sequence[Promotion], catalogue: Catalogue) -> Clock:
    days = list_days(scenario)
    lift, discount = np.ones(len(days)), np.zeros(len(days))
    for promotion in promotions:
        if not promotion.cities or city.name in promotion.cities:
            marked = mark_days(scenario, promotion)
            lift[marked] *= promotion.lift
            discount[marked] = np.maximum(discount[marked], promotion.discount)
    hours = np.array(scenario.seasonality.hours)
    ready: Floats = (_weigh_days(scenario.seasonality, days) * lift)[:, None] * (hours / hours.sum()) / 7
    levels, of_day = np.unique(discount, return_inverse=True)
    price = np.array([catalogue.expect_price(level) for level in levels])[of_day, None]
    grown = _grow(scenario, city, len(days))
    return Clock(
        _add_up(ready),
        _add_up(ready * price),
        _add_up(ready * (price - catalogue.expected_cost)),
        _add_up(ready * grown[:, None]) / (ready * grown[:, None]).sum(),
    )


def _weigh_days(seasonality: Seasonality, days: Sequence[date]) -> Floats:
    """The readiness of each day, 1 on average over a year of ordinary weeks."""
    months, weekdays = np.array(seasonality.months), np.array(seasonality.weekdays)
    months, weekdays = months / months.mean(), weekdays / weekdays.mean()
    return np.array([months[day.month - 1] * weekdays[day.weekday()] for day in days])


def _grow(scenario: Scenario, city: City, days: int) -> Floats:
    """The pace of acquisition each day: nothing before the launch, then up to 1 in a straight line, 0 after the end."""
    since = np.arange(days) - ((city.launch or scenario.start) - scenario.start).days
    pace = np.clip((since + 1) / max(city.ramp_weeks * 7, 1), 0, 1)
    return np.where(np.arange(days) < (scenario.end - scenario.start).days, pace, 0.0)


def _add_up(by_hour: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(by_hour)])
