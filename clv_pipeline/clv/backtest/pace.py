"""The pace that seasons and trends give to all purchases, learnt from how far earlier forecasts were off in total.

Belongs here: which part of an earlier error is believed, and the factor on rates that makes up for it. Does not belong
here: what the factor does to a forecast (`clv/scores/recalibration.py`), which folds are a year old (the caller).

A forecast from the same month of an earlier year ran into the same season and, where customers buy more or less from
year to year, into the same trend. Its error in total is thus partly that of today's forecast. Only partly: what else
moved everybody that year does not come back, and chance had its part. So each error is seen as the sum of three: what
lasts, what was of that year alone, and chance; all normal around 0, the sizes of the first two known of shops at large.
What is believed is the mean of the lasting part given the errors: the more, the more years agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest.holdout import Fold, forecast_candidate, read_vector, thin
from clv_pipeline.clv.scores import Models
from clv_pipeline.clv.scores.recalibration import quicken_models

type Vector = NDArray[np.float64]

# Standard deviations of the logarithm: of what comes back each year, and of what moves everybody in one year alone.
_LASTING_SD, _YEARLY_SD = 0.2, 0.15
_LARGEST_ERROR = 3 * _LASTING_SD
_MOST_COUNTED = 20_000
_STEPS = 8
_SETTLED = 1e-6
# Nobody's customers buy ten times as often as forecast; where they do, something else is wrong.
_LARGEST = 10.0


@dataclass(frozen=True)
class Miss:
    """How far a model was off in one fold: log(actual / forecast) purchases, and what chance may add to it (sd)."""

    models: Models
    customers: pl.DataFrame
    weeks: float
    error: float
    chance: float


def measure_miss(models: Models, fold: Fold) -> Miss | None:
    """The miss of `models`, fitted at the origin of the fold; None where nobody bought."""
    few, _ = thin(fold.customers.sort("customer_id"), _MOST_COUNTED)
    actual, forecast = read_vector(few, "actual_purchases"), _expect(models, few, fold.weeks)
    if not actual.sum() > 0 or not forecast.sum() > 0:
        return None
    error = log(actual.sum() / forecast.sum())
    # Around the forecast at the right level, as that is what is left to chance.
    chance = float(np.sqrt(((actual - forecast * exp(error)) ** 2).sum())) / actual.sum()
    # Chance had its part in the repeat purchases that the model was fitted to as well.
    fitted_to = max(read_vector(few, "frequency").sum(), 1.0)
    return Miss(models, few, fold.weeks, error, chance * float(np.sqrt(1 + actual.sum() / fitted_to)))


def learn_pace(misses: Sequence[Miss | None]) -> float:
    """The factor on rates that the misses of the same forecast in earlier years, the latest first, ask for.

    1 where there is none of last year.
    """
    known = [miss for miss in misses if miss is not None]
    if not known or misses[0] is None:
        return 1.0
    return find_pace(known[0], believe(known))


def believe(misses: Sequence[Miss]) -> float:
    """The mean of what lasts, given errors that hold it, the year's own part and chance.

    Errors count up to three times what lasts as a rule: a year with closed shops is more than a normal law knows of.
    """
    weights = np.array([1 / (_YEARLY_SD**2 + miss.chance**2) for miss in misses])
    errors = np.clip([miss.error for miss in misses], -_LARGEST_ERROR, _LARGEST_ERROR)
    return float(weights @ errors / (1 / _LASTING_SD**2 + weights.sum()))


def learn_paces(years: Sequence[tuple[Fold, Sequence[Models]]]) -> dict[str, float]:
    """By model, what `learn_pace` makes of the folds of the `years` before, with the models fitted to each."""
    names = [models.purchase_model for models in years[0][1]] if years else []
    return {name: learn_pace([_measure_named(name, fold, fitted) for fold, fitted in years]) for name in names}


def find_pace(miss: Miss, change: float) -> float:
    """The factor on rates that changes the logarithm of the fold's total forecast by `change`.

    More than the change itself where customers who buy faster leave sooner (BG/NBD), the same under Pareto/NBD.
    """
    if change == 0:
        return 1.0
    aim = _expect(miss.models, miss.customers, miss.weeks).sum() * exp(change)
    place, slope = change, 1.0
    before: tuple[float, float] | None = None
    for _ in range(_STEPS):
        place = float(np.clip(place, -log(_LARGEST), log(_LARGEST)))
        total = _expect(quicken_models(miss.models, exp(place)), miss.customers, miss.weeks).sum()
        missing = log(aim / total)
        if abs(missing) < _SETTLED:
            break
        if before is not None and before[0] != place:
            slope = max((before[1] - missing) / (place - before[0]), 0.1)
        before = place, missing
        place += missing / slope
    return exp(place)


def _measure_named(name: str, fold: Fold, fitted: Sequence[Models]) -> Miss | None:
    own = [models for models in fitted if models.purchase_model == name]
    return measure_miss(own[0], fold) if own else None


def _expect(models: Models, customers: pl.DataFrame, weeks: float) -> Vector:
    return forecast_candidate(models, customers, weeks).purchases
