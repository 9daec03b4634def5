"""Contracts of the model tables: parameters, evaluation, expected against actual repeat purchases.

Belongs here: what one row must satisfy. Does not belong here: whether a model is good enough to publish.
"""

import math

import polars as pl

from clv_pipeline.clv.models import PURCHASE_MODELS, SPEND_MODELS
from clv_pipeline.clv.models.gate import GATE_CHECKS
from clv_pipeline.clv.models.refit import TRIGGERS
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.validation import pa

# Below infinity also refuses nan, which polars orders above everything.
INFINITY = math.inf


def is_signed(column: str) -> pl.Expr:
    """Whether `column` has the sign it may have: what is said of a covariate has brackets in its name."""
    return (pl.col(column) >= 0.0) | pl.col("parameter").str.contains("[", literal=True)


class Refits(Table):
    """One row per as_of: whether its models were due to be fitted, what asked for it, and what the latest fit saw."""

    as_of: str = pa.Field(str_matches=MONTH, unique=True)
    due: bool = pa.Field(description="whether a fit was due")
    trigger: str = pa.Field(isin=list(TRIGGERS), description="what asked for a fit")
    reason: str = pa.Field(description="why, in a sentence")
    fitted_as_of: str = pa.Field(
        str_matches=MONTH, nullable=True, description="the month at whose end the latest fit was made; null without one"
    )


class Parameters(Table):
    """One row per as_of, version, model and parameter: the estimate with its standard deviation and 95% bounds."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=[*PURCHASE_MODELS, *SPEND_MODELS])
    version: str
    parameter: str
    estimate: float = pa.Field(gt=-INFINITY, lt=INFINITY)
    sd: float = pa.Field(ge=0.0, lt=INFINITY, nullable=True)
    lower: float = pa.Field(gt=-INFINITY, lt=INFINITY, nullable=True)
    upper: float = pa.Field(gt=-INFINITY, lt=INFINITY, nullable=True)

    signs = require_rows("only what is said of a covariate may be negative", is_signed("estimate"))
    key = require_key("as_of", "version", "model", "parameter")
    bounds = require_rows(
        "the estimate lies outside its bounds", pl.col("estimate").is_between(pl.col("lower"), pl.col("upper"))
    )


class Evaluation(Table):
    """One row per as_of, version, model, split and metric."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str
    version: str
    split: str
    metric: str
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY)

    key = require_key("as_of", "version", "model", "split", "metric")


class RepeatPurchases(Table):
    """One row per as_of, version, model and number of repeat purchases: customers, actual and expected, in sample."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=list(PURCHASE_MODELS))
    version: str
    purchases: str = pa.Field(isin=["0", "1", "2", "3", "4", "5", "6", "7+"])
    actual: int = pa.Field(ge=0)
    expected: float = pa.Field(ge=0.0, lt=INFINITY)
    lower: float = pa.Field(ge=0.0, lt=INFINITY, description="lower end of the 95% posterior predictive interval")
    upper: float = pa.Field(ge=0.0, lt=INFINITY, description="upper end of the 95% posterior predictive interval")

    key = require_key("as_of", "version", "model", "purchases")


class AliveMatrix(Table):
    """One row per as_of, version, model, frequency and recency: P(alive) of a customer as old as the oldest."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=list(PURCHASE_MODELS))
    version: str
    frequency: int = pa.Field(ge=0)
    recency: float = pa.Field(ge=0.0, lt=INFINITY)
    weeks_silent: float = pa.Field(ge=0.0, lt=INFINITY, description="weeks since the last purchase")
    p_alive: float = pa.Field(ge=0.0, le=1.0)

    key = require_key("as_of", "version", "model", "frequency", "recency")


class SpendFit(Table):
    """One row per as_of, version, model and bin of mean spend per repeat purchase: customers, actual and expected."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=list(SPEND_MODELS))
    version: str
    bin: int = pa.Field(ge=1, description="number of the bin, the lowest spend first")
    lower: float = pa.Field(ge=0.0, lt=INFINITY, description="mean spend above this")
    upper: float = pa.Field(ge=0.0, lt=INFINITY, nullable=True, description="mean spend up to this; null: no limit")
    actual: int = pa.Field(ge=0)
    expected: float = pa.Field(ge=0.0, lt=INFINITY)

    key = require_key("as_of", "version", "model", "bin")


class Draws(Table):
    """One row per as_of, version, model, draw and parameter: its value in one joint draw of the model's parameters."""

    as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=[*PURCHASE_MODELS, *SPEND_MODELS])
    version: str
    draw: int = pa.Field(ge=0, description="number of the draw; the same number belongs together within a model")
    parameter: str
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY, description="the parameter in this draw, in weeks and currency")

    signs = require_rows("only what is said of a covariate may be negative", is_signed("value"))
    key = require_key("as_of", "version", "model", "draw", "parameter")


class Gate(Table):
    """One row per as_of and assumption of the models: whether the customers at hand question it."""

    as_of: str = pa.Field(str_matches=MONTH)
    check: str = pa.Field(isin=list(GATE_CHECKS), description="the assumption")
    level: str = pa.Field(isin=["warn", "refuse"], description="what a failure means: a warning, or no useful answer")
    passed: bool = pa.Field(description="whether the assumption holds")
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY, nullable=True, description="the figure; null if too few to tell")
    threshold: float = pa.Field(gt=-INFINITY, lt=INFINITY, description="the figure's limit")
    sentence: str = pa.Field(description="the finding in words")

    key = require_key("as_of", "check")
