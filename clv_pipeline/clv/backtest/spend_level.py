"""The level of spend: what a purchase brings within the horizon, beside what purchases brought when they were made.

Belongs here: the trend of what single customers spend at a purchase, when it is believed, and the factor that it asks
for. Does not belong here: summing up their months (`sql/5_models/spend_trend.sql`), what the factor does to a forecast
(`clv/scores/recalibration.py`).

The Gamma-Gamma takes a customer's mean spend as the same for ever. Where prices rise, that mean is of purchases which
lie years back, and the purchases to come lie ahead. Each customer is compared with himself alone, since those who come
later may spend more or less for other reasons, and each month with the same a year before, since seasons come back.
"""

from dataclasses import dataclass
from math import exp

import numpy as np
import polars as pl
from scipy.special import stdtrit

from clv_pipeline.clv.scores.pair import WEEKS_PER_YEAR

_MONTHS_PER_YEAR, _MILLIONTHS = 12, 1e6
# Two years of months to compare.
LEAST_MONTHS = 24
# Of fewer customers the standard error itself is unsure.
_FEWEST_COMPARED = 30
# A trend counts as far as it is surer than a test at 5% asks.
_CERTAIN = 0.975
_LARGEST = 0.25


@dataclass(frozen=True)
class SpendTrend:
    """Growth a year of the logarithm of spend per repeat purchase, how far chance may take it, and the mean age of one.

    Age (years) counts from the middle of a purchase's month to the end of the as-of month; each customer counts by the
    purchases of the last twelve months, since who bought most in them will bring most.
    """

    trend: float
    doubt: float
    mean_age: float


def measure_trend(customers: pl.DataFrame) -> SpendTrend | None:
    """The trend over all `customers`, rows of `5_models/spend_trend`; None where too few can be compared.

    The mean growth over a year of pairs of months. Its standard error is robust to what the pairs of one customer have
    in common (Liang and Zeger 1986, Biometrika 73:13, with customers as clusters); the doubt is as many of them as a
    test at 5% asks of so many customers.
    """
    compared = customers.filter(pl.col("pairs") > 0)
    number = compared.height
    if number < _FEWEST_COMPARED:
        return None
    pairs, growth = (compared[name].cast(pl.Float64).to_numpy() for name in ("pairs", "growth"))
    trend = float(growth.sum() / pairs.sum())
    error = float(np.sqrt(((growth - trend * pairs) ** 2).sum() * number / (number - 1)) / pairs.sum())
    purchases, ages, coming = (customers[name].cast(pl.Float64).to_numpy() for name in ("purchases", "ages", "recent"))
    mean_age = float(coming @ (ages / purchases) / coming.sum()) if coming.sum() > 0 else 0.0
    doubt = error / _MILLIONTHS * float(stdtrit(number - 1, _CERTAIN))
    return SpendTrend(trend / _MILLIONTHS, doubt, (mean_age + 0.5) / _MONTHS_PER_YEAR)


def find_spend_level(found: SpendTrend | None, weeks: float) -> float:
    """The factor on spend per purchase in the middle of the `weeks` ahead; 1 where there is no trend to believe.

    Of the trend is believed what its doubt leaves, by the positive-part rule of James and Stein, and no more than 25% a
    year.
    """
    if found is None or not found.trend:
        return 1.0
    sure = max(1 - (found.doubt / found.trend) ** 2, 0.0)
    believed = min(max(sure * found.trend, -_LARGEST), _LARGEST)
    return exp(believed * (found.mean_age + weeks / WEEKS_PER_YEAR / 2))
