"""Says in plain words what is wrong with a setting and how to mend it.

Belongs here: the words for what pydantic finds. Does not belong here: settings and their limits (`settings/`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

_SHOWN_LENGTH = 40
_LIMITS = {
    "greater_than": ("small", "more than", "gt"),
    "greater_than_equal": ("small", "at least", "ge"),
    "less_than": ("large", "less than", "lt"),
    "less_than_equal": ("large", "at most", "le"),
}
_KINDS = {
    "string_pattern": "no month; write 'YYYY-MM'",
    "string_too_short": "empty; write a value, or remove the setting",
    "string_type": "no text; put it in quotes",
    "path_type": "no text; put it in quotes",
    "int_": "no whole number",
    "decimal_max_places": "too precise; write at most two decimals",
    "decimal_": "no number; write it like 0.3",
    "float_": "no number; write it like 0.3",
    "finite_": "no number; write it like 0.3",
    "dict_type": "no table; write name = value lines under a header in brackets",
    "tuple_type": 'no list; write it like ["bg_nbd", "mbg_nbd"]',
    "too_short": "an empty list; name at least one, or remove the setting",
}


def explain_setting(errors: Sequence[ErrorDetails]) -> tuple[tuple[str, ...], str]:
    """The key of the first wrong setting, section by section, and one line about it."""
    # A table of priors also fails to be one of the words; what is wrong inside the table is the message to show.
    inside = [error for error in errors if not (_is_choice(error) and isinstance(error["input"], Mapping))]
    first = (inside or list(errors))[0]
    key = tuple(str(part) for part in first["loc"] if not str(part).startswith(("literal[", "dict[")))
    return key, _explain(first)


def _is_choice(error: ErrorDetails) -> bool:
    return error["type"] == "literal_error"


def _explain(error: ErrorDetails) -> str:
    kind, value, context = error["type"], _show(error["input"]), error.get("ctx", {})
    if kind in _LIMITS:
        side, words, name = _LIMITS[kind]
        return f"{value} is too {side}; it must be {words} {context[name]}"
    if _is_choice(error):
        return f"{value} is unknown; choose {context['expected']}"
    words = next((words for start, words in _KINDS.items() if kind.startswith(start)), None)
    return f"{value} is {words}" if words else error["msg"].removeprefix("Value error, ")


def _show(value: Any) -> str:
    text = str(value) if hasattr(value, "isoformat") else repr(value)
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "..."
