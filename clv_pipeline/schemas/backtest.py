"""Contracts of the backtest tables: measures, calibration, probability integral transform, weeks, the choice.

Belongs here: what one row must satisfy. Does not belong here: how good a forecast has to be.
"""

from clv_pipeline.clv.backtest import BASELINES
from clv_pipeline.clv.models import PURCHASE_MODELS
from clv_pipeline.schemas import MONTH, Table, require_key
from clv_pipeline.schemas.models import INFINITY
from clv_pipeline.validation import pa

FORECASTS = [*PURCHASE_MODELS, *(name for name in BASELINES if name not in PURCHASE_MODELS)]
TARGETS = ["purchases", "spend"]


class BacktestMeasures(Table):
    """One row per as_of, fold, model or baseline, target, segment and metric."""

    as_of: str = pa.Field(str_matches=MONTH)
    fold: int = pa.Field(ge=1)
    origin: str = pa.Field(str_matches=MONTH)
    horizon_months: int = pa.Field(ge=1)
    model: str = pa.Field(isin=FORECASTS)
    target: str = pa.Field(isin=TARGETS)
    segment: str = pa.Field(description="the customers it is taken on: all, newcomers, or one of a group")
    metric: str = pa.Field(description="measure of the forecast")
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY)

    key = require_key("as_of", "fold", "model", "target", "segment", "metric")


class BacktestCalibration(Table):
    """One row per as_of, fold, model, target and bin: the mean of what happened beside the mean forecast."""

    as_of: str = pa.Field(str_matches=MONTH)
    fold: int = pa.Field(ge=1)
    origin: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=FORECASTS)
    target: str = pa.Field(isin=TARGETS)
    grouping: str = pa.Field(isin=["frequency", "decile"])
    bin: str
    customers: int = pa.Field(ge=1, description="customers in the bin")
    mean_actual: float = pa.Field(ge=0.0, lt=INFINITY)
    mean_forecast: float = pa.Field(ge=0.0, lt=INFINITY)

    key = require_key("as_of", "fold", "model", "target", "grouping", "bin")


class BacktestPit(Table):
    """One row per as_of, fold, model, target and twentieth of the randomised probability integral transform."""

    as_of: str = pa.Field(str_matches=MONTH)
    fold: int = pa.Field(ge=1)
    origin: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=FORECASTS)
    target: str = pa.Field(isin=TARGETS)
    pit_bin: int = pa.Field(ge=1, le=20)
    share: float = pa.Field(ge=0.0, le=1.0)

    key = require_key("as_of", "fold", "model", "target", "pit_bin")


class Recalibration(Table):
    """One row per as_of, model, target and level: the share of the latest fold's customers that lay below the level."""

    as_of: str = pa.Field(str_matches=MONTH)
    origin: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=list(PURCHASE_MODELS))
    target: str = pa.Field(isin=TARGETS)
    level: float = pa.Field(ge=0.0, le=1.0, description="level of the model's own predictive distribution")
    reached: float = pa.Field(ge=0.0, le=1.0, description="share of customers that really lay below it")
    volatility: float = pa.Field(ge=0.0, lt=INFINITY, description="variance of the logarithm of a rate in a week")
    pace: float = pa.Field(gt=0.0, lt=INFINITY, description="factor on all rates of purchase within the horizon")
    spend_level: float = pa.Field(gt=0.0, lt=INFINITY, description="factor on spend per purchase, from its trend")
    total_sd: float = pa.Field(ge=0.0, lt=INFINITY, description="sd of the logarithm of a total around its forecast")
    customers: int = pa.Field(ge=1, description="customers that it was learnt from")

    key = require_key("as_of", "model", "target", "level")


class BacktestWeeks(Table):
    """One row per as_of, model and week around the origin of fold 1; week 0 ends with it."""

    as_of: str = pa.Field(str_matches=MONTH)
    origin: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=FORECASTS)
    week: int
    weekly_actual: float = pa.Field(ge=0.0, lt=INFINITY)
    weekly_expected: float = pa.Field(ge=-1e-6, lt=INFINITY)
    cumulative_actual: float = pa.Field(ge=0.0, lt=INFINITY)
    cumulative_expected: float = pa.Field(ge=0.0, lt=INFINITY)

    key = require_key("as_of", "model", "week")


class Choice(Table):
    """One row per as_of and candidate: its value of the criterion, whether it is the best, and why."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=list(PURCHASE_MODELS))
    criterion: str
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY, description="its value; low is good, within 1% is no difference")
    chosen: bool
    sentence: str

    key = require_key("as_of", "model")
