"""Stage 6: what each customer is expected to buy and to be worth, from the models in use in the as-of month.

Belongs here: which parameters and which margin a score uses. Does not belong here: the formulas (`clv/scores`), sums
over customers (`totals.py`).
"""

from decimal import Decimal

import polars as pl

from clv_pipeline.attributes import join_attributes
from clv_pipeline.clv.models.covariates import list_covariates
from clv_pipeline.clv.scores import score_customers
from clv_pipeline.pictures import draw_score_deciles
from clv_pipeline.schemas.scores import Scores
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_CUSTOMERS = 'SELECT customer_id, frequency, recency, "T", monetary_value FROM rfm.customers ORDER BY customer_id'


def compute_scores(step: Step) -> pl.DataFrame:
    """Scores every customer; the margin is what the base earned so far, else the configured one."""
    value = step.settings.value
    customers = step.frame(_CUSTOMERS)
    if customers.is_empty():
        return Scores.empty()
    parameters = step.frame("SELECT model, parameter, estimate FROM models.in_use")
    customers = add_covariates(step, customers, parameters)
    version = step.frame("SELECT min(version) AS version FROM models.in_use").item()
    margin = earned_margin(step) or float(value.margin)
    scores = score_customers(
        customers,
        parameters,
        horizon_months=value.horizon_months,
        annual_discount_rate=value.annual_discount_rate,
        margin=margin,
    )
    facts = {"margin": margin, "total clv": float(scores["clv"].sum()), "version": version}
    step.record("scores.customers", facts)
    identified = scores.with_columns(pl.lit(step.period).alias("as_of"), pl.lit(version).alias("model_version"))
    return identified.select("as_of", *scores.columns, "model_version").sort("customer_id")


def add_covariates(step: Step, customers: pl.DataFrame, parameters: pl.DataFrame) -> pl.DataFrame:
    """`customers` with the attributes that these parameters need; nothing is read where they need none."""
    if names := list_covariates(parameters):
        step.materialize("marts.customers", step.select("2_marts/customers"))
        return join_attributes(step, step.settings, customers, names)
    return customers


def earned_margin(step: Step, customers: str = "FROM rfm.customers AS r") -> float | None:
    """Profit / spend of `customers` so far; None where that is no margin to count on."""
    profit, spend = step.con.execute(f"SELECT sum(r.profit), sum(r.spend) {customers}").fetchall()[0]
    if not spend or spend <= 0 or profit <= 0:
        return None
    return float(Decimal(profit) / Decimal(spend))


SCORES = StepSpec(
    name="customers",
    stage="scores",
    tables=(
        Table(
            "scores.customers",
            Scores,
            "Every customer's probability to be active, expected purchases, expected spend and lifetime value.",
            rules={"scores_every_customer": "6_scores/check_scores"},
            picture=draw_score_deciles,
        ),
    ),
    reads=(
        Read("rfm.customers", Reach.SAME),
        Read("models.in_use", Reach.SAME),
        Read("marts.customer_periods", Reach.HISTORY),
        Read("marts.first_orders", Reach.HISTORY),
        Read("landing.customers", Reach.WHOLE),
    ),
    compute=compute_scores,
    sql=("2_marts/customers", "4_lenses/first_order_attributes"),
    knobs=("value.", "source.columns"),
    code=("clv/models", "clv/scores", "attributes", "stages/scores"),
    kinds=frozenset({"python", "parquet"}),
)
