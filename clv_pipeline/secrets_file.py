"""Reads the file of secrets that a section of `clv.toml` names: NAME = "value" lines, outside git.

Belongs here: reading it. Does not belong here: where its values go (`databases/connection.py`, `alerts/send.py`), or
that none stands in `clv.toml` itself (`settings/secrets.py`).
"""

import tomllib
from pathlib import Path

from clv_pipeline.settings import SettingsError


def read_secrets(file: Path | None, base: Path, section: str) -> dict[str, str]:
    """The values of a secrets file by name, none without one; `base` is the folder that a relative path starts from.

    Raises SettingsError, which names the `section` and quotes nothing of the file, for one that cannot be read.
    """
    if file is None:
        return {}
    path = base / file.expanduser()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"[{section}] secrets: {path.name} cannot be read ({error.strerror}); mend the path"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may quote the file.
        raise SettingsError(f'[{section}] secrets: {path.name} is not valid TOML; write NAME = "value" lines') from None
    return {name: str(value) for name, value in values.items()}
