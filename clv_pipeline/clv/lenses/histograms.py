"""Histograms of each measure over customers, the same bins for every window.

Belongs here: choosing round bin edges and counting into them. Does not belong here: drawing them.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import polars as pl

from clv_pipeline.clv.lenses.measures import MEASURES, Vector, list_values, measure_customers, take_percentile

# Bins up to the percentile below; the rest is the tail, in one bin of its own.
_MOST_BINS, _FEWEST_BINS, _COVERED = 20, 10, 95

HISTOGRAM_SCHEMA = {
    "window_number": pl.Int64,
    "measure": pl.String,
    "bin": pl.Int64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "customers": pl.Int64,
    "share": pl.Float64,
}


def count_histograms(
    windows: Mapping[int, pl.DataFrame], given: Mapping[str, Sequence[float]] | None = None
) -> pl.DataFrame:
    """window_number, measure, bin, lower, upper, customers, share of the customers (see `clv.lenses`) of each window.

    Bin 0 is below zero, the last one open above; between them (lower, upper], zero itself in the first. The edges are
    those `given` for a measure (0 and the upper edges), else chosen for the last window with customers, so that windows
    compare bin by bin. A customer whose margin is undefined is in none.
    """
    measured = {number: measure_customers(customers) for number, customers in windows.items()}
    reference = next((frame for _, frame in sorted(measured.items(), reverse=True) if frame.height), pl.DataFrame())
    if reference.is_empty():
        return pl.DataFrame(schema=HISTOGRAM_SCHEMA)
    edges = {
        name: (given or {}).get(name) or choose_edges(list_values(reference, name), whole=name == "orders")
        for name in MEASURES
    }
    return pl.concat(
        _count(number, measure, list_values(frame, measure), edges[measure])
        for number, frame in sorted(measured.items())
        for measure in MEASURES
    )


def choose_edges(values: Vector, *, whole: bool = False) -> list[float]:
    """0 and the upper edges of 10 to 20 bins of a width of 1, 2 or 5 times a power of ten; `values` ascend.

    They reach the 95th percentile of the values that are not negative; fewer where the largest lies in an earlier bin.
    `whole` makes the width a whole number.
    """
    positive = values[np.searchsorted(values, 0.0, side="left") :]
    if not len(positive) or positive[-1] == 0:
        return [0.0, 1.0]
    covered = take_percentile(positive, _COVERED) or float(positive[-1])
    width = max(_round_up(covered / _MOST_BINS), Decimal(1) if whole else Decimal(0))
    needed, largest = (_count_bins(end, width) for end in (covered, float(positive[-1])))
    bins = min(max(needed, _FEWEST_BINS), largest)
    return [float(width * number) for number in range(bins + 1)]


def place(values: Vector, edges: Sequence[float]) -> np.ndarray:
    """The bin of each value: 0 below zero, 1 to n by the n upper edges (value <= edge), n + 1 above the last."""
    return np.where(values < 0, 0, np.searchsorted(np.asarray(edges[1:]), values, side="left") + 1)


def bound_bins(edges: Sequence[float]) -> tuple[list[float | None], list[float | None]]:
    """Lower and upper ends of the bins that `place` numbers, from bin 0; None where open."""
    return [None, *edges], [*edges, None]


def _count(window_number: int, measure: str, values: Vector, edges: Sequence[float]) -> pl.DataFrame:
    lower, upper = bound_bins(edges)
    counts = np.bincount(place(values, edges), minlength=len(lower))
    columns = {
        "window_number": [window_number] * len(lower),
        "measure": [measure] * len(lower),
        "bin": range(len(lower)),
        "lower": lower,
        "upper": upper,
        "customers": counts,
        "share": counts / len(values) if len(values) else [None] * len(lower),
    }
    return pl.DataFrame(columns, schema=HISTOGRAM_SCHEMA)


def _round_up(value: float) -> Decimal:
    """The smallest 1, 2 or 5 times a power of ten that is not below `value`, which is positive."""
    exponent = math.floor(math.log10(value)) - 1
    steps = (Decimal(step).scaleb(exponent + more) for more in range(3) for step in (1, 2, 5))
    return next(step for step in steps if float(step) >= value * (1 - 1e-9))


def _count_bins(end: float, width: Decimal) -> int:
    return max(math.ceil(end / float(width) - 1e-9), 1)
