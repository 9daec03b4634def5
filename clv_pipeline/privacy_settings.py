"""The settings of privacy: whether ids are pseudonyms, and where their key is.

Belongs here: names, types and messages of the section [privacy]. Does not belong here: the key itself, which stands in
no settings (`secret_key.py`), or what follows from the settings (`privacy.py`).
"""

from pathlib import Path

from clv_pipeline.period_settings import Section

# The variable with the key: no setting, so that the key can never stand in clv.toml.
KEY_VARIABLE = "CLV_PRIVACY_KEY"


class Privacy(Section):
    """Whether customer ids are replaced by keyed hashes, and the file with their key."""

    pseudonyms: bool = False
    key_file: Path | None = None
