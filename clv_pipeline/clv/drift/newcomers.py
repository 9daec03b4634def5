"""A value that a column never had before (a new channel, say), and whether its customers are worse.

Belongs here: finding it, and what its customers brought beside others acquired in the same months. Does not belong
here: shares of values that were known (`profiles.compare_categories`).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from clv_pipeline.clv.drift.levels import Limits
from clv_pipeline.clv.drift.observations import index_month

# A value counts as new so many months; by then it is known whether its customers are worse.
_NEW_MONTHS = 3
MOST_VALUES = 50
# Asked once of a new value, and in one direction, not of hundreds of series every month: once in a hundred times.
_SURE = float(ndtri(0.99))
_FEWEST = 20
_SUMS = ("customers", "spend", "spend_squared")

type Vector = NDArray[np.float64]


@dataclass(frozen=True)
class NewValue:
    """A new value of a column: since when, its shares, and what its customers brought relative to others (1: alike).

    `worth` is None where too few came, `is_worse` whether they brought less by more than the limit and chance.
    """

    attribute: str
    value: str
    since: str
    share_lines: float
    share_new: float
    worth: float | None
    is_worse: bool

    @property
    def words(self) -> str:
        """What is new, in words."""
        text = (
            f"{self.attribute} '{self.value}' is new since {self.since}: {self.share_lines:.1%} of lines,"
            f" {self.share_new:.1%} of new customers"
        )
        if self.worth is None:
            return text
        return f"{text}; they brought {self.worth - 1:+.0%} against others acquired in the same months"


def find_new_values(
    categories: pl.DataFrame, newcomers: pl.DataFrame, month: str, share: Limits, change: Limits
) -> list[NewValue]:
    """Values first seen in `month` or the two before, with more than `share.alert` of the lines or new customers.

    `categories`: attribute, period, value, lines. `newcomers`: attribute, value, cohort_month, customers, spend,
    spend_squared. Columns with very many values (codes, notes) have new ones every month and are left aside; so are
    those that nobody filled in three months before.
    """
    found: list[NewValue] = []
    for attribute in categories["attribute"].unique().sort():
        of_column = categories.filter((pl.col("attribute") == attribute) & pl.col("value").is_not_null())
        first_seen = of_column.group_by("value").agg(since=pl.col("period").min()).sort("value")
        begun = min(first_seen["since"], default=month)
        if first_seen.height > MOST_VALUES or index_month(month) - index_month(begun) < _NEW_MONTHS:
            continue
        for value, since in first_seen.iter_rows():
            if 0 <= index_month(month) - index_month(since) < _NEW_MONTHS:
                new = _describe(of_column, newcomers, month, (attribute, value, since), change)
                if max(new.share_lines, new.share_new) > share.alert:
                    found.append(new)
    return found


def _describe(
    of_column: pl.DataFrame, newcomers: pl.DataFrame, month: str, key: tuple[str, str, str], change: Limits
) -> NewValue:
    attribute, value, since = key
    lines = of_column.filter(pl.col("period") == month)
    rows = newcomers.filter((pl.col("attribute") == attribute) & (pl.col("cohort_month") >= since))
    fresh = rows.filter(pl.col("cohort_month") == month)
    worth, error = _compare_worth(rows, value)
    return NewValue(
        attribute,
        value,
        since,
        _share(lines, "lines", value),
        _share(fresh, "customers", value),
        worth,
        is_worse=worth is not None and worth - 1 < -max(change.alert, _SURE * error),
    )


def _compare_worth(rows: pl.DataFrame, value: str) -> tuple[float | None, float]:
    """Spend so far of the customers of `value` over that of as many others of the same cohorts, and its error."""
    sums = [pl.col(name).sum() for name in _SUMS]
    of_value = pl.col("value") == value
    mine, others = (rows.filter(side).group_by("cohort_month").agg(sums) for side in (of_value, ~of_value))
    both = mine.join(others, on="cohort_month", suffix="_others")
    mine, others = (both[[f"{name}{side}" for name in _SUMS]].to_numpy().T for side in ("", "_others"))
    scale = mine[0] / others[0]
    spent, expected = float(mine[1].sum()), float((others[1] * scale).sum())
    if mine[0].sum() < _FEWEST or expected <= 0 or spent <= 0:
        return None, 0.0
    variance = _scatter(*mine).sum() / spent**2 + (_scatter(*others) * scale**2).sum() / expected**2
    return spent / expected, sqrt(float(variance))


def _scatter(customers: Vector, spend: Vector, squared: Vector) -> Vector:
    """The variance of the spend of so many customers of one cohort: how many came is given."""
    return np.maximum(squared - spend**2 / customers, 0.0) * customers / np.maximum(customers - 1, 1)


def _share(rows: pl.DataFrame, column: str, value: str) -> float:
    total = float(rows[column].sum())
    return float(rows.filter(pl.col("value") == value)[column].sum()) / total if total else 0.0
