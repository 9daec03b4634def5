"""The rows of `drift.checks`: one comparison each, with its verdict in numbers and in words.

Belongs here: the shape of a row, and how a table of them is made. Does not belong here: any statistic.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from clv_pipeline.clv.drift.levels import ALERT, Limits, judge

DATA, DELIVERY, PREDICTION, PERFORMANCE = KINDS = ("data", "delivery", "prediction", "performance")
PREVIOUS, LAST_YEAR, TRAINING, FIXED = REFERENCE_KINDS = ("previous", "same_period_last_year", "training", "fixed")

CHECKS_SCHEMA = {
    "reference": pl.String,
    "reference_kind": pl.String,
    "kind": pl.String,
    "feature": pl.String,
    "test": pl.String,
    "statistic": pl.Float64,
    "warn_above": pl.Float64,
    "threshold": pl.Float64,
    "chance": pl.Float64,
    "drifted": pl.Boolean,
    "level": pl.String,
    "effect": pl.Float64,
    "size": pl.Float64,
    "reference_size": pl.Float64,
    "meaning": pl.String,
}


@dataclass(frozen=True)
class Topic:
    """What is compared: kind of drift, feature, and its name in a sentence."""

    kind: str
    feature: str
    name: str


@dataclass(frozen=True)
class Check:
    """One comparison. `statistic` is null where a side has nothing to compare; sizes count what was compared."""

    topic: Topic
    reference: str
    reference_kind: str
    test: str
    statistic: float | None
    limits: Limits
    chance: float | None
    effect: float | None
    sizes: tuple[float, float]
    meaning: str

    @property
    def level(self) -> str:
        """'ok', 'warn' or 'alert'."""
        return judge(self.statistic, self.limits, self.chance)


def table_checks(checks: Iterable[Check]) -> pl.DataFrame:
    """One row per check, columns as in CHECKS_SCHEMA; drifted: the level is 'alert'."""
    rows = [
        (
            check.reference,
            check.reference_kind,
            check.topic.kind,
            check.topic.feature,
            check.test,
            check.statistic,
            check.limits.warn,
            check.limits.alert,
            check.chance,
            check.level == ALERT,
            check.level,
            check.effect,
            *check.sizes,
            check.meaning,
        )
        for check in checks
    ]
    return pl.DataFrame(rows, schema=CHECKS_SCHEMA, orient="row")
