"""What every section of `clv.toml` is.

Belongs here: what sections have in common. Does not belong here: any of them.
"""

from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

PERIOD_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])$"


class Section(BaseModel):
    """A table of `clv.toml`: unknown keys are errors, and nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _split_list(cls, value: Any, info: ValidationInfo) -> Any:
        # An environment variable holds a list as text.
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, str) and get_origin(field.annotation) is tuple:
            return [part.strip() for part in value.split(",")]
        return value
