"""What the lenses need of a step: queries, their results, and relations kept for the queries that follow.

Belongs here: that narrow view. Does not belong here: steps themselves (`steps.py`).
"""

from typing import Protocol

import polars as pl

from clv_pipeline.sql import Literal


class Queries(Protocol):
    """What of a Step is needed to take a lens."""

    def select(self, name: str, **more: Literal) -> str:
        """The SELECT of that name with its parameters bound."""
        ...

    def frame(self, query: str) -> pl.DataFrame:
        """The result of a SELECT."""
        ...

    def materialize(self, table: str, query: str) -> None:
        """Keeps the result of a SELECT as a table."""
        ...


def name_tables(frames: dict[str, pl.DataFrame], as_of: str) -> dict[str, pl.DataFrame]:
    """The frames under their table names, each row with its as-of month first."""
    return {
        f"lenses.{name}": frame.select(pl.lit(as_of).alias("as_of"), pl.exclude("as_of"))
        for name, frame in frames.items()
    }
