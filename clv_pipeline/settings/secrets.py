"""The rule that no secret stands in `clv.toml`: no password, token or key in an address of a database or of alerts.

Belongs here: telling one from the rest of an address, and how it is given instead. Does not belong here: where secrets
are taken from (`secrets_file.py`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_PASSWORD = re.compile(r"://[^/@]*?:(?P<value>[^/]*)@")
_PARAMETER = re.compile(
    r"[?&](?P<name>[^=&]*(?:passw|pwd|token|secret|key|credentials_base64)[^=&]*)=(?P<value>[^&]*)", re.I
)
_VARIABLE = re.compile(r"\$\{\w+\}")
# Receivers of alerts whose addresses can do without a token; of all others the address is the right to write there.
_OPEN = re.compile(r"(?:json|xml|form|mailto|ntfy|mqtt|syslog|rsyslog)s?|dbus|gnome|windows|macosx|kde|qt|glib")
# Letters and digits mixed, as no word and no number is.
_TOKEN = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}")


def reject_written_secrets(values: Mapping[str, Any], file: str) -> None:
    """Raises ValueError for a password, token or key that stands in the settings file itself."""
    for name in ("source", "customers"):
        url = _look_up(values, name, "connection")
        for what, value in _list_secrets(url) if isinstance(url, str) else ():
            if value and not _VARIABLE.fullmatch(value):
                raise ValueError(
                    f"{file}: {name}.connection holds a {what}; write ${{DB_PASSWORD}} in its place, and set that in"
                    f" the environment or in the file of [{name}] secrets"
                )
    urls = _look_up(values, "alerts", "urls")
    for number, url in enumerate([urls] if isinstance(urls, str) else urls if isinstance(urls, list) else [], start=1):
        if isinstance(url, str) and (what := _find_in_address(url)):
            raise ValueError(
                f"{file}: alerts.urls: address {number} holds a {what}; write ${{NAME}} in its place, and set NAME in"
                " the environment or in the file of [alerts] secrets"
            )


def _look_up(values: Mapping[str, Any], section: str, key: str) -> Any:
    found = values.get(section)
    return found.get(key) if isinstance(found, Mapping) else None


def _list_secrets(url: str) -> Iterator[tuple[str, str]]:
    if password := _PASSWORD.search(url):
        yield "password", password["value"]
    for parameter in _PARAMETER.finditer(url):
        yield parameter["name"], parameter["value"]


def _find_in_address(url: str) -> str | None:
    """What kind of secret an address of Apprise holds as it is written; None where there is none to be seen."""
    for what, value in _list_secrets(url):
        if value and not _VARIABLE.fullmatch(value):
            return what
    scheme, _, rest = url.partition("://")
    is_whole = _VARIABLE.fullmatch(url) is not None  # from the environment altogether
    if not is_whole and rest and not _OPEN.fullmatch(scheme.lower()) and not _VARIABLE.search(rest):
        return "token"
    return "token" if _TOKEN.search(_VARIABLE.sub("", rest)) else None
