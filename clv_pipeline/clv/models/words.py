"""The parameters of a model in words.

Belongs here: sentences that follow from parameters alone. Does not belong here: the card they stand in (`card.py`).
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.special import betaln

from clv_pipeline.clv.models.coefficient_words import describe_coefficients
from clv_pipeline.clv.models.promotion import NAMES
from clv_pipeline.clv.models.spend import population_spend

MODEL_NAMES = NAMES | {"gamma_gamma": "Gamma-Gamma", "mean_spend": "Mean spend"}
_MOST_PURCHASES = 1000
_NO_REPEATS = (
    "nobody has bought again yet, so the data tell nothing of how often customers buy or when they leave; its"
    " parameters rest on the priors."
)


def describe_parameters(parameters: pl.DataFrame, currency: str, *, has_repeats: bool = True) -> list[str]:
    """What the parameters (model, parameter, estimate, lower, upper; in weeks and `currency`) say, by model.

    Without a repeat purchase (`has_repeats`) those of a purchase model are the priors', and say nothing of customers.
    """
    sentences: list[str] = []
    for model in parameters["model"].unique(maintain_order=True):
        value = dict(parameters.filter(pl.col("model") == model).select("parameter", "estimate").iter_rows())
        name = MODEL_NAMES.get(model, str(model))
        match model:
            case "gamma_gamma":
                sentences += _describe_spend(name, value, currency)
            case "mean_spend":
                sentences.append(
                    f"{name}: every customer is expected to spend {value['mean']:,.2f} {currency} a purchase."
                )
            case _ if not has_repeats:
                sentences.append(f"{name}: {_NO_REPEATS}")
            case _:
                sentences += [*_describe_rate(name, value), *_describe_end(str(model), value)]
                sentences += describe_coefficients(parameters.filter(pl.col("model") == model))
    return sentences


def write_number(value: float) -> str:
    """Three significant digits, never an exponent."""
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    return f"{value:,.{min(digits, 6)}f}"


def _describe_rate(name: str, value: Mapping[str, float]) -> list[str]:
    r, alpha = value["r"], value["alpha"]
    spread = "differ widely: most buy less often, a few far more" if r < 1 else "are fairly alike"
    return [
        f"{name}: a typical customer buys every {write_number(alpha / r)} weeks while active (alpha / r).",
        f"In how often they buy, customers {spread} (r = {write_number(r)}).",
    ]


def _describe_end(model: str, value: Mapping[str, float]) -> list[str]:
    if model == "pareto_nbd":
        weeks = value["beta"] * np.expm1(np.log(2) / value["s"])
        return [f"Half of the customers are still active {write_number(weeks)} weeks after their first purchase."]
    if model not in ("bg_nbd", "mbg_nbd"):
        return ["Nobody ever leaves in this model."]
    a, b = value["a"], value["b"]
    # The chance to have survived n purchases, B(a, b + n) / B(a, b).
    survival = np.exp(betaln(a, b + np.arange(_MOST_PURCHASES)) - betaln(a, b))
    gone = int(np.argmax(survival <= 0.5)) if survival[-1] <= 0.5 else None
    half = (
        f"half of the customers have left by purchase {gone}" if gone else "fewer than half of the customers ever leave"
    )
    counted = "repeat purchase" if model == "bg_nbd" else "purchase, the first included"
    if model == "bg_nbd" and gone:
        half = f"half of the customers have left by repeat purchase {gone}"
    return [f"After a {counted}, {a / (a + b):.0%} of new customers leave for good (a / (a + b)); {half}."]


def _describe_spend(name: str, value: Mapping[str, float], currency: str) -> list[str]:
    mean = population_spend(value)
    return [
        f"{name}: a typical customer spends {mean:,.2f} {currency} a purchase (p gamma / (q - 1));"
        " who has not bought again is expected to spend that."
    ]
