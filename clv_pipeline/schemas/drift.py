"""Contract of the drift checks.

Belongs here: what one row must satisfy. Does not belong here: what follows from a drift.
"""

import math

import pandera.polars as pa
import polars as pl

from clv_pipeline.schemas import MONTH, Table, require_key, require_rows


class Checks(Table):
    """One row per as_of, reference, feature and test; without values on a side, the statistic is null."""

    as_of: str = pa.Field(str_matches=MONTH)
    reference: str
    feature: str
    test: str = pa.Field(isin=["psi", "ks"])
    statistic: float = pa.Field(ge=0.0, lt=math.inf, nullable=True)
    threshold: float = pa.Field(ge=0.0, lt=math.inf)
    drifted: bool

    key = require_key("as_of", "reference", "feature", "test")
    verdict = require_rows(
        "drifted is not statistic > threshold",
        pl.col("drifted") == (pl.col("statistic") > pl.col("threshold")).fill_null(value=False),
    )
