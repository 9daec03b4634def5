"""What the customers of each cohort are forecast to do in the coming months, written down when it is forecast.

Belongs here: expectations and their errors by cohort. Does not belong here: what happened instead (`performance.py`).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models import expected_purchases, expected_purchases_if_alive
from clv_pipeline.clv.scores import Models

type Vector = NDArray[np.float64]

HORIZONS = (1, 3, 6, 12)
FORECASTS_SCHEMA = {
    "horizon_months": pl.Int64,
    "cohort_month": pl.String,
    "customers": pl.Int64,
    "purchases": pl.Float64,
    "chance_sd": pl.Float64,
    "parameter_sd": pl.Float64,
    "spend": pl.Float64,
}
_DRAWS = 40


def forecast_cohorts(
    rows: pl.DataFrame, sample: pl.DataFrame, models: Models, draws: pl.DataFrame, weeks: Mapping[int, float]
) -> pl.DataFrame:
    """One row per horizon and cohort, columns as in FORECASTS_SCHEMA.

    `rows`: cohort_month, frequency, weeks (T), customers, and the sums of P(alive), of its square, and of P(alive)
    times the expected spend. `sample`: frequency, recency, T of some customers. `draws`: draw, parameter, value of the
    purchase model. `weeks`: how long each horizon (in months) is.

    purchases is the sum of the conditional expectations. chance_sd is the standard deviation of the sum given the
    parameters; a living customer's number of purchases has the variance of a negative binomial of that mean.
    parameter_sd is relative: the standard deviation over the draws of the expectation of the sample.
    """
    if rows.is_empty():
        return pl.DataFrame(schema=FORECASTS_SCHEMA)
    frequency, ages = (rows[name].to_numpy() for name in ("frequency", "weeks"))
    tables = []
    for months, horizon in weeks.items():
        mean = expected_purchases_if_alive(models.purchase_model, models.purchases, frequency, ages, horizon=horizon)
        square = mean + mean**2 * (1 + 1 / (models.purchases["r"] + frequency))
        relative = _spread_of_draws(sample, models, draws, horizon)
        summed = (
            rows.with_columns(mean=pl.Series(mean), square=pl.Series(square))
            .group_by("cohort_month")
            .agg(
                pl.col("customers").sum().cast(pl.Int64),
                purchases=(pl.col("alive") * pl.col("mean")).sum(),
                chance_sd=(pl.col("alive") * pl.col("square") - pl.col("alive_squared") * pl.col("mean") ** 2)
                .sum()
                .sqrt(),
                spend=(pl.col("alive_spend") * pl.col("mean")).sum(),
            )
            .sort("cohort_month")
        )
        constants = pl.lit(months, pl.Int64).alias("horizon_months"), pl.lit(relative).alias("parameter_sd")
        tables.append(summed.with_columns(*constants).select(*FORECASTS_SCHEMA))
    return pl.concat(tables)


def _spread_of_draws(sample: pl.DataFrame, models: Models, draws: pl.DataFrame, horizon: float) -> float:
    """The relative standard deviation, over up to 40 draws of the parameters, of what the sample is expected to buy."""
    numbers = draws["draw"].unique().sort()
    kept = numbers.gather_every(max(len(numbers) // _DRAWS, 1))[:_DRAWS]
    totals = []
    for (_,), rows in draws.filter(pl.col("draw").is_in(kept.implode())).partition_by("draw", as_dict=True).items():
        parameters = dict(rows.select("parameter", "value").iter_rows())
        customers = (sample[name].to_numpy() for name in ("frequency", "recency", "T"))
        totals.append(float(expected_purchases(models.purchase_model, parameters, *customers, horizon=horizon).sum()))
    return float(np.std(totals) / np.mean(totals)) if len(totals) > 1 and np.mean(totals) > 0 else 0.0
