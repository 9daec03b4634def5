"""What a fit gives back, and how it says no.

Belongs here: the result and the error of the model stage. Does not belong here: how either comes about (`fit.py`).
"""

from dataclasses import dataclass, field

import polars as pl


class ModelError(ValueError):
    """The models cannot be fitted or used as asked; one line that names the setting or the data and the way out."""


ALIVE_SCHEMA = {
    "model": pl.String,
    "frequency": pl.Int64,
    "recency": pl.Float64,
    "weeks_silent": pl.Float64,
    "p_alive": pl.Float64,
}
SPEND_SCHEMA = {
    "model": pl.String,
    "bin": pl.Int64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "actual": pl.Int64,
    "expected": pl.Float64,
}
DRAW_SCHEMA = {"model": pl.String, "draw": pl.Int64, "parameter": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class ModelFit:
    """The fitted models of one as-of.

    `parameters`: model, parameter, estimate, sd, lower, upper (95%), in weeks and currency.
    `evaluation`: model, split ('in_sample'; 'sampling' for the diagnostics of NUTS), metric, value.
    `repeat_purchases`: model, purchases ('0'..'6', '7+'), actual and expected number of customers, in sample.
    `alive_matrix` and `spend_fit`: what `diagnostics.py` makes of the models.
    `notes`: sentences a reader of the numbers should see.
    `draws`: model, draw, parameter, value; joint draws of a model's parameters in natural units, no row with 'map'.
    `doubts`: per model whose sampling did not converge, why.
    """

    parameters: pl.DataFrame
    evaluation: pl.DataFrame
    repeat_purchases: pl.DataFrame
    notes: list[str]
    draws: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=DRAW_SCHEMA))
    doubts: dict[str, str] = field(default_factory=dict)
    alive_matrix: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ALIVE_SCHEMA))
    spend_fit: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SPEND_SCHEMA))
