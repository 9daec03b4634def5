"""Forecasts held against what customers did afterwards: the models, plain baselines, and the choice between them."""

from clv_pipeline.clv.backtest.baselines import BASELINES
from clv_pipeline.clv.backtest.choice import CRITERION, choose_model
from clv_pipeline.clv.backtest.folds import FoldResult, run_fold
from clv_pipeline.clv.backtest.holdout import Fold, sample_fitted
from clv_pipeline.clv.backtest.tracking import track_weeks

__all__ = ["BASELINES", "CRITERION", "Fold", "FoldResult", "choose_model", "run_fold", "sample_fitted", "track_weeks"]
