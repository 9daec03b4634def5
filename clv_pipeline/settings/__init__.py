"""Every knob of the pipeline, in one place: `clv.toml`, overridden by `CLV_...` environment variables.

Belongs here: names, types, defaults and messages of the settings, a module a section; `root.py` puts them together and
reads them. Does not belong here: what they cause.
"""

from clv_pipeline.settings.customers import Customers
from clv_pipeline.settings.root import Engine, Settings, SettingsError, Value, load_settings, require_attributes
from clv_pipeline.settings.source import Source

__all__ = [
    "Customers",
    "Engine",
    "Settings",
    "SettingsError",
    "Source",
    "Value",
    "load_settings",
    "require_attributes",
]
