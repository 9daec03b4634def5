"""Contract of the scores: every customer once, every number finite.

Belongs here: what one row must satisfy. Does not belong here: totals and their change since the last as-of.
"""

import math

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import MONTH, Table, require_rows

# Below infinity also refuses nan, which polars orders above everything.
INFINITY = math.inf


class Scores(Table):
    """One row per customer of one as_of. The bounds are predictive and need not hold the expectation, clv."""

    as_of: str = pa.Field(str_matches=MONTH)
    customer_id: str = pa.Field(unique=True)
    p_alive: float = pa.Field(ge=0.0, le=1.0)
    expected_purchases: float = pa.Field(ge=0.0, lt=INFINITY)
    expected_spend: float = pa.Field(ge=0.0, lt=INFINITY)
    clv: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_lower: float = pa.Field(ge=0.0, lt=INFINITY)
    clv_upper: float = pa.Field(ge=0.0, lt=INFINITY)
    decile: int = pa.Field(ge=1, le=10)
    model_version: str

    bounds = require_rows("clv_lower is above clv_upper", pl.col("clv_lower") <= pl.col("clv_upper"))
