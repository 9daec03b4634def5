"""Purchase and spend models: fitted to customers, and as closed forms to score with.

`fit_models`, and what prepares it, alone import pymc, when they are called; everything else here is numpy.
"""

from clv_pipeline.clv.models.fit import fit_models, prepare_models
from clv_pipeline.clv.models.likelihoods import load_libraries
from clv_pipeline.clv.models.nbd import fit_nbd
from clv_pipeline.clv.models.priors import PARAMETERS, resolve_priors
from clv_pipeline.clv.models.purchases import (
    PURCHASE_MODELS,
    expected_purchases,
    expected_purchases_if_alive,
    p_alive,
    purchase_probabilities,
)
from clv_pipeline.clv.models.result import ModelError, ModelFit
from clv_pipeline.clv.models.spend import SPEND_MODELS, expected_spend, population_spend

__all__ = [
    "PARAMETERS",
    "PURCHASE_MODELS",
    "SPEND_MODELS",
    "ModelError",
    "ModelFit",
    "expected_purchases",
    "expected_purchases_if_alive",
    "expected_spend",
    "fit_models",
    "fit_nbd",
    "load_libraries",
    "p_alive",
    "population_spend",
    "prepare_models",
    "purchase_probabilities",
    "resolve_priors",
]
