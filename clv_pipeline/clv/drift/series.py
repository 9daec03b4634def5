"""The monthly series that are watched: the quantities of the lenses, prices, and the shape of the deliveries.

Belongs here: what each is and how sure it is. Does not belong here: what is expected of it (`control.py`).

Rates of repeat buying are taken at equal age (`rates.py`). Rates and volumes are per day for which there are lines, so
that missing days are told once, as what they are.
"""

from collections.abc import Iterator, Sequence
from math import log, nan

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.drift.checks import DATA, DELIVERY, Topic
from clv_pipeline.clv.drift.control import Series
from clv_pipeline.clv.drift.days import EmptyRun
from clv_pipeline.clv.drift.levels import Limits, Thresholds
from clv_pipeline.clv.drift.observations import Observations
from clv_pipeline.clv.drift.prices import PriceMove
from clv_pipeline.clv.drift.rates import Rates

type Vector = NDArray[np.float64]

# How much acquisitions and volume may change before a rate would: campaigns and growth move them every month.
_VOLUME = 3.0
# The coefficient of variation of an order's value, where only its mean is kept.
_SPREAD_OF_ORDERS = 1.0
_OLDEST = 9999
_AGES = {"active_1_to_3": (1, 3), "active_4_to_12": (4, 12), "active_13_up": (13, _OLDEST)}


def build_series(
    seen: Observations, runs: Sequence[EmptyRun], moves: Sequence[PriceMove | None], thresholds: Thresholds
) -> list[Series]:
    """Every series over the months of `seen`; `moves` are the price moves of each month against the one before."""
    observed = seen.days_in_month - _count_missing(seen, runs)
    change = thresholds.change
    volume = Limits(change.warn * _VOLUME, change.alert * _VOLUME)
    return [
        *_build_rates(seen, observed, change),
        *_build_averages(seen, change),
        _build_prices(moves, change),
        *_build_volumes(seen, observed, volume),
        *_build_shares(seen, thresholds.share),
    ]


def _count_missing(seen: Observations, runs: Sequence[EmptyRun]) -> Vector:
    missing = dict.fromkeys(seen.months, 0.0)
    for day in (day for run in runs for day in run.days):
        if f"{day:%Y-%m}" in missing:
            missing[f"{day:%Y-%m}"] += 1
    return np.array(list(missing.values()))


def _build_rates(seen: Observations, observed: Vector, limits: Limits) -> Iterator[Series]:
    """What customers did at their age, relative to customers of all months at that age."""
    rates = Rates(seen, observed)
    repeat = Topic(DATA, "repeat_rate", "repeat purchase days per customer, at equal age")
    yield _standardise(rates, "order_days", (1, _OLDEST), repeat, limits)
    for feature, ages in _AGES.items():
        words = f"{ages[0]} months and older" if ages[1] == _OLDEST else f"{ages[0]} to {ages[1]} months old"
        yield _standardise(rates, "active", ages, Topic(DATA, feature, f"share active of customers {words}"), limits)


def _standardise(rates: Rates, column: str, ages: tuple[int, int], topic: Topic, limits: Limits) -> Series:
    found, expected = rates.compare(column, ages)
    return Series(topic, _log(found, expected), _error_of_counts(found), found, limits, is_seasonal=True)


def _build_averages(seen: Observations, limits: Limits) -> Iterator[Series]:
    """Averages per order and per active customer, and how many of them bought again."""
    totals = seen.cells.group_by("period").agg(pl.col("active", "again", "orders", "spend", "profit").sum())
    active, again, orders, spend, profit = (
        seen.by_month(totals, name) for name in ("active", "again", "orders", "spend", "profit")
    )
    before = np.concatenate([[nan], active[:-1]])
    per_order = _SPREAD_OF_ORDERS / np.sqrt(np.maximum(orders, 1.0))
    counts = _error_of_counts
    for feature, name, top, bottom, error, sizes in (
        ("aof", "orders per active customer (AOF)", orders, active, counts(orders) / 2, orders),
        ("aov", "spend per order (AOV)", spend, orders, per_order, orders),
        ("margin", "margin", profit, spend, per_order / 4, orders),
        (
            "repeat_buying_rate",
            "share of a month's customers active again in the next",
            again,
            before,
            counts(again),
            again,
        ),
    ):
        yield Series(Topic(DATA, feature, name), _log(top, bottom), error, sizes, limits, is_seasonal=True)


def _build_prices(moves: Sequence[PriceMove | None], limits: Limits) -> Series:
    topic = Topic(DATA, "price", "price of the same products")
    return Series(
        topic,
        np.array([move.change if move else nan for move in moves]),
        np.array([move.error if move else nan for move in moves]),
        np.array([float(move.products) if move else 0.0 for move in moves]),
        limits,
        has_level=False,
    )


def _build_volumes(seen: Observations, observed: Vector, limits: Limits) -> Iterator[Series]:
    lines = seen.by_month(seen.gaps, "lines")
    new = _count_new(seen)
    active = seen.by_month(seen.cells.group_by("period").agg(pl.col("active").sum()), "active")
    # Lines come in orders, so that fewer say as much.
    for feature, name, kind, count, error in (
        ("lines_a_day", "lines a day", DELIVERY, lines, 2 * _error_of_counts(lines)),
        ("new_customers", "new customers a day", DATA, new, _error_of_counts(new)),
        ("new_share", "share of new customers among the active", DATA, new, _error_of_counts(new)),
    ):
        base = active if feature == "new_share" else observed
        sizes = np.nan_to_num(count)
        yield Series(Topic(kind, feature, name), _log(count, base), error, sizes, limits, is_seasonal=True)


def _build_shares(seen: Observations, limits: Limits) -> Iterator[Series]:
    """Shares of lines that lack something, repeat another, were rejected, or came late."""
    lines = seen.by_month(seen.gaps, "lines")
    repeated, looked_at = (seen.by_month(seen.repeats, name) for name in ("repeated_lines", "lines"))
    rejected = seen.by_month(seen.rejected, "rejected_rows")
    shares = [
        ("repeated_lines", "lines that repeat another", repeated, looked_at),
        ("rejected_rows", "delivered rows that are rejected", rejected, lines + rejected),
        (
            "late_rows",
            "delivered rows of earlier months",
            seen.by_month(seen.late, "late_rows"),
            seen.by_month(seen.late, "delivered_rows"),
        ),
    ]
    for column in ("customer_id", "product_id", "line_cost"):
        shares.append(
            (f"missing_{column}", f"lines without {column}", seen.by_month(seen.gaps, f"missing_{column}"), lines)
        )
    for attribute in seen.categories["attribute"].unique().sort():
        of_column = seen.categories.filter(pl.col("attribute") == attribute)
        missing = seen.by_month(of_column.filter(pl.col("value").is_null()), "lines")
        shares.append((f"missing_{attribute}", f"lines without {attribute}", missing, lines))
    for feature, name, top, bottom in shares:
        share = np.divide(top, bottom, out=np.full(len(top), nan), where=bottom > 0)
        error = np.sqrt((share * (1 - share) + 1 / np.maximum(bottom, 1.0)) / np.maximum(bottom, 1.0))
        yield Series(Topic(DELIVERY, feature, name), share, error, bottom, limits, is_share=True)


def _count_new(seen: Observations) -> Vector:
    """Customers first seen in each month; unknown when the data began, for many of them were customers before."""
    new = seen.by_month(seen.cells.filter(pl.col("cohort_month") == pl.col("period")), "active")
    return np.where(np.array(seen.months) < seen.settled, nan, new)


def _log(top: Vector, bottom: Vector) -> Vector:
    return np.array([log(t / b) if t > 0 and b > 0 else nan for t, b in zip(top, bottom, strict=True)])


def _error_of_counts(counts: Vector) -> Vector:
    return 1 / np.sqrt(np.maximum(counts, 1.0))
