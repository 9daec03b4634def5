"""A customer base in the shape of the book's example: orders, spend and profit by customer and quarter, 2016 to 2019.

Belongs here: the aggregates, and their expansion to the lines of orders and the customer file that the pipeline reads.
Does not belong here: what a lens makes of them.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

FIRST_YEAR, QUARTERS = 2016, 16
ORDER_COLUMNS = ("order_id", "customer_id", "order_ts", "product_id", "quantity", "unit_price", "line_cost")


class Total(NamedTuple):
    """What a customer, or many, did in some stretch of time; money in cents."""

    orders: int = 0
    spend: int = 0
    profit: int = 0


class Customer(NamedTuple):
    """A customer: the quarter of acquisition (0 is the first, negative: before the data), and what it did by quarter.

    `acquired` is what the customer file says; without it the first order counts.
    """

    id: str
    quarter: int
    acquired: date | None
    quarters: dict[int, Total]


def start_of(quarter: int) -> date:
    """The first day of a quarter."""
    return date(FIRST_YEAR + quarter // 4, quarter % 4 * 3 + 1, 1)


def make_customers(number: int, seed: int) -> list[Customer]:
    """Heavy tails, gaps, equal amounts, loss-makers, orders for nothing; every third was there before the data."""
    draw = random.Random(seed)
    return [_make_customer(f"C{i:04d}", i, draw) for i in draw.sample(range(number), number)]


def _make_customer(name: str, i: int, draw: random.Random) -> Customer:
    before = i % 3 == 0
    quarter = draw.randint(-12, -1) if before else min(int(draw.triangular(0, QUARTERS, 0)), QUARTERS - 1)
    # Every fourth of the others is in the customer file, some of them a good while before their first order.
    waits = i % 12 == 1
    acquired = _day_in(quarter, draw) if before else start_of(quarter) if i % 4 == 1 else None
    rate, leaves = draw.gammavariate(0.6, 1.2), draw.betavariate(0.6, 4)
    price, margin = draw.lognormvariate(3.5, 0.9), draw.gauss(0.35, 0.3)
    quarters: dict[int, Total] = {}
    for q in range(max(quarter, 0), QUARTERS):
        orders = _draw_poisson(rate, draw) + (q == quarter and not waits)
        if orders:
            quarters[q] = _draw_money(orders, i, price, margin, draw)
        if draw.random() < leaves:
            break
    if not before and not waits and not quarters:
        raise AssertionError(name)
    return Customer(name, quarter, acquired, quarters)


def _draw_money(orders: int, i: int, price: float, margin: float, draw: random.Random) -> Total:
    if i % 7 == 0:  # one thing at one of four prices, none of which earns more: equal profits of unequal customers
        return Total(orders, (2500 + 100 * (i % 4)) * orders, 800 * orders)
    if draw.random() < 0.06:  # given away
        return Total(orders, 0, -draw.choice([0, 450]) * orders)
    spend = round(100 * sum(price * draw.lognormvariate(0, 0.4) for _ in range(orders)))
    return Total(orders, spend, min(spend, round(spend * margin)))


def _draw_poisson(rate: float, draw: random.Random) -> int:
    count, waited = 0, draw.expovariate(1)
    while waited < rate:
        count, waited = count + 1, waited + draw.expovariate(1)
    return count


def _day_in(quarter: int, draw: random.Random) -> date:
    return start_of(quarter) + timedelta(draw.randrange((start_of(quarter + 1) - start_of(quarter)).days))


def expand_orders(customers: list[Customer], seed: int) -> Iterator[list[object]]:
    """A line for each order, on some day of its quarter; spend and cost of a quarter split to the cent."""
    draw = random.Random(seed)
    for customer in customers:
        for quarter, total in customer.quarters.items():
            spends = _split(total.spend, total.orders, draw)
            costs = _split(total.spend - total.profit, total.orders, draw)
            for n, (spend, cost) in enumerate(zip(spends, costs, strict=True)):
                day = _day_in(quarter, draw)
                name = f"{customer.id}-{quarter}-{n}"
                yield [name, customer.id, day, "thing", 1, f"{spend / 100:.2f}", f"{cost / 100:.2f}"]


def _split(cents: int, parts: int, draw: random.Random) -> list[int]:
    cuts = sorted(draw.randint(0, cents) for _ in range(parts - 1))
    return [after - before for before, after in zip([0, *cuts], [*cuts, cents], strict=True)]


def list_acquisitions(customers: list[Customer]) -> Iterator[str]:
    """The lines of the customer file."""
    yield "customer_id,acquisition_ts"
    yield from (f"{customer.id},{customer.acquired}" for customer in customers if customer.acquired)
