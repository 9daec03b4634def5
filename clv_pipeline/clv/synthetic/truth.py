"""What is true of the customers: what they will do after the end of the data, and what could be expected of them.

Belongs here: the value of the orders of the horizon, as it came out and as an oracle expects it that knows each
customer's rate, mean basket and time of dropout. No model can do better on average than it: what is left is chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.clock import Clock
from clv_pipeline.clv.synthetic.customers import Customers
from clv_pipeline.clv.synthetic.lines import Lines
from clv_pipeline.clv.synthetic.orders import Orders
from clv_pipeline.clv.synthetic.world import World

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

_AT_ONCE = 5_000


@dataclass(frozen=True)
class Future:
    """One entry per customer, of the orders of the horizon that name it, less all that is ever taken back of them."""

    orders: Floats
    purchases: Floats
    spend: Floats
    profit: Floats


def count_future(world: World, customers: Customers, orders: Orders, lines: Lines) -> Future:
    """What happened; purchases are days with an order, money is in the currency."""
    size, end = len(customers), world.end
    counted = (orders.hour >= end) & orders.is_named
    days = np.zeros((size, world.scenario.horizon_days), dtype=bool)
    days[orders.customer[counted], ((orders.hour[counted] - end) // 24).astype(np.int64)] = True
    of_line = counted[lines.order]
    who = orders.customer[lines.order[of_line]]
    total, cost = lines.total[of_line], lines.cost[of_line]
    return Future(
        np.bincount(orders.customer[counted], minlength=size).astype(np.float64),
        days.sum(axis=1).astype(np.float64),
        np.bincount(who, total, minlength=size) / 100,
        np.bincount(who, total - cost, minlength=size) / 100,
    )


def expect_future(world: World, customers: Customers) -> Future:
    """What the oracle expects at the end of the data; nan for who has not ordered by then.

    Orders are Poisson in business time until the dropout; a purchase is a day with one order at least.
    """
    scenario, end = world.scenario, np.full(len(customers), world.end)
    expected = {name: np.empty(len(customers)) for name in Future.__dataclass_fields__}
    returned, paid_back = scenario.returns.share, scenario.refunds.share * scenario.refunds.part
    named = 1 - scenario.missing_customers
    for number, clock in enumerate(world.clocks):
        of_city = np.flatnonzero(customers.city == number)
        start, until = end[of_city], customers.left[of_city]
        rate = customers.rate[of_city] * named
        per_order = rate * scenario.basket.lines * customers.items[of_city]
        price = clock.sum_between(clock.price, start, until)
        profit = clock.sum_between(clock.profit, start, until)
        expected["orders"][of_city] = rate * clock.sum_between(clock.weeks, start, until)
        expected["purchases"][of_city] = expect_days(clock, rate, start, until)
        expected["spend"][of_city] = per_order * (1 - returned - paid_back) * price
        expected["profit"][of_city] = per_order * ((1 - returned) * profit - paid_back * price)
    unknown = customers.first >= end
    for values in expected.values():
        values[unknown] = np.nan
    return Future(**expected)


def expect_orders(world: World, customers: Customers, start: float, end: float) -> Floats:
    """Expected repeat orders of each customer within calendar hours, by its rate, from the first order to dropout."""
    expected = np.zeros(len(customers))
    for number, clock in enumerate(world.clocks):
        of_city = np.flatnonzero(customers.city == number)
        begins = np.maximum(customers.first[of_city], start)
        expected[of_city] = customers.rate[of_city] * clock.sum_between(
            clock.weeks, begins, np.minimum(customers.left[of_city], end)
        )
    return expected


def expect_days(clock: Clock, rate: Floats, start: Floats, until: Floats) -> Floats:
    """Expected days with an order, counted from `start`, when a day begins: the sum of 1 - exp(-rate x weeks)."""
    expected = np.zeros(len(rate))
    staying = np.flatnonzero((until > start) & (rate > 0))
    for begin in range(0, len(staying), _AT_ONCE):
        chosen = staying[begin : begin + _AT_ONCE]
        edges = clock.weeks[int(start[chosen].min()) :: 24]
        passed = np.clip(clock.pass_weeks(until[chosen])[:, None], edges[:-1], edges[1:]) - edges[:-1]
        expected[chosen] = -np.expm1(-rate[chosen, None] * passed).sum(axis=1)
    return expected
