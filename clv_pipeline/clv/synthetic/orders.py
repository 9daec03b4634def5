"""The orders of a block of customers, in the data and in the horizon after it.

Belongs here: when who orders, at which discount, and whether the order names its customer. Does not belong here: what
is in an order (`lines.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.clock import list_days, mark_days
from clv_pipeline.clv.synthetic.customers import Customers
from clv_pipeline.clv.synthetic.scenario import Scenario
from clv_pipeline.clv.synthetic.world import World

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Orders:
    """One entry per order, by time: the customer's position in the block, hours since the start, and what it is."""

    customer: Integers
    hour: Floats
    is_first: Flags
    is_named: Flags

    def __len__(self) -> int:
        return len(self.customer)

    def select(self, wanted: Flags) -> "Orders":
        """The orders that are `wanted`."""
        return Orders(self.customer[wanted], self.hour[wanted], self.is_first[wanted], self.is_named[wanted])


def draw_orders(world: World, customers: Customers, random: np.random.Generator) -> Orders:
    """First orders, then a Poisson process in business time until the customer leaves, or the calendar ends."""
    begins, size = np.empty(len(customers)), np.empty(len(customers))
    for number, clock in enumerate(world.clocks):
        of_city = customers.city == number
        begins[of_city] = clock.pass_weeks(customers.first[of_city])
        size[of_city] = clock.pass_weeks(customers.left[of_city]) - begins[of_city]
    counts = random.poisson(customers.rate * size)
    repeating = np.repeat(np.arange(len(customers)), counts)
    weeks = begins[repeating] + size[repeating] * random.random(len(repeating))
    hours = np.empty(len(repeating))
    for number, clock in enumerate(world.clocks):
        of_city = customers.city[repeating] == number
        # Rounding must not put an order on the day after the last.
        hours[of_city] = np.minimum(clock.find_hours(weeks[of_city]), np.nextafter(clock.last_hour, 0))
    starting = np.flatnonzero(customers.first < world.last_hour)
    customer = np.concatenate([starting, repeating])
    hour = np.concatenate([customers.first[starting], hours])
    is_first = np.arange(len(customer)) < len(starting)
    is_named = random.random(len(customer)) >= world.scenario.missing_customers
    by_time = np.argsort(hour, kind="stable")
    return Orders(customer[by_time], hour[by_time], is_first[by_time], is_named[by_time])


def list_discounts(scenario: Scenario) -> list[float]:
    """The discounts that occur, 0 first."""
    return sorted({0.0, *(promotion.discount for promotion in scenario.promotions)})


def find_discounts(scenario: Scenario, city: Integers, hour: Floats) -> Integers:
    """The discount of each order as its place in `list_discounts`: the largest of the promotions that are on."""
    levels = list_discounts(scenario)
    found = np.zeros((len(scenario.cities), len(list_days(scenario))), dtype=np.int64)
    for promotion in scenario.promotions:
        on = np.outer(find_cities(scenario, promotion.cities), mark_days(scenario, promotion))
        found[on] = np.maximum(found[on], levels.index(promotion.discount))
    return found[city, (hour // 24).astype(np.int64)]


def find_cities(scenario: Scenario, names: Sequence[str]) -> Flags:
    """Which cities of the scenario are named; all of them when none is."""
    return np.array([not names or city.name in names for city in scenario.cities])
