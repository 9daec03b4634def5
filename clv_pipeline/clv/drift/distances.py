"""How far two distributions are apart: of numbers and of categories, all from counted values.

Belongs here: the statistics. Does not belong here: which distributions are compared (`profiles.py`), or when a distance
counts (`levels.py`).

Values come with weights, so that a million customers are a few hundred rows, and so that a reference can be given the
ages of today's customers (`equal_age.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

PSI_BINS = 10
PSI_FLOOR = 1e-4
NUMERIC_TESTS = ("psi", "ks", "wasserstein", "jensen_shannon", "kullback_leibler")
CATEGORY_TESTS = ("chi_squared", "psi")


@dataclass(frozen=True)
class Weighted:
    """Distinct values, ascending, with positive weights; `size`: how many equally weighted values say as much."""

    values: Vector
    weights: Vector
    size: float

    @property
    def reached(self) -> Vector:
        """The distribution function at the values."""
        return np.cumsum(self.weights) / self.weights.sum()

    @property
    def mean(self) -> float:
        """The weighted mean."""
        return float(np.average(self.values, weights=self.weights))

    @property
    def sd(self) -> float:
        """The weighted standard deviation."""
        return float(np.sqrt(np.average((self.values - self.mean) ** 2, weights=self.weights)))


def count_values(values: Vector) -> Weighted:
    """Plain values, each of weight 1."""
    distinct, counts = np.unique(values, return_counts=True)
    return Weighted(distinct, counts.astype(np.float64), float(len(values)))


def measure_numbers(now: Weighted, then: Weighted) -> dict[str, float]:
    """Every distance of NUMERIC_TESTS between two distributions that are not empty.

    PSI, Jensen-Shannon (distance, base 2) and Kullback-Leibler (of now from then, in nats) are taken over the bins
    of `choose_edges`; Kolmogorov-Smirnov over the values; Wasserstein in standard deviations of the reference (of the
    present one where the reference has none).
    """
    from scipy.stats import entropy, wasserstein_distance  # noqa: PLC0415  (only where there is something to compare)

    shares_now, shares_then = _bin_shares(now, then)
    unit = then.sd or now.sd
    moved = wasserstein_distance(now.values, then.values, now.weights, then.weights)
    middle = (shares_now + shares_then) / 2
    # SciPy's own distance is nan where rounding makes the divergence of equal shares negative.
    divergence = float(entropy(shares_now, middle, base=2) + entropy(shares_then, middle, base=2)) / 2
    return {
        "psi": stability_index(shares_now, shares_then),
        "ks": kolmogorov_smirnov(now, then),
        "wasserstein": float(moved / unit) if unit else float(moved > 0),
        "jensen_shannon": sqrt(max(divergence, 0.0)),
        "kullback_leibler": float(max(entropy(shares_now, shares_then), 0.0)),
    }


def measure_categories(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    """Cramer's V of SciPy's chi-squared test, and the PSI, of two sets of counts that are not empty.

    V = sqrt(chi2 / N) of the table of both, 0 for equal shares and 1 where none is shared; both rows are brought to one
    size first, so that it depends on the shares alone.
    """
    from scipy.stats import chi2_contingency  # noqa: PLC0415  (only where there is something to compare)

    names = sorted({*now, *then})
    table = np.array([[float(counts.get(name, 0.0)) for name in names] for counts in (now, then)])
    shares = table / table.sum(axis=1, keepdims=True)
    if len(names) == 1:
        return {"chi_squared": 0.0, "psi": 0.0}
    test: Any = chi2_contingency(shares, correction=False)
    filled = (fill_empty(share, size) for share, size in zip(shares, table.sum(axis=1), strict=True))
    return {"chi_squared": float(np.sqrt(test.statistic / 2)), "psi": stability_index(*filled)}


def fill_empty(shares: Vector, size: float) -> Vector:
    """Shares, an empty one as half of one of the `size` values, at least as 0.0001: it weighs much, but not all."""
    return np.maximum(shares, max(0.5 / size, PSI_FLOOR))


def stability_index(now: Vector, then: Vector) -> float:
    """PSI = sum over bins of (share now - share then) ln(share now / share then); no share may be 0."""
    return float(((now - then) * np.log(now / then)).sum())


def kolmogorov_smirnov(now: Weighted, then: Weighted) -> float:
    """The largest distance between the two distribution functions, 0 to 1."""
    points = np.union1d(now.values, then.values)
    return float(np.abs(_reach(now, points) - _reach(then, points)).max())


def choose_edges(then: Weighted) -> Vector:
    """Edges of bins (lo, hi] that end at the deciles of the reference (values that occur), the first below them all.

    Deciles that tie make one bin; what is above the last edge has a bin of its own, and so has what is below the first.
    """
    at = np.searchsorted(then.reached, np.arange(1, PSI_BINS) / PSI_BINS - 1e-12)
    return np.unique(np.concatenate([[np.nextafter(then.values[0], -np.inf)], then.values[at]]))


def count_bins(then: Weighted) -> int:
    """How many of the bins of `choose_edges` the reference fills."""
    return int((_bin_weights(then, choose_edges(then)) > 0).sum())


def _bin_shares(now: Weighted, then: Weighted) -> tuple[Vector, Vector]:
    """Shares in the bins of the reference that are not empty on both sides."""
    edges = choose_edges(then)
    shares = np.stack([_bin_weights(side, edges) / side.weights.sum() for side in (now, then)])
    first, second = shares[:, shares.sum(axis=0) > 0]
    return fill_empty(first, now.size), fill_empty(second, then.size)


def _bin_weights(side: Weighted, edges: Vector) -> Vector:
    bins = np.searchsorted(edges, side.values, side="left")
    return np.bincount(bins, side.weights, minlength=len(edges) + 1).astype(np.float64)


def _reach(side: Weighted, points: Vector) -> Vector:
    found = np.searchsorted(side.values, points, side="right")
    return np.concatenate([[0.0], side.reached])[found]
