"""What the company sells: products with a price, a cost and how often each is bought.

Belongs here: drawing the catalogue, and what an item brings on average. Does not belong here: baskets (`lines.py`).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clv_pipeline.clv.synthetic.scenario import Basket

type Floats = NDArray[np.float64]
type Cents = NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """One entry per product: price and cost in cents, and the share of lines that it is in."""

    prices: Cents
    costs: Cents
    shares: Floats

    @cached_property
    def cumulative(self) -> Floats:
        """The shares summed up, to draw products by."""
        return np.cumsum(self.shares) / self.shares.sum()

    def discounted(self, discount: float) -> Cents:
        """The prices at a discount, half up."""
        return np.floor(self.prices * (1 - discount) + 0.5).astype(np.int64)

    def expect_price(self, discount: float) -> float:
        """The mean price of an item, in the currency."""
        return float(self.shares @ self.discounted(discount)) / 100

    @property
    def expected_cost(self) -> float:
        """The mean cost of an item, in the currency."""
        return float(self.shares @ self.costs) / 100


def draw_catalogue(basket: Basket, random: np.random.Generator) -> Catalogue:
    """Lognormal prices of at least a cent, costs by a beta margin, popularity falling with the rank (Zipf)."""
    sd = basket.price_spread
    prices = basket.price * np.exp(random.normal(-(sd**2) / 2, sd, basket.products))
    cents = np.maximum(np.floor(prices * 100 + 0.5), 1).astype(np.int64)
    margins = _draw_margins(basket, random)
    shares = 1 / random.permutation(np.arange(1, basket.products + 1)) ** 0.7
    return Catalogue(cents, np.floor(cents * (1 - margins) + 0.5).astype(np.int64), shares / shares.sum())


def _draw_margins(basket: Basket, random: np.random.Generator) -> Floats:
    if not basket.margin_spread:
        return np.full(basket.products, basket.margin)
    size = basket.margin * (1 - basket.margin) / basket.margin_spread**2 - 1
    return random.beta(basket.margin * size, (1 - basket.margin) * size, basket.products)
