"""Forecasts that a model has to beat: what one would do without it.

Belongs here: last year again, the mean of the cohort, the NBD without dropout, the mean of a recency-frequency bin.
Does not belong here: models of customers who leave (`clv/models`). None of them sees anything after the origin.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest.holdout import Fold, Forecast, forecast_mean_spend, read_vector
from clv_pipeline.clv.scores import Models

type Vector = NDArray[np.float64]
type Codes = NDArray[np.int64]

BASELINES = ("last_year", "cohort_mean", "nbd", "recency_frequency_bins")

_FREQUENCY_BINS = (1, 2, 3, 4, 7, 12)
_SILENCE_QUANTILES = (0.2, 0.4, 0.6, 0.8)


def forecast_baselines(fold: Fold, nbd: tuple[float, float], spend: Models | None) -> dict[str, Forecast]:
    """The forecast of each baseline that has the history it needs; `spend` gives the NBD its mean per purchase.

    last_year: purchases and spend of the last twelve months (or of the history, if shorter), scaled to the horizon.
    cohort_mean: repeat purchases, and their spend, per customer-week of the cohort to date, for each of its customers.
    nbd: Gamma-Poisson purchases of customers who never leave, (r + x) / (alpha + T) a week; see `clv/models/nbd.py`.
    recency_frequency_bins: what customers of the same bin of frequency and of weeks since the last purchase did in the
    equally long window before the origin.
    """
    customers, share = fold.customers, fold.weeks / fold.last_weeks
    last = [read_vector(customers, name) * share for name in ("last_purchases", "last_spend")]
    forecasts = {
        "last_year": Forecast(last[0], np.maximum(last[1], 0.0)),
        "cohort_mean": _forecast_cohorts(customers, fold.weeks),
    }
    if spend is not None:
        r, alpha = nbd
        x, T = (read_vector(customers, name) for name in ("frequency", "T"))
        purchases = (r + x) / (alpha + T) * fold.weeks
        forecasts["nbd"] = Forecast(purchases, purchases * forecast_mean_spend(spend, customers))
    if not fold.earlier.is_empty():
        forecasts["recency_frequency_bins"] = _forecast_bins(customers, fold.earlier)
    return forecasts


def _forecast_cohorts(customers: pl.DataFrame, weeks: float) -> Forecast:
    codes = customers["cohort"].rank("dense").cast(pl.Int64).to_numpy() - 1
    x, T = (read_vector(customers, name) for name in ("frequency", "T"))
    repeated = x * np.nan_to_num(read_vector(customers, "monetary_value"))
    lived = np.bincount(codes, T)
    everybody = max(float(T.sum()), 1.0)

    def expect(amount: Vector) -> Vector:
        of_all = float(amount.sum()) / everybody
        rates = np.divide(np.bincount(codes, amount), lived, out=np.full(len(lived), of_all), where=lived > 0)
        return rates[codes] * weeks

    return Forecast(expect(x), expect(repeated))


def _forecast_bins(customers: pl.DataFrame, earlier: pl.DataFrame) -> Forecast:
    edges = np.unique(np.quantile(_silence(earlier), _SILENCE_QUANTILES))
    frequency, silence = _bin(customers, edges)
    learnt_frequency, learnt_silence = _bin(earlier, edges)
    width, height = len(edges) + 1, len(_FREQUENCY_BINS) + 1

    def expect(name: str) -> Vector:
        amount = read_vector(earlier, name)
        rough = _average(learnt_frequency, amount, np.full(height, amount.mean()))
        fine = _average(learnt_frequency * width + learnt_silence, amount, np.repeat(rough, width))
        return fine[frequency * width + silence]

    return Forecast(expect("actual_purchases"), expect("actual_spend"))


def _average(codes: Codes, amount: Vector, otherwise: Vector) -> Vector:
    """The mean of `amount` in each cell; `otherwise` where it is empty."""
    sizes = np.bincount(codes, minlength=len(otherwise))
    sums = np.bincount(codes, amount, minlength=len(otherwise))
    return np.divide(sums, sizes, out=otherwise, where=sizes > 0)


def _bin(customers: pl.DataFrame, edges: Vector) -> tuple[Codes, Codes]:
    frequency = np.searchsorted(_FREQUENCY_BINS, customers["frequency"].to_numpy(), side="right")
    return frequency, np.searchsorted(edges, _silence(customers), side="right")


def _silence(customers: pl.DataFrame) -> Vector:
    """Weeks since the last purchase."""
    return read_vector(customers, "T") - read_vector(customers, "recency")
