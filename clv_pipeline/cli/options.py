"""What the commands share: the settings file, months as arguments, the console.

Belongs here: options that more than one module of commands takes. Does not belong here: the commands.
"""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clv_pipeline.settings import Settings, SettingsError, load_settings
from clv_pipeline.settings.section import PERIOD_PATTERN

console = Console(highlight=False)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: $CLV_CONFIG, else clv.toml here.", show_default=False),
]


def read_settings(config: Path | None) -> Settings:
    """The settings; SettingsError says what to write where there are none."""
    settings = load_settings(config)
    if not settings.source.columns and not settings.config_file.exists():
        raise SettingsError(
            f"no {settings.config_file.name} in {settings.base}; write one (the README has an example), name one with"
            " --config, or see it work with `clv demo`"
        )
    return settings


def check_month(text: str | None) -> str | None:
    """The month as given; SettingsError where it is none."""
    if text is not None and not re.fullmatch(PERIOD_PATTERN.rstrip("$"), text):
        raise SettingsError(f"'{text}' is no month; write YYYY-MM, for example 1998-06")
    return text
