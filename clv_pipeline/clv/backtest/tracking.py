"""Repeat purchases week by week, actual and expected, of the customers known at an origin.

Belongs here: the weeks before the origin (fitted) and after it (forecast). Does not belong here: counting the actual
ones (`sql/5_models/`), drawing them.
"""

from collections.abc import Mapping, Sequence
from math import ceil, floor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.models import expected_purchases
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.models.purchases import as_columns
from clv_pipeline.clv.scores import Models
from clv_pipeline.clv.scores.recalibration import quicken_models

type Vector = NDArray[np.float64]

WEEKS_SCHEMA = {
    "model": pl.String,
    "week": pl.Int64,
    "weekly_actual": pl.Float64,
    "weekly_expected": pl.Float64,
    "cumulative_actual": pl.Float64,
    "cumulative_expected": pl.Float64,
}
# The forecast of all customers together is a smooth curve over the weeks ahead: these parts of the horizon give it.
_NODES = (0.0, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
_DISTINCT = ("frequency", "recency", "T")
_MOST_TRACKED = 4_000


def track_weeks(
    customers: pl.DataFrame,
    actual: Mapping[int, float],
    fitted: Sequence[Models],
    weeks: float,
    paces: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Repeat purchases a week and up to it, by model.

    `customers`: frequency, recency, T (weeks) at the origin, and attributes. `actual`: repeat purchases by week; week 0
    ends with the origin, week 1 is the first after it. Until the origin the model expects E[X(t)] of a new customer
    since each one's first day, after it the forecast given what was known at the origin, so that its sum is that of the
    backtest; `paces` are those of the forecasts, by model.
    Days after the last whole week are left out.
    """
    ages = np.rint(read_vector(customers, "T") * 7).astype(np.int64)
    first, last = -ceil(int(ages.max()) / 7) + 1, floor(weeks + 1e-9)
    numbers = np.arange(first, last + 1)
    happened = np.array([float(actual.get(int(week), 0.0)) for week in numbers])
    starts = np.bincount(ages)
    alike = [*_DISTINCT, *list_columns(customers)]
    distinct = customers.group_by(alike).agg(pl.len().alias("customers")).sort(alike)
    tables = []
    for models in fitted:
        if models.design:
            before = _expect_each_before(models, distinct, numbers[numbers <= 0])
        else:
            before = _expect_before(models, starts, numbers[numbers <= 0])
        quick = quicken_models(models, (paces or {}).get(models.purchase_model, 1.0))
        after = before[-1] + _expect_after(quick, distinct, numbers[numbers > 0].astype(np.float64), weeks)
        cumulative = np.concatenate([before, after])
        tables.append(
            pl.DataFrame(
                {
                    "model": [models.purchase_model] * len(numbers),
                    "week": numbers,
                    "weekly_actual": happened,
                    "weekly_expected": np.diff(cumulative, prepend=0.0),
                    "cumulative_actual": np.cumsum(happened),
                    "cumulative_expected": cumulative,
                },
                schema=WEEKS_SCHEMA,
            )
        )
    return pl.concat(tables) if tables else pl.DataFrame(schema=WEEKS_SCHEMA)


def _expect_before(models: Models, starts: NDArray[np.int64], numbers: NDArray[np.int64]) -> Vector:
    """Purchases expected up to the end of each week; `starts` counts customers by days from first day to origin."""
    oldest = len(starts) - 1
    days = np.arange(oldest + 1)
    of_one = expected_purchases(models.purchase_model, models.purchases, 0, 0, 0, horizon=days / 7)
    # On day d after the oldest's first, one of age a at the origin has been a customer for d - oldest + a days.
    of_all = np.convolve(starts[::-1], of_one)
    return of_all[oldest + 7 * numbers]


def _expect_each_before(models: Models, distinct: pl.DataFrame, numbers: NDArray[np.int64]) -> Vector:
    """The same where covariates make customers differ, from at most so many of them, evenly spaced."""
    few = distinct.gather_every(-(-distinct.height // _MOST_TRACKED))
    everybody, counts = read_vector(distinct, "customers").sum(), read_vector(few, "customers")
    lived = np.maximum(read_vector(few, "T")[:, None] + numbers, 0.0)
    own = as_columns(models.given(few).purchases)
    expected = expected_purchases(models.purchase_model, own, 0, 0, 0, horizon=lived)
    return counts @ expected * (everybody / counts.sum())


def _expect_after(models: Models, distinct: pl.DataFrame, ahead: Vector, weeks: float) -> Vector:
    seen = [read_vector(distinct, name)[:, None] for name in _DISTINCT]
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415 - only a backtest needs it

    nodes = weeks * np.array(_NODES)
    own = as_columns(models.given(distinct).purchases)
    expected = expected_purchases(models.purchase_model, own, *seen, horizon=nodes)
    return PchipInterpolator(nodes, read_vector(distinct, "customers") @ expected)(ahead)
