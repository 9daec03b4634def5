"""Whether there is news of customers: files, tables, the map, or lines of somebody who may have to be hidden.

Belongs here: when somebody looks, and what is said when a table cannot be read. Does not belong here: what is landed
then (`landing.py`), or news of lines (`automation.py`).
"""

import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clv_pipeline.customers.landing import TABLE, describe_inputs
from clv_pipeline.customers.tables import read_tables
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.privacy.guard import LOCK, PrivacyError, open_guard
from clv_pipeline.settings import Settings, SettingsError

# A table of customers has no cursor that tells its news, so that it has to be read whole.
LOOK_EVERY = 600.0


@dataclass(frozen=True)
class _Look:
    landed: str | None
    at: float
    found: list[str]


_LOOKS: dict[Path, _Look] = {}


def list_new_customers(lake: Lake, settings: Settings) -> list[str]:
    """A line when what is said of customers, or the lines, have changed since customers were landed; else none.

    Tables are looked at every ten minutes at most, and whenever something was landed. One that cannot be read counts as
    news once an hour: the load that it asks for says what is wrong.
    """
    if not settings.customers.is_used:
        return []
    stamp = lake.read_stamp(TABLE, "all")
    landed = f"{stamp.inputs}:{Ledger.identify(lake)}" if stamp else None
    last = _LOOKS.get(lake.root) if settings.customers.kind == "sql" else None
    if last and last.landed == landed and time.monotonic() - last.at < LOOK_EVERY:
        return last.found
    try:
        found = find_new_customers(lake, settings)
    except (DatabaseError, DatabaseAwayError, PrivacyError, SettingsError) as error:
        found = [f"{TABLE}:{datetime.now(UTC):%Y-%m-%d %H}:{error}"]
    _LOOKS[lake.root] = _Look(landed, time.monotonic(), found)
    return found


def find_new_customers(lake: Lake, settings: Settings, *, is_alone: bool = False) -> list[str]:
    """The same, looked at now; `is_alone` says that the caller has the lock of privacy.

    Raises what `read_tables` raises, and PrivacyError.
    """
    if not settings.customers.is_used:
        return []
    lake.prepare()
    with nullcontext() if is_alone else lake.hold(LOCK, shared=True):
        guard = open_guard(lake, settings, has_data=not Ledger.read(lake).batches.is_empty())
        inputs = describe_inputs(lake, settings, read_tables(lake, settings, guard))
    stamp = lake.read_stamp(TABLE, "all")
    return [] if stamp and stamp.inputs == inputs else [f"{TABLE}:{inputs}"]
