"""The cohorts acquired after the origin, which no fit has seen.

Belongs here: what a fit says of a customer about whom nothing is known but the first day. Does not belong here:
customers known at the origin (`holdout.py`).
"""

import polars as pl

from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.backtest.metrics import Measures, measure_all
from clv_pipeline.clv.models import expected_purchases
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.scores import Models


def measure_newcomers(newcomers: pl.DataFrame, models: Models | None, nbd: tuple[float, float]) -> Measures:
    """Every metric on the repeat purchases that customers acquired after the origin made until the end of the holdout.

    `newcomers`: frequency and T (weeks) at that end, and their attributes. `models`: the fit; None for the NBD with r
    and alpha `nbd`. The forecast is that of a new customer, E[X(T)], at each one's T. Empty where there is no newcomer.
    """
    if newcomers.is_empty():
        return {}
    alike = ["T", *list_columns(newcomers)]
    kinds = newcomers.select(alike).unique().sort(alike)
    T = read_vector(kinds, "T")
    if models is None:
        forecast = nbd[0] / nbd[1] * T
    else:
        forecast = expected_purchases(models.purchase_model, models.given(kinds).purchases, 0, 0, 0, horizon=T)
    forecasts = kinds.with_columns(pl.Series("forecast", forecast))
    each = newcomers.select(alike).join(forecasts, on=alike, how="left", nulls_equal=True, maintain_order="left")
    return measure_all(read_vector(newcomers, "frequency"), read_vector(each, "forecast"))
