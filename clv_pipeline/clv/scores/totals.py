"""What customers will bring together: sums of their values with an interval of the sum's own.

Belongs here: the base, and its parts by segment, decile and cohort. Does not belong here: bounds of one customer
(`bounds.py`), future customers, or the definition of the groups.

Three things keep a sum from being known. Chance: given the parameters customers are independent, so the variances of
what they will really spend add up. The parameters: they err for all customers at once, so this part is the same share
of a large group as of a small one. Each posterior draw gives the sum another mean, and the variance of these is added
(the law of total variance). And what moves everybody and is in no model, a season or a trend: how far totals were off
in the backtest, again the same share of every group. The sum is then taken as gamma distributed with that mean and
variance: never below 0, skew where few customers matter, normal where many do.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaincinv

from clv_pipeline.clv.models import ModelError, expected_purchases_if_alive, p_alive
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.scores.pair import WEEKS_PER_MONTH, Models, read_models

type Vector = NDArray[np.float64]

COVERAGES = {"": 0.8, "_50": 0.5, "_90": 0.9, "_95": 0.95}
_TOTAL = "total"
# What a draw changes is found from about so many customers, evenly spaced by value, and so many draws.
_SAMPLE = 4_000
_DRAWS = 200
_NORMAL_90 = 1.6448536


def total_scores(
    scores: pl.DataFrame,
    parameters: pl.DataFrame,
    draws: pl.DataFrame,
    *,
    levels: Sequence[str],
    horizon_months: int,
    total_sd: float = 0.0,
) -> pl.DataFrame:
    """The sums over all customers (level and key 'total') and over each group of each of `levels`.

    `scores`: what `score_customers` gives, with frequency, recency, T (weeks), monetary_value and one column for each
    level, and the attributes that the purchase model was fitted with. `parameters` as there. `draws`: model, draw,
    parameter, value; without rows the parameters count as known. `total_sd`: standard deviation of the logarithm of a
    total around its forecast, from a backtest.
    Result: level, key, customers, clv, clv_lower, clv_upper (80%), the same with _50, _90 and _95, expected_purchases,
    expected_spend_total (not discounted, before the margin); by level in the order given, then by key.
    Raises ModelError when draws belong to other models than the parameters.
    """
    # Sorted, because sums and the choice of customers depend on the order.
    people = scores.sort(["clv", "customer_id"], descending=[True, False]).with_columns(pl.lit(_TOTAL).alias(_TOTAL))
    sample = people.gather_every(-(-max(people.height, 1) // _SAMPLE))
    values = _value_by_draw(sample, parameters, draws, horizon_months)
    return pl.concat([_sum_level(people, sample, values, level, total_sd) for level in (_TOTAL, *levels)])


def _sum_level(people: pl.DataFrame, sample: pl.DataFrame, values: Vector, level: str, total_sd: float) -> pl.DataFrame:
    """One row per group; `values`: one row per draw, the first for the estimates, one column per sampled customer."""
    keys = people[level].unique().sort().cast(pl.String)
    group = _place(people[level], keys)

    def add(amounts: pl.Series) -> Vector:
        return np.bincount(group, amounts.to_numpy(), len(keys)).astype(np.float64)

    clv, variance = add(people["clv"]), add(people["clv_sd"] ** 2)
    mean, sd = _spread(values, _place(sample[level], keys), len(keys))
    bounds = {
        f"clv_{side}{name}": _quantile(clv * mean, variance + clv**2 * (sd**2 + total_sd**2), share)
        for name, coverage in COVERAGES.items()
        for side, share in (("lower", (1 - coverage) / 2), ("upper", (1 + coverage) / 2))
    }
    return pl.DataFrame(
        {
            "level": [level] * len(keys),
            "key": keys,
            "customers": np.bincount(group, minlength=len(keys)).astype(np.int64),
            "clv": clv,
            **bounds,
            "expected_purchases": add(people["expected_purchases"]),
            "expected_spend_total": add(people["expected_purchases"] * people["expected_spend"]),
        }
    )


def _place(values: pl.Series, keys: pl.Series) -> NDArray[np.int64]:
    return values.cast(pl.String).cast(pl.Enum(keys)).to_physical().cast(pl.Int64).to_numpy()


def _spread(values: Vector, group: NDArray[np.int64], groups: int) -> tuple[Vector, Vector]:
    """Middle and standard deviation over the draws of each group's sum, as multiples of that for the estimates.

    From quantiles, because a draw with hardly a finite mean spend would outweigh all others.
    """
    if len(values) == 1:
        return np.ones(groups), np.zeros(groups)
    sums = np.stack([np.bincount(group, row, groups) for row in values])
    # A group without a sampled customer of any value moves as all do.
    overall = np.maximum(values.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    sums = np.where(sums[0] > 0, sums, overall)
    low, middle, high = np.quantile(sums[1:] / sums[0], [0.05, 0.5, 0.95], axis=0)
    return middle, (high - low) / (2 * _NORMAL_90)


def _quantile(mean: Vector, variance: Vector, share: float) -> Vector:
    """Of a gamma distribution; of the mean itself where nothing varies."""
    varies = (variance > 0) & (mean > 0)
    shape = np.divide(mean**2, variance, out=np.ones_like(mean), where=varies)
    return np.where(varies, mean * gammaincinv(shape, share) / shape, mean)


def _value_by_draw(sample: pl.DataFrame, parameters: pl.DataFrame, draws: pl.DataFrame, horizon_months: int) -> Vector:
    """The value of each sampled customer for the estimates, then for each draw, up to a factor of his own."""
    estimates = read_models(parameters)
    sample = estimates.encode(sample)
    x, t_x, T, mean = (
        sample[name].cast(pl.Float64).to_numpy() for name in ("frequency", "recency", "T", "monetary_value")
    )
    alike = ["frequency", "T", *list_columns(sample)]
    aged = sample.select(alike).unique().sort(alike).with_row_index("position")
    position = sample.select(alike).join(aged, on=alike, how="left", maintain_order="left")["position"].to_numpy()
    of_age = [aged[name].cast(pl.Float64).to_numpy() for name in ("frequency", "T")]
    worth = (sample["discount"] * sample["margin"]).to_numpy()

    def value(models: Models) -> Vector:
        if_alive = expected_purchases_if_alive(
            models.purchase_model, models.of(aged).purchases, *of_age, horizon=horizon_months * WEEKS_PER_MONTH
        )
        alive = p_alive(models.purchase_model, models.of(sample).purchases, x, t_x, T)
        return alive * if_alive[position] * models.expect_spend(x, mean) * worth

    return np.stack([value(models) for models in (estimates, *_read_draws(draws, estimates))])


def _read_draws(draws: pl.DataFrame, estimates: Models) -> list[Models]:
    """Up to 200 draws of both models, evenly spaced; a model without draws of its own keeps its estimates."""
    if draws.is_empty():
        return []
    if strange := set(draws["model"]) - {estimates.purchase_model, estimates.spend_model}:
        raise ModelError(f"the draws are of {', '.join(sorted(strange))}, which is not scored: run the models again")
    numbers = draws["draw"].unique().sort()
    kept = numbers.gather_every(-(-len(numbers) // _DRAWS))
    wide = draws.filter(pl.col("draw").is_in(kept.implode())).sort("draw", "model", "parameter")
    named: dict[int, dict[str, dict[str, float]]] = {}
    for model, draw, parameter, value in wide.select("model", "draw", "parameter", "value").iter_rows():
        named.setdefault(draw, {}).setdefault(model, {})[parameter] = value
    return [
        Models(
            estimates.purchase_model,
            {**estimates.purchases, **models.get(estimates.purchase_model, {})},
            estimates.spend_model,
            models.get(estimates.spend_model, estimates.spend),
        )
        for models in named.values()
    ]
