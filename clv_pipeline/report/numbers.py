"""Numbers, money and months as a reader writes them.

Belongs here: turning values into short text, the same way in cells, sentences and cards. Does not belong here: any
knowledge of a table.
"""

import calendar
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TypeGuard

MISSING = "–"
SYMBOLS = {
    "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "CAD": "CA$", "AUD": "A$", "NZD": "NZ$", "BRL": "R$",
}  # fmt: skip
_STEPS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))

Formatter = Callable[[Sequence[object]], list[str]]


def is_number(value: object) -> TypeGuard[float]:
    """Whether the value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def signed(text: str, value: float) -> str:
    """`text` (of the absolute value) with a minus sign where the value is negative and does not round to zero."""
    return f"−{text}" if value < 0 and any(digit in text for digit in "123456789") else text


def plain(value: float, decimals: int) -> str:
    """Thousands separators and a fixed number of decimals: 1234.5, 1 -> '1,234.5'."""
    return signed(f"{abs(value):,.{decimals}f}", value)


def significant(value: float, digits: int = 3) -> str:
    """About `digits` significant digits, never an exponent: .05505 -> '0.0551', 23570.4 -> '23,570'."""
    if value == 0:
        return "0"
    rounded = float(f"{abs(value):.{digits}g}")
    if rounded < 10 ** -(digits + 3):
        return "<0." + "0" * (digits + 2) + "1" if value > 0 else "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(rounded)))
    return signed(f"{abs(value):,.{decimals}f}", value)


def short(value: float) -> str:
    """Three significant digits with k, M, B or T: 1234567 -> '1.23M'; below 1,000 as it is."""
    rounded = float(f"{abs(value):.3g}")
    for step, suffix in _STEPS:
        if rounded >= step:
            scaled = rounded / step
            decimals = max(0, 2 - math.floor(math.log10(scaled)))
            return signed(f"{scaled:,.{decimals}f}{suffix}", value)
    return significant(value)


def count(value: object) -> str:
    """A count: '23,570'; ten million and more in short."""
    if not is_number(value):
        return MISSING
    number = float(value)
    return short(number) if abs(number) >= 1e7 else plain(number, 0)


def share(value: object) -> str:
    """A ratio as percent for a sentence: .4312 -> '43%', .0431 -> '4.3%'."""
    if not is_number(value):
        return MISSING
    percent = 100 * float(value)
    if 0 < abs(percent) < 0.05:
        return "under 0.1%"
    decimals = 0 if abs(percent) >= 9.95 or percent == 0 else 1
    near_end = 99 < percent < 100
    return plain(min(percent, 99.9) if near_end else percent, 1 if near_end else decimals) + "%"


def change(before: float | None, after: float | None) -> float | None:
    """Relative change, or None where it has no meaning (nothing before, or a loss before)."""
    if before is None or after is None or before <= 0:
        return None
    return after / before - 1


def change_words(value: float | None) -> str:
    """'up 12%', 'down 3.4%', 'unchanged'."""
    if value is None:
        return "not comparable"
    if abs(value) < 0.0005:
        return "unchanged"
    if value > 9.995:
        return f"{significant(value + 1, 2)} times as much"
    return f"{'up' if value > 0 else 'down'} {share(abs(value))}"


def money(value: object, currency: str) -> str:
    """Money in a sentence or card, about four significant digits: '$35.17', '$912k', '−€1.23M', 'CHF 3,700'."""
    if not is_number(value):
        return MISSING
    number = float(value)
    size = abs(number)
    text = short(size) if size >= 9999.5 else f"{size:,.{2 if 0 < size < 99.995 else 0}f}"
    return signed(symbol(currency) + text, number)


def measure(value: object, unit: str | None) -> str:
    """A value in its `unit`: a currency, '%', or None for a plain number with two decimals."""
    if unit == "%":
        return share(value)
    if unit:
        return money(value, unit)
    return plain(value, 2) if is_number(value) else MISSING


def symbol(currency: str) -> str:
    """The sign of a currency that goes before a number; the code itself where there is no common sign."""
    return SYMBOLS.get(currency, f"{currency}\u00a0")


def month(period: str) -> str:
    """'1998-06' -> 'June 1998'."""
    return f"{calendar.month_name[int(period[5:7])]} {period[:4]}"


def day(value: date) -> str:
    """'30 June 1998'."""
    return f"{value.day} {calendar.month_name[value.month]} {value.year}"


def plural(number: float, one: str, many: str | None = None) -> str:
    """'1 customer', '23,570 customers'."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def join_words(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""


def as_text(values: Sequence[object]) -> list[str]:
    """Cells of labels, dates and flags."""
    return [_as_label(value) for value in values]


def as_counts(values: Sequence[object]) -> list[str]:
    """Cells of whole numbers."""
    return [count(value) for value in values]


def as_shares(values: Sequence[object]) -> list[str]:
    """Cells of ratios, one decimal of a percent."""
    return [plain(100 * float(v), 1) + "%" if is_number(v) else MISSING for v in values]


def as_percents(values: Sequence[object]) -> list[str]:
    """Labels of ratios in whole percent, for places without room."""
    return [plain(100 * v, 0) + "%" if is_number(v) else MISSING for v in values]


def as_money(currency: str) -> Formatter:
    """Cells of money: cents while the largest is below 1,000, whole units above, short from ten million on."""

    def cells(values: Sequence[object]) -> list[str]:
        largest = max(_sizes(values), default=0.0)
        sign = symbol(currency)
        if largest >= 1e7:
            return [signed(sign + short(abs(v)), v) if is_number(v) else MISSING for v in values]
        decimals = 2 if largest < 1000 else 0
        return [_fixed(v, decimals, sign) for v in values]

    return cells


def as_decimals(decimals: int) -> Formatter:
    """Cells with a fixed number of decimals."""
    return lambda values: [_fixed(v, decimals) for v in values]


def as_probabilities(values: Sequence[object]) -> list[str]:
    """Cells of probabilities, two decimals; only a 0 or 1 is written as one."""
    return [">0.99" if is_number(v) and 0.995 <= v < 1 else _fixed(v, 2) for v in values]


def as_significant(values: Sequence[object]) -> list[str]:
    """Cells of numbers of very different size, four significant digits each."""
    return [significant(v, 4) if is_number(v) else MISSING for v in values]


def _fixed(value: object, decimals: int, sign: str = "") -> str:
    if not is_number(value):
        return MISSING
    least = 10**-decimals
    if decimals and 0 < value < least / 2:
        return f"<{sign}{least:.{decimals}f}"
    return signed(f"{sign}{abs(value):,.{decimals}f}", value)


def _sizes(values: Iterable[object]) -> list[float]:
    return [abs(float(v)) for v in values if is_number(v)]


def _as_label(value: object) -> str:
    match value:
        case None:
            return MISSING
        case bool():
            return "yes" if value else "no"
        case datetime():
            return f"{value:%Y-%m-%d}"
        case _:
            return str(value)
