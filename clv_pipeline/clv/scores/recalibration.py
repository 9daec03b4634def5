"""What earlier months taught about forecasts: the pace of all purchases, the level of spend, how far rates wander,
what levels of probability really hold.

Belongs here: applying it to models and to levels of probability. Does not belong here: learning it from a holdout
(`clv/backtest/learning.py`, `pace.py`, `spend_level.py`), the distributions (`predictive.py`).

Four corrections, in this order. The models know no season and no trend, which move everybody: `pace` is a factor on
all rates within the horizon, `spend_level` one on what each purchase brings; these two move expectations, the others do
not. The models take a customer's rate of
purchase as the same for ever, which makes them too sure of who bought often; `volatility` lets its logarithm wander
(`clv/models/purchases.py`). What is still amiss is mended as it was seen: where a share `reached` of the customers lay
below the level u of their own distribution, u is called `reached` from then on (Kuleshov, Fenner and Ermon 2018,
"Accurate uncertainties for deep learning using calibrated regression", ICML; for counts through the randomised
transform, see `clv/backtest/calibration.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models.purchases import PACE, VOLATILITY
from clv_pipeline.clv.models.spend import LEVEL
from clv_pipeline.clv.scores.pair import Models
from clv_pipeline.clv.scores.predictive import Probabilities

type Vector = NDArray[np.float64]

TARGETS = ("purchases", "spend")
# Close together where the ends of intervals lie; between them the mapping is straight.
LEVELS = np.unique(
    np.concatenate([np.array([0.0, 0.005, 0.01, 0.025, 0.075, 0.925, 0.975, 0.99, 0.995, 1.0]), np.arange(1, 20) / 20])
)


@dataclass(frozen=True)
class Recalibration:
    """`volatility`: variance by which the logarithm of a rate wanders in a week. `reached`: by target, a share for
    each of LEVELS, from 0 to 1; a target without shares keeps its levels. `pace`: the factor on rates, `spend_level`
    that on spend per purchase; 1 for none. `total_sd`: standard deviation of the logarithm of a total around its
    forecast.
    """

    volatility: float = 0.0
    reached: Mapping[str, Vector] = field(default_factory=dict[str, Vector])
    pace: float = 1.0
    total_sd: float = 0.0
    spend_level: float = 1.0

    def expect(self, models: Models) -> Models:
        """The models at the pace and the spend level: what they expect. The same models where both are 1."""
        return raise_spend(quicken_models(models, self.pace), self.spend_level)

    def vary(self, models: Models) -> Models:
        """The same with rates that wander: what may happen."""
        expected = self.expect(models)
        return replace(expected, purchases={**expected.purchases, VOLATILITY: self.volatility})

    def find_level(self, target: str, probability: float) -> float:
        """The level of the models' own distribution that holds `probability`."""
        if target not in self.reached:
            return probability
        return float(np.interp(probability, self.reached[target], LEVELS))

    def correct(self, target: str, located: Probabilities) -> Probabilities:
        """Where values lie in the corrected distributions; `located`: where they do in those of `vary`'s models."""
        if target not in self.reached:
            return located
        return Probabilities(*(np.interp(place, LEVELS, self.reached[target]) for place in located))


UNCHANGED = Recalibration()


def quicken_models(models: Models, pace: float) -> Models:
    """The models with all rates after T times `pace`."""
    return models if pace == 1 else replace(models, purchases={**models.purchases, PACE: pace})


def raise_spend(models: Models, level: float) -> Models:
    """The models with all that a purchase brings times `level`."""
    return models if level == 1 else replace(models, spend={**models.spend, LEVEL: level})


def read_recalibration(table: pl.DataFrame, models: Collection[str]) -> Recalibration:
    """That of the one of `models` in rows of RECALIBRATION_SCHEMA; UNCHANGED if none is."""
    rows = table.filter(pl.col("model").is_in(list(models))).sort("target", "level")
    if rows.is_empty():
        return UNCHANGED
    reached = {target: rows.filter(pl.col("target") == target)["reached"].to_numpy() for target in TARGETS}
    first = rows.row(0, named=True)
    return Recalibration(first["volatility"], reached, first["pace"], first["total_sd"], first["spend_level"])
