"""Stage 6: what each customer is expected to buy and to be worth, from the models in use in the as-of month.

Belongs here: which parameters and which margin a score uses. Does not belong here: the formulas (`clv/scores`), sums
over customers (`totals.py`).
"""

from decimal import Decimal

import polars as pl

from clv_pipeline.clv.scores import read_recalibration, score_customers
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
    version = step.frame("SELECT min(version) AS version FROM models.in_use").item()
    recalibration = read_recalibration(step.frame("SELECT * FROM models.recalibration"), parameters["model"].to_list())
    margin = earned_margin(step) or float(value.margin)
    scores = score_customers(
        customers,
        parameters,
        horizon_months=value.horizon_months,
        annual_discount_rate=value.annual_discount_rate,
        margin=margin,
        recalibration=recalibration,
    )
    facts = {"margin": margin, "total clv": float(scores["clv"].sum()), "version": version}
    step.record("scores.customers", facts)
    identified = scores.with_columns(pl.lit(step.period).alias("as_of"), pl.lit(version).alias("model_version"))
    return identified.select("as_of", *scores.columns, "model_version").sort("customer_id")


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
    reads=tuple(Read(name, Reach.SAME) for name in ("rfm.customers", "models.in_use", "models.recalibration")),
    compute=compute_scores,
    sql=(),
    knobs=("value.",),
    code=("clv/models", "clv/scores"),
    kinds=frozenset({"python", "parquet"}),
)
