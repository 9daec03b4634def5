"""Forecasts held against what customers did afterwards: the models, plain baselines, and the choice between them."""

from clv_pipeline.clv.backtest.baselines import BASELINES
from clv_pipeline.clv.backtest.choice import CRITERION, choose_model
from clv_pipeline.clv.backtest.distributions import learn_fold
from clv_pipeline.clv.backtest.folds import FoldResult, run_fold
from clv_pipeline.clv.backtest.holdout import Fold, fit_candidates
from clv_pipeline.clv.backtest.learning import RECALIBRATION_SCHEMA, tabulate_recalibrations
from clv_pipeline.clv.backtest.rounds import Judgement, judge_folds
from clv_pipeline.clv.backtest.tracking import track_weeks

__all__ = [
    "BASELINES",
    "CRITERION",
    "RECALIBRATION_SCHEMA",
    "Fold",
    "FoldResult",
    "Judgement",
    "choose_model",
    "fit_candidates",
    "judge_folds",
    "learn_fold",
    "run_fold",
    "tabulate_recalibrations",
    "track_weeks",
]
