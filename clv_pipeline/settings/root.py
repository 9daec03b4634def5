"""All sections together, read from `clv.toml` and the environment.

Belongs here: the settings as a whole, what holds between sections, reading them, and the sections of two or three keys.
Does not belong here: the other sections, which have a module each.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from clv_pipeline.settings.automation import Alerts, Automation, Publication
from clv_pipeline.settings.customers import Customers
from clv_pipeline.settings.drift import RENAMED, Drift
from clv_pipeline.settings.models import Backtest, Models
from clv_pipeline.settings.periods import Lenses, Periods
from clv_pipeline.settings.privacy import KEY_VARIABLE, Privacy
from clv_pipeline.settings.secrets import reject_written_secrets
from clv_pipeline.settings.section import Section
from clv_pipeline.settings.source import Source
from clv_pipeline.wording import explain_setting

_LISTED = 20
_NO_SETTINGS = {"CLV_CONFIG", "CLV_DEBUG", KEY_VARIABLE}


class SettingsError(ValueError):
    """A setting is missing, unknown or wrong; the message is one line and says the fix."""


class Returns(Section):
    """What happens to returned goods."""

    policy: Literal["net", "drop", "reject"] = "net"
    order_id_pattern: str | None = None

    @field_validator("order_id_pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"'{pattern}' is no regular expression ({error}); write one such as '^C'") from error
        if pattern and re.search(r"\(\?<?[=!]|\\[1-9]", pattern):
            raise ValueError(f"'{pattern}' looks around or back, which DuckDB cannot; write one such as '^C'")
        return pattern


class Value(Section):
    """How orders become profit and profit becomes lifetime value."""

    margin: Decimal = Field(default=Decimal("0.30"), gt=0, le=1)
    cutoff_step: Decimal = Field(default=Decimal("0.01"), ge=Decimal("0.01"), decimal_places=2)
    annual_discount_rate: float = Field(default=0.10, ge=0, lt=10)
    horizon_months: int = Field(default=12, ge=1, le=120)

    @field_validator("margin", "cutoff_step", mode="before")
    @classmethod
    def _read_decimal(cls, value: Any) -> Any:
        return str(value) if isinstance(value, float) else value


class Engine(Section):
    """Resources of one DuckDB connection."""

    threads: int | None = Field(default=None, ge=1)
    memory_limit: str = "4GB"

    @field_validator("memory_limit")
    @classmethod
    def _check_memory(cls, limit: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", limit, re.IGNORECASE):
            raise ValueError(f"'{limit}' is no amount of memory; write it like '4GB' or '60%'")
        return limit


class Settings(Section):
    """All settings; `home` is absolute after `load_settings`, source paths are relative to the config file."""

    home: Path = Path("data")
    source: Source = Field(default_factory=Source)
    customers: Customers = Field(default_factory=Customers)
    returns: Returns = Field(default_factory=Returns)
    value: Value = Field(default_factory=Value)
    periods: Periods = Field(default_factory=Periods)
    lenses: Lenses = Field(default_factory=Lenses)
    models: Models = Field(default_factory=Models)
    backtest: Backtest = Field(default_factory=Backtest)
    drift: Drift = Field(default_factory=Drift)
    publication: Publication = Field(default_factory=Publication)
    automation: Automation = Field(default_factory=Automation)
    alerts: Alerts = Field(default_factory=Alerts)
    privacy: Privacy = Field(default_factory=Privacy)
    engine: Engine = Field(default_factory=Engine)
    config_file: Path = Field(default=Path("clv.toml"), exclude=True)

    @model_validator(mode="after")
    def _check_identity(self) -> "Settings":
        if "updated_at" in self.source.columns and "line_id" not in self.source.columns:
            raise ValueError("[source.columns] maps updated_at without line_id; versions need the line they belong to")
        return self

    @model_validator(mode="after")
    def _check_attributes(self) -> "Settings":
        # Customer files may have more columns; they are looked at when those are read.
        if not self.customers.describes:
            require_attributes(self, [], "[source.columns]")
        return self

    @model_validator(mode="after")
    def _check_retention(self) -> "Settings":
        if self.automation.retention and self.privacy.keep_raw_months is None:
            raise ValueError("[automation] retention needs [privacy] keep_raw_months; write how many months are kept")
        return self

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns of customers that cohorts, filters or models ask for."""
        return tuple(sorted({*self.periods.attributes, *self.models.covariates}))

    @property
    def known_attributes(self) -> tuple[str, ...]:
        """Columns of the transactions that describe a customer by its first order: product_id and the extras."""
        return ("product_id", *self.source.extra_columns)

    @property
    def base(self) -> Path:
        """The folder that relative source paths start from."""
        return self.config_file.parent


def require_attributes(settings: Settings, of_file: Sequence[str], place: str) -> None:
    """Raises ValueError, in one line, for a wanted column that neither transactions nor the customer file have."""
    known = list(dict.fromkeys([*settings.known_attributes, *of_file]))
    wanted = {
        "[periods] cohort_by or only": settings.periods.attributes,
        "[models] covariates": settings.models.covariates,
    }
    for setting, names in wanted.items():
        if unknown := [name for name in names if name not in known]:
            close = difflib.get_close_matches(unknown[0], known, n=1)
            listed = f"known: {', '.join(known[:_LISTED])}; map more in {place}"
            hint = f"did you mean '{close[0]}'?" if close else listed
            raise ValueError(f"{setting} names '{unknown[0]}', which no customer has; {hint}")


def load_settings(config: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `config` (default: `$CLV_CONFIG`, else `clv.toml` here) and the environment.

    An empty variable counts as not set. Raises SettingsError with one line that names the key and the fix.
    """
    environment = os.environ if environment is None else environment
    chosen = config or (Path(environment["CLV_CONFIG"]) if environment.get("CLV_CONFIG") else None)
    path = (chosen or Path("clv.toml")).expanduser().resolve()
    values = _read_toml(path) if chosen or path.exists() else {}
    _reject_unknown(Settings, values, path.name, ())
    _reject_secrets(values, path.name)
    variables: dict[tuple[str, ...], str] = {}
    for name, keys, value in _read_environment(environment):
        variables[keys] = name
        _set(values, keys, value)
    try:
        settings = Settings.model_validate({**values, "config_file": path})
    except ValidationError as error:
        keys, message = explain_setting(error.errors())
        raise SettingsError(_locate(keys, variables, path.name) + message) from None
    return settings.model_copy(update={"home": (path.parent / settings.home.expanduser()).resolve()})


def _reject_secrets(values: Mapping[str, Any], file: str) -> None:
    try:
        reject_written_secrets(values, file)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _locate(keys: tuple[str, ...], variables: Mapping[tuple[str, ...], str], file: str) -> str:
    if variable := next((variables[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in variables), None):
        return f"{variable}: "
    return f"{file}: {'.'.join(keys)}: " if keys else f"{file}: "


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; write one, or run `clv demo` for an example") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); it must be a text file") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name}: not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name}: not valid TOML: {error}; quote text, bracket [sections]") from None


def _read_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    known = {"CLV_" + "_".join(keys).upper(): keys for keys in _walk(Settings, ())}
    # In name order, so that one column's variable adds to, and wins over, the variable with the whole table.
    for name, text in sorted(environment.items()):
        if not name.startswith("CLV_") or name in _NO_SETTINGS or not text:
            continue
        if name.startswith("CLV_SOURCE_COLUMNS_"):
            yield name, ("source", "columns", name.removeprefix("CLV_SOURCE_COLUMNS_").lower()), text
        elif name in known:
            yield name, known[name], _read_table(name, text) if text[:1] == "{" else text
        else:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
            hint = f"did you mean {close[0]}?" if close else "every setting is CLV_SECTION_NAME, as in CLV_VALUE_MARGIN"
            raise SettingsError(f"unknown environment variable {name}; {hint}")


def _read_table(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SettingsError(f'{name}: not valid JSON ({error}); write a table like {{"name": "value"}}') from None


def _walk(model: type[BaseModel], keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, (*keys, name))
        elif name != "config_file":
            yield (*keys, name)


def _set(values: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    values[keys[-1]] = value


def _reject_unknown(model: type[BaseModel], values: Mapping[str, Any], file: str, keys: tuple[str, ...]) -> None:
    names = [name for name in model.model_fields if name != "config_file"]
    for name, value in values.items():
        dotted = ".".join((*keys, name))
        if dotted in RENAMED:
            raise SettingsError(f"{file}: '{dotted}' is now called {RENAMED[dotted]}")
        if name not in names:
            places = {path[-1]: path for path in _walk(Settings, ())} | {known: (*keys, known) for known in names}
            close = difflib.get_close_matches(name, places, n=1)
            hint = f"did you mean '{'.'.join(places[close[0]])}'?" if close else f"known here: {', '.join(names)}"
            raise SettingsError(f"{file}: unknown setting '{dotted}'; {hint}")
        section = model.model_fields[name].annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            if not isinstance(value, Mapping):
                raise SettingsError(f"{file}: '{dotted}' is a table; write it as [{dotted}]")
            _reject_unknown(section, value, file, (*keys, name))
