"""The log of alerts, `monitoring.alerts`: a row for each time that a cause came up, whom it was told, when it was gone.

Belongs here: keeping the log and matching it with the causes of now. Does not belong here: finding causes, sending.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from clv_pipeline.alerts.causes import Cause
from clv_pipeline.lake import Lake
from clv_pipeline.whole_tables import read_whole, write_whole

ALERTS = "monitoring.alerts"
_SCHEMA = pl.Schema(
    {
        "cause": pl.String,
        "kind": pl.String,
        "level": pl.String,
        "what": pl.String,
        "since": pl.String,
        "link": pl.String,
        "opened_at": pl.Datetime("us"),
        "cleared_at": pl.Datetime("us"),
        "sent_to": pl.List(pl.String),
    }
)


@dataclass(frozen=True)
class AlertLog:
    """All alerts ever raised, in order; `cleared_at` is null while the cause lasts."""

    rows: pl.DataFrame

    @classmethod
    def read(cls, lake: Lake) -> "AlertLog":
        """The log of `lake`; empty before the first alert."""
        return cls(read_whole(lake, ALERTS, _SCHEMA))

    def write(self, lake: Lake) -> None:
        """Renames this log into place."""
        write_whole(lake, ALERTS, self.rows)

    @property
    def active(self) -> pl.DataFrame:
        """The alerts whose cause lasts."""
        return self.rows.filter(pl.col("cleared_at").is_null())

    def update(self, causes: Iterable[Cause], now: datetime, base: str) -> "AlertLog":
        """The log as the causes of now make it: each new one opened once, those that are gone closed."""
        found = {cause.key: cause for cause in causes}
        gone = pl.col("cleared_at").is_null() & ~pl.col("cause").is_in(list(found))
        cleared = pl.when(gone).then(pl.lit(now, pl.Datetime("us"))).otherwise("cleared_at")
        known = set(self.active["cause"])
        new = [
            {
                "cause": cause.key,
                "kind": cause.kind,
                "level": cause.level,
                "what": cause.what,
                "since": cause.since,
                "link": f"{base.rstrip('/')}/{cause.place}",
                "opened_at": now,
                "cleared_at": None,
                "sent_to": [],
            }
            for cause in found.values()
            if cause.opens and cause.key not in known
        ]
        return AlertLog(
            pl.concat([self.rows.with_columns(cleared.alias("cleared_at")), pl.DataFrame(new, schema=_SCHEMA)])
        )

    def list_unsent(self, target: str) -> pl.DataFrame:
        """The lasting alerts that `target` has not got yet."""
        return self.active.filter(~pl.col("sent_to").list.contains(target))

    def mark_sent(self, target: str) -> "AlertLog":
        """This log once `target` has got every lasting alert."""
        unsent = pl.col("cleared_at").is_null() & ~pl.col("sent_to").list.contains(target)
        sent = pl.when(unsent).then(pl.concat_list("sent_to", pl.lit(target))).otherwise("sent_to")
        return AlertLog(self.rows.with_columns(sent.alias("sent_to")))
