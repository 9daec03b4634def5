"""Contracts of what is in use: the version of each as-of month, why it was taken, and its card.

Belongs here: what one row must satisfy. Does not belong here: which version that is (`clv/models/promotion.py`).
"""

from clv_pipeline.clv.models import PURCHASE_MODELS, SPEND_MODELS
from clv_pipeline.clv.models.promotion import DECISIONS
from clv_pipeline.schemas import MONTH, Table, require_key, require_rows
from clv_pipeline.schemas.models import INFINITY, is_signed
from clv_pipeline.validation import pa

_MODELS = [*PURCHASE_MODELS, *SPEND_MODELS]


class InUse(Table):
    """One row per as_of and parameter of the version that its scores are made from."""

    as_of: str = pa.Field(str_matches=MONTH)
    version: str
    fitted_as_of: str = pa.Field(str_matches=MONTH)
    model: str = pa.Field(isin=_MODELS)
    parameter: str
    estimate: float = pa.Field(gt=-INFINITY, lt=INFINITY)

    signs = require_rows("only what is said of a covariate may be negative", is_signed("estimate"))
    key = require_key("as_of", "model", "parameter")


class InUseDraws(Table):
    """One row per as_of, model, draw and parameter of the version that its scores are made from."""

    as_of: str = pa.Field(str_matches=MONTH)
    version: str
    model: str = pa.Field(isin=_MODELS)
    draw: int = pa.Field(ge=0)
    parameter: str
    value: float = pa.Field(gt=-INFINITY, lt=INFINITY, description="the parameter in this draw, in weeks and currency")

    signs = require_rows("only what is said of a covariate may be negative", is_signed("value"))
    key = require_key("as_of", "model", "draw", "parameter")


class Promotions(Table):
    """One row per as_of: the fit of the month, the version in use before, the one in use, and why."""

    as_of: str = pa.Field(str_matches=MONTH, unique=True)
    challenger: str
    champion_before: str = pa.Field(nullable=True)
    version: str
    decision: str = pa.Field(isin=list(DECISIONS))
    reason: str


class Cards(Table):
    """One row per as_of and line of the card of the version fitted then."""

    as_of: str = pa.Field(str_matches=MONTH)
    version: str
    chapter: str
    line: int = pa.Field(ge=1)
    text: str

    key = require_key("as_of", "line")
