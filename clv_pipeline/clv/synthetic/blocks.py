"""The synthetic company block by block: the frames that its files are made of, however many customers there are.

Belongs here: the order of drawing, and the names and types of the columns. Does not belong here: any distribution, or
writing a file (`generation.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.customers import Customers, draw_customers
from clv_pipeline.clv.synthetic.lines import Lines, draw_lines
from clv_pipeline.clv.synthetic.orders import Orders, draw_orders, find_discounts
from clv_pipeline.clv.synthetic.scenario import Scenario
from clv_pipeline.clv.synthetic.tally import tally_block
from clv_pipeline.clv.synthetic.truth import Future, count_future, expect_future
from clv_pipeline.clv.synthetic.world import World, build_world

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]

CUSTOMERS_PER_BLOCK = 50_000
_SECONDS = 3600.0


@dataclass(frozen=True)
class Block:
    """Some customers with all that is known of them.

    `lines`, by time: line_id, order_id, customer_id (null where the order names none), ordered_at, product_id,
    quantity, unit_price (null for a refund), line_total, line_cost, is_return. `customers`, those acquired so far:
    customer_id, acquisition_ts, city, channel. `truth`: one row per customer, see docs/synthetic.md. `tally`: what the
    validation adds up, see `tally.py`.
    """

    lines: pl.DataFrame
    customers: pl.DataFrame
    truth: pl.DataFrame
    tally: pl.DataFrame


def count_blocks(scenario: Scenario) -> int:
    """How many blocks the scenario has."""
    return -(-scenario.customers // CUSTOMERS_PER_BLOCK)


def generate_blocks(scenario: Scenario) -> Iterator[Block]:
    """All blocks, each from a generator of its own, seeded by the scenario's seed and the number of the block."""
    world = build_world(scenario)
    next_order = next_line = 1
    for number in range(count_blocks(scenario)):
        random = np.random.default_rng([scenario.seed, number])
        begin = number * CUSTOMERS_PER_BLOCK
        customers = draw_customers(world, begin, min(CUSTOMERS_PER_BLOCK, scenario.customers - begin), random)
        orders = draw_orders(world, customers, random)
        lines = _fill_orders(world, customers, orders, random)
        truth = _frame_truth(world, customers, orders, lines)
        delivered = _frame_lines(world, orders, lines, truth["customer_id"]).with_columns(
            pl.col("order_id") + next_order, pl.col("line_id") + next_line
        )
        acquired = truth.filter(pl.col("acquisition_ts") < scenario.end)
        yield Block(
            delivered,
            acquired.select("customer_id", "acquisition_ts", "city", "channel"),
            truth,
            tally_block(world, customers, orders, lines),
        )
        next_order, next_line = next_order + len(orders), next_line + delivered.height


def _fill_orders(world: World, customers: Customers, orders: Orders, random: np.random.Generator) -> Lines:
    return draw_lines(
        world,
        second=(orders.hour * _SECONDS).astype(np.int64),
        items=customers.items[orders.customer],
        discount=find_discounts(world.scenario, customers.city[orders.customer], orders.hour),
        random=random,
    )


def _frame_lines(world: World, orders: Orders, lines: Lines, names: pl.Series) -> pl.DataFrame:
    """The lines up to the end of the data, ids from 0; what is taken back later has not happened yet."""
    scenario, products = world.scenario, len(world.catalogue.prices)
    seen = np.flatnonzero(lines.second < world.end * _SECONDS)
    seen = seen[np.argsort(lines.second[seen], kind="stable")]
    order = lines.order[seen]
    frame = pl.DataFrame(
        {
            "line_id": np.arange(len(seen)),
            "order_id": order,
            "customer_id": names.gather(pl.Series(orders.customer[order])),
            "is_named": orders.is_named[order],
            "ordered_at": _date(scenario, lines.second[seen]),
            "product_id": _name("P", np.arange(products) + 1, products).gather(pl.Series(lines.product[seen])),
            "quantity": lines.quantity[seen],
            "unit_price": lines.price[seen] / 100,
            "line_total": lines.total[seen] / 100,
            "line_cost": lines.cost[seen] / 100,
            "is_return": lines.is_return[seen],
        }
    )
    return frame.with_columns(
        pl.when("is_named").then("customer_id"),
        pl.when(pl.col("quantity") != 0).then("unit_price").cast(pl.Decimal(18, 2)),
        pl.col("line_total", "line_cost").cast(pl.Decimal(18, 2)),
    ).drop("is_named")


def _frame_truth(world: World, customers: Customers, orders: Orders, lines: Lines) -> pl.DataFrame:
    scenario = world.scenario
    past = orders.is_named & (orders.hour < world.end)
    cities = pl.Series([city.name for city in scenario.cities])
    channels = pl.Series([channel.name for channel in scenario.channels])
    left = np.where(customers.left < world.last_hour, customers.left, np.inf)
    return pl.DataFrame(
        {
            "customer_id": _name("C", customers.number, scenario.customers),
            "city": cities.gather(pl.Series(customers.city)),
            "channel": channels.gather(pl.Series(customers.channel)),
            "acquisition_ts": _date(scenario, customers.acquired * _SECONDS),
            "first_order": _date(scenario, customers.first * _SECONDS),
            "orders_per_week": customers.rate,
            "dropout_per_week": customers.hazard,
            "dropout_ts": _date(scenario, left * _SECONDS),
            "is_alive": pl.Series(customers.left > world.end).set(pl.Series(customers.first >= world.end), None),
            "past_orders": np.bincount(orders.customer[past], minlength=len(customers)),
            **_name_future("future", count_future(world, customers, orders, lines)),
            **_name_future("expected", expect_future(world, customers)),
        }
    ).with_columns(pl.col("^expected_.*$").fill_nan(None))


def _name_future(prefix: str, future: Future) -> dict[str, Floats]:
    return {f"{prefix}_{name}": getattr(future, name) for name in Future.__dataclass_fields__}


def _name(letter: str, numbers: Integers, largest: int) -> pl.Series:
    """C0001 to C1000: as long as the largest needs, so that they sort as they count."""
    return letter + pl.Series(numbers).cast(pl.String).str.zfill(len(str(largest)))


def _date(scenario: Scenario, seconds: Floats | Integers) -> pl.Series:
    """Wall-clock times of seconds since the start, null where they are infinite."""
    finite = np.isfinite(seconds)
    whole = np.where(finite, seconds, 0).astype(np.int64).astype("timedelta64[s]")
    times = pl.Series(np.datetime64(scenario.start, "us") + whole.astype("timedelta64[us]"))
    return times if finite.all() else times.set(pl.Series(~finite), None)
