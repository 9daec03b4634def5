"""Has the distribution of a feature moved since a reference?

Belongs here: the statistics and their thresholds. Does not belong here: which as-of is compared with which.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

PSI_BINS = 10
PSI_FLOOR = 1e-4

CHECKS_SCHEMA = {
    "feature": pl.String,
    "test": pl.String,
    "statistic": pl.Float64,
    "threshold": pl.Float64,
    "drifted": pl.Boolean,
}


def compare_distributions(
    current: pl.DataFrame,
    reference: pl.DataFrame,
    *,
    features: Sequence[str],
    psi_threshold: float = 0.25,
    ks_threshold: float = 0.1,
) -> pl.DataFrame:
    """Both tests of each feature: feature, test ('psi' or 'ks'), statistic, threshold, drifted (statistic > threshold).

    Nulls and nan are left out; where a side has nothing left, the statistic is null and nothing has drifted. The
    thresholds are effect sizes: with many customers every difference is significant, and few matter.
    """
    rows: list[tuple[str, str, float | None, float, bool]] = []
    for feature in features:
        now, then = _sorted_values(current, feature), _sorted_values(reference, feature)
        for test, measure, threshold in (
            ("psi", population_stability_index, psi_threshold),
            ("ks", kolmogorov_smirnov, ks_threshold),
        ):
            statistic = measure(now, then) if len(now) and len(then) else None
            rows.append((feature, test, statistic, threshold, statistic is not None and statistic > threshold))
    return pl.DataFrame(rows, schema=CHECKS_SCHEMA, orient="row")


def population_stability_index(current: Vector, reference: Vector) -> float:
    """PSI = sum over bins of (share now - share then) ln(share now / share then); both sorted and not empty.

    The bins (lo, hi] end at the deciles of the reference (the inverse of its distribution function, so that an edge is
    a value that occurs); deciles that tie make one bin, and values below the reference's smallest have a bin of their
    own. A share below 0.0001 counts as 0.0001, so that an empty bin weighs much, but not infinitely.
    """
    at = np.ceil(np.arange(1, PSI_BINS) * len(reference) / PSI_BINS).astype(np.int64) - 1
    below = np.nextafter(reference[0], -np.inf)
    edges = np.unique(np.concatenate([[below], reference[np.maximum(at, 0)]]))
    now, then = (_share_between(values, edges) for values in (current, reference))
    return float(((now - then) * np.log(now / then)).sum())


def kolmogorov_smirnov(current: Vector, reference: Vector) -> float:
    """The largest distance between the two distribution functions, 0 to 1; both sorted and not empty."""
    distances = (
        np.searchsorted(current, points, side="right") / len(current)
        - np.searchsorted(reference, points, side="right") / len(reference)
        for points in (_distinct(current), _distinct(reference))
    )
    return max(float(np.abs(distance).max()) for distance in distances)


def _sorted_values(frame: pl.DataFrame, feature: str) -> Vector:
    values = frame[feature].cast(pl.Float64).drop_nulls().drop_nans()
    return values.sort().to_numpy()


def _distinct(values: Vector) -> Vector:
    return values[np.flatnonzero(np.diff(values, prepend=-np.inf))] if np.isfinite(values[0]) else np.unique(values)


def _share_between(values: Vector, edges: Vector) -> Vector:
    counts = np.diff(np.searchsorted(values, edges, side="right"), prepend=0, append=len(values))
    return np.maximum(counts / len(values), PSI_FLOOR)
