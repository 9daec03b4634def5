"""What a fit gives back, and how it says no.

Belongs here: the result and the error of the model stage. Does not belong here: how either comes about (`fit.py`).
"""

from dataclasses import dataclass

import polars as pl


class ModelError(ValueError):
    """The models cannot be fitted or used as asked; one line that names the setting or the data and the way out."""


@dataclass(frozen=True)
class ModelFit:
    """The fitted models of one as-of.

    `parameters`: model, parameter, estimate, sd, lower, upper (95%), in weeks and currency.
    `evaluation`: model, split, metric, value.
    `repeat_purchases`: model, purchases ('0'..'6', '7+'), actual and expected number of customers, in sample.
    `notes`: sentences a reader of the numbers should see.
    """

    parameters: pl.DataFrame
    evaluation: pl.DataFrame
    repeat_purchases: pl.DataFrame
    notes: list[str]
