"""Do newer cohorts differ from older ones at equal age, by more than chance?

Belongs here: the split, the measures, and their bootstrap intervals. Does not belong here: summing what customers did
(SQL).

The bootstrap draws customers with replacement by giving each a Poisson weight of mean 1 (Hanley and MacGibbon,
Creating non-parametric bootstrap samples using Poisson frequencies, 2006). Customers come as sums over random
buckets, at most 256 to a cohort: up to 256 customers every bucket is one customer and the bootstrap is exact; beyond,
it draws buckets, whose sums vary as sums of customers do, and its size stops growing with the number of customers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

type Array = NDArray[np.float64]

DRAWS = 1000
SEED = 20220822
SUMS = ("active", "orders", "spend", "profit")
MEASURES = ("pct_active", "aof", "aov", "margin", "profit_per_acquired", "cumulative_profit_per_acquired")
DIRECTIONS = ("higher", "lower", "no clear difference")
SCHEMA = {
    "grain": pl.String,
    "age": pl.Int64,
    "measure": pl.String,
    "older_first": pl.String,
    "older_last": pl.String,
    "older_customers": pl.Int64,
    "newer_first": pl.String,
    "newer_last": pl.String,
    "newer_customers": pl.Int64,
    "older": pl.Float64,
    "newer": pl.Float64,
    "difference": pl.Float64,
    "difference_lower": pl.Float64,
    "difference_upper": pl.Float64,
    "direction": pl.String,
}

# Each number as often as Poisson has it: to look one up takes a tenth of the time that drawing it does.
_POISSON = np.repeat(np.arange(8.0), [24109, 24109, 12055, 4018, 1005, 201, 33, 6])


@dataclass(frozen=True)
class _Cohort:
    """Sums of one cohort by draw and age; draw 0 is the data as they are. `sums`: draw x age x SUMS, `size`: draw."""

    label: str
    last_age: int
    customers: int
    size: Array
    sums: Array
    cumulative_profit: Array


def compare_newer(sizes: pl.DataFrame, sums: pl.DataFrame) -> pl.DataFrame:
    """One row per grain, age and measure: the newer half of the cohorts that completed the age, against the older.

    `sizes`: grain, cohort, cohort_start, last_age, bucket, customers. `sums`: grain, cohort, bucket, age and the sums
    of the bucket. With an odd number the middle cohort is in neither half. Measures are ratios of totals;
    `difference` is newer - older, with its 95% percentile interval; `direction` says where that lies, null without
    one. The draws depend on nothing but cohorts and buckets, so that the same data give the same interval.
    """
    rows: list[dict[str, object]] = []
    for (grain,), of_grain in sizes.filter(pl.col("last_age").is_not_null()).group_by("grain", maintain_order=True):
        by_cohort = sums.filter(pl.col("grain") == grain).partition_by("cohort", as_dict=True)
        cohorts = [
            _draw(rows_of, by_cohort.get((label,)))
            for (_, label), rows_of in of_grain.sort("cohort_start", "bucket").group_by(
                "cohort_start", "cohort", maintain_order=True
            )
        ]
        for age in range(max((cohort.last_age for cohort in cohorts), default=-1) + 1):
            reached = [cohort for cohort in cohorts if cohort.last_age >= age]
            if half := len(reached) // 2:
                rows += [{"grain": grain, "age": age, **row} for row in _compare(reached[:half], reached[-half:], age)]
    return pl.DataFrame(rows, schema=SCHEMA)


def _draw(buckets: pl.DataFrame, found: pl.DataFrame | None) -> _Cohort:
    first = buckets.row(0, named=True)
    last_age = int(first["last_age"])
    row_of = {bucket: row for row, bucket in enumerate(buckets["bucket"])}
    data = np.zeros((len(row_of), last_age + 1, len(SUMS)))
    if found is not None:
        found = found.filter(pl.col("age") <= last_age)
        rows = [row_of[bucket] for bucket in found["bucket"]]
        data[rows, found["age"].to_numpy()] = found.select(SUMS).to_numpy()
    size = buckets["customers"].cast(pl.Float64).to_numpy()
    month = int(first["cohort_start"].replace("-", ""))
    weights = _weigh(month, len(size))
    sums = np.tensordot(weights, data, axes=1)
    return _Cohort(
        first["cohort"],
        last_age,
        int(size.sum()),
        weights @ size,
        sums,
        sums[:, :, SUMS.index("profit")].cumsum(axis=1),
    )


@lru_cache(maxsize=64)
def _weigh(month: int, buckets: int) -> Array:
    """A weight for each draw and bucket; cohorts of several grains start in the same month."""
    places = np.random.default_rng([SEED, month]).integers(len(_POISSON), size=(DRAWS, buckets), dtype=np.uint32)
    weights = _POISSON[places]
    return np.vstack([np.ones(buckets), weights])


def _compare(older: Sequence[_Cohort], newer: Sequence[_Cohort], age: int) -> list[dict[str, object]]:
    then, now = _measure(older, age), _measure(newer, age)
    return [
        {
            "measure": measure,
            "older_first": older[0].label,
            "older_last": older[-1].label,
            "older_customers": sum(cohort.customers for cohort in older),
            "newer_first": newer[0].label,
            "newer_last": newer[-1].label,
            "newer_customers": sum(cohort.customers for cohort in newer),
            "older": _finite(then[measure][0]),
            "newer": _finite(now[measure][0]),
            **_describe(now[measure] - then[measure]),
        }
        for measure in MEASURES
    ]


def _measure(cohorts: Sequence[_Cohort], age: int) -> Mapping[str, Array]:
    size = np.sum([cohort.size for cohort in cohorts], axis=0)
    active, orders, spend, profit = np.sum([cohort.sums[:, age] for cohort in cohorts], axis=0).T
    cumulative = np.sum([cohort.cumulative_profit[:, age] for cohort in cohorts], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (active / size, orders / active, spend / orders, profit / spend, profit / size, cumulative / size)
    return {name: np.where(np.isfinite(ratio), ratio, np.nan) for name, ratio in zip(MEASURES, ratios, strict=True)}


def _describe(differences: Array) -> dict[str, object]:
    """The difference in the data and its interval over the draws; draws without anybody to divide by are left out."""
    drawn = differences[1:][np.isfinite(differences[1:])]
    known = np.isfinite(differences[0]) and len(drawn) > DRAWS // 2
    lower, upper = (float(end) for end in np.percentile(drawn, [2.5, 97.5])) if known else (None, None)
    direction = None
    if lower is not None and upper is not None:
        direction = DIRECTIONS[0] if lower > 0 else DIRECTIONS[1] if upper < 0 else DIRECTIONS[2]
    return {
        "difference": _finite(differences[0]),
        "difference_lower": lower,
        "difference_upper": upper,
        "direction": direction,
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
