"""Which purchase model to use, by the backtest.

Belongs here: the criterion and the reason in a sentence. Does not belong here: the measures it is taken from.

The criterion is the mean absolute error (MAE) of a customer's purchases. Held against the holdout that followed, in 23
cases (CDNOW at five origins; simulated customers of each model, with seasons, heavy tails, regular buyers, nobody who
leaves, at two), choosing by it cost 0.15% of MAE over the best choice in hindsight on average and 1.4% at most, of
root mean squared error 0.13% and 0.65%. Choosing by log-likelihood or total error cost up to 3.8% of MAE, by squared
error 6.8%: that depends on a handful of customers, and a total error is small where errors happen to cancel.
"""

from collections.abc import Mapping, Sequence

import polars as pl

CRITERION = "mae"

_NAMES = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD"}
_CLOSE = 0.02
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
    values = {model: value for model in _NAMES if (value := _value(folds, model)) is not None}
    if not values:
        return pl.DataFrame(schema=CHOICE_SCHEMA)
    best = min(values, key=lambda model: (values[model], model))
    rows = [
        (model, CRITERION, value, model == best, _explain(model, best, values, folds))
        for model, value in sorted(values.items())
    ]
    return pl.DataFrame(rows, schema=CHOICE_SCHEMA, orient="row")


def _value(folds: Sequence[pl.DataFrame], model: str) -> float | None:
    """The criterion over all folds."""
    found = [_read(fold, model) for fold in folds]
    if not all(found):
        return None
    customers = sum(fold["customers"] for fold in found)
    return sum(fold["mae"] * fold["customers"] for fold in found) / customers


def _read(fold: pl.DataFrame, model: str) -> Mapping[str, float]:
    rows = fold.filter(pl.col("model") == model, pl.col("target") == "purchases", pl.col("segment") == "all")
    return dict(rows.select("metric", "value").iter_rows())


def _explain(model: str, best: str, values: Mapping[str, float], folds: Sequence[pl.DataFrame]) -> str:
    seen = _read(folds[0], model)
    total = f"{seen['forecast']:,.0f} purchases forecast, {seen['actual']:,.0f} made"
    described = f"{_NAMES[model]}: off by {seen['mae']:.3f} purchases a customer, {total}"
    if model != best:
        return f"{described}; {values[model] / values[best] - 1:.1%} worse than {_NAMES[best]}."
    if len(values) == 1:
        return f"{described}; no other model could be judged."
    second = min(value for name, value in values.items() if name != best)
    lead = second / values[best] - 1
    close = ", so the models hardly differ here" if lead < _CLOSE else ""
    return f"{described}; the best, {lead:.1%} better than the next{close}."
