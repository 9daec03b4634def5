"""Scores of customers from the parameters of fitted models; pure numpy, imports no part of pymc."""

from clv_pipeline.clv.models import expected_purchases, expected_spend, p_alive
from clv_pipeline.clv.scores.bounds import bound_spend
from clv_pipeline.clv.scores.customers import score_customers

__all__ = ["bound_spend", "expected_purchases", "expected_spend", "p_alive", "score_customers"]
