"""What the fitted spend model says about a customer.

Belongs here: the closed forms of the Gamma-Gamma and of its fallback, the plain mean. Does not belong here: fitting.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clv_pipeline.clv.models.result import ModelError

SPEND_MODELS = ("gamma_gamma", "mean_spend")
# A factor on all that a purchase brings; none is 1.
LEVEL = "level"


def expected_spend(
    model: str, parameters: Mapping[str, float], frequency: ArrayLike, monetary_value: ArrayLike
) -> NDArray[np.float64]:
    """E[spend per purchase | frequency, monetary_value], in the currency of the parameters.

    Gamma-Gamma: equation 5 of Fader and Hardie (2013), note 025. A customer without a repeat purchase, or whose
    monetary_value is unknown (nan), gets the population mean. mean_spend: the same for everybody. With LEVEL among the
    parameters all of it times that.
    """
    x, mean = np.broadcast_arrays(np.asarray(frequency, np.float64), np.asarray(monetary_value, np.float64))
    if model not in SPEND_MODELS:
        raise ModelError(f"'{model}' is no spend model: use one of {', '.join(SPEND_MODELS)}")
    level = parameters.get(LEVEL, 1.0)
    if model == "mean_spend":
        return np.full(x.shape, level * float(parameters["mean"]))
    p, q, gamma = parameters["p"], parameters["q"], parameters["gamma"]
    seen = np.where(np.isnan(mean), population_spend(parameters), mean)
    return level * (p * (gamma + x * seen) / (p * x + q - 1))


def population_spend(parameters: Mapping[str, float]) -> float:
    """E[spend per purchase] of a customer drawn from a Gamma-Gamma population, p gamma / (q - 1); needs q > 1."""
    return parameters["p"] * parameters["gamma"] / (parameters["q"] - 1)
