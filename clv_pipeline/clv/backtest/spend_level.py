"""The level of spend: what a purchase brings within the horizon, beside what purchases brought when they were made.

Belongs here: the trend of what single customers spend at a purchase, when it is believed, and the factor that it asks
for. Does not belong here: summing up their months (`sql/5_models/spend_trend.sql`), what the factor does to a forecast
(`clv/scores/recalibration.py`).

The Gamma-Gamma takes a customer's mean spend as the same for ever. Where prices rise, that mean is of purchases which
lie years back, and the purchases to come lie ahead. Each customer is compared with himself alone, since those who come
later may spend more or less for other reasons: the trend is the slope of a regression with a constant for each.
"""

from dataclasses import dataclass
from math import exp

import numpy as np
import polars as pl

_WEEKS_PER_YEAR = 365.25 / 7
_MONTHS_PER_YEAR, _MILLIONTHS = 12, 1e6
# Of a shorter history one cannot tell a trend from a season.
LEAST_MONTHS = 24
# A trend counts as far as it is surer than so many standard errors.
_CERTAIN = 2.0
_LARGEST = 0.25


@dataclass(frozen=True)
class SpendTrend:
    """Growth a year of the logarithm of spend per purchase, its standard error, and a purchase's mean age in years.

    Age counts from the middle of a purchase's month to the end of the as-of month; each customer counts by the
    purchases of the last twelve months, since who bought most in them will bring most.
    """

    trend: float
    error: float
    mean_age: float


def measure_trend(customers: pl.DataFrame) -> SpendTrend | None:
    """The trend over all `customers`, rows of `5_models/spend_trend`; None where nobody bought at two ages.

    Weighted by purchases. The standard error is robust to what the purchases of one customer have in common (Liang and
    Zeger 1986, Biometrika 73:13, with customers as clusters).
    """
    names = ("purchases", "ages", "squared_ages", "amounts", "aged_amounts")
    purchases, ages, squared, amounts, products = (customers[name].cast(pl.Float64).to_numpy() for name in names)
    squares = squared - ages**2 / purchases
    if not squares.sum() > 0:
        return None
    # Amounts fall with age where they rise with time.
    slopes = -(products - ages * amounts / purchases) / _MILLIONTHS
    trend = float(slopes.sum() / squares.sum())
    error = float(np.sqrt(((slopes - trend * squares) ** 2).sum()) / squares.sum())
    coming = customers["recent"].cast(pl.Float64).to_numpy()
    mean_age = float(coming @ (ages / purchases) / coming.sum()) if coming.sum() > 0 else 0.0
    return SpendTrend(trend * _MONTHS_PER_YEAR, error * _MONTHS_PER_YEAR, (mean_age + 0.5) / _MONTHS_PER_YEAR)


def find_spend_level(found: SpendTrend | None, weeks: float) -> float:
    """The factor on spend per purchase in the middle of the `weeks` ahead; 1 where there is no trend to believe.

    Of the trend is believed what a test of two standard errors leaves, by the positive-part rule of James and Stein,
    and no more than 25% a year.
    """
    if found is None or not found.trend:
        return 1.0
    sure = max(1 - (_CERTAIN * found.error / found.trend) ** 2, 0.0)
    believed = min(max(sure * found.trend, -_LARGEST), _LARGEST)
    return exp(believed * (found.mean_age + weeks / _WEEKS_PER_YEAR / 2))
