"""What a fit believes, as tables to draw: who counts as alive, how purchases and spend are spread, actual beside it.

Belongs here: tables from parameters, draws and the customers they were fitted to. Does not belong here: measures of fit
(`evaluation.py`), forecasts held against a later time (`clv/backtest/`), drawing.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betainc

from clv_pipeline.clv.models.covariates import Design, list_columns, personalise
from clv_pipeline.clv.models.estimates import Estimate
from clv_pipeline.clv.models.purchases import Parameters, p_alive, purchase_probabilities
from clv_pipeline.clv.models.result import ALIVE_SCHEMA, SPEND_SCHEMA

type Vector = NDArray[np.float64]

LARGEST_COUNT = 6
_DRAWS = 100
# Ages are told apart up to so many for the draws; what they say of a count is smooth over age.
_AGES = 40
_REPLICATE_SEED = 20_131_107
_TAILS = (0.025, 0.975)
_MOST_FREQUENT, _RECENCIES = 12, 10
_SPEND_BINS, _SPEND_SHARE = 20, 0.98


def build_repeat_purchases(rows: pl.DataFrame, fitted: Estimate, design: Design) -> pl.DataFrame:
    """Customers by number of repeat purchases up to their T: actual, expected, and the posterior predictive interval.

    purchases '0'..'6' and '7+'. The bounds hold the number of customers with 95% probability: the base is replicated
    for up to 100 draws of the parameters (for the estimate where there are none), with chance in every replicate.
    """
    alike = ["T", *list_columns(rows)]
    by_age = rows.group_by(alike).agg(pl.len().alias("customers")).sort(alike)
    own = personalise(fitted.model, fitted.parameters, by_age, design)
    expected = by_age["customers"].to_numpy() @ _spread_counts(fitted.model, own, by_age["T"].to_numpy())
    lower, upper = np.quantile(_replicate(by_age, fitted, design), _TAILS, axis=0)
    frequency = rows["frequency"].to_numpy()
    actual = np.bincount(np.minimum(frequency, LARGEST_COUNT + 1), minlength=LARGEST_COUNT + 2)
    return pl.DataFrame(
        {
            "model": fitted.model,
            "purchases": [*(str(n) for n in range(LARGEST_COUNT + 1)), f"{LARGEST_COUNT + 1}+"],
            "actual": actual.astype(np.int64),
            "expected": expected,
            "lower": lower,
            "upper": upper,
        }
    )


def _spread_counts(model: str, parameters: Parameters, T: Vector) -> NDArray[np.float64]:
    """P(0), ..., P(6) and P(7 or more) repeat purchases of new customers up to T, one row each."""
    # A customer of the MBG/NBD may be gone right after the first purchase.
    starts = p_alive(model, parameters, 0, 0, np.zeros(len(T)))
    counts = starts[:, None] * purchase_probabilities(model, parameters, 0, 0, horizon=T, most=LARGEST_COUNT)
    counts[:, 0] += 1 - starts
    return np.column_stack([counts, np.maximum(1 - counts.sum(axis=1), 0.0)])


def _replicate(by_age: pl.DataFrame, fitted: Estimate, design: Design) -> NDArray[np.int64]:
    """Customers by number of repeat purchases in replicates of the base, one row each."""
    few = _gather_ages(by_age)
    T, customers = few["T"].to_numpy(), few["customers"].to_numpy()
    chance = np.random.default_rng(_REPLICATE_SEED)
    names = list(fitted.parameters)
    estimate = np.array([list(fitted.parameters.values())])
    drawn = fitted.draws[:: -(-len(fitted.draws) // _DRAWS)] if len(fitted.draws) else estimate
    spread = [
        _spread_counts(fitted.model, personalise(fitted.model, dict(zip(names, draw, strict=True)), few, design), T)
        for draw in drawn
    ]
    replicates = -(-_DRAWS // len(spread))
    return np.concatenate(
        [
            chance.multinomial(customers, shares / shares.sum(axis=1, keepdims=True), (replicates, len(T))).sum(axis=1)
            for shares in spread
        ]
    )


def _gather_ages(by_age: pl.DataFrame) -> pl.DataFrame:
    """At most so many rows, each standing for its neighbours in age; a customer is counted once."""
    size = -(-by_age.height // _AGES)
    number = (pl.int_range(pl.len()) // size).alias("group")
    first = by_age.group_by(number, maintain_order=True).agg(
        pl.exclude("customers").gather(pl.len() // 2).first(), pl.col("customers").sum()
    )
    return first.drop("group")


def build_alive_matrix(rows: pl.DataFrame, fitted: Estimate) -> pl.DataFrame:
    """P(alive) by frequency and recency of a customer as old as the oldest, of the base levels and mean amounts.

    One row for each frequency 0..12 and tenth of the age as recency (0 alone at frequency 0, which is all there is on
    the first day): frequency, recency (weeks), weeks_silent (since the last purchase), p_alive.
    """
    oldest = float(rows["T"].to_numpy().max())
    most = _MOST_FREQUENT if oldest > 0 else 0
    recencies = np.linspace(0.0, oldest, _RECENCIES + 1)[1:]  # of which the last is the age to the last bit
    frequency = np.repeat(np.arange(1, most + 1), _RECENCIES)
    x, t_x = np.append(0, frequency), np.append(0.0, np.tile(recencies, most))
    plain = {name: value for name, value in fitted.parameters.items() if "[" not in name}
    columns = {
        "model": [fitted.model] * len(x),
        "frequency": x,
        "recency": t_x,
        "weeks_silent": oldest - t_x,
        "p_alive": p_alive(fitted.model, plain, x, t_x, oldest),
    }
    return pl.DataFrame(columns, schema=ALIVE_SCHEMA)


def build_spend_fit(repeaters: pl.DataFrame, parameters: Mapping[str, float]) -> pl.DataFrame:
    """Customers by mean spend per repeat purchase, actual and by the Gamma-Gamma, in 20 bins and one for the rest.

    `repeaters`: frequency and monetary_value of the customers it was fitted to. Given x purchases, the mean z has
    P(z <= y) = I_w(p x, q) with w = x y / (x y + gamma) (Fader and Hardie 2013, note 025, equation 1).
    """
    mean = repeaters["monetary_value"].to_numpy()
    end = float(np.quantile(mean, _SPEND_SHARE))
    edges = np.append(np.linspace(0.0, end, _SPEND_BINS + 1), np.inf)
    sizes = repeaters.group_by("frequency").agg(pl.len().alias("customers")).sort("frequency")
    x, n = (sizes[name].cast(pl.Float64).to_numpy() for name in ("frequency", "customers"))
    below = np.ones((len(x), len(edges)))
    total = x[:, None] * edges[:-1]
    below[:, :-1] = betainc(parameters["p"] * x[:, None], parameters["q"], total / (total + parameters["gamma"]))
    # A mean at the last edge is within it.
    place = np.minimum(np.searchsorted(edges, mean, side="left") - 1, _SPEND_BINS)
    columns = {
        "model": ["gamma_gamma"] * (len(edges) - 1),
        "bin": np.arange(1, len(edges)),
        "lower": edges[:-1],
        "upper": [*edges[1:-1], None],
        "actual": np.bincount(place, minlength=len(edges) - 1).astype(np.int64),
        "expected": n @ np.diff(below, axis=1),
    }
    return pl.DataFrame(columns, schema=SPEND_SCHEMA)
