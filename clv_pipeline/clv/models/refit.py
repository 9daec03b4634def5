"""Whether the models are due to be fitted again, or the last fit goes on.

Belongs here: the rule, as a function of what is known. Does not belong here: which alerts there are (`clv/drift`), what
becomes of a new fit (`promotion.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

FIRST, AGE, DRIFT, NOT_DUE = "first", "age", "drift", "not due"
TRIGGERS = (FIRST, AGE, DRIFT, NOT_DUE)
MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


@dataclass(frozen=True)
class Refit:
    """Whether a fit is due, what asks for it (one of TRIGGERS), and why, in a sentence."""

    trigger: str
    reason: str

    @property
    def due(self) -> bool:
        """Whether a fit is due."""
        return self.trigger != NOT_DUE


def decide_refit(age: int | None, *, every: str, alerts: Sequence[str]) -> Refit:
    """Decides from the months of data since the last fit (None without one) and what has drifted since.

    `every` is one of MONTHS; `alerts` names each drift of the as-of month before that a new fit would take in. A fit
    that has seen all there is (age 0) is never due, whatever has drifted: it would find the same.
    """
    if age is None:
        return Refit(FIRST, "Nothing was fitted before.")
    if age > 0 and alerts:
        return Refit(DRIFT, f"Drift in the month before: {'; '.join(alerts)}.")
    limit = MONTHS[every]
    since = f"The last fit is {age} month{'' if age == 1 else 's'} of data old"
    if age >= limit:
        return Refit(AGE, f"{since}; models.refit is '{every}'.")
    return Refit(NOT_DUE, f"{since}, and nothing has drifted; models.refit is '{every}'.")
