"""One origin of a backtest: customers as known then, what they did afterwards, and what each model forecast.

Belongs here: the data of a fold, fitting the candidates to it, their forecasts per customer. Does not belong here:
forecasts without a model of dropout (`baselines.py`), or how good a forecast was (`metrics.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models import ModelError, ModelFit, expected_purchases, fit_models
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.scores import Models, read_models

type Vector = NDArray[np.float64]
type Fit = Callable[..., ModelFit]

# Of a larger base the fit sees every k-th customer: their total forecast is good to well below 1%.
MOST_FITTED = 50_000


@dataclass(frozen=True)
class Fold:
    """What a forecast may use, and what it is held against.

    `customers`: one row per customer known at the origin, sorted by customer_id; cohort, frequency, recency, T (weeks),
    monetary_value and spend at the origin; last_purchases and last_spend within the `last_weeks` before it;
    actual_purchases (purchase days) and actual_spend (0 where returns reach it) within the `weeks` after it; and the
    attributes that models use (`covariates.name_column`), which the newcomers have too.
    `newcomers`: frequency and T at the end of those weeks of the customers acquired in them. `earlier`:
    frequency, recency, T at an origin `weeks` before this one, with the same two actuals until this one; empty where
    there is no such history. `spend_level`: what the trend of spend says at the origin (`spend_level.py`).
    """

    customers: pl.DataFrame
    newcomers: pl.DataFrame
    earlier: pl.DataFrame
    weeks: float
    last_weeks: float
    spend_level: float = 1.0


@dataclass(frozen=True)
class Forecast:
    """Expected purchases and expected spend within the weeks after the origin, one entry per customer.

    Neither discount nor margin: it is held against what customers paid.
    """

    purchases: Vector
    spend: Vector


def fit_candidates(
    customers: pl.DataFrame,
    models: Sequence[str],
    *,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
    fit: Fit = fit_models,
) -> tuple[list[Models], list[str]]:
    """The `models` that can be fitted to `customers` at the mode, and a sentence for each that cannot."""
    seen = sample_fitted(customers)
    fitted: list[Models] = []
    notes: list[str] = []
    for model in models:
        try:
            found = fit(seen, transactions=model, estimation="map", priors=priors)
        except ModelError as error:
            notes.append(f"{model} has no backtest: {error}")
            continue
        fitted.append(read_models(found.parameters))
    return fitted, notes


def sample_fitted(customers: pl.DataFrame) -> pl.DataFrame:
    """The customers that the candidates are fitted to, in the order of their ids; what a fit reads of them."""
    ordered, _ = thin(customers.sort("customer_id"), MOST_FITTED)
    seen = ("frequency", "recency", "T", "monetary_value", "spend")
    return ordered.select(*seen, *list_columns(customers)).rechunk()


def forecast_candidate(models: Models, customers: pl.DataFrame, weeks: float) -> Forecast:
    """What the model expects of each customer within `weeks`; spend is independent of purchases in these models."""
    purchases = expected_purchases(
        models.purchase_model,
        models.given(customers).purchases,
        customers["frequency"],
        customers["recency"],
        customers["T"],
        horizon=weeks,
    )
    return Forecast(purchases, purchases * forecast_mean_spend(models, customers))


def forecast_mean_spend(models: Models, customers: pl.DataFrame) -> Vector:
    """E[spend per purchase] of each customer."""
    return models.expect_spend(read_vector(customers, "frequency"), read_vector(customers, "monetary_value"))


def thin(customers: pl.DataFrame, most: int) -> tuple[pl.DataFrame, int]:
    """Every k-th of more than `most` customers, and k."""
    every = max(-(-customers.height // most), 1)
    return customers.gather_every(every), every


def read_vector(customers: pl.DataFrame, column: str) -> Vector:
    """The column as floats, nan where it is null."""
    return customers[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
