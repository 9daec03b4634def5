"""What is in the orders: a line per product, with its price and cost, and what is taken back later.

Belongs here: drawing baskets, returns and refunds, in cents and whole items. Does not belong here: how a file calls
them (`blocks.py`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.orders import list_discounts
from clv_pipeline.clv.synthetic.scenario import Scenario
from clv_pipeline.clv.synthetic.world import World

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]
type Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Lines:
    """One entry per line, purchases first: the position of its order, seconds since the start, cents.

    A return has negative quantity, total and cost; a refund no quantity and no cost; `price` is 0 for a refund.
    """

    order: Integers
    second: Integers
    product: Integers
    quantity: Integers
    price: Integers
    total: Integers
    cost: Integers
    is_return: Flags

    def __len__(self) -> int:
        return len(self.order)


def draw_lines(
    world: World,
    *,
    second: Integers,
    items: Floats,
    discount: Integers,
    random: np.random.Generator,
) -> Lines:
    """Lines of orders at `second` by customers who take `items` of a product on average; `discount`: place in the list.

    Of each line, either the goods come back, or money is refunded, or neither.
    """
    scenario, catalogue = world.scenario, world.catalogue
    counts = 1 + random.poisson(scenario.basket.lines - 1, len(second))
    order = np.repeat(np.arange(len(second)), counts)
    product = np.searchsorted(catalogue.cumulative, random.random(len(order)), side="right")
    product = np.minimum(product, len(catalogue.prices) - 1)
    quantity = 1 + random.poisson(items[order] - 1)
    prices = np.stack([catalogue.discounted(each) for each in list_discounts(scenario)])
    price = prices[discount[order], product]
    bought = Lines(
        order,
        second[order],
        product,
        quantity,
        price,
        quantity * price,
        quantity * catalogue.costs[product],
        np.zeros(len(order), dtype=bool),
    )
    fate = random.random(len(order))
    returned = np.flatnonzero(fate < scenario.returns.share)
    refunded = np.flatnonzero(
        (fate >= scenario.returns.share) & (fate < scenario.returns.share + scenario.refunds.share)
    )
    return _join(
        bought,
        _take_back(bought, returned, 1 + random.poisson(scenario.returns.days - 1, len(returned))),
        _refund(bought, refunded, scenario, random),
    )


def _take_back(bought: Lines, lines: Integers, days: Integers) -> Lines:
    return Lines(
        bought.order[lines],
        bought.second[lines] + days * 86_400,
        bought.product[lines],
        -bought.quantity[lines],
        bought.price[lines],
        -bought.total[lines],
        -bought.cost[lines],
        np.ones(len(lines), dtype=bool),
    )


def _refund(bought: Lines, lines: Integers, scenario: Scenario, random: np.random.Generator) -> Lines:
    fewest, most = scenario.refunds.weeks
    weeks = random.integers(fewest, most, len(lines), endpoint=True)
    nothing = np.zeros(len(lines), dtype=np.int64)
    return Lines(
        bought.order[lines],
        bought.second[lines] + weeks * 7 * 86_400,
        bought.product[lines],
        nothing,
        nothing,
        -np.floor(bought.total[lines] * scenario.refunds.part + 0.5).astype(np.int64),
        nothing,
        np.ones(len(lines), dtype=bool),
    )


def _join(*parts: Lines) -> Lines:
    names = Lines.__dataclass_fields__
    return Lines(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
