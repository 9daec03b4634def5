"""Two as-of months at equal age: a base that merely ages has not drifted.

Belongs here: giving a reference the ages of today's customers. Does not belong here: the distances between the two.

Frequency, recency and value to date grow with age, so a base that acquires fewer customers, or just gets older, looks
different from itself a year before. The reference is therefore post-stratified: a customer of it weighs as many times
as there are customers of its age today for each one then. Ages that only one side has are left out.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from clv_pipeline.clv.drift.distances import Weighted


@dataclass(frozen=True)
class Sides:
    """What is compared, and the share of today's customers whose age the reference has too."""

    now: Weighted
    then: Weighted
    share_compared: float


def compare_at_equal_age(now: pl.DataFrame, then: pl.DataFrame) -> Sides | None:
    """Both sides over their common ages, `then` weighted to the ages of `now`; None without a common age.

    Both frames have age, value and customers: how many customers of that age have that value.
    """
    ages = (side.group_by("age").agg(pl.col("customers").sum()) for side in (now, then))
    today, before = ages
    mix = today.join(before, on="age", suffix="_then").with_columns(
        weight=pl.col("customers") / pl.col("customers_then")
    )
    if mix.is_empty():
        return None
    here = now.join(mix.select("age"), on="age", how="semi")
    there = then.join(mix.select("age", "weight"), on="age").with_columns(pl.col("customers") * pl.col("weight"))
    compared = float(mix["customers"].sum())
    # Kish's effective size of a weighted sample.
    effective = compared**2 / float((mix["customers"] ** 2 / mix["customers_then"]).sum())
    return Sides(
        _gather(here, compared),
        _gather(there, effective),
        compared / float(today["customers"].sum()),
    )


def _gather(side: pl.DataFrame, size: float) -> Weighted:
    counted = side.group_by("value").agg(pl.col("customers").sum().cast(pl.Float64)).sort("value")
    return Weighted(
        counted["value"].to_numpy().astype(np.float64), counted["customers"].to_numpy().astype(np.float64), size
    )
