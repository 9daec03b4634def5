"""Takes one customer's score apart into factors that multiply back to it, beside those of the whole base.

Belongs here: the factors and their meaning. Does not belong here: how numbers are written (`report/explanations.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["probability", "number", "money", "share", "factor"]


@dataclass(frozen=True)
class Factor:
    """One factor of a score: its value for the customer and for the base (None where the base has none)."""

    name: str
    value: float
    base: float | None
    unit: Unit
    meaning: str


def decompose_score(customer: Mapping[str, Any]) -> list[Factor]:
    """P(alive), purchases if alive, spend, margin and discount: their product is the customer's clv.

    `customer`: p_alive, expected_purchases, expected_spend, margin, discount as in scores.customers, and base_p_alive,
    base_purchases_if_alive, base_spend, base_discount (see `sql/6_scores/compared.sql`), whose product with the margin
    is the mean clv. A customer with P(alive) = 0 in every digit has no purchases.
    """
    alive = float(customer["p_alive"])
    if_alive = float(customer["expected_purchases"]) / alive if alive > 0 else 0.0
    return [
        Factor("P(alive)", alive, customer["base_p_alive"], "probability", "the chance of being still active"),
        Factor(
            "purchases if alive",
            if_alive,
            customer["base_purchases_if_alive"],
            "number",
            "purchase days within the horizon, if still active; from the customer's own rate and that of all",
        ),
        Factor(
            "expected spend",
            float(customer["expected_spend"]),
            customer["base_spend"],
            "money",
            "per purchase day; the fewer there were, the closer to the average of all customers",
        ),
        Factor("margin", float(customer["margin"]), customer["margin"], "share", "profit per unit of spend"),
        Factor(
            "discount",
            float(customer["discount"]),
            customer["base_discount"],
            "factor",
            "later profit counts less, by the annual rate",
        ),
    ]
