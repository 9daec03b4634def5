"""Generates transactions of any size that look like a shop's: seeded, streamed to CSV or Parquet.

    python benchmarks/generate.py data/shop --lines 7_000_000 --customers 1_000_000 --years 3

Belongs here: the simulated customers, their orders and the files. Customers buy as BG/NBD says (Fader, Hardie and
Lee 2005): a rate of their own from a gamma distribution, a chance of stopping after each order from a beta
distribution. The rate is scaled so that the wanted lines come out at about `LINES_PER_ORDER` lines an order.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import hyp2f1

LINES_PER_ORDER = 2.3
PRODUCTS = 5_000
SHAPE_RATE, STOP_A, STOP_B = 0.6, 0.8, 2.4
ORDERS_PER_CHUNK = 250_000
LAYOUTS = ("one", "daily", "last-day")
DAY = 86_400.0

type Floats = NDArray[np.float64]
type Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Shop:
    """What to generate; `end` is the first day after the data."""

    lines: int
    customers: int
    years: float
    end: date = date(2025, 1, 1)
    seed: int = 1
    line_id: bool = False

    @property
    def days(self) -> int:
        """Calendar days covered."""
        return round(self.years * 365.25)

    @property
    def start(self) -> date:
        """The first day."""
        return self.end - timedelta(days=self.days)


@dataclass(frozen=True)
class Orders:
    """All orders by time: the customer's number, seconds since the start, lines."""

    customer: Integers
    second: Floats
    lines: Integers


def simulate_orders(shop: Shop, random: np.random.Generator) -> Orders:
    """Every customer's orders from an acquisition spread evenly over the years; exactly `shop.lines` lines in all."""
    span = shop.days * DAY
    acquired = random.uniform(0, span, shop.customers)
    wanted = max(shop.lines / shop.customers / LINES_PER_ORDER, 1.0)
    rate = random.gamma(SHAPE_RATE, 1 / _solve_scale(wanted, shop.days), shop.customers) / DAY
    stop = random.beta(STOP_A, STOP_B, shop.customers)

    who, when = [np.arange(shop.customers)], [acquired]
    alive, now = who[0], acquired
    while alive.size:
        # The time of a very slow customer may overflow to infinity, which is after the end.
        with np.errstate(over="ignore", divide="ignore"):
            now = now + random.standard_exponential(alive.size) / rate[alive]
        bought = now < span
        alive, now = alive[bought], now[bought]
        who.append(alive)
        when.append(now)
        stays = random.random(alive.size) >= stop[alive]
        alive, now = alive[stays], now[stays]

    second = np.concatenate(when)
    by_time = np.argsort(second, kind="stable")
    customer = np.concatenate(who)[by_time]
    if customer.size > shop.lines:
        by_time, customer = by_time[: shop.lines], customer[: shop.lines]
    return Orders(customer, second[by_time], _draw_lines(shop.lines, customer.size, random))


def _solve_scale(orders: float, days: int) -> float:
    """BG/NBD's alpha in days for which a customer places `orders` orders on average, the first one included.

    The mean of Fader, Hardie and Lee 2005, eq. 9, over acquisition times spread evenly.
    """
    ages = (np.arange(20) + 0.5) / 20 * days
    a, b, r = STOP_A, STOP_B, SHAPE_RATE

    def excess(log_alpha: float) -> float:
        alpha = np.exp(log_alpha)
        decay = (alpha / (alpha + ages)) ** r * hyp2f1(r, b, a + b - 1, ages / (alpha + ages))
        return float(np.mean((a + b - 1) / (a - 1) * (1 - decay))) + 1 - orders

    lowest, highest = -8.0, 25.0
    if excess(highest) > 0:
        return float(np.exp(highest))
    if excess(lowest) < 0:
        return float(np.exp(lowest))
    return float(np.exp(cast("float", brentq(excess, lowest, highest))))


def _draw_lines(lines: int, orders: int, random: np.random.Generator) -> Integers:
    """Lines of each order: at least one, geometric in shape, `lines` in all."""
    extra = lines - orders
    weights = random.standard_exponential(orders)
    counts = np.floor(weights / weights.sum() * extra).astype(np.int64)
    missing = extra - int(counts.sum())
    counts += np.bincount(random.integers(0, orders, missing), minlength=orders)
    return counts + 1


def iterate_lines(shop: Shop, orders: Orders, random: np.random.Generator) -> Iterator[pl.DataFrame]:
    """The lines by time, in frames of `ORDERS_PER_CHUNK` orders.

    Products are few at the top and many at the bottom; a customer's quantities come from a level of the own.
    """
    prices = np.round(random.lognormal(2.3, 0.8, PRODUCTS) + 0.5, 2)
    popular = random.permutation(PRODUCTS)
    basket = random.gamma(1.5, 0.6, shop.customers)
    epoch = np.datetime64(shop.start, "us")
    first_line = np.concatenate([[0], np.cumsum(orders.lines)])
    for begin in range(0, orders.customer.size, ORDERS_PER_CHUNK):
        part = slice(begin, begin + ORDERS_PER_CHUNK)
        counts = orders.lines[part]
        order = np.repeat(np.arange(begin, begin + counts.size), counts)
        customer = orders.customer[order]
        rank = np.floor(PRODUCTS ** random.random(order.size)).astype(np.int64) - 1
        product = popular[rank]
        frame = pl.DataFrame(
            {
                "order_id": order + 1,
                "customer_id": customer + 1,
                "ordered_at": epoch + orders.second[order].astype("timedelta64[s]").astype("timedelta64[us]"),
                "product_id": product + 1,
                "quantity": random.poisson(basket[customer]) + 1,
                "unit_price": prices[product],
            }
        ).with_columns(pl.col("unit_price").cast(pl.Decimal(18, 2)))
        if shop.line_id:
            ids = np.arange(first_line[begin], first_line[begin] + order.size) + 1
            frame = frame.insert_column(0, pl.Series("line_id", ids))
        yield frame


class Writer:
    """One growing file, CSV or Parquet by its suffix."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._parquet: pq.ParquetWriter | None = None
        self._csv = None if file.suffix == ".parquet" else file.open("wb")
        self._begun = False

    def write(self, frame: pl.DataFrame) -> None:
        """Appends `frame`."""
        if self._csv is not None:
            frame.write_csv(self._csv, include_header=not self._begun, datetime_format="%Y-%m-%d %H:%M:%S")
            self._begun = True
            return
        table = frame.to_arrow()
        self._parquet = self._parquet or pq.ParquetWriter(self._file, table.schema)
        self._parquet.write_table(table)

    def close(self) -> None:
        """Ends the file."""
        for handle in (self._csv, self._parquet):
            if handle is not None:
                handle.close()


def write_lines(target: Path, frames: Iterator[pl.DataFrame], layout: str, suffix: str, last: date) -> dict[str, int]:
    """Writes `frames` (by time) under `target`; the rows of each file by path relative to `target`.

    Layouts: `one` file; `daily`, one a day; `last-day`, `incoming/history` and, kept apart, `later/<last day>`.
    """
    rows: dict[str, int] = {}
    writer: Writer | None = None
    current = ""
    for frame in frames:
        for name, part in _split(frame, layout, suffix, last):
            if name != current:
                if writer:
                    writer.close()
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                writer, current = Writer(target / name), name
            assert writer is not None
            writer.write(part)
            rows[name] = rows.get(name, 0) + part.height
    if writer:
        writer.close()
    return rows


def _split(frame: pl.DataFrame, layout: str, suffix: str, last: date) -> Iterator[tuple[str, pl.DataFrame]]:
    if layout == "one":
        yield f"incoming/lines{suffix}", frame
        return
    days = frame.with_columns(day=pl.col("ordered_at").dt.date())
    if layout == "last-day":
        days = days.with_columns(day=pl.when(pl.col("day") == last).then("day"))
    for part in days.partition_by("day", maintain_order=True):
        day = part["day"][0]
        folder = "later" if layout == "last-day" and day else "incoming"
        yield f"{folder}/{day or 'history'}{suffix}", part.drop("day")


def write_config(target: Path, shop: Shop, suffix: str) -> Path:
    """Writes the `clv.toml` that reads the files under `target`/incoming."""
    line_id = 'line_id = "line_id"\n' if shop.line_id else ""
    config = target / "clv.toml"
    config.write_text(
        f"""\
home = "home"

[source]
path = "incoming/*{suffix}"

[source.columns]
{line_id}order_id = "order_id"
customer_id = "customer_id"
order_ts = "ordered_at"
product_id = "product_id"
quantity = "quantity"
unit_price = "unit_price"
""",
        encoding="utf-8",
    )
    return config


def generate(target: Path, shop: Shop, layout: str = "one", suffix: str = ".csv") -> dict[str, int]:
    """Writes the files and `clv.toml` of `shop` under `target`; the rows of each file."""
    random = np.random.default_rng(shop.seed)
    target.mkdir(parents=True, exist_ok=True)
    write_config(target, shop, suffix)
    frames = iterate_lines(shop, simulate_orders(shop, random), random)
    return write_lines(target, frames, layout, suffix, shop.end - timedelta(days=1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Generate transactions and the clv.toml that reads them.")
    parser.add_argument("target", type=Path, help="folder to write to")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--customers", type=int, help="default: a seventh of the lines")
    parser.add_argument("--years", type=float, default=3.0)
    parser.add_argument("--end", type=date.fromisoformat, default=Shop.end, help="first day after the data")
    parser.add_argument("--layout", choices=LAYOUTS, default="one")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--line-id", action="store_true", help="give every line an id of its own")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    customers = given.customers or max(given.lines // 7, 1)
    if not 0 < customers <= given.lines:
        parser.error("--customers must lie between 1 and --lines: every customer has an order")
    shop = Shop(given.lines, customers, given.years, given.end, given.seed, given.line_id)
    begun = time.perf_counter()
    rows = generate(given.target, shop, given.layout, f".{given.format}")
    seconds = time.perf_counter() - begun
    print(f"{sum(rows.values()):,} lines of {customers:,} customers in {len(rows)} files, {seconds:.1f} s")
    print(f"next: clv run --config {given.target / 'clv.toml'}")


if __name__ == "__main__":
    main()
