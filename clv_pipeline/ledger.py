"""The landing ledger: one row per delivered batch, and what follows from it.

Belongs here: which batches are live, which months exist, fingerprints of a month. Does not belong here: landing
itself (`landing.py`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.settings import Settings
from clv_pipeline.whole_tables import read_whole, write_whole

_TABLE = "landing.batches"
_MONTHS = pl.List(
    pl.Struct({"period": pl.String, "rows": pl.Int64, "amount": pl.Decimal(18, 2), "fingerprint": pl.String})
)
_SCHEMA = pl.Schema(
    {
        "load": pl.String,
        "batch_id": pl.String,
        "source": pl.String,
        "seq": pl.Int64,
        "sha256": pl.String,
        "bytes": pl.Int64,
        "mtime_ns": pl.Int64,
        "rows": pl.Int64,
        "replaces": pl.Boolean,
        "loaded_at": pl.Datetime("us"),
        "months": _MONTHS,
        "reading": pl.String,
        "checkpoint": pl.String,
    }
)
UNDATED = "none"


class LedgerError(RuntimeError):
    """The settings no longer fit what was landed; the message is one line and says the fix."""


@dataclass(frozen=True)
class Ledger:
    """All batches ever landed, in order of arrival."""

    batches: pl.DataFrame

    @classmethod
    def read(cls, lake: Lake) -> "Ledger":
        """The ledger of `lake`; empty before the first load."""
        # An older ledger lacks columns that came later.
        return cls(pl.concat([pl.DataFrame(schema=_SCHEMA), read_whole(lake, _TABLE, _SCHEMA)], how="diagonal"))

    @staticmethod
    def identify(lake: Lake) -> tuple[int, int] | None:
        """What tells one committed ledger from the next; None before the first load."""
        path = lake.path(_TABLE, "all")
        if not path.exists():
            return None
        found = path.stat()
        return found.st_ino, found.st_mtime_ns

    def commit(self, lake: Lake, settings: Settings) -> None:
        """Renames this ledger into place: from here on its loads are visible."""
        reading = pl.coalesce("reading", pl.lit(_describe_reading(settings))).alias("reading")
        write_whole(lake, _TABLE, self.batches.with_columns(reading))

    def append(self, load: str, batches: list[dict[str, Any]], months: pl.DataFrame, loaded_at: datetime) -> "Ledger":
        """This ledger with the batches of one more load; `months` has batch_id, period, rows, amount, fingerprint."""
        if not batches:
            return self
        by_batch: dict[str, list[dict[str, Any]]] = {}
        for row in months.iter_rows(named=True):
            by_batch.setdefault(row.pop("batch_id"), []).append(row)
        rows = [
            {
                **batch,
                "load": load,
                "loaded_at": loaded_at,
                "months": by_batch.get(batch["batch_id"], []),
                "reading": None,
            }
            for batch in batches
        ]
        return Ledger(pl.concat([self.batches, pl.DataFrame(rows, schema=_SCHEMA)]))

    def remember_times(self, times: Mapping[str, int]) -> "Ledger":
        """This ledger with new modification times for sources whose content did not change."""
        if not times:
            return self
        fresh = pl.col("source").replace_strict(dict(times), default=None, return_dtype=pl.Int64)
        return Ledger(self.batches.with_columns(pl.coalesce(fresh, "mtime_ns").alias("mtime_ns")))

    def accept_reading(self, settings: Settings) -> "Ledger":
        """This ledger; an empty one when the settings that sort rows into months changed and no row has a month yet.

        Raises LedgerError when rows were sorted under other settings: their months would no longer be right.
        """
        if self.batches.is_empty():
            return self
        before, now = json.loads(self.batches["reading"][-1]), json.loads(_describe_reading(settings))
        if changed := [key for key in now if before.get(key) != now[key]]:
            if not self.periods():
                return Ledger(pl.DataFrame(schema=_SCHEMA))
            key = changed[0]
            raise LedgerError(
                f"{key} was {before.get(key)!r} when data were landed and is {now[key]!r} now; restore it, or load the"
                " source files again into a new home"
            )
        return self

    @staticmethod
    def is_keyed(settings: Settings) -> bool:
        """Whether lines carry an identity of their own."""
        return "line_id" in settings.source.columns

    @property
    def loads(self) -> set[str]:
        """The committed loads."""
        return set(self.batches["load"])

    @property
    def next_load(self) -> str:
        """The name of the next load."""
        return f"{int(self.batches['load'].max() or 0) + 1:06d}"  # pyright: ignore[reportArgumentType]

    @property
    def next_seq(self) -> int:
        """The arrival number of the next batch."""
        return int(self.batches["seq"].max() or 0) + 1  # pyright: ignore[reportArgumentType]

    @cached_property
    def _last(self) -> dict[str, dict[str, Any]]:
        return {row["source"]: row for row in self.batches.drop("months").iter_rows(named=True)}

    def last_batch(self, source: str) -> dict[str, Any] | None:
        """The latest batch that `source` delivered."""
        return self._last.get(source)

    def last_checkpoint(self, source: str | None) -> str | None:
        """Up to where the latest batch of `source` has read it; None before the first."""
        last = self.last_batch(source or "")
        return last["checkpoint"] if last else None

    def live(self, settings: Settings) -> pl.DataFrame:
        """The batches whose rows count: all with a line id, else those since each file was last replaced."""
        if self.is_keyed(settings):
            return self.batches
        replaced = pl.col("seq").filter(pl.col("replaces")).max().over("source")
        return self.batches.filter(pl.col("seq") >= replaced)

    def count_rows(self, source: str) -> int:
        """Rows delivered by `source` since it was last replaced."""
        rows = 0
        for batch in self.batches.filter(pl.col("source") == source).iter_rows(named=True):
            rows = batch["rows"] if batch["replaces"] else rows + batch["rows"]
        return rows

    def touched_months(self) -> pl.DataFrame:
        """One row per batch and month: load, batch_id, source, period, rows, amount, fingerprint."""
        columns = ["load", "batch_id", "source", "seq", "months"]
        return self.batches.select(columns).explode("months").drop_nulls("months").unnest("months")

    def periods(self) -> list[str]:
        """The months that deliveries touched, in order."""
        return sorted(set(self.touched_months()["period"]) - {UNDATED})

    def fingerprints(self, settings: Settings) -> dict[str, str]:
        """Per month a fingerprint of the live rows; equal fingerprints mean equal transactions.

        Without a line id, files with the same rows for a month count once, as their rows do.
        """
        live = set(self.live(settings)["batch_id"])
        sums: dict[str, dict[str, tuple[int, int]]] = {}
        keyed = self.is_keyed(settings)
        for row in self.touched_months().iter_rows(named=True):
            if row["batch_id"] not in live:
                continue
            group = row["batch_id"] if keyed else row["source"]
            month = sums.setdefault(row["period"], {})
            rows, fingerprint = month.get(group, (0, 0))
            month[group] = (rows + row["rows"], fingerprint + int(row["fingerprint"]))
        distinct = list if keyed else set
        return {period: _hash(sorted(distinct(groups.values()))) for period, groups in sums.items()}

    def count_live_rows(self, settings: Settings) -> dict[str, int]:
        """Per month the landed rows that count."""
        live = self.live(settings).select("batch_id")
        months = self.touched_months().join(live, on="batch_id", how="semi").filter(pl.col("period") != UNDATED)
        return dict(months.group_by("period").agg(pl.col("rows").sum()).sort("period").iter_rows())

    def loads_of(self, periods: Sequence[str], settings: Settings) -> list[tuple[str, str]]:
        """The months and loads that hold live rows of `periods`, in order."""
        live = self.live(settings).select("batch_id")
        months = self.touched_months().join(live, on="batch_id", how="semi")
        held = months.filter(pl.col("period").is_in(periods) & (pl.col("rows") > 0))
        return held.select("period", "load").unique().sort("period", "load").rows()


def _describe_reading(settings: Settings) -> str:
    source = settings.source
    return json.dumps(
        {
            "[source.columns] order_ts": source.columns.get("order_ts"),
            "[source.columns] line_id": source.columns.get("line_id"),
            "[source.columns] updated_at": source.columns.get("updated_at"),
            "[source] timezone": source.timezone,
            "[source] business_timezone": source.business_timezone,
            "[source] timestamp_format": source.timestamp_format,
        }
    )


def _hash(values: Iterable[object]) -> str:
    return sha256(repr(list(values)).encode()).hexdigest()[:20]
