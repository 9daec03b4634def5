"""The secret key of a home, and the keyed hashes made with it.

Belongs here: reading the key from the environment or its file, hashing. Does not belong here: what is hashed, and what
a home remembers of its key (`guard.py`).
"""

import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clv_pipeline.settings import Settings, SettingsError
from clv_pipeline.settings.privacy import KEY_VARIABLE

_FEWEST_CHARACTERS = 32
_DIGITS = 32
_MAKE = "make one with `python -c 'import secrets; print(secrets.token_hex(32))'`"


@dataclass(frozen=True)
class Key:
    """A secret; it shows in no repr, and so in no message."""

    secret: bytes = field(repr=False)

    def hash(self, purpose: str, *values: str) -> str:
        """HMAC-SHA256 of the values as 32 hexadecimal digits; of another purpose they hash to something else."""
        text = "\0".join((purpose, *values))
        return hmac.digest(self.secret, text.encode(), "sha256").hex()[:_DIGITS]

    def pseudonymise(self, ids: Iterable[str]) -> dict[str, str]:
        """The pseudonym of each customer id."""
        return {one: self.hash("customer_id", one) for one in ids}

    @property
    def fingerprint(self) -> str:
        """What tells this key from another without giving it away."""
        return self.hash("fingerprint")[:12]


def read_key(settings: Settings, environment: Mapping[str, str] | None = None) -> Key:
    """The key of the environment, else that of `[privacy] key_file`.

    Raises SettingsError, which never shows any of it, when there is none or it could be guessed.
    """
    environment = os.environ if environment is None else environment
    text, place = environment.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE
    if not text and settings.privacy.key_file is not None:
        text, place = _read_file(settings), "the key in privacy.key_file"
    if not text:
        raise SettingsError(
            f"a privacy key is needed: set {KEY_VARIABLE}, or privacy.key_file to a file outside home; {_MAKE}"
        )
    if len(text) < _FEWEST_CHARACTERS:
        raise SettingsError(f"{place} has fewer than {_FEWEST_CHARACTERS} characters and could be guessed; {_MAKE}")
    return Key(text.encode())


def _read_file(settings: Settings) -> str:
    file = (settings.base / (settings.privacy.key_file or Path()).expanduser()).resolve()
    if file.is_relative_to(settings.home):
        raise SettingsError("privacy.key_file lies inside home, so every copy of home has the key; move it out of home")
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not a text file"
        raise SettingsError(f"privacy.key_file {file} cannot be read ({why}); mend its path or permissions") from None
    found = [line for line in lines if line and not line.startswith("#")]
    return found[0].removeprefix(f"{KEY_VARIABLE}=").strip("\"'") if found else ""
