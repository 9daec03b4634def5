"""When a difference counts: thresholds of effect on one scale, and what chance alone may give.

Belongs here: limits and the verdict. Does not belong here: the statistics (`distances.py`, `control.py`).

With a million customers every difference is significant, and with a hundred a large one may be chance. So a statistic
has to pass both: a threshold, which is a size of effect, and `chance`, which it would exceed once in a thousand times
between samples of these sizes if nothing had changed.

The thresholds of all distances follow from those of the PSI: each is what a normal distribution gives whose mean moved
by sqrt(PSI) standard deviations, a move that has just that PSI if it is small. A PSI of 0.1 and of 0.25 is a
Kolmogorov-Smirnov distance of 0.13 and 0.20, a Kullback-Leibler divergence of 0.05 and 0.125, a Jensen-Shannon
distance (of base 2) of 0.13 and 0.21, a Wasserstein distance of 0.32 and 0.5 standard deviations, and, between samples
of one size, a Cramer's V of 0.16 and 0.25.
"""

from dataclasses import dataclass
from math import log, sqrt

from scipy.special import chdtri, kolmogi, ndtr, ndtri

OK, WARN, ALERT = "ok", "warn", "alert"
LEVELS = (OK, WARN, ALERT)
RARE = 0.001


@dataclass(frozen=True)
class Limits:
    """Sizes of effect beyond which something counts as a warning and as an alert."""

    warn: float
    alert: float


@dataclass(frozen=True)
class Thresholds:
    """The settings: limits of the PSI, of a relative change, of a share in points, and how many empty days are many."""

    psi: Limits
    change: Limits
    share: Limits
    empty_days: int


def judge(statistic: float | None, limits: Limits, chance: float | None = None) -> str:
    """The level of a statistic; unknown ones, and those that chance may give, are 'ok'."""
    if statistic is None or statistic <= max(limits.warn, chance or 0.0):
        return OK
    return ALERT if statistic > limits.alert else WARN


def convert_limits(psi: Limits) -> dict[str, Limits]:
    """The limits of each distance that correspond to those of the PSI."""
    return {test: Limits(convert(psi.warn), convert(psi.alert)) for test, convert in _FROM_PSI.items()}


def expect_by_chance(bins: int, sizes: tuple[float, float]) -> dict[str, float]:
    """What each distance exceeds once in a thousand times between two samples of one distribution.

    Times the harmonic size, the PSI of `bins` bins is then about chi-squared with bins - 1 degrees of freedom, and the
    Kolmogorov-Smirnov distance follows Kolmogorov's distribution. The same customers in both samples make it less.
    """
    spread = sum(1 / size for size in sizes)
    psi = float(chdtri(max(bins - 1, 1), RARE)) * spread
    found = {test: convert(psi) for test, convert in _FROM_PSI.items()}
    return found | {
        "ks": float(kolmogi(RARE)) * sqrt(spread),
        "wasserstein": float(ndtri(1 - RARE / 2)) * sqrt(spread),
    }


_FROM_PSI = {
    "psi": lambda psi: psi,
    "ks": lambda psi: float(2 * ndtr(sqrt(psi) / 2) - 1),
    "wasserstein": sqrt,
    "jensen_shannon": lambda psi: sqrt(psi / (8 * log(2))),
    "kullback_leibler": lambda psi: psi / 2,
    "chi_squared": lambda psi: sqrt(psi) / 2,
}
