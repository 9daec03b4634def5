"""What a block of a synthetic company adds to the figures that its validation judges.

Belongs here: counting what was drawn, beside what the scenario and the customers' own rates let expect. Does not belong
here: how far apart the two may be (`validation.py`).
"""

from collections.abc import Iterator

import numpy as np
import polars as pl

from clv_pipeline.clv.synthetic.clock import mark_days
from clv_pipeline.clv.synthetic.customers import Customers
from clv_pipeline.clv.synthetic.lines import Lines
from clv_pipeline.clv.synthetic.orders import Orders, find_cities
from clv_pipeline.clv.synthetic.scenario import Promotion
from clv_pipeline.clv.synthetic.truth import expect_orders
from clv_pipeline.clv.synthetic.world import World

type Row = tuple[str, str, float, float, float, float | None]

TALLY = {
    "check": pl.String,
    "subject": pl.String,
    "observed": pl.Float64,
    "expected": pl.Float64,
    "variance": pl.Float64,
    "without": pl.Float64,
}


def tally_block(
    world: World,
    customers: Customers,
    orders: Orders,
    lines: Lines,
) -> pl.DataFrame:
    """check, subject, observed, expected, variance (of the observed), without: sums over the block.

    order density: repeat orders in the data. promotion: repeat orders on its days in the data, where it is on;
    `without` it as many would be expected. missing customers: of all orders. returns, refunds: of all lines bought.
    """
    scenario = world.scenario
    rows: list[Row] = [_tally_orders(world, customers, orders)]
    for promotion in scenario.promotions:
        rows += _tally_promotion(world, promotion, customers, orders)
    bought = int((~lines.is_return).sum())
    refunds = int((lines.is_return & (lines.quantity == 0)).sum())
    returns = int(lines.is_return.sum()) - refunds
    rows += [
        _tally_share("missing customers", int((~orders.is_named).sum()), len(orders), scenario.missing_customers),
        _tally_share("returns", returns, bought, scenario.returns.share),
        _tally_share("refunds", refunds, bought, scenario.refunds.share),
    ]
    return pl.DataFrame(rows, schema=TALLY, orient="row")


def _tally_orders(world: World, customers: Customers, orders: Orders) -> Row:
    observed = float((~orders.is_first & (orders.hour < world.end)).sum())
    expected = float(expect_orders(world, customers, 0.0, world.end).sum())
    return ("order density", "repeat orders", observed, expected, expected, None)


def _tally_promotion(
    world: World,
    promotion: Promotion,
    customers: Customers,
    orders: Orders,
) -> Iterator[Row]:
    days, cities = mark_days(world.scenario, promotion), find_cities(world.scenario, promotion.cities)
    days[int(world.end // 24) :] = False
    if not days.any():
        return
    plain = world.leave_out(promotion.name)
    there = Customers(**{name: getattr(customers, name)[cities[customers.city]] for name in _FIELDS})
    within = [(first * 24.0, last * 24.0) for first, last in _find_stretches(days)]
    expected = sum(float(expect_orders(world, there, *hours).sum()) for hours in within)
    without = sum(float(expect_orders(plain, there, *hours).sum()) for hours in within)
    on = days[(orders.hour // 24).astype(np.int64)] & cities[customers.city[orders.customer]] & ~orders.is_first
    yield ("promotion", promotion.name, float(on.sum()), expected, expected, without)


_FIELDS = tuple(Customers.__dataclass_fields__)


def _find_stretches(days: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[tuple[int, int]]:
    """First day and the day after the last of each stretch of marked days."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], days, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _tally_share(check: str, found: int, all_of_them: int, share: float) -> Row:
    expected = share * all_of_them
    return (check, "share", float(found), expected, expected * (1 - share), None)
