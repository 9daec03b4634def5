"""What is reported beside the parameters: how well the fitted models describe the customers they were fitted to.

Belongs here: in-sample metrics, the table of repeat purchases, and notes for a reader. Does not belong here: holdout
tests, charts.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from clv_pipeline.clv.models.covariates import Design, list_columns, personalise
from clv_pipeline.clv.models.estimates import Estimate
from clv_pipeline.clv.models.purchases import expected_purchases, p_alive, purchase_probabilities
from clv_pipeline.clv.models.spend import population_spend

EVALUATION_SCHEMA = {"model": pl.String, "split": pl.String, "metric": pl.String, "value": pl.Float64}

_LARGEST_COUNT = 6
_FEW_REPEATERS = 100


def evaluate_purchases(rows: pl.DataFrame, fitted: Estimate, design: Design) -> pl.DataFrame:
    """In-sample metrics of a purchase model on rows encoded by `design`.

    mae and rmse compare each frequency with E[X(T)] of a new customer.
    """
    frequency = rows["frequency"].to_numpy()
    error = frequency - _expect_repeat_purchases(rows, fitted, design)
    return _build_evaluation(
        fitted.model,
        {
            "log_likelihood": fitted.log_likelihood,
            "customers": rows.height,
            "repeat_customers": int((frequency > 0).sum()),
            "distinct_rows": fitted.distinct_rows,
            "repeat_purchases": float(frequency.sum()),
            "expected_repeat_purchases": float((frequency - error).sum()),
            "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt((error**2).mean())),
        },
    )


def evaluate_gamma_gamma(
    repeaters: pl.DataFrame, parameters: Mapping[str, float], log_likelihood: float, distinct_rows: int
) -> pl.DataFrame:
    """In-sample metrics of the Gamma-Gamma; repeaters are the customers it was fitted to."""
    return _build_evaluation(
        "gamma_gamma",
        {
            "log_likelihood": log_likelihood,
            "customers": repeaters.height,
            "repeat_customers": repeaters.height,
            "distinct_rows": distinct_rows,
            "mean_monetary_value": _mean(repeaters["monetary_value"]),
            "expected_monetary_value": population_spend(parameters),
        },
    )


def evaluate_mean_spend(rows: pl.DataFrame) -> pl.DataFrame:
    """The size of the sample behind the plain mean."""
    repeaters = rows.filter(pl.col("frequency") > 0).height
    return _build_evaluation("mean_spend", {"customers": rows.height, "repeat_customers": repeaters})


def build_repeat_purchases(rows: pl.DataFrame, fitted: Estimate, design: Design) -> pl.DataFrame:
    """Customers by number of repeat purchases up to their T, actual and expected: purchases '0'..'6' and '7+'."""
    alike = ["T", *list_columns(rows)]
    by_age = rows.group_by(alike).agg(pl.len().alias("customers")).sort(alike)
    T, customers = by_age["T"].to_numpy(), by_age["customers"].to_numpy()
    model, own = fitted.model, personalise(fitted.model, fitted.parameters, by_age, design)
    # A customer of the MBG/NBD may be gone right after the first purchase.
    starts = p_alive(model, own, 0, 0, np.zeros(len(T)))
    probabilities = starts[:, None] * purchase_probabilities(model, own, 0, 0, horizon=T, most=_LARGEST_COUNT)
    probabilities[:, 0] += 1 - starts
    expected = customers @ probabilities
    frequency = rows["frequency"].to_numpy()
    actual = np.bincount(np.minimum(frequency, _LARGEST_COUNT + 1), minlength=_LARGEST_COUNT + 2)
    return pl.DataFrame(
        {
            "model": model,
            "purchases": [*(str(n) for n in range(_LARGEST_COUNT + 1)), f"{_LARGEST_COUNT + 1}+"],
            "actual": actual.astype(np.int64),
            "expected": [*expected, max(rows.height - expected.sum(), 0.0)],
        }
    )


def describe_customers(rows: pl.DataFrame, model: str, *, flat: bool) -> list[str]:
    """Plain sentences on what these customers can and cannot tell."""
    repeaters = rows.filter(pl.col("frequency") > 0).height
    notes: list[str] = []
    if repeaters == 0:
        notes.append("No customer has a repeat purchase yet: the purchase forecast rests on the priors.")
    elif repeaters < _FEW_REPEATERS:
        rests = "is uncertain" if flat else "leans on the priors"
        notes.append(f"Customers with a repeat purchase: {repeaters:,} of {rows.height:,}; the forecast {rests}.")
    if model == "bg_nbd":
        notes.append("In the BG/NBD a customer without a repeat purchase has P(alive) = 1 by construction.")
    return notes


def _expect_repeat_purchases(
    rows: pl.DataFrame, fitted: Estimate, design: Design
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    alike = ["T", *list_columns(rows)]
    ages = rows.select(alike).unique().sort(alike)
    own = personalise(fitted.model, fitted.parameters, ages, design)
    expected = expected_purchases(fitted.model, own, 0, 0, 0, horizon=ages["T"])
    placed = ages.with_columns(pl.Series("expected", expected))
    return rows.select(alike).join(placed, on=alike, how="left", maintain_order="left")["expected"].to_numpy()


def evaluate_sampling(model: str, metrics: Mapping[str, float]) -> pl.DataFrame:
    """The diagnostics of NUTS, the worst over the parameters; no row without sampling."""
    return _build_evaluation(model, metrics, split="sampling")


def _build_evaluation(model: str, metrics: Mapping[str, float], split: str = "in_sample") -> pl.DataFrame:
    rows = [(model, split, metric, float(value)) for metric, value in metrics.items()]
    return pl.DataFrame(rows, schema=EVALUATION_SCHEMA, orient="row")


def _mean(values: pl.Series) -> float:
    return float(values.to_numpy().mean())
