"""What a holdout teaches about the predictive distributions of the next forecast.

Belongs here: the volatility of rates by maximum likelihood, and the levels that were really reached. Does not belong
here: what is done with them (`clv/scores/recalibration.py`), the pace of all purchases (`pace.py`), or whether
it helped (`folds.py`).
"""

from collections.abc import Mapping, Sequence
from math import log1p, sqrt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest.calibration import LEAST_PROBABILITY, accumulate, locate_purchases, locate_spend
from clv_pipeline.clv.backtest.holdout import read_vector
from clv_pipeline.clv.models import p_alive
from clv_pipeline.clv.models.purchases import VOLATILITY, count_probability
from clv_pipeline.clv.scores import Models, Recalibration
from clv_pipeline.clv.scores.pair import WEEKS_PER_YEAR
from clv_pipeline.clv.scores.recalibration import LEVELS, TARGETS

type Vector = NDArray[np.float64]

# So many customers count as if their distributions had been right: few customers move the levels little.
_BELIEVERS = 100.0
# Few customers make rates wander little: the mean of an exponential prior of the variance within the horizon.
_LIKELY_VARIANCE = 0.25
_LOG_RANGE = (-16.0, 0.0)
_LIKELY_TOTAL_SD = 0.1
RECALIBRATION_SCHEMA = {
    "model": pl.String,
    "target": pl.String,
    "level": pl.Float64,
    "reached": pl.Float64,
    "volatility": pl.Float64,
    "pace": pl.Float64,
    "spend_level": pl.Float64,
    "total_sd": pl.Float64,
    "customers": pl.Int64,
}


def learn_recalibration(models: Models, customers: pl.DataFrame, weeks: float) -> Recalibration:
    """What `customers` of a fold (see `Fold`) did in the `weeks` after it says of the distributions of `models`.

    The rates wander as makes the actual purchases most likely; then, by target, the share of customers below each of
    LEVELS of their own distribution. The models know nothing of what came after the origin.
    """
    wandering = Recalibration(_find_volatility(models, customers, weeks))
    varied = wandering.vary(models)
    purchases = locate_purchases(varied, customers, weeks)
    located = {"purchases": purchases, "spend": locate_spend(varied, customers, weeks, purchases)}
    trust = customers.height / (customers.height + _BELIEVERS)
    reached = {target: trust * accumulate(located[target], LEVELS) + (1 - trust) * LEVELS for target in TARGETS}
    return Recalibration(wandering.volatility, reached)


def tabulate_recalibrations(learnt: Mapping[str, Recalibration], customers: int) -> pl.DataFrame:
    """One row per model, target and level; `customers` that they were learnt from."""
    rows = [
        (model, target, float(level), float(reached), it.volatility, it.pace, it.spend_level, it.total_sd, customers)
        for model, it in learnt.items()
        for target in TARGETS
        for level, reached in zip(LEVELS, it.reached.get(target, LEVELS), strict=True)
    ]
    return pl.DataFrame(rows, schema=RECALIBRATION_SCHEMA, orient="row")


def learn_total_sd(total_errors: Sequence[float], weeks: float = 0.0, ahead: float = 0.0) -> float:
    """The standard deviation of the logarithm of actual over forecast, from the signed total errors of folds.

    The folds looked `weeks` ahead, the forecast looks `ahead`. Up to a year errors were the same size over any horizon;
    beyond, variance is taken to grow with it, as that of a random walk does.

    One more fold counts that was off by 10%, as a total is on average where nothing is known of it: over 48 forecasts
    of simulated shops, ranges with one fold and that held 60, 79, 90 and 92% of spend instead of 50, 80, 90 and 95.
    """
    squares = [log1p(error) ** 2 for error in total_errors if error > -1]
    growth = max(ahead, WEEKS_PER_YEAR) / max(weeks, WEEKS_PER_YEAR)
    return sqrt(max(growth, 1.0) * (_LIKELY_TOTAL_SD**2 + sum(squares)) / (1 + len(squares)))


def _find_volatility(models: Models, customers: pl.DataFrame, weeks: float) -> float:
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - only a fit needs it

    own = models.given(customers).purchases
    x, t_x, T, n = (read_vector(customers, name) for name in ("frequency", "recency", "T", "actual_purchases"))
    alive = p_alive(models.purchase_model, own, x, t_x, T)
    exposure = (float(T.mean()) + weeks) / 3

    def count_against(log_volatility: float) -> float:
        volatility = float(np.exp(log_volatility))
        parameters = {**own, VOLATILITY: volatility}
        bought = count_probability(models.purchase_model, parameters, x, T, horizon=weeks, n=n)
        likely = np.where(n == 0, 1 - alive, 0.0) + alive * bought
        return volatility * exposure / _LIKELY_VARIANCE - float(np.log(np.maximum(likely, LEAST_PROBABILITY)).sum())

    # A hundredth of a variance that is read off a few thousand customers is more than they tell.
    found: Any = minimize_scalar(count_against, bounds=_LOG_RANGE, method="bounded", options={"xatol": 0.01})
    return float(np.exp(found.x))
