"""A fold judged: every model and baseline on every measure, as rows.

Belongs here: which measures are taken on which customers, and the tables they go to. Does not belong here: the
measures (`metrics.py`, `calibration.py`), forecasts (`holdout.py`, `baselines.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest.baselines import forecast_baselines
from clv_pipeline.clv.backtest.distributions import (
    Row,
    locate_all,
    measure_distributions,
    measure_uncorrected,
    share_pits,
)
from clv_pipeline.clv.backtest.holdout import Fit, Fold, Forecast, fit_candidates, forecast_candidate, read_vector, thin
from clv_pipeline.clv.backtest.metrics import (
    DECILES,
    cut_deciles,
    measure_all,
    measure_groups,
    name_frequencies,
)
from clv_pipeline.clv.backtest.newcomers import measure_newcomers
from clv_pipeline.clv.models import fit_models, fit_nbd
from clv_pipeline.clv.scores import Models, Recalibration
from clv_pipeline.clv.scores.recalibration import UNCHANGED

type Vector = NDArray[np.float64]
type Codes = NDArray[np.int64]

TARGETS = ("purchases", "spend")
# Of a larger base every k-th customer is judged: errors of models and baselines, on the same customers, tell as much.
MOST_JUDGED = 200_000
MEASURE_SCHEMA = {
    "model": pl.String,
    "target": pl.String,
    "segment": pl.String,
    "metric": pl.String,
    "value": pl.Float64,
}
CALIBRATION_SCHEMA = {
    "model": pl.String,
    "target": pl.String,
    "grouping": pl.String,
    "bin": pl.String,
    "customers": pl.Int64,
    "mean_actual": pl.Float64,
    "mean_forecast": pl.Float64,
}


@dataclass(frozen=True)
class FoldResult:
    """What a fold says.

    `measures`: model (baselines among them), target (purchases or spend), segment ('all', 'frequency:0'..'7+',
    'decile:1' (highest forecasts)..'decile:10', 'cohort:<name>', 'newcomers'), metric, value. `calibration`: mean
    actual and mean forecast per customer by frequency and by decile of the model's own forecast. `pit`: share of
    customers by twentieth of the randomised probability integral transform. `fitted`: the candidates that
    could be fitted, and `notes` says why others could not.
    """

    measures: pl.DataFrame
    calibration: pl.DataFrame
    pit: pl.DataFrame
    fitted: Sequence[Models]
    notes: Sequence[str]


def run_fold(
    fold: Fold,
    models: Sequence[str],
    *,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
    fit: Fit = fit_models,
    issued: Mapping[str, Recalibration] | None = None,
) -> FoldResult:
    """Fits `models` to what was known at the origin, forecasts with them and the baselines, and measures both.

    `issued`: by model, what was known at the origin of how far its forecasts can be trusted, from earlier folds: every
    measure is that of the corrected forecast, and 'uncorrected_coverage_..' stands beside it; with a pace or a spend
    level other than 1 there are 'pace', 'spend_level', 'uncorrected_total_error' and 'uncorrected_mae' too.
    Everything is estimated from customers as known at the origin. The result depends neither on the order of rows nor
    on the clock. Raises ModelError only for settings that no data could satisfy.
    """
    everybody = fold.customers.sort("customer_id")
    fitted, notes = fit_candidates(everybody, models, priors=priors, fit=fit)
    customers, every = thin(everybody, MOST_JUDGED)
    if every > 1:
        notes = [*notes, f"The backtest judges one customer in {every}: {customers.height:,} of {everybody.height:,}."]
    fold = Fold(customers, fold.newcomers, fold.earlier, fold.weeks, fold.last_weeks)
    without_dropout, _ = fit_nbd(customers)
    nbd = without_dropout["r"], without_dropout["alpha"]
    issued = issued or {}
    expecting = [issued.get(found.purchase_model, UNCHANGED).expect(found) for found in fitted]
    forecasts = {found.purchase_model: forecast_candidate(found, customers, fold.weeks) for found in expecting}
    forecasts |= forecast_baselines(fold, nbd, fitted[0] if fitted else None)
    located = locate_all(fold, fitted, nbd, issued)
    groups = {name: found for name, found in _group(customers, np.zeros(customers.height)).items() if name != "decile"}
    rows = [*measure_distributions(located, groups), *(measure_uncorrected(fold, fitted) if issued else ())]
    rows += [row for name, forecast in forecasts.items() for row in _measure_forecast(name, forecast, customers)]
    rows += _measure_uncorrected_errors(fold, fitted, issued)
    rows += [
        ("nbd" if found is None else found.purchase_model, "purchases", "newcomers", metric, value)
        for found in (*expecting, None)
        for metric, value in measure_newcomers(fold.newcomers, found, nbd).items()
    ]
    return FoldResult(
        pl.DataFrame(rows, schema=MEASURE_SCHEMA, orient="row"),
        _calibrate(forecasts, customers),
        share_pits(located),
        fitted,
        notes,
    )


def _measure_uncorrected_errors(fold: Fold, fitted: Sequence[Models], issued: Mapping[str, Recalibration]) -> list[Row]:
    """What corrects the expectations of each model, and the errors that it would have made without."""
    rows: list[Row] = []
    for found in fitted:
        name = found.purchase_model
        correction = issued.get(name, UNCHANGED)
        if correction.expect(found) is found:
            continue
        plain = forecast_candidate(found, fold.customers, fold.weeks)
        for target in TARGETS:
            measures = measure_all(read_actual(fold.customers, target), read_forecast(plain, target))
            rows.append((name, target, "all", "pace", correction.pace))
            rows.append((name, target, "all", "spend_level", correction.spend_level))
            rows += [
                (name, target, "all", f"uncorrected_{metric}", measures[metric])
                for metric in ("total_error", "mae")
                if metric in measures
            ]
    return rows


def read_actual(customers: pl.DataFrame, target: str) -> Vector:
    """What happened within the weeks after the origin."""
    return read_vector(customers, f"actual_{target}")


def read_forecast(forecast: Forecast, target: str) -> Vector:
    """What was expected of it."""
    return forecast.purchases if target == "purchases" else forecast.spend


def _measure_forecast(model: str, forecast: Forecast, customers: pl.DataFrame) -> list[Row]:
    rows: list[Row] = []
    for target in TARGETS:
        actual, expected = read_actual(customers, target), read_forecast(forecast, target)
        rows += [(model, target, "all", metric, value) for metric, value in measure_all(actual, expected).items()]
        for grouping, (names, codes) in _group(customers, expected).items():
            for name, measures in zip(names, measure_groups(actual, expected, codes, len(names)), strict=True):
                rows += [(model, target, f"{grouping}:{name}", metric, value) for metric, value in measures.items()]
    return rows


def _group(customers: pl.DataFrame, expected: Vector) -> dict[str, tuple[Sequence[str], Codes]]:
    """Names of the groups and each customer's group, by frequency, decile of the forecast and cohort."""
    frequencies = name_frequencies()
    cohorts = sorted(customers["cohort"].unique().to_list())
    return {
        "frequency": (frequencies, np.minimum(customers["frequency"].to_numpy(), len(frequencies) - 1)),
        "decile": ([str(decile) for decile in range(1, DECILES + 1)], cut_deciles(expected)),
        "cohort": (cohorts, np.searchsorted(np.array(cohorts), customers["cohort"].to_numpy())),
    }


def _calibrate(forecasts: Mapping[str, Forecast], customers: pl.DataFrame) -> pl.DataFrame:
    rows: list[tuple[str, str, str, str, int, float, float]] = []
    for model, forecast in forecasts.items():
        for target in TARGETS:
            actual, expected = read_actual(customers, target), read_forecast(forecast, target)
            for grouping, (names, codes) in _group(customers, expected).items():
                if grouping == "cohort":
                    continue
                for name, found in zip(names, measure_groups(actual, expected, codes, len(names)), strict=True):
                    if found:
                        size = int(found["customers"])
                        means = found["actual"] / size, found["forecast"] / size
                        rows.append((model, target, grouping, name, size, *means))
    return pl.DataFrame(rows, schema=CALIBRATION_SCHEMA, orient="row")
