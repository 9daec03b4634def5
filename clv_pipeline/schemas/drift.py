"""Contracts of drift: what customers look like in a month, and what differs from other months.

Belongs here: what one row must satisfy. Does not belong here: what follows from a drift.
"""

import math

import polars as pl

from clv_pipeline.clv.drift.causes import CAUSES
from clv_pipeline.clv.drift.checks import KINDS, REFERENCE_KINDS
from clv_pipeline.clv.drift.distances import CATEGORY_TESTS, NUMERIC_TESTS
from clv_pipeline.clv.drift.examination import MONTHLY_TESTS
from clv_pipeline.clv.drift.levels import LEVELS
from clv_pipeline.clv.drift.performance import PERFORMANCE_TEST
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.validation import pa

_TESTS = sorted({*NUMERIC_TESTS, *CATEGORY_TESTS, *MONTHLY_TESTS, PERFORMANCE_TEST})


class Profiles(Table):
    """One row per as_of, age, feature and value (or category): how many customers have it."""

    as_of: str = pa.Field(str_matches=MONTH)
    age: int = pa.Field(ge=0, description="whole months since the first purchase day")
    is_early: bool = pa.Field(description="first seen in the first half year of the data")
    feature: str
    value: float = pa.Field(nullable=True, lt=math.inf, description="rounded, so that many customers share it")
    category: str = pa.Field(nullable=True, description="the value of a feature that is no number")
    customers: int = pa.Field(ge=1, description="customers with this value")

    key = require_key("feature", "age", "is_early", "value", "category")


class Checks(Table):
    """One row per as_of, kind of reference, feature and test; without values on a side, the statistic is null."""

    as_of: str = pa.Field(str_matches=MONTH)
    reference: str = pa.Field(str_matches=MONTH, description="month that is compared with")
    reference_kind: str = pa.Field(isin=list(REFERENCE_KINDS), description="why that month")
    kind: str = pa.Field(isin=list(KINDS), description="what may have drifted")
    feature: str
    test: str = pa.Field(isin=_TESTS)
    statistic: float = pa.Field(ge=0.0, lt=math.inf, nullable=True, description="how large the difference is")
    warn_above: float = pa.Field(ge=0.0, lt=math.inf, description="size of effect that warns")
    threshold: float = pa.Field(ge=0.0, lt=math.inf, description="size of effect that alerts")
    chance: float = pa.Field(
        ge=0.0, lt=math.inf, nullable=True, description="what samples of these sizes exceed once in a thousand times"
    )
    drifted: bool = pa.Field(description="whether the level is 'alert'")
    level: str = pa.Field(isin=list(LEVELS), description="ok, or beyond chance and the effect that warns or alerts")
    effect: float = pa.Field(
        lt=math.inf, nullable=True, description="relative change of the mean or rate; of a share, its change in points"
    )
    size: float = pa.Field(ge=0.0, lt=math.inf, description="how many were compared")
    reference_size: float = pa.Field(ge=0.0, lt=math.inf, description="how many they were compared with; weighted")
    meaning: str = pa.Field(description="the comparison in words")

    key = require_key("as_of", "reference_kind", "feature", "test")
    verdict = require_rows(
        "the level is not that of statistic, chance and limits",
        pl.col("level")
        == pl.when((pl.col("statistic") > pl.max_horizontal("warn_above", "chance")).fill_null(value=False))
        .then(pl.when(pl.col("statistic") > pl.col("threshold")).then(pl.lit("alert")).otherwise(pl.lit("warn")))
        .otherwise(pl.lit("ok")),
    )
    flag = require_rows("drifted is not level 'alert'", pl.col("drifted") == (pl.col("level") == "alert"))


class Diagnoses(Table):
    """One row per as_of, cause and subject: what happened, since when, how bad."""

    as_of: str = pa.Field(str_matches=MONTH)
    cause: str = pa.Field(isin=sorted(CAUSES), description="what happened")
    subject: str = pa.Field(description="what it is about: a column, a value, a day; empty where there is only one")
    since: str = pa.Field(str_matches=MONTH, description="first month that shows it")
    level: str = pa.Field(isin=["warn", "alert"], description="how bad")
    effect: float = pa.Field(nullable=True, lt=math.inf, description="relative change, share, days or hours")
    meaning: str = pa.Field(description="the finding in words")
    evidence: str = pa.Field(description="the features that show it")

    key = require_key("as_of", "cause", "subject")
    order = require_rows("since is after the as-of month", pl.col("since") <= pl.col("as_of"))


class Measures(Table):
    """One row per as_of, feature and month: its value, and what was to be expected; null where nothing was."""

    as_of: str = pa.Field(str_matches=MONTH)
    period: str = pa.Field(str_matches=MONTH)
    feature: str
    name: str = pa.Field(description="the feature in words")
    value: float = pa.Field(lt=math.inf, description="in its own unit; rates at equal age relative to all months")
    expected: float = pa.Field(lt=math.inf, nullable=True, description="by the months before and the season")
    lower: float = pa.Field(lt=math.inf, nullable=True, description="below it, the month has moved")
    upper: float = pa.Field(lt=math.inf, nullable=True, description="above it, the month has moved")
    level: str = pa.Field(isin=list(LEVELS), nullable=True, description="whether the month has moved")

    key = require_key("as_of", "feature", "period")


class Forecasts(Table):
    """One row per as_of, horizon and cohort: what its customers are expected to buy until then."""

    as_of: str = pa.Field(str_matches=MONTH)
    version: str = pa.Field(description="version of the models that forecast")
    horizon_months: int = pa.Field(ge=1)
    cohort_month: str = pa.Field(str_matches=MONTH, description="month of the first order")
    customers: int = pa.Field(ge=1, description="customers known then")
    purchases: float = pa.Field(ge=0.0, lt=math.inf, description="purchase days expected")
    chance_sd: float = pa.Field(ge=0.0, lt=math.inf, description="their standard deviation, given the parameters")
    parameter_sd: float = pa.Field(
        ge=0.0, lt=math.inf, description="relative standard deviation of the expectation, as the parameters are unsure"
    )
    spend: float = pa.Field(ge=0.0, lt=math.inf, description="spend expected")

    key = require_key("as_of", "horizon_months", "cohort_month")


class Performance(Table):
    """One row per as_of, target, horizon and cohort: a forecast whose months have ended, and what happened."""

    as_of: str = pa.Field(str_matches=MONTH)
    target: str = pa.Field(isin=["purchases", "spend"])
    horizon_months: int = pa.Field(ge=1)
    origin: str = pa.Field(str_matches=MONTH)
    until: str = pa.Field(str_matches=MONTH, description="last month of the forecast")
    cohort: str = pa.Field(description="when the customers were acquired; all: the whole base")
    version: str = pa.Field(description="version of the models that forecast")
    customers: int = pa.Field(ge=1, description="customers known at the origin")
    expected: float = pa.Field(ge=0.0, lt=math.inf, description="what was forecast")
    lower: float = pa.Field(ge=0.0, nullable=True, description="lower end of the 95% interval of the purchases")
    upper: float = pa.Field(ge=0.0, nullable=True, description="upper end of the 95% interval of the purchases")
    actual: float = pa.Field(lt=math.inf, description="what happened")
    residual: float = pa.Field(
        nullable=True, lt=math.inf, description="actual less expected, in standard deviations of what was possible"
    )
    ratio: float = pa.Field(nullable=True, lt=math.inf, description="actual relative to expected")

    key = require_key("as_of", "target", "horizon_months", "cohort")
