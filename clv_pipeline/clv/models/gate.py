"""Whether the models apply to these customers at all, asked before any fit.

Belongs here: each assumption that the data can question, as a finding with its figure and a sentence. Does not belong
here: what follows from a finding (`stages/models.py`), or how well a fit forecasts.

A finding that fails warns: the fit is made all the same, and a reader should know. One that fails at level 'refuse'
says that no answer of these models is of use, so that a new version must not be taken into use.
"""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import polars as pl

GATE_SCHEMA = {
    "check": pl.String,
    "level": pl.String,
    "passed": pl.Boolean,
    "value": pl.Float64,
    "threshold": pl.Float64,
    "sentence": pl.String,
}
GATE_CHECKS = (
    "looks_noncontractual",
    "history_is_long_enough",
    "has_repeat_buyers",
    "cohorts_are_complete",
    "spend_is_independent_of_frequency",
)
# Purchases at random times have intervals with a coefficient of variation near 1; bills come at one near 0.
FEWEST_INTERVALS = 3
_REGULAR, _LIKE_A_BILL = 0.4, 0.1
_FEWEST_FREQUENT = 20
_HORIZONS_OF_HISTORY = 1.5
_FEWEST_REPEATERS = 100
# The first month's cohort against the median of the later ones.
_TOO_LARGE_A_COHORT = 3.0
_FEWEST_LATER_COHORTS = 2
_CORRELATED = 0.3
_FEWEST_TO_CORRELATE = 30


@dataclass(frozen=True)
class Finding:
    """One assumption: whether it holds, the figure (None where there are too few customers to tell) and its limit."""

    check: str
    passed: bool
    value: float | None
    threshold: float
    sentence: str
    level: Literal["warn", "refuse"] = "warn"


def judge(
    customers: pl.DataFrame,
    intervals: pl.DataFrame,
    first_months: pl.DataFrame,
    *,
    history_months: int,
    horizon_months: int,
) -> list[Finding]:
    """All findings, in the order of GATE_CHECKS.

    `customers`: one row each with frequency and monetary_value. `intervals`: one row per customer with at least
    FEWEST_INTERVALS intervals between purchase days, with intervals, days and squared_days (sums over the intervals).
    `first_months`: first_month, customers and acquired_before, one row per month of first purchase.
    """
    return [
        judge_regularity(intervals),
        judge_history(history_months, horizon_months),
        judge_repeaters(customers),
        judge_cohorts(first_months),
        judge_spend(customers),
    ]


def tabulate(findings: list[Finding]) -> pl.DataFrame:
    """The findings as rows of GATE_SCHEMA."""
    return pl.DataFrame([asdict(finding) for finding in findings], schema=GATE_SCHEMA)


def judge_regularity(intervals: pl.DataFrame) -> Finding:
    """Whether purchases come at irregular times: the median coefficient of variation of customers' intervals."""
    check, frequent = "looks_noncontractual", intervals.height
    if frequent < _FEWEST_FREQUENT:
        sentence = f"Only {frequent:,} customers have {FEWEST_INTERVALS} intervals between purchases: too few to tell."
        return Finding(check, True, None, _REGULAR, sentence)
    n, days, squared = (intervals[name].cast(pl.Float64) for name in ("intervals", "days", "squared_days"))
    variance = ((squared - days**2 / n) / (n - 1)).clip(lower_bound=0.0)
    value = float(np.median((variance.sqrt() / (days / n)).to_numpy()))
    found = f"The intervals between a customer's purchases vary by {value:.0%} of their mean (median customer)"
    if value >= _REGULAR:
        return Finding(check, True, value, _REGULAR, f"{found}, as purchases at free will do.")
    sentence = f"{found}: this looks like a subscription or a bill, for which these models are not made."
    return Finding(check, False, value, _REGULAR, sentence, "refuse" if value < _LIKE_A_BILL else "warn")


def judge_history(history_months: int, horizon_months: int) -> Finding:
    """Whether there are at least 1.5 times as many months of history as are forecast."""
    needed = _HORIZONS_OF_HISTORY * horizon_months
    passed = history_months >= needed
    sentence = f"{history_months} months of history for a horizon of {horizon_months}"
    sentence += "." if passed else f": at least {needed:g} are needed; shorten value.horizon_months or load more."
    return Finding("history_is_long_enough", passed, float(history_months), needed, sentence)


def judge_repeaters(customers: pl.DataFrame) -> Finding:
    """Whether enough customers came back to learn from."""
    repeaters = customers.filter(pl.col("frequency") > 0).height
    passed = repeaters >= _FEWEST_REPEATERS
    sentence = f"{repeaters:,} of {customers.height:,} customers have a repeat purchase"
    sentence += "." if passed else f": with fewer than {_FEWEST_REPEATERS} the forecast leans on the priors."
    return Finding("has_repeat_buyers", passed, float(repeaters), float(_FEWEST_REPEATERS), sentence)


def judge_cohorts(first_months: pl.DataFrame) -> Finding:
    """Whether the first month's new customers are new: those of before the data make its cohort far too large."""
    check = "cohorts_are_complete"
    months = first_months.sort("first_month")
    later = (months["customers"] - months["acquired_before"])[1:]
    later = later.filter(later > 0)
    if later.len() < _FEWEST_LATER_COHORTS:
        return Finding(check, True, None, _TOO_LARGE_A_COHORT, "Too few months with new customers to tell.")
    first = int(months["customers"][0]) + int(months["acquired_before"][1:].sum())
    usual = float(np.median(later.to_numpy()))
    value = first / usual
    sentence = f"First seen in the first month, or acquired before: {first:,}; in a usual later month: {usual:,.0f}"
    passed = value <= _TOO_LARGE_A_COHORT
    sentence += "." if passed else ". Many bought before the data begins, so that their true first purchase is unknown."
    return Finding(check, passed, value, _TOO_LARGE_A_COHORT, sentence)


def judge_spend(customers: pl.DataFrame) -> Finding:
    """Whether spend per purchase is unrelated to the number of purchases, as the Gamma-Gamma assumes (Spearman)."""
    check = "spend_is_independent_of_frequency"
    repeaters = customers.filter((pl.col("frequency") > 0) & (pl.col("monetary_value") > 0))
    if repeaters.height < _FEWEST_TO_CORRELATE:
        sentence = f"Only {repeaters.height:,} customers have repeat purchases of positive spend: too few to tell."
        return Finding(check, True, None, _CORRELATED, sentence)
    ordered = repeaters.sort("frequency", "monetary_value")
    value = float(ordered.select(pl.corr("frequency", "monetary_value", method="spearman")).item())
    if not np.isfinite(value):
        return Finding(check, True, None, _CORRELATED, "All repeat buyers bought or spent the same: nothing to relate.")
    sentence = f"Spend per purchase and number of purchases have a rank correlation of {value:.2f}"
    passed = abs(value) <= _CORRELATED
    sentence += (
        "."
        if passed
        else f": the Gamma-Gamma assumes none, and is off for {'rare' if value > 0 else 'frequent'} buyers."
    )
    return Finding(check, passed, value, _CORRELATED, sentence)
