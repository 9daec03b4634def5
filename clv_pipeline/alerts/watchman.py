"""Looks for causes, keeps the log, and sends what was not sent.

Belongs here: the order of these. Does not belong here: any of them. Nothing that goes wrong here may fail a run.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
import polars as pl

from clv_pipeline.alerts.causes import Cause, find_causes
from clv_pipeline.alerts.log import AlertLog
from clv_pipeline.alerts.run_causes import find_run_causes
from clv_pipeline.alerts.send import AlertError, read_addresses, send, write_message
from clv_pipeline.lake import Lake
from clv_pipeline.moments import tell_time
from clv_pipeline.settings import Settings, SettingsError
from clv_pipeline.state import State


def find_all_causes(state: State, instance: dg.DagsterInstance, now: datetime) -> list[Cause]:
    """Everything that wakes a human at the moment `now`."""
    return [*find_causes(state, now), *find_run_causes(instance)]


def watch(lake: Lake, settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Opens and closes alerts, and sends those that a receiver has not got; returns what went wrong with sending.

    What could not be sent is sent the next time that anybody watches.
    """
    now = tell_time()
    return raise_alerts(lake, settings, find_all_causes(State(lake, settings), instance, now), now)


def raise_alerts(lake: Lake, settings: Settings, causes: Sequence[Cause], now: datetime) -> list[str]:
    """The same for causes that were found."""
    with lake.hold("alerts"):
        before = AlertLog.read(lake)
        log = before.update(causes, now, settings.alerts.link)
        if not log.rows.equals(before.rows):
            log.write(lake)
        return _send(log, lake, settings)


def _send(log: AlertLog, lake: Lake, settings: Settings) -> list[str]:
    if log.active.is_empty():
        return []
    try:
        addresses = read_addresses(settings.alerts, settings.base)
    except (AlertError, SettingsError) as error:
        return [str(error)]
    problems = []
    for name, address in addresses.items():
        unsent = log.list_unsent(name)
        if unsent.is_empty():
            continue
        if send(address, *write_message(unsent, str(lake.home))):
            log = log.mark_sent(name)
            log.write(lake)
        else:
            problems.append(f"{name} did not take {_count(unsent)}; it is tried again next time")
    return problems


def _count(alerts: pl.DataFrame) -> str:
    return f"{alerts.height} alert{'' if alerts.height == 1 else 's'}"
