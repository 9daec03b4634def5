"""All folds of a backtest, one after another.

Belongs here: the order in which folds judge and teach. Does not belong here: a fold judged (`folds.py`), what it
teaches (`learning.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from clv_pipeline.clv.backtest.distributions import learn_fold
from clv_pipeline.clv.backtest.folds import FoldResult, run_fold
from clv_pipeline.clv.backtest.holdout import Fold, fit_candidates
from clv_pipeline.clv.backtest.learning import tabulate_recalibrations
from clv_pipeline.clv.models import fit_models
from clv_pipeline.clv.scores import Recalibration


@dataclass(frozen=True)
class Judgement:
    """The folds' results, the latest fold first, and what the latest teaches (RECALIBRATION_SCHEMA)."""

    results: Sequence[FoldResult]
    recalibrations: pl.DataFrame


def judge_folds(
    folds: Sequence[Fold],
    lessons: Sequence[Fold],
    candidates: Sequence[str],
    *,
    priors: str | Mapping[str, Mapping[str, Mapping[str, object]]],
    recalibrate: bool,
) -> Judgement:
    """Judges `candidates` on `folds`, which come the latest first.

    From the earliest on, so that each fold is judged with the intervals that would have been issued at its origin:
    `lessons`, one or none, is the fold before the earliest, which only teaches.
    """
    learnt: dict[str, Recalibration] = {}
    for fold in lessons:
        fitted, _ = fit_candidates(fold.customers, candidates, priors=priors, fit=fit_models)
        learnt = learn_fold(fold, fitted)
    results: list[FoldResult] = []
    for fold in reversed(folds):
        result = run_fold(fold, candidates, priors=priors, fit=fit_models, issued=learnt)
        learnt = learn_fold(fold, result.fitted) if recalibrate else {}
        results.insert(0, result)
    return Judgement(results, tabulate_recalibrations(learnt, folds[0].customers.height))
