"""The predictive distributions of a fold judged: coverage of intervals, log-likelihood, the PIT histogram.

Belongs here: which customers are located in which distribution, and the rows of that. Does not belong here: the
transform itself (`calibration.py`), point forecasts (`folds.py`), what the next forecast learns (`learning.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.backtest import calibration
from clv_pipeline.clv.backtest.holdout import Fold, thin
from clv_pipeline.clv.backtest.learning import learn_recalibration
from clv_pipeline.clv.backtest.pace import find_pace, measure_miss
from clv_pipeline.clv.scores import Models, Probabilities, Recalibration
from clv_pipeline.clv.scores.recalibration import UNCHANGED, quicken_models, raise_spend

type Codes = NDArray[np.int64]
type Row = tuple[str, str, str, str, float]
"""Model, target, segment, metric, value."""

PIT_SCHEMA = {
    "model": pl.String,
    "target": pl.String,
    "pit_bin": pl.Int64,
    "share": pl.Float64,
}


@dataclass(frozen=True)
class Located:
    """Where the actual values of a target lie in the distributions that a model issued, by customer in their order."""

    model: str
    target: str
    places: Probabilities


def locate_all(
    fold: Fold, fitted: Sequence[Models], nbd: tuple[float, float], issued: Mapping[str, Recalibration]
) -> list[Located]:
    """By model and target, in the distributions as corrected by `issued`; spend of every k-th customer alone."""
    customers, weeks = fold.customers, fold.weeks
    few, every = thin(customers, calibration.MOST_TRANSFORMED)
    found: list[Located] = []
    for models in fitted:
        name = models.purchase_model
        correction = issued.get(name, UNCHANGED)
        varied = correction.vary(models)
        purchases = calibration.locate_purchases(varied, customers, weeks)
        of_few = Probabilities(purchases.below[::every], purchases.up_to[::every])
        spend = calibration.locate_spend(varied, few, weeks, of_few)
        for target, places in (("purchases", purchases), ("spend", spend)):
            found.append(Located(name, target, correction.correct(target, places)))
    return [*found, Located("nbd", "purchases", calibration.locate_nbd_purchases(nbd, customers, weeks))]


def measure_distributions(
    located: Sequence[Located], groups: Mapping[str, tuple[Sequence[str], Codes]]
) -> Iterator[Row]:
    """Coverage of 50, 80, 90 and 95%, that of 90% by group, and the log-likelihood of the purchases.

    `groups`: names and each customer's number by grouping; where only some customers were located, not by group.
    """
    for it in located:
        for metric, value in calibration.measure_coverage(it.places).items():
            yield it.model, it.target, "all", metric, value
        if it.target == "purchases":
            yield it.model, it.target, "all", "log_likelihood", calibration.sum_log_likelihood(it.places)
        for grouping, (names, codes) in groups.items():
            if len(codes) != len(it.places.below):
                continue
            for code, name in enumerate(names):
                if (inside := codes == code).any():
                    held = calibration.measure_coverage(Probabilities(*(part[inside] for part in it.places)))
                    yield it.model, it.target, f"{grouping}:{name}", "coverage_90", held["coverage_90"]


def measure_uncorrected(fold: Fold, fitted: Sequence[Models]) -> Iterator[Row]:
    """The coverage that the models' own distributions would have had, of every k-th customer."""
    few, _ = thin(fold.customers, calibration.MOST_TRANSFORMED)
    for models in fitted:
        purchases = calibration.locate_purchases(models, few, fold.weeks)
        spend = calibration.locate_spend(models, few, fold.weeks, purchases)
        for target, places in (("purchases", purchases), ("spend", spend)):
            for metric, value in calibration.measure_coverage(places).items():
                yield models.purchase_model, target, "all", f"uncorrected_{metric}", value


def learn_fold(fold: Fold, fitted: Sequence[Models]) -> dict[str, Recalibration]:
    """What each of the `fitted` models has to learn from the fold, from every k-th customer.

    At the pace that this fold turned out to have, and at its spend level: a total that was missed is not taken for
    ranges that are too narrow.
    """
    few, _ = thin(fold.customers.sort("customer_id"), calibration.MOST_TRANSFORMED)
    learnt: dict[str, Recalibration] = {}
    for models in fitted:
        miss = measure_miss(models, fold)
        at_pace = quicken_models(models, find_pace(miss, miss.error)) if miss else models
        at_level = raise_spend(at_pace, fold.spend_level)
        learnt[models.purchase_model] = learn_recalibration(at_level, few, fold.weeks)
    return learnt


def share_pits(located: Sequence[Located]) -> pl.DataFrame:
    """The share of customers in each twentieth of the transform, by model and target."""
    rows = [
        (it.model, it.target, number, float(share))
        for it in located
        for number, share in enumerate(calibration.share_bins(it.places), start=1)
    ]
    return pl.DataFrame(rows, schema=PIT_SCHEMA, orient="row")
