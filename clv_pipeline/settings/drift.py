"""The settings of drift: how large a difference has to be, and what the fixed reference is.

Belongs here: names, types and messages of the section [drift]. Does not belong here: what a difference is
(`clv/drift/`), or what follows from one.
"""

from pydantic import Field, model_validator

from clv_pipeline.settings.section import PERIOD_PATTERN, Section

# What settings were called before, and are called now.
RENAMED = {
    "drift.psi": "drift.psi_alert",
    "drift.ks": "drift.psi_alert (the limits of all tests follow from the PSI's)",
}


class Drift(Section):
    """How large an effect has to be to warn, and to alert.

    `psi_warn` and `psi_alert` are limits of the PSI, from which those of the other distances follow
    (`clv/drift/levels.py`). `change_warn` and `change_alert` are relative changes of a rate or an average (0.1: 10%),
    `share_warn` and `share_alert` absolute ones of a share of lines (0.05: five in a hundred), `empty_days` is how many
    days in a row without a line count as missing. `reference` is the as-of month that every later one is held against,
    besides the month before, the same month of the year before and the one that the model was fitted on (default: the
    first as-of month).
    """

    reference: str | None = Field(default=None, pattern=PERIOD_PATTERN)
    psi_warn: float = Field(default=0.1, gt=0)
    psi_alert: float = Field(default=0.25, gt=0)
    change_warn: float = Field(default=0.05, gt=0)
    change_alert: float = Field(default=0.08, gt=0)
    share_warn: float = Field(default=0.02, gt=0, lt=1)
    share_alert: float = Field(default=0.05, gt=0, lt=1)
    empty_days: int = Field(default=3, ge=1, le=28)

    @model_validator(mode="after")
    def _check_order(self) -> "Drift":
        for name in ("psi", "change", "share"):
            warn, alert = getattr(self, f"{name}_warn"), getattr(self, f"{name}_alert")
            if warn > alert:
                raise ValueError(f"{name}_warn is {warn:g}, above {name}_alert of {alert:g}; a warning comes first")
        return self
