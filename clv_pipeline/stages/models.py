"""Stage 5: the purchase and spend models, fitted to the customers as known at the end of an as-of month.

Belongs here: which customers a fit sees and what is published of it. Does not belong here: fitting (`clv/models/`).
"""

from hashlib import sha256

import polars as pl

from clv_pipeline.fitting import fit
from clv_pipeline.pictures import draw_fit
from clv_pipeline.schemas.models import Draws, Evaluation, Parameters, RepeatPurchases
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_CUSTOMERS = 'SELECT frequency, recency, "T", monetary_value, spend FROM rfm.customers ORDER BY customer_id'
_WITHOUT_BACKTEST = "bg_nbd"
_NOBODY = "No known customer has an order yet: there is nothing to fit or to score."


def compute_models(step: Step) -> dict[str, pl.DataFrame]:
    """Fits the configured models and names the version by what it found."""
    models = step.settings.models
    customers = step.frame(_CUSTOMERS)
    if customers.is_empty():
        step.record("models.parameters", {"version": None, "notes": [_NOBODY], "converged": True})
        step.advise("models.parameters", "fit_converged", "there was nothing to fit", passed=True)
        return {table.name: table.schema.empty() for table in MODELS.tables}
    chosen = choose_transactions(step)
    fitted = fit(
        customers,
        transactions=chosen,
        estimation=models.estimation,
        priors=models.priors,
        draws=models.draws,
        chains=models.chains,
        tune=models.tune,
        seed=models.seed,
    )
    found = fitted.parameters.write_json() + fitted.draws.write_json()
    version = f"{step.period}-{chosen}-{sha256(found.encode()).hexdigest()[:8]}"
    doubts = [f"{model}: {doubt}" for model, doubt in fitted.doubts.items()]
    converged = f"did not converge: {'; '.join(doubts)}; raise models.tune and models.draws" if doubts else "converged"
    step.advise("models.parameters", "fit_converged", f"{models.estimation} {converged}", passed=not doubts)
    facts = {"version": version, "model": chosen, "notes": list(fitted.notes), "converged": not doubts}
    step.record("models.parameters", facts)
    named = {
        "models.parameters": fitted.parameters,
        "models.evaluation": fitted.evaluation,
        "models.repeat_purchases": fitted.repeat_purchases,
        "models.draws": fitted.draws,
    }
    return {name: _identify(frame, step.period, version) for name, frame in named.items()}


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
            advice=("fit_converged",),
        ),
        Table("models.evaluation", Evaluation, "How well each fitted model describes the customers it was fitted to."),
        Table(
            "models.repeat_purchases",
            RepeatPurchases,
            "Customers by number of repeat purchases: actual against what the model expects.",
            picture=draw_fit,
        ),
        Table("models.draws", Draws, "Joint draws of the parameters: how uncertain the fitted models are."),
    ),
    reads=(Read("rfm.customers", Reach.SAME), Read("models.choice", Reach.SAME)),
    compute=compute_models,
    sql=(),
    knobs=tuple(
        f"models.{name}" for name in ("transactions", "estimation", "priors", "draws", "chains", "tune", "seed")
    ),
    code=("clv/models",),
    kinds=frozenset({"python", "pymc"}),
    one_at_a_time=True,
)
