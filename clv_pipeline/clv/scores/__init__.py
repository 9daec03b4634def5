"""Scores of customers from the parameters of fitted models; pure numpy, imports no part of pymc."""

from clv_pipeline.clv.models import expected_purchases, expected_spend, p_alive
from clv_pipeline.clv.scores.bounds import bound_customers
from clv_pipeline.clv.scores.customers import score_customers
from clv_pipeline.clv.scores.pair import Models, read_models
from clv_pipeline.clv.scores.predictive import Probabilities, purchase_cdf, spend_cdf
from clv_pipeline.clv.scores.recalibration import Recalibration, read_recalibration
from clv_pipeline.clv.scores.totals import total_scores

__all__ = [
    "Models",
    "Probabilities",
    "Recalibration",
    "bound_customers",
    "expected_purchases",
    "expected_spend",
    "p_alive",
    "purchase_cdf",
    "read_models",
    "read_recalibration",
    "score_customers",
    "spend_cdf",
    "total_scores",
]
