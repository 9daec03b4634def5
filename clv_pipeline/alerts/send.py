"""Sends alerts through Apprise: one message for everything that a receiver has not got yet.

Belongs here: addresses, the text of a message, delivery. Does not belong here: what is worth an alert (`causes.py`).

An address is a secret: it is in no log, error or table. What tells receivers apart there is the kind of service and the
beginning of a hash.
"""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import polars as pl

from clv_pipeline.secrets_file import read_secrets
from clv_pipeline.settings.automation import Alerts

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class AlertError(ValueError):
    """An address cannot be used; the message is one line, says the fix, and keeps the address to itself."""


def read_addresses(alerts: Alerts, base: Path) -> dict[str, str]:
    """The addresses by the name that a receiver has in the log, with their variables put in.

    `base` is the folder that the path of a secrets file starts from. Raises AlertError or SettingsError, in one line.
    """
    values = {
        **read_secrets(alerts.secrets, base, "alerts"),
        **{name: text for name, text in os.environ.items() if text},
    }
    addresses: dict[str, str] = {}
    for number, url in enumerate(alerts.urls, start=1):
        text = _VARIABLE.sub(lambda match: _read_variable(match[1], values), url.get_secret_value())
        scheme = text.partition("://")[0]
        if not re.fullmatch(r"[a-z0-9+]+", scheme) or "://" not in text:
            raise AlertError(f"alerts.urls: address {number} is none; write one such as slack://... or mailto://...")
        addresses[f"{scheme}-{sha256(text.encode()).hexdigest()[:8]}"] = text
    return addresses


def _read_variable(name: str, values: Mapping[str, str]) -> str:
    if value := values.get(name):
        return value
    raise AlertError(f"alerts.urls names {name}, which neither the environment nor [alerts] secrets have; set it")


def write_message(alerts: pl.DataFrame, home: str) -> tuple[str, str]:
    """Title and text of one message about `alerts` (rows of monitoring.alerts)."""
    worst = "ALERT" if "alert" in alerts["level"].to_list() else "warning"
    first = alerts["what"][0].split(": ")[0]
    more = f" and {alerts.height - 1} more" if alerts.height > 1 else ""
    lines = [
        f"{row['level'].upper()} since {row['since']}: {row['what']}\n{row['link']}"
        for row in alerts.iter_rows(named=True)
    ]
    return f"[clv {worst}] {first}{more}", "\n\n".join([*lines, f"Home: {home}"])


def send(address: str, title: str, body: str) -> bool:
    """Whether the receiver took the message; what went wrong stays here, as it may hold the address."""
    import apprise  # noqa: PLC0415  (a third of a second, and only where there is something to send)

    logging.getLogger("apprise").disabled = True
    messenger = apprise.Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(messenger.add(address) and messenger.notify(title=title, body=body))
        except Exception:  # whatever a service, its library or a proxy may say
            return False
