"""`monitoring.privacy`: what was done for privacy, when, and how much; never for whom.

Belongs here: keeping and reading that record. Does not belong here: doing any of it.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.moments import tell_time
from clv_pipeline.privacy.guard import read_tombstones
from clv_pipeline.whole_tables import read_whole, write_whole

PRIVACY_LOG = "monitoring.privacy"
FORGET, EXPORT, RETENTION = "forget", "export", "retention"
_SCHEMA = pl.Schema(
    {
        "began_at": pl.Datetime("us"),
        "done_at": pl.Datetime("us"),
        "action": pl.String,
        "people": pl.Int64,
        "rows": pl.Int64,
        "files": pl.Int64,
        "note": pl.String,
    }
)


@dataclass(frozen=True)
class Act:
    """Something done for privacy, from when to when (UTC): to how many people, rows and files."""

    action: str
    began_at: datetime
    people: int = 0
    rows: int = 0
    files: int = 0
    note: str = ""


def read_acts(lake: Lake) -> pl.DataFrame:
    """All acts in order: began_at, done_at, action, people, rows, files, note."""
    return read_whole(lake, PRIVACY_LOG, _SCHEMA)


def keep_act(lake: Lake, act: Act) -> None:
    """Keeps an act that is done now."""
    with lake.hold(PRIVACY_LOG):
        row = pl.DataFrame([{**asdict(act), "done_at": tell_time()}], schema=_SCHEMA)
        write_whole(lake, PRIVACY_LOG, pl.concat([read_acts(lake), row]))


def find_cut_off(lake: Lake) -> datetime | None:
    """When an erasure began that has not come to its end: somebody has a tombstone since after the last that did."""
    ended = read_acts(lake).filter(action=FORGET)["done_at"]
    buried = read_tombstones(lake)["requested_at"]
    open_ones = buried if ended.is_empty() else buried.filter(buried > ended.max())
    return cast("datetime | None", open_ones.max())
