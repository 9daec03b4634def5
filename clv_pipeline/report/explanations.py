"""One customer's score in words: for `clv explain`, and for the examples of the report.

Belongs here: sentences and cells about one score. Does not belong here: the factors (`clv/scores/explanation.py`).
"""

from collections.abc import Mapping
from typing import Any

from clv_pipeline.clv.scores.explanation import Factor
from clv_pipeline.report import numbers as n

RANGES = (
    ("50%", "clv_lower_50", "clv_upper_50"),
    ("80%", "clv_lower", "clv_upper"),
    ("95%", "clv_lower_95", "clv_upper_95"),
)
ONCE_ALIVE = (
    "P(alive) is 1 for a one-time buyer because BG/NBD lets nobody leave before a repeat purchase: it says nothing"
    " about this customer. MBG/NBD and Pareto/NBD do not share that."
)


def write_factor(value: float | None, unit: str, currency: str) -> str:
    """The value of a factor in its unit."""
    match unit:
        case "probability":
            return n.as_probabilities([value])[0]
        case "money":
            return n.money(value, currency)
        case "share":
            return n.share(value)
        case _:
            return n.MISSING if value is None else n.significant(value)


def write_product(factors: list[Factor], clv: float, currency: str) -> str:
    """'0.98 P(alive) x 8.2 purchases if alive x $35 expected spend x 30% margin x 0.95 discount = $82 CLV'."""
    written = [f"{write_factor(factor.value, factor.unit, currency)} {factor.name}" for factor in factors]
    return f"{' × '.join(written)} = {n.money(clv, currency)} CLV"


def describe_history(customer: Mapping[str, Any]) -> str:
    """When the customer bought first and last, and how often."""
    first, last = n.day(customer["first_order"]), n.day(customer["last_order"])
    known = f"known for {n.plain(customer['T'], 1)} weeks (T)"
    if not customer["frequency"]:
        return f"One purchase day, {first}; {known}."
    days = n.plural(customer["frequency"], "purchase day")
    return f"First order {first}, last order {last}; {days} after the first (frequency), {known}."


def describe_place(customer: Mapping[str, Any], currency: str) -> str:
    """How the customer's clv compares with everybody's."""
    place, customers = int(customer["place"]), int(customer["customers"])
    return (
        f"Place {n.plain(place, 0)} of {n.plural(customers, 'scored customer')} by CLV, decile {customer['decile']};"
        f" the average customer has {n.money(customer['base_clv'], currency)}."
    )


def describe_ranges(customer: Mapping[str, Any], currency: str) -> str:
    """What the customer will really bring, at 50, 80 and 95%."""
    parts = [
        f"with {share} probability {write_range(customer[low], customer[high], currency)}"
        for share, low, high in RANGES
    ]
    return f"What the customer will really bring lies, {n.join_words(parts)}."


def describe_corrections(score: Mapping[str, Any], uncorrected: float | None, currency: str) -> str:
    """What the pace and the spend level of `score` did to a value, `uncorrected` without; '' where they did nothing."""
    pace, level = score.get("pace"), score.get("spend_level")
    reasons: list[str] = []
    if pace is not None and pace != 1:
        missed = "low" if pace > 1 else "high"
        reasons.append(
            f"All rates of purchase are multiplied by {n.plain(pace, 2)} (the pace): forecasts of the same months in"
            f" earlier years were too {missed} in total."
        )
    if level is not None and level != 1:
        went = "more" if level > 1 else "less"
        reasons.append(
            f"Spend per purchase is multiplied by {n.plain(level, 2)} (the spend level): single customers spend {went}"
            " at a purchase from year to year."
        )
    if not reasons or uncorrected is None:
        return ""
    return f"{' '.join(reasons)} Uncorrected, this would be {n.money(uncorrected, currency)}."


def write_range(low: float, high: float, currency: str) -> str:
    """'between $2 and $80'; 'at 0' where both are."""
    if high == 0:
        return "at 0"
    return f"between {n.money(low, currency)} and {n.money(high, currency)}"


def is_certain_by_construction(customer: Mapping[str, Any]) -> bool:
    """Whether P(alive) = 1 follows from the BG/NBD alone."""
    return not customer["frequency"] and customer["p_alive"] == 1
