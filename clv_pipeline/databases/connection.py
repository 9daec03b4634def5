"""Connects to a source database, and says in one line, without a secret, why that or a query failed.

Belongs here: addresses, secrets, engines, the words for errors. Does not belong here: what is read (`reading.py`).
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from clv_pipeline.secrets_file import read_secrets
from clv_pipeline.settings import SettingsError
from clv_pipeline.settings.databases import Connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SHOWN_LENGTH = 300
# The driver that is installed for each kind of database, and the extra that brings it.
_DRIVERS = {
    "postgresql": ("postgresql+psycopg", "psycopg", "databases"),
    "mysql": ("mysql+pymysql", "pymysql", "databases"),
    "mariadb": ("mariadb+pymysql", "pymysql", "databases"),
    "mssql": ("mssql+pymssql", "pymssql", "mssql"),
    "snowflake": ("snowflake", "snowflake.sqlalchemy", "snowflake"),
    "bigquery": ("bigquery", "sqlalchemy_bigquery", "bigquery"),
    "sqlite": ("sqlite", "sqlite3", "databases"),
}
# A server that does not answer within a minute is gone: without this, a cut cable would be waited for for hours.
_POSTGRESQL = {
    "application_name": "clv",
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
# Else a TIMESTAMP comes in whatever zone the server is set to.
_MYSQL = {"init_command": "SET time_zone = '+00:00'"}
_PARAMETERS = {"postgresql": _POSTGRESQL, "mysql": _MYSQL, "mariadb": _MYSQL}
# SQLSTATE classes: connection exception, insufficient resources (too many connections), operator intervention; and a
# slot that another load looks into.
_PASSING_STATES = ("08", "53", "57", "55006")
_PASSING_WORDS = re.compile(
    r"connection refused|connection (?:timeout|timed out)|server closed the connection|could not receive|no data from"
    r"|connection (?:is|was|has been) (?:lost|closed|reset)|lost connection|can't connect|broken pipe|starting up"
    r"|shutting down|terminating connection|unexpectedly|timeout expired",
    re.IGNORECASE,
)


class DatabaseError(RuntimeError):
    """A source database cannot be read as configured; the message is one line and says the fix."""


class DatabaseAwayError(ConnectionError):
    """A source database does not answer, or stopped answering; it may a little later."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.ECONNRESET, message)

    def __str__(self) -> str:
        return str(self.strerror)


@dataclass(frozen=True)
class Database:
    """An engine and what must not be told of it."""

    engine: "Engine"
    secrets: Sequence[str]
    section: str = "source"
    """The table of `clv.toml` that names it, for messages."""

    @property
    def kind(self) -> str:
        """The name of the dialect: postgresql, mysql, snowflake, ..."""
        return self.engine.dialect.name

    @contextmanager
    def explain_errors(self, doing: str) -> Iterator[None]:
        """Turns what a driver raises in the block into DatabaseError or DatabaseAwayError, one line, no secrets."""
        try:
            yield
        except (DatabaseError, DatabaseAwayError, SettingsError, KeyboardInterrupt, GeneratorExit):
            raise
        except Exception as error:
            raise _explain(error, doing, self) from None


@contextmanager
def open_database(
    given: Connected, base: Path, *, section: str = "source", environment: Mapping[str, str] | None = None
) -> Iterator[Database]:
    """The database of the settings `given`; `base` is the folder that the path of a secrets file starts from.

    Raises SettingsError for an address that cannot be used, and DatabaseError where its driver is not installed.
    """
    try:
        import dlt  # noqa: F401, PLC0415
        import sqlalchemy as sa  # noqa: PLC0415
    except ImportError:
        raise DatabaseError("databases need more packages; install clv-pipeline[databases]") from None
    url, secrets = _resolve(given, base, section, os.environ if environment is None else environment)
    engine = sa.create_engine(_choose_driver(url, section), poolclass=sa.NullPool)
    try:
        yield Database(engine, secrets, section)
    finally:
        engine.dispose()


def _choose_driver(url: "URL", section: str) -> "URL":
    kind = url.get_backend_name()
    if kind not in _DRIVERS:
        raise SettingsError(
            f"{section}.connection: '{kind}' is no known database; known: {', '.join(sorted(_DRIVERS))}"
        )
    driver, module, extra = _DRIVERS[kind]
    try:
        import_module(module)
    except ImportError:
        raise DatabaseError(f"{kind} needs the package of its driver; install clv-pipeline[{extra}]") from None
    more = _PARAMETERS.get(kind, {})
    url = url.update_query_dict({name: text for name, text in more.items() if name not in url.query})
    return url if "+" in url.drivername else url.set(drivername=driver)


def _resolve(given: Connected, base: Path, section: str, environment: Mapping[str, str]) -> tuple["URL", list[str]]:
    """The address with its ${NAMES} replaced, and every value that is secret."""
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    example = "'postgresql://clv:${DB_PASSWORD}@host:5432/database'"
    if given.connection is None:
        raise SettingsError(f"{section}.connection is missing; write it like {example}")
    try:
        url = make_url(given.connection.get_secret_value())
    except (ArgumentError, ValueError):
        raise SettingsError(f"{section}.connection is no address of a database; write it like {example}") from None
    values = read_secrets(given.secrets, base, section)
    found: list[str] = []

    def fill(text: str) -> str:
        def look_up(match: re.Match[str]) -> str:
            name = match[1]
            value = environment.get(name) or values.get(name)
            if not value:
                raise SettingsError(
                    f"{section}.connection names {name}, which neither the environment nor [{section}] secrets have"
                )
            found.append(value)
            return value

        return _VARIABLE.sub(look_up, text)

    # Replaced in the parts of the address, so that a password with an @ or a / needs no escaping.
    parts = {name: fill(part) for name in ("username", "password", "host", "database") if (part := getattr(url, name))}
    query = {
        name: tuple(map(fill, text)) if isinstance(text, tuple) else fill(text) for name, text in url.query.items()
    }
    url = url.set(**parts, query=query)  # pyright: ignore[reportArgumentType]
    return url, [*found, *([str(url.password)] if url.password else [])]


def hide_secrets(text: str, secrets: Sequence[str]) -> str:
    """`text` with every secret, written plainly or as in an address, replaced."""
    forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret)) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "***")
    return re.sub(r"://[^\s/@]*@", "://***@", text)


def _explain(error: Exception, doing: str, database: Database) -> Exception:
    origin = getattr(error, "orig", None) or error.__cause__ or error
    said = " ".join(str(origin).split()) or type(origin).__name__
    text = hide_secrets(said, database.secrets)
    text = text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "..."
    state = str(getattr(origin, "sqlstate", None) or "")
    if state.startswith(_PASSING_STATES) or (not state.startswith("28") and _PASSING_WORDS.search(said)):
        return DatabaseAwayError(f"{doing}: the database does not answer ({text}); nothing was landed, run it again")
    return DatabaseError(f"{doing}: {text}; mend [{database.section}] in clv.toml or the rights there")
