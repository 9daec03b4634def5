"""Contract of the traffic lights on the data.

Belongs here: what one row must satisfy. Does not belong here: thresholds (`clv/sufficiency.py`).
"""

import math

import polars as pl

from clv_pipeline.clv.sufficiency import CHECKS, LEVELS
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.validation import pa


class Sufficiency(Table):
    """One row per as_of and question: whether the data suffice, with the figure, the threshold and the fix."""

    as_of: str = pa.Field(str_matches=MONTH)
    check: str = pa.Field(isin=list(CHECKS), description="what is asked of the data")
    level: str = pa.Field(isin=list(LEVELS), description="traffic light; grey where it cannot be told")
    value: float = pa.Field(gt=-math.inf, lt=math.inf, nullable=True, description="the figure; null if it is grey")
    threshold: float = pa.Field(ge=0.0, lt=math.inf, description="where green ends")
    sentence: str = pa.Field(description="the finding in words")
    fix: str = pa.Field(nullable=True, description="what to do; null unless yellow or red")

    key = require_key("as_of", "check")
    figured = require_rows(
        "a figure is there exactly when it is not grey", (pl.col("level") == "grey") == pl.col("value").is_null()
    )
    mended = require_rows(
        "a fix is there exactly when it is yellow or red",
        pl.col("level").is_in(["yellow", "red"]) == pl.col("fix").is_not_null(),
    )
