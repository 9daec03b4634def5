"""What the same products cost, month against month: prices, apart from what is bought.

Belongs here: the matched index. Does not belong here: whether a move is a price or a currency (`diagnosis.py`).
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
import polars as pl

# Of the spread of one product's price where only one line tells it.
_UNKNOWN = 0.3
_SMALLEST_ERROR = 0.002


@dataclass(frozen=True)
class PriceMove:
    """Of the products sold in both months: the mean log change of price and of unit cost, weighted by spend.

    `spread` is the interquartile range of the log changes: 0 where every price changed alike. `cost` is nan where
    costs are not known. `products` counts what was matched.
    """

    change: float
    error: float
    spread: float
    cost: float
    products: int


def compare_prices(now: pl.DataFrame, then: pl.DataFrame) -> PriceMove | None:
    """The move from `then` to `now`, both with one row per product_id; None without a product in both.

    The index is Tornqvist's: each product weighs as the mean of its shares of spend in the two months. Its error comes
    from the spread of each product's own prices.
    """
    both = now.join(then, on="product_id", suffix="_then")
    if both.is_empty():
        return None
    weight = (pl.col("spend") / pl.col("spend").sum() + pl.col("spend_then") / pl.col("spend_then").sum()) / 2
    moves = both.select(
        weight=weight,
        price=(pl.col("price") / pl.col("price_then")).log(),
        cost=(pl.col("unit_cost") / pl.col("unit_cost_then")).log(),
        variance=_vary("") + _vary("_then"),
    )
    weights = moves["weight"].to_numpy()
    price = moves["price"].to_numpy()
    cost = moves["cost"].fill_null(nan).to_numpy()
    known = np.isfinite(cost)
    error = sqrt(float((weights**2 * moves["variance"].to_numpy()).sum()))
    return PriceMove(
        change=float((weights * price).sum()),
        error=max(error, _SMALLEST_ERROR),
        spread=_range(price, weights),
        cost=float(np.average(cost[known], weights=weights[known])) if known.any() else nan,
        products=moves.height,
    )


def _vary(side: str) -> pl.Expr:
    """The variance of the log of a product's mean price."""
    price, squared, lines = (pl.col(f"{name}{side}") for name in ("price", "price_squared", "lines"))
    relative = (squared / price**2 - 1).clip(0)
    return pl.when(lines > 1).then(relative / (lines - 1).clip(1)).otherwise(_UNKNOWN**2)


def _range(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    low, high = np.searchsorted(reached / reached[-1], [0.25, 0.75])
    return float(values[order][high] - values[order][low])
