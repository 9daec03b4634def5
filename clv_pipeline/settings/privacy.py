"""The settings of privacy: whether ids are pseudonyms, where their key is, how long raw lines are kept.

Belongs here: names, types and messages of the section [privacy]. Does not belong here: the key itself, which stands in
no settings (`privacy/key.py`), or what follows from the settings (`privacy/`).
"""

import re
from pathlib import Path

from pydantic import Field

from clv_pipeline.settings.section import Section

# The variable with the key: no setting, so that the key can never stand in clv.toml.
KEY_VARIABLE = "CLV_PRIVACY_KEY"

# A password that stands in an address as it is: none of ${NAME}, which is taken from the environment.
PASSWORD = re.compile(r"//[^/@\s]*:[^/@\s$]+@")


class Privacy(Section):
    """Whether customer ids are replaced by keyed hashes, the file with their key, and the age that raw lines reach.

    Drift holds a month against the same month of the year before, so raw lines stay for 13 months at least.
    """

    pseudonyms: bool = False
    key_file: Path | None = None
    keep_raw_months: int | None = Field(default=None, ge=13)
