"""Stage 6, continued: what the scored customers bring together: all of them, by segment, decile and cohort.

Belongs here: which groups are summed. Does not belong here: how, or how sure a sum is (`clv/scores/totals.py`).
"""

import polars as pl

from clv_pipeline.clv.scores import total_scores
from clv_pipeline.schemas.scores import Totals
from clv_pipeline.stages.scores import add_covariates, know_recalibration
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_LEVELS = ("segment", "decile", "cohort")
_PARAMETERS = "SELECT model, parameter, estimate FROM models.in_use"
_DRAWS = "SELECT model, draw, parameter, value FROM models.in_use_draws"


def compute_totals(step: Step) -> pl.DataFrame:
    """Sums the scores, with intervals that hold chance, the parameters, and how far totals were off before."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    scores = step.frame(step.select("6_scores/scored"))
    if scores.is_empty():
        return Totals.empty()
    parameters = step.frame(_PARAMETERS)
    totals = total_scores(
        add_covariates(step, scores, parameters),
        parameters,
        step.frame(_DRAWS),
        levels=_LEVELS,
        horizon_months=step.settings.value.horizon_months,
        total_sd=know_recalibration(step, parameters).total_sd,
    )
    identity = pl.lit(step.period).alias("as_of"), pl.lit(scores["model_version"][0]).alias("model_version")
    return totals.with_columns(identity).select(*Totals.to_schema().columns)


TOTALS = StepSpec(
    name="totals",
    stage="scores",
    tables=(
        Table(
            "scores.totals",
            Totals,
            "Expected value of all customers and of each segment, decile and cohort, with an interval of its own.",
            rules={"totals_add_up": "6_scores/check_totals"},
        ),
    ),
    reads=(
        Read("scores.customers", Reach.SAME),
        Read("rfm.customers", Reach.SAME),
        Read("models.in_use", Reach.SAME),
        Read("models.in_use_draws", Reach.SAME),
        Read("models.recalibration", Reach.SAME),
        Read("marts.customer_periods", Reach.HISTORY),
        Read("marts.first_orders", Reach.HISTORY),
        Read("landing.customers", Reach.KNOWN),
    ),
    compute=compute_totals,
    sql=("2_marts/customers", "4_lenses/first_order_attributes", "4_lenses/valid_customers", "6_scores/scored"),
    knobs=("value.horizon_months", "periods.", "source.columns"),
    code=("clv/models", "clv/scores", "customers/attributes", "stages/scores", "stages/totals"),
    kinds=frozenset({"python", "parquet"}),
)
