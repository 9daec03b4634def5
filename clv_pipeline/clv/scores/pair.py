"""The two models a score is made from: one of purchases, one of spend per purchase.

Belongs here: reading them from a table of parameters. Does not belong here: what they say about a customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaincc, gammaincinv, gammaln

from clv_pipeline.clv.models import PURCHASE_MODELS, SPEND_MODELS, ModelError, expected_spend
from clv_pipeline.clv.models.covariates import Design, encode, personalise, read_design
from clv_pipeline.clv.models.spend import LEVEL, population_spend

type Vector = NDArray[np.float64]

WEEKS_PER_MONTH = 365.25 / 12 / 7
WEEKS_PER_YEAR = 12 * WEEKS_PER_MONTH
_LEFT_ASIDE = 1e-5
# Between the two sides of a removable singularity; 6 digits remain.
_NEAR_TWO = 1e-7


@dataclass(frozen=True)
class Models:
    """One purchase model and one spend model, each with its parameters by name.

    With covariates the parameters of purchases are those of a group of customers once `of` has been asked for them: one
    number for each, in the order of the rows.
    """

    purchase_model: str
    purchases: Mapping[str, float | Vector]
    spend_model: str
    spend: dict[str, float]

    @cached_property
    def design(self) -> Design:
        """The covariates of the purchase model; empty for most."""
        return read_design(self.purchases)

    def encode(self, customers: pl.DataFrame) -> pl.DataFrame:
        """`customers` with their attributes as the model saw them; ModelError where one is missing."""
        return encode(customers, self.design) if self.design else customers

    def of(self, encoded: pl.DataFrame) -> "Models":
        """The models as they are for each row of `encoded`; the same for everybody without covariates."""
        if not self.design:
            return self
        return replace(self, purchases=personalise(self.purchase_model, self.purchases, encoded, self.design))

    def given(self, customers: pl.DataFrame) -> "Models":
        """The models for each of `customers`, whose attributes are as delivered."""
        return self.of(self.encode(customers))

    def expect_spend(self, frequency: Vector, monetary_value: Vector) -> Vector:
        """E[spend per purchase] of each customer, in currency."""
        return expected_spend(self.spend_model, self.spend, frequency, monetary_value)

    def spend_unit(self, frequency: Vector, monetary_value: Vector) -> Vector:
        """Each customer's amount of one unit of the predictive distribution (`predictive.py`).

        gamma + frequency x monetary_value for the Gamma-Gamma, where an unknown monetary_value (nan) counts as the
        population mean; the mean spend for mean_spend, so that a unit is a purchase. Times the level of spend.
        """
        if self.spend_model == "mean_spend":
            return self.expect_spend(frequency, monetary_value)
        known = np.where(np.isnan(monetary_value), population_spend(self.spend), monetary_value)
        return self.spend.get(LEVEL, 1.0) * (self.spend["gamma"] + frequency * known)

    def vary_spend(self, frequency: Vector, alive: Vector, purchases: Vector, squared: Vector) -> Vector:
        """The standard deviation of what a customer spends, in his `spend_unit`, from E[N | alive] and E[N^2 | alive].

        With the Gamma-Gamma, E[S] = E[N] p E[w] and E[S^2] = (p^2 E[N^2] + p E[N]) E[w^2], w = 1/nu an inverse gamma of
        shape q + p x, whose largest 1 in 100,000 are left aside: at a shape of 2 and below, all of them together have
        no finite variance.
        """
        count, square = alive * purchases, alive * squared
        if self.gamma_gamma is None:
            return np.sqrt(np.maximum(square - count**2, 0.0))
        p, shape = self.spend["p"], self.spend["q"] + self.spend["p"] * frequency
        mean = count * p / (shape - 1)
        return np.sqrt(np.maximum((p**2 * square + p * count) * _square_inverse_gamma(shape) - mean**2, 0.0))

    @property
    def gamma_gamma(self) -> dict[str, float] | None:
        """The parameters of the Gamma-Gamma; None where every purchase brings the same."""
        return self.spend if self.spend_model == "gamma_gamma" else None


def _square_inverse_gamma(shape: Vector) -> Vector:
    """E[w^2; w < its 1 - 1e-5 quantile] of w = 1/nu, nu ~ Gamma(shape, 1), shape > 1."""
    z = gammaincinv(shape, _LEFT_ASIDE)
    a = shape - 2
    a = np.where(np.abs(a) < _NEAR_TWO, _NEAR_TWO, a)
    return (gammaincc(a + 1, z) - np.exp(a * np.log(z) - z - gammaln(a + 1))) / (a * (a + 1))


def read_models(parameters: pl.DataFrame) -> Models:
    """The models of rows of model, parameter and estimate; ModelError when there is not exactly one of each kind."""
    values: dict[str, dict[str, float]] = {}
    for model, parameter, estimate in parameters.select("model", "parameter", "estimate").iter_rows():
        values.setdefault(model, {})[parameter] = float(estimate)
    purchase_model = _pick_model(values, PURCHASE_MODELS, "purchase")
    spend_model = _pick_model(values, SPEND_MODELS, "spend")
    return Models(purchase_model, values[purchase_model], spend_model, values[spend_model])


def _pick_model(values: dict[str, dict[str, float]], known: tuple[str, ...], kind: str) -> str:
    present = [model for model in known if model in values]
    if len(present) != 1:
        found = ", ".join(values) or "none"
        raise ModelError(f"scoring needs the parameters of exactly one {kind} model ({', '.join(known)}); got {found}")
    return present[0]
