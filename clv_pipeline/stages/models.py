"""Stage 5: the purchase and spend models, fitted to the customers as known at the end of an as-of month.

Belongs here: which customers a fit sees and what is published of it. Does not belong here: fitting (`clv/models/`).
"""

from hashlib import sha256
from typing import Any

import polars as pl

from clv_pipeline.clv.models import gate
from clv_pipeline.customers.attributes import join_attributes
from clv_pipeline.fitting import ask_fit, fit
from clv_pipeline.periods import list_periods
from clv_pipeline.pictures import draw_alive, draw_fit, draw_spend
from clv_pipeline.schemas.models import AliveMatrix, Draws, Evaluation, Gate, Parameters, RepeatPurchases, SpendFit
from clv_pipeline.settings import Settings
from clv_pipeline.stages.refit import carry_over, find_refit, know_customers
from clv_pipeline.state import HIDDEN
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_WITHOUT_BACKTEST = "bg_nbd"
_NOBODY = "No known customer has an order yet: there is nothing to fit or to score."


def compute_models(step: Step) -> dict[str, pl.DataFrame]:
    """Fits the configured models and names the version by what it found; takes the last fit over when none is due."""
    if not step.frame("SELECT due FROM models.refits").item():
        carried = carry_over(step, MODELS.tables)
        if carried and carried["models.parameters"].height:
            _repeat_advice(step, carried["models.gate"])
            return carried
    return _fit(step)


def _fit(step: Step) -> dict[str, pl.DataFrame]:
    models = step.settings.models
    month = step.state.fit_month(step.period)
    customers = know_customers(step)
    if customers.is_empty():
        step.record("models.parameters", {"version": None, "notes": [_NOBODY], "converged": True, "refused": []})
        for check in ("fit_converged", *gate.GATE_CHECKS):
            step.advise("models.parameters", check, "there is nothing to fit", passed=True)
        return {table.name: table.schema.empty() for table in MODELS.tables}
    findings = judge_customers(step, customers)
    chosen = choose_transactions(step)
    fitted = fit(_describe_customers(step, customers), **_describe_fit(step.settings, chosen))
    found = fitted.parameters.write_json() + fitted.draws.write_json()
    version = f"{month}-{chosen}-{sha256(found.encode()).hexdigest()[:8]}"
    doubts = [f"{model}: {doubt}" for model, doubt in fitted.doubts.items()]
    converged = f"did not converge: {'; '.join(doubts)}; raise models.tune and models.draws" if doubts else "converged"
    step.advise("models.parameters", "fit_converged", f"{models.estimation} {converged}", passed=not doubts)
    refused = [finding.sentence for finding in findings if finding.level == "refuse" and not finding.passed]
    facts = {
        "version": version,
        "model": chosen,
        "notes": list(fitted.notes),
        "converged": not doubts,
        "refused": refused,
        "fitted_as_of": month,
        **_count(customers),
    }
    step.record("models.parameters", facts)
    named = {
        "models.parameters": fitted.parameters,
        "models.evaluation": fitted.evaluation,
        "models.repeat_purchases": fitted.repeat_purchases,
        "models.alive_matrix": fitted.alive_matrix,
        "models.spend_fit": fitted.spend_fit,
        "models.draws": fitted.draws,
    }
    tables = {name: _identify(frame, step.period, version) for name, frame in named.items()}
    judged = gate.tabulate(findings).select(pl.lit(step.period).alias("as_of"), pl.all())
    return tables | {"models.gate": judged}


def ask_fit_ahead(step: Step) -> None:
    """Has the models fitted while other steps run, when no backtest has to choose one first."""
    chosen = step.settings.models.transactions
    if chosen == "auto" or not find_refit(step).due:
        return
    customers = know_customers(step)
    if not customers.is_empty():
        if step.settings.models.covariates:
            step.materialize("marts.customers", step.select("2_marts/customers"))
        ask_fit(_describe_customers(step, customers), **_describe_fit(step.settings, chosen))


def _describe_customers(step: Step, customers: pl.DataFrame) -> pl.DataFrame:
    """What a fit reads of customers: their history, and the attributes that the settings name."""
    return join_attributes(step, step.settings, customers, step.settings.models.covariates).drop("customer_id")


def _repeat_advice(step: Step, judged: pl.DataFrame) -> None:
    facts = step.facts["models.parameters", step.period]
    said = f"the fit of {facts['fitted_as_of']} goes on"
    step.advise("models.parameters", "fit_converged", said, passed=facts["converged"])
    for check, passed, sentence in judged.select("check", "passed", "sentence").iter_rows():
        step.advise("models.parameters", check, f"{said}: {sentence}", passed=passed)


def _count(customers: pl.DataFrame) -> dict[str, Any]:
    return {
        "customers": customers.height,
        "repeaters": customers.filter(pl.col("frequency") > 0).height,
        "orders": int(customers["orders"].sum()),
        "spend": float(customers["spend"].sum()),
    }


def _describe_fit(settings: Settings, transactions: str) -> dict[str, Any]:
    models = settings.models
    return {
        "transactions": transactions,
        "estimation": models.estimation,
        "priors": models.priors,
        "draws": models.draws,
        "chains": models.chains,
        "tune": models.tune,
        "seed": models.seed,
    }


def judge_customers(step: Step, customers: pl.DataFrame) -> list[gate.Finding]:
    """Asks, before any fit, whether the models apply, and reports each finding as a check of the parameters."""
    month = step.state.fit_month(step.period)
    step.materialize("marts.customers", step.select("2_marts/customers"))
    findings = gate.judge(
        customers,
        step.frame(step.select("5_models/purchase_intervals", fewest=gate.FEWEST_INTERVALS)),
        step.frame(step.select("5_models/first_months")),
        history_months=len(list_periods(step.state.data_start, month)),
        horizon_months=step.settings.value.horizon_months,
    )
    for finding in findings:
        step.advise("models.parameters", finding.check, finding.sentence, passed=finding.passed)
    return findings


def choose_transactions(step: Step) -> str:
    """The configured purchase model; for 'auto' the best of the backtest, or BG/NBD where there is none."""
    if step.settings.models.transactions != "auto":
        return step.settings.models.transactions
    chosen = step.frame("SELECT model FROM models.choice WHERE chosen")
    return _WITHOUT_BACKTEST if chosen.is_empty() else str(chosen.item())


def _identify(frame: pl.DataFrame, as_of: str, version: str) -> pl.DataFrame:
    keys = [pl.lit(as_of).alias("as_of"), pl.col("model"), pl.lit(version).alias("version")]
    return frame.select(*keys, pl.all().exclude("model"))


MODELS = StepSpec(
    name="fit",
    stage="models",
    tables=(
        Table(
            "models.parameters",
            Parameters,
            "What the fitted models believe about buying, leaving and spending.",
            advice=("fit_converged", *gate.GATE_CHECKS),
        ),
        Table("models.evaluation", Evaluation, "How well each fitted model describes the customers it was fitted to."),
        Table(
            "models.repeat_purchases",
            RepeatPurchases,
            "Customers by number of repeat purchases: actual against what the model expects.",
            picture=draw_fit,
        ),
        Table(
            "models.alive_matrix",
            AliveMatrix,
            "P(alive) by number of repeat purchases and time since the last, for the oldest customers.",
            picture=draw_alive,
        ),
        Table(
            "models.spend_fit",
            SpendFit,
            "Customers by mean spend per repeat purchase: actual against what the Gamma-Gamma expects.",
            picture=draw_spend,
        ),
        Table("models.draws", Draws, "Joint draws of the parameters: how uncertain the fitted models are."),
        Table("models.gate", Gate, "Which assumptions of the models the customers at hand question."),
    ),
    reads=(
        Read("models.refits", Reach.SAME),
        Read("models.choice", Reach.SAME),
        Read("rfm.customers", Reach.FITTED_AS_OF),
        Read("marts.orders", Reach.FITTED),
        Read("marts.customer_periods", Reach.FITTED),
        Read("marts.first_orders", Reach.FITTED),
        Read("landing.customers", Reach.KNOWN),
        Read(HIDDEN, Reach.KNOWN),
        Read("models.parameters", Reach.BEFORE),
    ),
    compute=compute_models,
    sql=(
        *("2_marts/customers", "3_rfm/customers", "4_lenses/first_order_attributes", "4_lenses/valid_customers"),
        *("5_models/purchase_intervals", "5_models/first_months"),
    ),
    knobs=(
        *(f"models.{name}" for name in ("transactions", "estimation", "priors", "covariates")),
        *(f"models.{name}" for name in ("draws", "chains", "tune", "seed")),
        "value.horizon_months",
        "source.columns",
    ),
    code=("clv/models", "customers/attributes", "stages/refit"),
    kinds=frozenset({"python", "pymc"}),
    one_at_a_time=True,
    sees="fitted",
    ask_ahead=ask_fit_ahead,
)
