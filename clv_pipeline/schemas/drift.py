"""Contracts of drift: what customers look like in a month, and what differs from other months.

Belongs here: what one row must satisfy. Does not belong here: what follows from a drift.
"""

import math

import pandera.polars as pa
import polars as pl

from clv_pipeline.clv.drift.checks import KINDS, REFERENCE_KINDS
from clv_pipeline.clv.drift.distances import CATEGORY_TESTS, NUMERIC_TESTS
from clv_pipeline.clv.drift.levels import LEVELS
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows

_TESTS = sorted({*NUMERIC_TESTS, *CATEGORY_TESTS})


class Profiles(Table):
    """One row per as_of, age, feature and value (or category): how many customers have it."""

    as_of: str = pa.Field(str_matches=MONTH)
    age: int = pa.Field(ge=0, description="whole months since the first purchase day")
    is_early: bool = pa.Field(description="first seen in the first three months of the data")
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
