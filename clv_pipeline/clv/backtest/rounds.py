"""All folds of a backtest, one after another.

Belongs here: the order in which folds judge and teach. Does not belong here: a fold judged (`folds.py`), what it
teaches (`learning.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from clv_pipeline.clv.backtest.distributions import learn_fold
from clv_pipeline.clv.backtest.folds import FoldResult, run_fold
from clv_pipeline.clv.backtest.holdout import Fold, fit_candidates
from clv_pipeline.clv.backtest.learning import learn_total_sd, tabulate_recalibrations
from clv_pipeline.clv.backtest.pace import learn_paces
from clv_pipeline.clv.models import fit_models
from clv_pipeline.clv.scores import Models, Recalibration
from clv_pipeline.clv.scores.recalibration import UNCHANGED


@dataclass(frozen=True)
class Judgement:
    """The folds' results, the latest fold first; the pace at which fold 1 was forecast by model; and what the scores
    have to learn (RECALIBRATION_SCHEMA).
    """

    results: Sequence[FoldResult]
    paces: Mapping[str, float]
    recalibrations: pl.DataFrame


def judge_folds(
    folds: Sequence[Fold],
    lessons: Sequence[Fold],
    years: Sequence[Sequence[Fold]],
    candidates: Sequence[str],
    *,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
    recalibrate: bool,
    spend_level: float = 1.0,
    ahead: float = 0.0,
) -> Judgement:
    """Judges `candidates` on `folds`, which come the latest first.

    From the earliest on, so that each fold is judged with the forecasts that would have been issued at its origin:
    `lessons`, one or none, is the fold before the earliest, which only teaches. `years`: for the scores, then for each
    of `folds`, those that forecast the same months one year before and two, as far as there are such; they give the
    pace (`pace.py`). `spend_level` is that of the scores, which look `ahead` weeks; each fold has its own. A fold that
    stands in several places is one object.
    """
    memo: dict[int, Sequence[Models]] = {}

    def fit(fold: Fold) -> Sequence[Models]:
        if id(fold) not in memo:
            memo[id(fold)], _ = fit_candidates(fold.customers, candidates, priors=priors, fit=fit_models)
        return memo[id(fold)]

    def learn(fold: Fold | None, before: Sequence[Fold], level: float) -> dict[str, Recalibration]:
        """What is issued after `fold` at a spend level, where `before` are the forecasts of the same months."""
        learnt = learn_fold(fold, fit(fold)) if fold and recalibrate else {}
        paces = learn_paces([(year, fit(year)) for year in before])
        taught = candidates if level != 1 else list(learnt | paces)
        return {
            name: replace(learnt.get(name, UNCHANGED), pace=paces.get(name, 1.0), spend_level=level) for name in taught
        }

    issued = learn(next(iter(lessons), None), years[-1], folds[-1].spend_level)
    results: list[FoldResult] = []
    latest: dict[str, Recalibration] = {}
    for number in reversed(range(len(folds))):
        latest = issued
        result = run_fold(folds[number], candidates, priors=priors, fit=fit_models, issued=issued)
        memo[id(folds[number])] = result.fitted
        issued = learn(folds[number], years[number], folds[number - 1].spend_level if number else spend_level)
        results.insert(0, result)
    if recalibrate:
        issued = {
            name: replace(it, total_sd=learn_total_sd(_list_errors(name, results), folds[0].weeks, ahead))
            for name, it in issued.items()
        }
    paces = {name: found.pace for name, found in latest.items()}
    return Judgement(results, paces, tabulate_recalibrations(issued, folds[0].customers.height))


def _list_errors(model: str, results: Sequence[FoldResult]) -> list[float]:
    """The signed errors of the model's total spend, as issued, in the folds that have one."""
    wanted = {"model": model, "target": "spend", "segment": "all", "metric": "total_error"}
    return [value for result in results for value in result.measures.filter(**wanted)["value"]]
