"""The customers of a block: where they come from, how often they order, when they leave.

Belongs here: drawing them. Does not belong here: their orders (`orders.py`), or what is expected of them (`truth.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.clock import HOURS_PER_WEEK, Clock
from clv_pipeline.clv.synthetic.scenario import WEEKS_PER_YEAR, Channel, City
from clv_pipeline.clv.synthetic.world import World

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Customers:
    """One entry per customer. Times are in hours since the start, infinite for what does not happen.

    `rate`: orders a week of ordinary readiness. `hazard`: of leaving, a week. `left`: the time of dropout. `items`:
    mean items of a line. `number` counts over all blocks, from 1.
    """

    number: Integers
    city: Integers
    channel: Integers
    rate: Floats
    hazard: Floats
    items: Floats
    acquired: Floats
    first: Floats
    left: Floats

    def __len__(self) -> int:
        return len(self.number)


def draw_customers(world: World, begin: int, size: int, random: np.random.Generator) -> Customers:
    """`size` customers, of which `begin` came in blocks before."""
    scenario = world.scenario
    cities, channels = scenario.cities, scenario.channels
    city, channel = _choose(cities, size, random), _choose(channels, size, random)
    purchases, churn, basket = scenario.purchases, scenario.churn, scenario.basket
    rate = random.gamma(purchases.spread, purchases.per_year / WEEKS_PER_YEAR / purchases.spread, size)
    rate *= np.array([of.rate for of in cities])[city] * np.array([of.rate for of in channels])[channel]
    hazard = random.gamma(churn.spread, 1 / scenario.churn_scale, size)
    hazard *= np.array([of.churn for of in channels])[channel]
    items = 1 + (basket.items - 1) * random.gamma(basket.spread, 1 / basket.spread, size)
    acquired, first = _draw_arrivals(world.clocks, city, purchases.first_order_days, random)
    with np.errstate(divide="ignore", over="ignore"):
        left = first + random.standard_exponential(size) / hazard * HOURS_PER_WEEK
    number = np.arange(begin, begin + size) + 1
    return Customers(number, city, channel, rate, hazard, items, acquired, first, left)


def _choose(options: Sequence[City] | Sequence[Channel], size: int, random: np.random.Generator) -> Integers:
    shares = np.cumsum([option.share for option in options])
    return np.searchsorted(shares / shares[-1], random.random(size), side="right").astype(np.int64)


def _draw_arrivals(
    clocks: Sequence[Clock], city: Integers, delay_days: float, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """Hours of acquisition and of the first order, which comes when the shop is open."""
    uniform, delay = random.random(len(city)), random.standard_exponential(len(city)) * delay_days / 7
    acquired, first = np.empty(len(city)), np.empty(len(city))
    for number, clock in enumerate(clocks):
        of_city = city == number
        acquired[of_city] = clock.draw_arrivals(uniform[of_city])
        later = clock.find_hours(clock.pass_weeks(acquired[of_city]) + delay[of_city])
        first[of_city] = np.maximum(later, acquired[of_city])
    return acquired, first
