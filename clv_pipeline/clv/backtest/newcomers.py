"""The cohorts acquired after the origin, which no fit has seen.

Belongs here: what a fit says of a customer about whom nothing is known but the first day. Does not belong here:
customers known at the origin (`holdout.py`).
"""

import numpy as np
import polars as pl

from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.backtest.metrics import Measures, measure_all
from clv_pipeline.clv.models import expected_purchases
from clv_pipeline.clv.scores import Models


def measure_newcomers(newcomers: pl.DataFrame, models: Models | None, nbd: tuple[float, float]) -> Measures:
    """Every metric on the repeat purchases that customers acquired after the origin made until the end of the holdout.

    `newcomers`: frequency and T (weeks) at that end. `models`: the fit; None for the NBD with r and alpha `nbd`. The
    forecast is that of a new customer, E[X(T)], at each one's T. Empty where there is no newcomer.
    """
    if newcomers.is_empty():
        return {}
    T = read_vector(newcomers, "T")
    days, position = np.unique(T, return_inverse=True)
    if models is None:
        forecast = nbd[0] / nbd[1] * days
    else:
        forecast = expected_purchases(models.purchase_model, models.purchases, 0, 0, 0, horizon=days)
    return measure_all(read_vector(newcomers, "frequency"), forecast[position])
