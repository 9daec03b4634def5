"""Scores every customer of one as-of: P(alive), expected purchases and spend, lifetime value with bounds, decile.

Belongs here: putting the closed forms of the models together per customer. Does not belong here: the closed forms
(`clv/models/`), the predictive distribution (`bounds.py`), sums over customers (`totals.py`), publishing.

Everything that depends on time is computed once per distinct (frequency, recency, T) or (frequency, T), then joined.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models import ModelError, expected_purchases_if_alive, p_alive
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.models.purchases import as_columns
from clv_pipeline.clv.scores.bounds import bound_customers
from clv_pipeline.clv.scores.pair import WEEKS_PER_MONTH, Models, read_models
from clv_pipeline.clv.scores.recalibration import UNCHANGED, Recalibration, quicken_models, raise_spend
from clv_pipeline.clv.scores.residual import convert_rate, discount_residual_purchases

type Vector = NDArray[np.float64]

_SEEN = ["frequency", "recency", "T"]
_AGED = ["frequency", "T"]
_BOUNDS = {
    ("lower", "upper"): 0.8,
    ("lower_50", "upper_50"): 0.5,
    ("lower_90", "upper_90"): 0.9,
    ("lower_95", "upper_95"): 0.95,
}
_BOUND_NAMES = [name for pair in _BOUNDS for name in pair]


def score_customers(
    customers: pl.DataFrame,
    parameters: pl.DataFrame,
    *,
    horizon_months: int,
    annual_discount_rate: float,
    margin: float,
    recalibration: Recalibration = UNCHANGED,
) -> pl.DataFrame:
    """The scores of each row of `customers`, in its order.

    `customers`: customer_id, frequency, recency, T (weeks), monetary_value (null without a repeat purchase), and the
    attributes that the purchase model was fitted with (`covariates.name_column`).
    `parameters`: model, parameter, estimate of one purchase model and one spend model (see `fit_models`).
    `recalibration`: what the backtest says of the forecasts. Its pace, a factor on all rates of purchase after T, moves
    everything but p_alive and expected_spend; its spend level moves expected_spend and all that is money; the rest of
    it moves bounds and clv_sd alone.
    Result: customer_id, p_alive, expected_purchases (over the horizon), its _lower and _upper (80%), the same with _50,
    _90 and _95, expected_spend (per purchase), clv with bounds likewise, clv_sd, residual_clv, discount, margin, pace,
    spend_level, clv_uncorrected (clv where both of these are 1), decile (1 = highest clv; floor(10 (rank - 1) / N) + 1,
    ties by customer_id).

    clv = sum over months k of (E[X(t_k)] - E[X(t_k-1)]) x expected_spend x margin / (1 + annual rate)^(k/12): the
    purchases of a month are discounted from its end. A month is 365.25/12/7 weeks. `discount` is what that comes to on
    average: clv = expected_purchases x expected_spend x margin x discount.

    clv_lower and clv_upper hold, with 80% probability given the parameters, the value of what the customer will really
    spend: whether alive, how often, and how much each time are all open (`bound_customers`); those with _50, _90 and
    _95 hold it with so many percent, and clv_sd is its standard deviation. Those of expected_purchases hold the number
    of purchases. Most customers buy nothing with more than 10% probability, so a lower bound of 0 is normal, and both
    bounds are 0 for who is almost surely gone, even if clv is not. Spend is discounted as the expected purchases are,
    on average over the horizon: at 10% a year the bounds keep their probability within 0.4 points. Nor are the
    parameters varied: at 300 customers that moves the coverage of 90% bounds by up to 0.4 points, at 2,000 by 0.15.

    residual_clv is the value of the rest of the customer's lifetime, without a horizon, discounted continuously (see
    `residual.py`), the pace reaching no further than the horizon; never below clv, and null where the annual rate is
    not above 0.

    Raises ModelError when a model or parameter is missing or a setting is out of range.
    """
    _check_settings(horizon_months, annual_discount_rate, margin)
    models = raise_spend(read_models(parameters), recalibration.spend_level)
    customers = models.encode(customers)
    seen = _score_seen(customers, models, horizon_months, annual_discount_rate, recalibration)
    alike = [*_SEEN, *list_columns(customers)]
    rows = customers.select("customer_id", *alike, pl.col("monetary_value").cast(pl.Float64)).join(
        seen, on=alike, how="left", maintain_order="left"
    )
    frequency, monetary_value = rows["frequency"].to_numpy(), rows["monetary_value"].to_numpy()
    spend, unit = models.expect_spend(frequency, monetary_value), models.spend_unit(frequency, monetary_value)
    worth = unit * rows["discount"].to_numpy() * margin
    return rows.select(
        "customer_id",
        "p_alive",
        "expected_purchases",
        *(f"expected_purchases_{name}" for name in _BOUND_NAMES),
        pl.Series("expected_spend", spend),
        pl.Series("clv", rows["discounted_purchases"].to_numpy() * spend * margin),
        *(pl.Series(f"clv_{name}", rows[name].to_numpy() * worth) for name in _BOUND_NAMES),
        pl.Series("clv_sd", rows["sd"].to_numpy() * worth),
        pl.Series("residual_clv", rows["residual_purchases"].to_numpy() * spend * margin).fill_nan(None),
        "discount",
        pl.lit(margin).alias("margin"),
        pl.lit(recalibration.pace, pl.Float64).alias("pace"),
        pl.lit(recalibration.spend_level, pl.Float64).alias("spend_level"),
        pl.Series(
            "clv_uncorrected", rows["uncorrected_purchases"].to_numpy() * spend * margin / recalibration.spend_level
        ),
    ).with_columns(_rank_decile())


def _check_settings(horizon_months: int, annual_discount_rate: float, margin: float) -> None:
    if horizon_months < 1:
        raise ModelError(f"value.horizon_months = {horizon_months}: must be at least 1")
    if not (annual_discount_rate > -1 and np.isfinite(annual_discount_rate)):
        raise ModelError(f"value.annual_discount_rate = {annual_discount_rate}: must be a rate such as 0.10")
    if not (margin >= 0 and np.isfinite(margin)):
        raise ModelError(f"value.margin = {margin}: must be a share of spend such as 0.30")


def _score_seen(
    customers: pl.DataFrame,
    models: Models,
    horizon_months: int,
    annual_discount_rate: float,
    recalibration: Recalibration,
) -> pl.DataFrame:
    """One row per distinct (frequency, recency, T): what does not depend on the customer's spend."""
    # Sorted, because the last bits of a vectorised result depend on the place in the vector.
    of_age, of_all = [*_AGED, *list_columns(customers)], [*_SEEN, *list_columns(customers)]
    ages = customers.select(of_age).unique().sort(of_age)
    plain = _expect_by_age(ages, models, horizon_months, annual_discount_rate)
    without = plain["purchases"] * plain["discount"]
    aged = plain
    if recalibration.pace != 1:
        aged = _expect_by_age(ages, quicken_models(models, recalibration.pace), horizon_months, annual_discount_rate)
        # The pace was learnt for the horizon: what comes after it comes at the models' own.
        beyond = (plain["residual"] - without).clip(lower_bound=0.0)
        aged = aged.with_columns(residual=beyond + aged["purchases"] * aged["discount"])
    aged = aged.with_columns(uncorrected=without)
    seen = customers.select(of_all).unique().sort(of_all).join(aged, on=of_age, how="left", maintain_order="left")
    frequency, recency, T = (seen[name].cast(pl.Float64).to_numpy() for name in _SEEN)
    models = models.of(seen)
    alive = p_alive(models.purchase_model, models.purchases, frequency, recency, T)
    bounds = bound_customers(
        models,
        frequency=frequency,
        T=T,
        alive=alive,
        horizon=horizon_months * WEEKS_PER_MONTH,
        coverages=list(_BOUNDS.values()),
        recalibration=recalibration,
    )
    named = {"": bounds.spend, "expected_purchases_": bounds.purchases}
    return seen.select(
        *of_all,
        "discount",
        pl.Series("p_alive", alive),
        pl.Series("expected_purchases", alive * seen["purchases"].to_numpy()),
        pl.Series("discounted_purchases", alive * (seen["purchases"] * seen["discount"]).to_numpy()),
        pl.Series("uncorrected_purchases", alive * seen["uncorrected"].to_numpy()),
        pl.Series("residual_purchases", alive * seen["residual"].to_numpy()),
        pl.Series("sd", models.vary_spend(frequency, alive, seen["purchases"].to_numpy(), bounds.squared_purchases)),
        *(
            pl.Series(f"{prefix}{name}", bound)
            for prefix, pairs in named.items()
            for name, bound in zip(_BOUND_NAMES, [bound for pair in pairs for bound in pair], strict=True)
        ),
    )


def _expect_by_age(
    aged: pl.DataFrame, models: Models, horizon_months: int, annual_discount_rate: float
) -> pl.DataFrame:
    """Per distinct (frequency, T), if alive: purchases within the horizon, their mean discount factor, and DERT."""
    frequency, T = (aged[name].cast(pl.Float64).to_numpy() for name in _AGED)
    months = np.arange(1, horizon_months + 1)
    models = models.of(aged)
    seen = as_columns(models.purchases), frequency[:, None], T[:, None]
    until = expected_purchases_if_alive(models.purchase_model, *seen, horizon=months * WEEKS_PER_MONTH)
    within = np.diff(until, axis=1, prepend=0.0)
    discounted = within @ (1 + annual_discount_rate) ** (-months / 12)
    total = until[:, -1]
    discount = np.divide(discounted, total, out=np.ones_like(total), where=total > 0)
    residual = np.full_like(total, np.nan)
    if (weekly_rate := convert_rate(annual_discount_rate)) > 0:
        residual = discount_residual_purchases(
            models.purchase_model, models.purchases, frequency, T, weekly_rate=weekly_rate
        )
    return aged.with_columns(
        pl.Series("purchases", total), pl.Series("discount", discount), pl.Series("residual", residual)
    )


def _rank_decile() -> pl.Expr:
    """Deciles of customers ordered by clv, highest first, then by customer_id."""
    order = pl.struct(-pl.col("clv"), "customer_id").rank("ordinal")
    return (10 * (order.cast(pl.Int64) - 1) // pl.len() + 1).cast(pl.Int64).alias("decile")
