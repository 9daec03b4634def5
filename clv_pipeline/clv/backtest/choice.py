"""Which purchase model to use, by the backtest.

Belongs here: the criterion and the reason in a sentence. Does not belong here: the measures it is taken from.

The criterion is the mean absolute error (MAE) of a customer's purchases; of models within 1% of the lowest, which is
no difference, the one whose total is nearest. Held against the holdout that followed, in 23 cases (CDNOW at five
origins; simulated customers of each model, with seasons, heavy tails, regular buyers, nobody who leaves, at two), the
choice cost 0.13% of MAE over the best in hindsight on average and 1.1% at most, of root mean squared error 0.11% and
0.63%. Choosing by log-likelihood or total error alone cost up to 3.8% of MAE, by squared error 6.8%: that depends on a
handful of customers, and a total error is small where errors happen to cancel.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from clv_pipeline.clv.models import PURCHASE_MODELS
from clv_pipeline.clv.models.promotion import NAMES

CRITERION = "mae"

_TIED = 0.01
CHOICE_SCHEMA = {
    "model": pl.String,
    "criterion": pl.String,
    "value": pl.Float64,
    "chosen": pl.Boolean,
    "sentence": pl.String,
}


def choose_model(folds: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """One row per candidate that every fold could judge: model, criterion, value (lower is better), chosen, sentence.

    `folds`: the measures of each fold (model, target, segment, metric, value). A fold weighs as many customers as it
    has. Equal values: the first by name. Empty when no model could be judged.
    """
    judged = {model: seen for model in PURCHASE_MODELS if (seen := _add_up(folds, model))}
    if not judged:
        return pl.DataFrame(schema=CHOICE_SCHEMA)
    errors = {model: seen["absolute"] / seen["customers"] for model, seen in judged.items()}
    tied = [model for model, error in sorted(errors.items()) if error <= (1 + _TIED) * min(errors.values())]
    best = min(tied, key=lambda model: abs(judged[model]["forecast"] - judged[model]["actual"]))
    rows = [
        (model, CRITERION, errors[model], model == best, _explain(model, best, tied, errors, judged[model]))
        for model in sorted(judged)
    ]
    return pl.DataFrame(rows, schema=CHOICE_SCHEMA, orient="row")


def _add_up(folds: Sequence[pl.DataFrame], model: str) -> dict[str, float]:
    """Customers, absolute errors, actual and forecast purchases over all folds, how many; empty where one lacks it."""
    totals: dict[str, float] = dict.fromkeys(("customers", "absolute", "actual", "forecast"), 0.0)
    for fold in folds:
        rows = fold.filter(pl.col("model") == model, pl.col("target") == "purchases", pl.col("segment") == "all")
        seen = dict(rows.select("metric", "value").iter_rows())
        if not seen:
            return {}
        seen["absolute"] = seen["mae"] * seen["customers"]
        totals = {name: total + seen[name] for name, total in totals.items()}
    return totals | {"folds": len(folds)}


def _explain(model: str, best: str, tied: Sequence[str], errors: Mapping[str, float], seen: Mapping[str, float]) -> str:
    total = f"{seen['forecast']:,.0f} purchases forecast, {seen['actual']:,.0f} made"
    over = f", over {seen['folds']:.0f} folds" if seen["folds"] > 1 else ""
    described = f"{NAMES[model]}{over}: off by {errors[model]:.3f} purchases a customer, {total}"
    if model != best:
        reason = (
            "as good for one customer as" if model in tied else f"{errors[model] / errors[best] - 1:.1%} worse than"
        )
        return f"{described}; {reason} {NAMES[best]}{', whose total is nearer' if model in tied else ''}."
    if len(errors) == 1:
        return f"{described}; no other model could be judged."
    if len(tied) > 1:
        return f"{described}; of {len(tied)} models equally good for one customer, its total is the nearest."
    second = min(error for name, error in errors.items() if name != best)
    return f"{described}; the best for one customer, by {second / errors[best] - 1:.1%}."
