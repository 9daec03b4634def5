"""What the existing customers will bring in the next windows, and how many new ones a target would need.

Belongs here: sums of the models' expectations by cohort, their chance, and the plan. Does not belong here: the closed
forms (`clv/models/`), scores of single customers (`clv/scores/`).

Intervals hold chance, given the parameters, and what moves everybody and is in no model. For the first, each customer's
rate, dropout and spend are drawn from what the models hold possible for him (the posterior of Fader, Hardie and Lee
2005 for BG/NBD; of Fader and Hardie 2013 for spend); the second is how far totals were off in the backtest, the same
share of every cohort and window. Uncertainty of the parameters comes on top; next to these it is small.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from clv_pipeline.clv.models import expected_purchases, expected_spend, p_alive
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.models.purchases import Parameters, as_columns
from clv_pipeline.clv.scores.pair import WEEKS_PER_MONTH, Models, read_models
from clv_pipeline.clv.scores.recalibration import UNCHANGED, Recalibration, quicken_models, raise_spend

type Vector = NDArray[np.float64]

WINDOWS_AHEAD = 3
VERDICTS = ("no new customers needed", "within what was acquired before", "more than was ever acquired", "not known")
_SEED = 20220822
# Customers x draws that are simulated at once; at least 4 draws, and no more than 1000 help.
_BUDGET = 400_000
_ENOUGH_FOR_PERCENTILES = 200
_TAIL = 0.025
_NORMAL = 1.959964


def project_cohorts(
    customers: pl.DataFrame,
    parameters: pl.DataFrame,
    *,
    window_months: int,
    margin: float,
    orders_per_purchase: float,
    recalibration: Recalibration = UNCHANGED,
    paced_months: int | None = None,
) -> pl.DataFrame:
    """One row per cohort, and 'all', and window ahead (1 to 3): what its existing customers are expected to do in it.

    `customers`: cohort, frequency, recency, T (weeks), monetary_value, and the attributes that the purchase model was
    fitted with. `parameters` and `recalibration` as in `score_customers`: its pace and spend level
    move expectations, its total_sd widens bounds. The pace is that of the windows which begin within the
    `paced_months` that it was learnt for (default: of all). Result: cohort, windows_ahead, customers,
    expected_purchases with purchases_lower and purchases_upper, expected_orders, expected_profit (not discounted) with
    profit_lower and profit_upper; the bounds hold with 95% probability given the parameters.
    Raises ModelError when a model is missing.
    """
    plain = raise_spend(read_models(parameters), recalibration.spend_level)
    paced = np.arange(WINDOWS_AHEAD) * window_months < (paced_months or np.inf)
    paces = np.where(paced, recalibration.pace, 1.0)
    # Sorted, so that the draws do not depend on the order of the rows.
    columns = ("frequency", "recency", "T", "monetary_value")
    customers = plain.encode(customers)
    seen = (pl.col(name).cast(pl.Float64) for name in columns)
    people = customers.select("cohort", *seen, *list_columns(customers)).sort(pl.all())
    models = plain.of(people)
    x, t_x, T, mean = (people[name].to_numpy() for name in columns)
    length = window_months * WEEKS_PER_MONTH
    ends = length * np.arange(1.0, WINDOWS_AHEAD + 1)
    purchases = _expect_windows(models, x, t_x, T, ends)
    if recalibration.pace != 1:
        quick = quicken_models(models, recalibration.pace)
        purchases = np.where(paced, _expect_windows(quick, x, t_x, T, ends), purchases)
    per_purchase = expected_spend(models.spend_model, models.spend, x, mean)
    labels, group = np.unique(people["cohort"].to_numpy(), return_inverse=True)
    drawn = _Draws(models, people, length, paces)
    expected = (purchases, purchases * per_purchase[:, None] * margin)
    bounds = _bound_totals(drawn, expected, group, len(labels), margin, total_sd=recalibration.total_sd)
    rows: list[dict[str, object]] = []
    for index, label in enumerate((*labels, "all")):
        within = group == index if index < len(labels) else np.ones(len(group), dtype=np.bool_)
        for window in range(WINDOWS_AHEAD):
            bought, earned = (float(values[within, window].sum()) for values in expected)
            rows.append(
                {
                    "cohort": str(label),
                    "windows_ahead": window + 1,
                    "customers": int(within.sum()),
                    "expected_purchases": bought,
                    "purchases_lower": bounds[0, 0, index, window],
                    "purchases_upper": bounds[0, 1, index, window],
                    "expected_orders": bought * orders_per_purchase,
                    "expected_profit": earned,
                    "profit_lower": bounds[1, 0, index, window],
                    "profit_upper": bounds[1, 1, index, window],
                }
            )
    return pl.DataFrame(rows)


def _expect_windows(models: Models, x: Vector, t_x: Vector, T: Vector, ends: Vector) -> Vector:
    """Purchases expected within each window; one row per customer."""
    own = as_columns(models.purchases)
    until = expected_purchases(models.purchase_model, own, x[:, None], t_x[:, None], T[:, None], horizon=ends)
    return np.diff(until, axis=1, prepend=0.0)


def plan_growth(
    *,
    last_profit: float,
    expected_profit: float,
    profit_of_new: float,
    acquired: int,
    most_acquired: int,
    targets: Sequence[float],
) -> pl.DataFrame:
    """One row per growth of profit in `targets`: the new customers that the next window needs to reach it.

    `last_profit` is that of the last window, `expected_profit` what existing customers will bring in the next;
    `profit_of_new` is what the `acquired` customers of some window brought in it, and the new ones are taken to do the
    same. A target that needs more than `most_acquired`, the most ever acquired in a window, says so.
    """
    each = profit_of_new / acquired if acquired and profit_of_new > 0 else None
    rows: list[dict[str, object]] = []
    for growth in targets:
        target = last_profit * (1 + growth)
        gap = max(target - expected_profit, 0.0)
        needed = 0 if gap == 0 else None if each is None else int(np.ceil(gap / each))
        rows.append(
            {
                "growth": growth,
                "last_profit": last_profit,
                "target_profit": target,
                "expected_profit": expected_profit,
                "profit_per_new_customer": each,
                "new_customers_needed": needed,
                "acquired": acquired,
                "most_acquired": most_acquired,
                "verdict": _judge(needed, most_acquired),
            }
        )
    return pl.DataFrame(
        rows, schema_overrides={"profit_per_new_customer": pl.Float64, "new_customers_needed": pl.Int64}
    )


def _judge(needed: int | None, most_acquired: int) -> str:
    if needed is None:
        return VERDICTS[3]
    if needed == 0:
        return VERDICTS[0]
    return VERDICTS[1] if needed <= most_acquired else VERDICTS[2]


class _Draws:
    """Futures of all customers: purchases and spend by window, as the stories of the models have them."""

    def __init__(self, models: Models, people: pl.DataFrame, length: float, paces: Vector) -> None:
        self.size = people.height
        self._models, self._length, self._paces = models, length, paces
        self._x, self._T = (people[name].to_numpy() for name in ("frequency", "T"))
        self._unit = models.spend_unit(self._x, people["monetary_value"].to_numpy())
        self._alive = p_alive(models.purchase_model, models.purchases, self._x, people["recency"].to_numpy(), self._T)
        self._random = np.random.default_rng(_SEED)

    def draw(self) -> tuple[Vector, Vector]:
        """Purchases and spend, one row per customer and one column per window."""
        named = self._models.purchases
        rate = self._random.gamma(named["r"] + self._x, 1 / (named["alpha"] + self._T))[:, None] * self._paces
        alive = self._random.random(self.size) < self._alive
        purchases = self._draw_purchases(named, rate) * alive[:, None]
        return purchases, self._draw_spend(purchases)

    def _draw_purchases(self, named: Parameters, rate: Vector) -> Vector:
        if self._models.purchase_model == "pareto_nbd":
            hazard = self._random.gamma(named["s"], 1 / (named["beta"] + self._T))
            # A hazard may come out as 0: who has it, lives.
            dies = self._random.exponential(size=self.size) / np.maximum(hazard, 1e-300)
            lived = np.clip(dies[:, None] - self._length * np.arange(WINDOWS_AHEAD), 0.0, self._length)
            return self._random.poisson(rate * lived).astype(np.float64)
        arrivals = self._random.poisson(rate * self._length).astype(np.float64)
        survived = self._x + (1 if self._models.purchase_model == "mbg_nbd" else 0)
        chance = np.maximum(self._random.beta(named["a"], np.maximum(named["b"] + survived, 1e-9)), 1e-12)
        last = self._random.geometric(chance).astype(np.float64)
        return np.diff(np.minimum(arrivals.cumsum(axis=1), last[:, None]), axis=1, prepend=0.0)

    def _draw_spend(self, purchases: Vector) -> Vector:
        named = self._models.spend
        if self._models.spend_model != "gamma_gamma":
            return purchases * self._unit[:, None]
        shape = named["q"] + named["p"] * self._x
        scale = self._random.gamma(shape, 1 / self._unit)
        return self._random.gamma(named["p"] * purchases) / np.maximum(scale, 1e-300)[:, None]


def _bound_totals(
    drawn: _Draws,
    expected: tuple[Vector, Vector],
    group: NDArray[np.intp],
    groups: int,
    margin: float,
    *,
    total_sd: float,
) -> Vector:
    """Bounds by measure (purchases, profit), end (lower, upper), group (all of them last) and window.

    Small bases are drawn often enough to read the percentiles of the totals. Large ones are drawn a few times, and the
    sum of the customers' squared deviations gives the variance of a total, which is close to normal then.
    `total_sd` is the standard deviation of the logarithm of any total around its forecast.
    """
    draws = int(np.clip(_BUDGET // max(drawn.size, 1), 4, 1000))
    totals = np.zeros((draws, 2, groups + 1, WINDOWS_AHEAD))
    variance = np.zeros((2, groups + 1, WINDOWS_AHEAD))
    for number in range(draws):
        purchases, spend = drawn.draw()
        for measure, values in enumerate((purchases, spend * margin)):
            totals[number, measure] = _sum(values, group, groups)
            variance[measure] += _sum((values - expected[measure]) ** 2, group, groups) / draws
    if draws >= _ENOUGH_FOR_PERCENTILES:
        shift = np.random.default_rng(_SEED).standard_normal(draws) * total_sd
        totals *= np.exp(shift - total_sd**2 / 2)[:, None, None, None]
        return np.quantile(totals, [_TAIL, 1 - _TAIL], axis=0).swapaxes(0, 1)
    middle = np.stack([_sum(values, group, groups) for values in expected])
    reach = _NORMAL * np.sqrt(variance + (middle * total_sd) ** 2)
    return np.stack([np.maximum(middle - reach, 0.0), middle + reach], axis=1)


def _sum(values: Vector, group: NDArray[np.intp], groups: int) -> Vector:
    """Sums by group and window, and over all groups in the last row."""
    summed = np.stack(
        [np.bincount(group, weights=values[:, window], minlength=groups) for window in range(WINDOWS_AHEAD)], axis=1
    ).astype(np.float64)
    return np.vstack([summed, summed.sum(axis=0)])
