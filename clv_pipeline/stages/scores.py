"""Stage 6: what each customer is expected to buy and to be worth, from the models in use in the as-of month.

Belongs here: which parameters and which margin a score uses. Does not belong here: the formulas (`clv/scores`), sums
over customers (`totals.py`).
"""

from decimal import Decimal

import polars as pl

from clv_pipeline.clv.models.covariates import list_covariates
from clv_pipeline.clv.models.promotion import PINNED
from clv_pipeline.clv.models.refit import DRIFT
from clv_pipeline.clv.scores import Recalibration, read_recalibration, score_customers
from clv_pipeline.clv.scores.publication import Verdict, judge_scores, measure_move
from clv_pipeline.customers.attributes import explain_lacking, join_attributes
from clv_pipeline.pictures import draw_score_deciles
from clv_pipeline.schemas.scores import Publication, Scores
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table, reached_months

SCORED, PUBLICATION = "scores.customers", "scores.publication"
_PUBLISHED = "scores_are_published"
_BEFORE = Read(PUBLICATION, Reach.BEFORE)
_NOBODY = "there is nobody to score"
_NO_FIT = "no month in which a known customer ordered has ended yet: there is no fit to score with"
_CUSTOMERS = 'SELECT customer_id, frequency, recency, "T", monetary_value FROM rfm.customers ORDER BY customer_id'


def compute_scores(step: Step) -> dict[str, pl.DataFrame]:
    """Scores every customer and decides on their publication.

    The margin is what the base earned so far where costs are known, else the configured one.
    """
    value = step.settings.value
    customers = step.frame(_CUSTOMERS)
    parameters = step.frame("SELECT model, parameter, estimate FROM models.in_use")
    if customers.is_empty() or parameters.is_empty():
        step.advise(PUBLICATION, _PUBLISHED, _NOBODY if customers.is_empty() else _NO_FIT, passed=True)
        return {SCORED: Scores.empty(), PUBLICATION: Publication.empty()}
    customers = add_covariates(step, customers, parameters)
    version = step.frame("SELECT min(version) AS version FROM models.in_use").item()
    recalibration = know_recalibration(step, parameters)
    margin = find_margin(step)
    scores = score_customers(
        customers,
        parameters,
        horizon_months=value.horizon_months,
        annual_discount_rate=value.annual_discount_rate,
        margin=margin,
        recalibration=recalibration,
    )
    facts = {
        "margin": margin,
        "total clv": float(scores["clv"].sum()),
        "version": version,
        "pace": recalibration.pace,
        "spend level": recalibration.spend_level,
        "total clv uncorrected": float(scores["clv_uncorrected"].sum()),
    }
    step.record("scores.customers", facts)
    identified = scores.with_columns(pl.lit(step.period).alias("as_of"), pl.lit(version).alias("model_version"))
    return {
        # First, so that nobody sees scores before it is decided that he may.
        PUBLICATION: _decide_publication(step, scores, version, recalibration),
        SCORED: identified.select("as_of", *scores.columns, "model_version").sort("customer_id"),
    }


def _decide_publication(step: Step, scores: pl.DataFrame, version: str, recalibration: Recalibration) -> pl.DataFrame:
    earlier = reached_months(_BEFORE, step.state, step.period)
    rows = step.lake.read(PUBLICATION, earlier[0]).to_dicts() if earlier else []
    last_as_of, last = (str(rows[0]["published_as_of"]), rows[0]["published_version"]) if rows else (step.period, None)
    move, limit, lacking = None, step.settings.publication.move, ""
    if last is not None and last != version:
        parameters = step.lake.read("models.in_use", last_as_of)
        lacking = explain_lacking(step.settings, parameters)
        if not lacking:
            customers = add_covariates(step, step.frame(_CUSTOMERS), parameters)
            move = measure_move(customers, scores, parameters, step.settings.value.horizon_months, recalibration)
    verdict = judge_scores(
        move,
        limit,
        version=version,
        before=last,
        chosen=step.frame("SELECT decision FROM models.promotions").item() == PINNED,
        drifted=step.frame('SELECT "trigger" FROM models.refits').item() == DRIFT,
    )
    if lacking:
        verdict = Verdict(True, f"Not compared with what was published last: {lacking}.")
    step.advise(PUBLICATION, _PUBLISHED, verdict.reason, passed=verdict.published)
    row = {
        "as_of": step.period,
        "model_version": version,
        "published": verdict.published,
        "published_as_of": step.period if verdict.published else last_as_of,
        "published_version": version if verdict.published else last,
        "move": move,
        "reason": verdict.reason,
    }
    step.record(PUBLICATION, {name: row[name] for name in ("published", "published_as_of", "reason")})
    return pl.DataFrame([row], schema_overrides={"move": pl.Float64})


def add_covariates(step: Step, customers: pl.DataFrame, parameters: pl.DataFrame) -> pl.DataFrame:
    """`customers` with the attributes that these parameters need; nothing is read where they need none."""
    if names := list_covariates(parameters):
        step.materialize("marts.customers", step.select("2_marts/customers"))
        return join_attributes(step, step.settings, customers, names)
    return customers


def know_recalibration(step: Step, parameters: pl.DataFrame) -> Recalibration:
    """What the backtest taught about forecasts with these parameters."""
    return read_recalibration(step.frame("SELECT * FROM models.recalibration"), parameters["model"].to_list())


def find_margin(step: Step, customers: str = "FROM rfm.customers AS r") -> float:
    """Profit / spend of `customers` so far; the configured margin where no cost is known, or that is none to count on.

    Without a known cost all profit is the configured margin of a line, rounded: to divide it would only add the error.
    """
    configured = float(step.settings.value.margin)
    if not step.state.has_costs(step.period):
        return configured
    profit, spend = step.con.execute(f"SELECT sum(r.profit), sum(r.spend) {customers}").fetchall()[0]
    if not spend or spend <= 0 or profit <= 0:
        return configured
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
        Table(
            PUBLICATION,
            Publication,
            "Whether the scores of this month are published in scores.current, or the last good ones stay, and why.",
            advice=(_PUBLISHED,),
        ),
    ),
    reads=(
        Read("rfm.customers", Reach.SAME),
        *(Read(f"models.{name}", Reach.SAME) for name in ("in_use", "promotions", "refits", "recalibration")),
        _BEFORE,
        Read("marts.customer_periods", Reach.HISTORY),
        Read("marts.customer_periods", Reach.COSTS),
        Read("marts.first_orders", Reach.HISTORY),
        Read("landing.customers", Reach.KNOWN),
    ),
    compute=compute_scores,
    sql=("2_marts/customers", "4_lenses/first_order_attributes", "4_lenses/valid_customers"),
    knobs=("value.", "publication.", "models.covariates", "source.columns"),
    code=("clv/models", "clv/scores", "customers/attributes", "stages/scores"),
    kinds=frozenset({"python", "parquet"}),
)
