"""Contract of the scores: every customer once, every number finite.

Belongs here: what one row of the scores, or of their totals, must satisfy. Does not belong here: change since the last
as-of.
"""

import math
from itertools import pairwise

import polars as pl

from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.validation import pa

# Below infinity also refuses nan, which polars orders above everything.
INFINITY = math.inf


_ENDS = ("lower_95", "lower_90", "lower", "lower_50", "upper_50", "upper", "upper_90", "upper_95")
NESTED = " <= ".join(f"clv_{end}" for end in _ENDS)
NESTED_PURCHASES = " <= ".join(f"expected_purchases_{end}" for end in _ENDS)


def in_order(*columns: str) -> pl.Expr:
    """Whether none of the columns is above the next one."""
    return pl.all_horizontal(pl.col(low) <= pl.col(high) for low, high in pairwise(columns))


class Scores(Table):
    """One row per customer of one as_of: clv_lower to clv_upper hold the real value with 80%, others likewise.

    The bounds are predictive and need not hold the expectation, clv. residual_clv has no horizon, and is null without
    discounting.
    """

    as_of: str = pa.Field(str_matches=MONTH)
    customer_id: str = pa.Field(unique=True)
    p_alive: float = pa.Field(ge=0.0, le=1.0)
    expected_purchases: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_lower: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_upper: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_lower_50: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_upper_50: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_lower_90: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_upper_90: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_lower_95: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases_upper_95: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_spend: float = pa.Field(ge=0.0, lt=INFINITY)
    clv: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_50: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_50: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_90: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_90: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_95: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_95: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_sd: float = pa.Field(ge=0.0, lt=INFINITY)
    residual_clv: float = pa.Field(ge=0.0, lt=INFINITY, nullable=True)
    discount: float = pa.Field(gt=0.0, lt=INFINITY)
    margin: float = pa.Field(ge=0.0, lt=INFINITY)
    pace: float = pa.Field(gt=0.0, lt=INFINITY, description="factor on all rates of purchase, from earlier years")
    spend_level: float = pa.Field(gt=0.0, lt=INFINITY, description="factor on spend per purchase, from its trend")
    clv_uncorrected: float = pa.Field(ge=0.0, lt=INFINITY, description="clv at a pace and a spend level of 1")
    decile: int = pa.Field(ge=1, le=10)
    model_version: str

    bounds = require_rows(f"{NESTED}: not in this order", in_order(*NESTED.split(" <= ")))
    purchases = require_rows(f"{NESTED_PURCHASES}: not in this order", in_order(*NESTED_PURCHASES.split(" <= ")))


class Publication(Table):
    """One row per as_of: whether its scores take the place of those published before, and why."""

    as_of: str = pa.Field(str_matches=MONTH, unique=True)
    model_version: str = pa.Field(description="version that the scores of the month are made from")
    published: bool = pa.Field(description="whether scores.current shows the scores of this month")
    published_as_of: str = pa.Field(
        str_matches=MONTH, nullable=True, description="the month whose scores are the published ones after this one"
    )
    published_version: str = pa.Field(nullable=True, description="version of the scores that are published")
    move: float = pa.Field(
        ge=0.0, lt=INFINITY, nullable=True, description="difference to the version published before, of the value"
    )
    reason: str = pa.Field(description="why, in a sentence")


class Totals(Table):
    """One row per group of one as_of: what its customers are expected to bring together, with bounds of the sum."""

    as_of: str = pa.Field(str_matches=MONTH)
    level: str = pa.Field(isin=["total", "segment", "decile", "cohort"])
    key: str
    customers: int = pa.Field(ge=1)
    clv: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_50: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_50: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_90: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_90: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower_95: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper_95: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_purchases: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_spend_total: float = pa.Field(ge=0.0, lt=INFINITY)
    model_version: str

    key_rule = require_key("level", "key")
    bounds = require_rows(f"{NESTED}: not in this order", in_order(*NESTED.split(" <= ")))
