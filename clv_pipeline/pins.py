"""Which version somebody chose for which as-of months: `models.pins`, written by `clv promote` and `clv rollback`.

Belongs here: keeping and reading these choices. Does not belong here: what follows from them
(`clv/models/promotion.py`).

A partition of the table holds the choices made from that as-of month on; nothing is ever taken out of it.
"""

from dataclasses import dataclass

import polars as pl

from clv_pipeline.lake import Lake
from clv_pipeline.moments import tell_time
from clv_pipeline.periods import shift_period

PINS = "models.pins"
_SCHEMA = {
    "as_of_from": pl.String,
    "version": pl.String,
    "replaced": pl.String,
    "set_at": pl.Datetime("us"),
    "reason": pl.String,
}


@dataclass(frozen=True)
class Pin:
    """A choice for `as_of_from` and later; version None lifts an earlier one.

    `replaced` is what the latest as-of month used until then.
    """

    as_of_from: str
    version: str | None
    replaced: str | None
    reason: str


def add_pin(lake: Lake, pin: Pin) -> None:
    """Keeps a choice; it takes the place of those made before it for the same as-of months."""
    month = pin.as_of_from
    with lake.hold(PINS), lake.connect() as con:
        new = [(month, pin.version, pin.replaced, tell_time(), pin.reason)]
        row = pl.DataFrame(new, schema=_SCHEMA, orient="row")
        staged = lake.stage(con, PINS, [month], pl.concat([read_pins(lake, month, month), row]))[month]
        lake.publish(con, staged, inputs=staged.content, code="")


def read_pins(lake: Lake, until: str, since: str = "") -> pl.DataFrame:
    """The choices made from as-of months between `since` and `until` on, the latest choice last."""
    files = [file for month, file in lake.published(PINS).items() if since <= month <= until]
    frames = [pl.read_parquet(file.read_bytes()) for file in files]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *frames]).sort("set_at", maintain_order=True)


def find_pin(lake: Lake, as_of: str) -> Pin | None:
    """The choice that holds for `as_of`; None where nobody has made one."""
    pins = read_pins(lake, as_of)
    return None if pins.is_empty() else Pin(*pins.drop("set_at").row(-1))


def find_pinned(lake: Lake) -> list[tuple[str, str | None, str]]:
    """The choices in force: first as-of month, last one (None: all later ones), version. Earliest first."""
    starts: list[tuple[str, str | None]] = []
    for month in sorted(lake.published(PINS)):  # between these months nothing changes
        pin = find_pin(lake, month)
        version = pin.version if pin else None
        if not starts or starts[-1][1] != version:
            starts.append((month, version))
    lasts = [*(shift_period(month, -1) for month, _ in starts[1:]), None]
    return [(first, last, version) for (first, version), last in zip(starts, lasts, strict=False) if version]
