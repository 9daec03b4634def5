"""A simulated shop with growth, season and a history before its data start; and the ways in which it can change.

Belongs here: customers, orders, lines and shifts, month by month, seeded. Does not belong here: what is made of them
(`drift.py`). `generate.py` makes larger and plainer data, for measurements of speed.
"""

import calendar
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

PRODUCTS = 200
CHANNELS = ("web", "shop", "app")
CHANNEL_SHARES = (0.6, 0.3, 0.1)
REGIONS = ("north", "south", "east")
# Relative acquisitions and purchase rates by calendar month: a quiet summer, a busy December.
SEASON = (0.85, 0.8, 0.95, 1.0, 1.0, 0.95, 0.85, 0.85, 1.0, 1.1, 1.25, 1.4)
WEEKDAYS = (0.9, 0.9, 1.0, 1.0, 1.2, 1.4, 0.6)
HOURS = tuple(np.exp(-(((hour - 13) / 3.0) ** 2)) + 0.8 * np.exp(-(((hour - 20) / 2.0) ** 2)) for hour in range(24))
_BEFORE = 24


@dataclass(frozen=True)
class Shop:
    """The shop when nothing happens: newcomers of the first month, monthly growth, months, and whether costs are known.

    A customer's monthly purchase rate is gamma distributed (mean 0.35), a lifetime exponential with a monthly hazard
    that is gamma distributed (mean 0.06): Pareto/NBD with season.
    """

    newcomers: int = 300
    growth: float = 0.015
    start: str = "2020-01"
    months: int = 60
    with_costs: bool = True
    seed: int = 1


@dataclass(frozen=True)
class Shift:
    """What changes from the month number `month` (0 is the first) on; `only` that month where it is an accident."""

    name: str
    month: int
    price: float = 1.0
    cost: float = 1.0
    rate: float = 1.0
    hours: int = 0
    lost_days: tuple[int, int] | None = None
    copies: float = 0.0
    channel: str | None = None
    only: bool = False

    def is_on(self, month: int) -> bool:
        """Whether it holds in a month."""
        return month == self.month if self.only else month >= self.month


NOTHING = Shift("nothing", 10_000)


@dataclass(frozen=True)
class _Customers:
    rate: Vector
    hazard: Vector
    basket: Vector
    channel: NDArray[np.str_]
    region: NDArray[np.str_]


def simulate(shop: Shop, shift: Shift = NOTHING) -> pl.DataFrame:
    """Lines as `transactions.lines` has them, with channel and region, from the start on."""
    random = np.random.default_rng(shop.seed)
    prices = np.round(random.lognormal(2.5, 0.6, PRODUCTS), 2)
    popular = 1 / np.arange(1, PRODUCTS + 1) ** 0.8
    everybody: _Customers | None = None
    alive = np.zeros(0, dtype=bool)
    months: list[pl.DataFrame] = []
    for number in range(-_BEFORE, shop.months):
        year, month = divmod(int(shop.start[:4]) * 12 + int(shop.start[5:]) - 1 + number, 12)
        season = SEASON[month]
        wanted = shop.newcomers * (1 + shop.growth) ** number * season
        arrived = _arrive(random, wanted, shift if shift.is_on(number) else None)
        old = len(alive)
        everybody = arrived if everybody is None else _join(everybody, arrived)
        alive = np.concatenate([alive, np.ones(len(arrived.rate), dtype=bool)])
        rate = everybody.rate * season * (shift.rate if shift.is_on(number) else 1.0)
        # A newcomer's first order is certain; what is left of the month is half a month on average.
        share = np.where(np.arange(len(alive)) < old, 1.0, 0.5)
        orders = random.poisson(rate * share) * alive
        orders[old:] += 1
        alive &= random.random(len(alive)) > 1 - np.exp(-everybody.hazard * share)
        if number >= 0:
            who = np.repeat(np.arange(len(orders)), orders)
            first = date(year, month + 1, 1)
            months.append(_write_lines(random, (shop, shift), (number, first), (who, everybody), (prices, popular)))
    return pl.concat(months)


def _arrive(random: np.random.Generator, wanted: float, shift: Shift | None) -> _Customers:
    count = random.poisson(wanted)
    customers = _draw(random, count, random.choice(CHANNELS, count, p=CHANNEL_SHARES))
    if not shift or not shift.channel:
        return customers
    more = random.poisson(wanted * 0.25)
    worse = _draw(random, more, np.full(more, shift.channel))
    return _join(customers, replace(worse, rate=worse.rate * 0.5, basket=worse.basket * 0.6))


def _draw(random: np.random.Generator, count: int, channel: NDArray[np.str_]) -> _Customers:
    return _Customers(
        rate=random.gamma(0.8, 0.35 / 0.8, count),
        hazard=random.gamma(1.2, 0.06 / 1.2, count),
        basket=random.gamma(4, 1 / 4, count),
        channel=channel,
        region=random.choice(REGIONS, count),
    )


def _join(first: _Customers, second: _Customers) -> _Customers:
    return _Customers(**{name: np.concatenate([value, vars(second)[name]]) for name, value in vars(first).items()})


def _write_lines(
    random: np.random.Generator,
    setting: tuple[Shop, Shift],
    month: tuple[int, date],
    orders: tuple[NDArray[np.int64], _Customers],
    products: tuple[Vector, Vector],
) -> pl.DataFrame:
    shop, shift = setting
    number, first = month
    who, customers = orders
    is_on = shift.is_on(number)
    length = calendar.monthrange(first.year, first.month)[1]
    days = np.array([WEEKDAYS[(first + timedelta(days=day)).weekday()] for day in range(length)])
    day = random.choice(length, len(who), p=days / days.sum())
    hour = random.choice(24, len(who), p=np.array(HOURS) / sum(HOURS))
    second = day * 86_400 + hour * 3600 + random.integers(1, 3600, len(who))
    lines = 1 + random.poisson(1.2, len(who))
    at = np.repeat(np.arange(len(who)), lines)
    product = random.choice(PRODUCTS, len(at), p=products[1] / products[1].sum())
    quantity = 1 + random.poisson(0.6 * customers.basket[who[at]])
    discount = np.where(random.random(len(at)) < 0.15, 0.9, 1.0)
    price = np.round(products[0][product] * discount * (shift.price if is_on else 1.0), 2)
    cost = np.round(products[0][product] * 0.6 * (shift.cost if is_on else 1.0), 2)
    start = datetime(first.year, first.month, 1)
    frame = pl.DataFrame(
        {
            "order_id": [f"{number}-{order}" for order in at],
            "line_id": [f"{number}-{line}" for line in range(len(at))],
            "customer_id": [f"c{customer}" for customer in who[at]],
            "order_ts": pl.Series(second[at] + (3600 * shift.hours if is_on else 0)),
            "product_id": [f"p{one}" for one in product],
            "quantity": quantity,
            "line_total": np.round(price * quantity, 2),
            "line_cost": np.round(cost * quantity, 2) if shop.with_costs else np.full(len(at), np.nan),
            "channel": customers.channel[who[at]],
            "region": customers.region[who[at]],
        }
    ).with_columns(order_ts=pl.lit(start) + pl.duration(seconds=pl.col("order_ts")))
    if is_on and shift.lost_days:
        frame = frame.filter(~pl.col("order_ts").dt.day().is_between(*shift.lost_days))
    if is_on and shift.copies:
        again = frame.sample(fraction=shift.copies, seed=shop.seed).with_columns(pl.col("line_id") + "-again")
        frame = pl.concat([frame, again])
    return frame.select(
        pl.col("order_ts").dt.strftime("%Y-%m").alias("period"),
        "order_id",
        "line_id",
        "customer_id",
        "order_ts",
        "product_id",
        pl.col("quantity").cast(pl.Decimal(18, 3)),
        (pl.col("line_total") / pl.col("quantity")).cast(pl.Decimal(18, 4)).alias("unit_price"),
        pl.col("line_total").cast(pl.Decimal(18, 2)),
        pl.col("line_cost").fill_nan(None).cast(pl.Decimal(18, 2)),
        pl.lit(value=False).alias("is_return"),
        "channel",
        "region",
    )
