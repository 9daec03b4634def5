"""Whether the scores of an as-of month take the place of those published before.

Belongs here: how far two versions of the models disagree on the same customers, and the rule. Does not belong here: the
view that people read (`door.py`), contracts, which keep wrong rows from being stored at all (`schemas/`).

Scores follow the data and the version in use, and nothing else. What a month's data change is theirs to change; so the
same customers are scored with the version published last, and only what is left of the move is judged.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from clv_pipeline.clv.models import expected_purchases_if_alive, p_alive
from clv_pipeline.clv.models.covariates import list_columns
from clv_pipeline.clv.scores.pair import WEEKS_PER_MONTH, read_models
from clv_pipeline.clv.scores.recalibration import Recalibration

_SEEN = ["frequency", "recency", "T"]


@dataclass(frozen=True)
class Verdict:
    """Whether scores are published, and why, in a sentence."""

    published: bool
    reason: str


def measure_move(
    customers: pl.DataFrame,
    scores: pl.DataFrame,
    parameters: pl.DataFrame,
    horizon_months: int,
    recalibration: Recalibration,
) -> float:
    """How far `scores` are from those that other `parameters` give the same customers, as a share of the latter.

    `customers`: frequency, recency, T (weeks), monetary_value and the attributes that those parameters need, in the
    order of `scores` (expected_purchases, expected_spend). Result: sum of |difference| / sum, over expected spend
    within the horizon; 0 where there is none. Both with the same `recalibration`, which is none of the version.
    """
    models = recalibration.expect(read_models(parameters))
    alike = [*_SEEN, *list_columns(customers)]
    seen = customers.select(alike).unique().sort(alike)
    own = models.given(seen).purchases
    frequency, recency, T = (seen[name].cast(pl.Float64).to_numpy() for name in _SEEN)
    horizon = horizon_months * WEEKS_PER_MONTH
    purchases = p_alive(models.purchase_model, own, frequency, recency, T) * expected_purchases_if_alive(
        models.purchase_model, own, frequency, T, horizon=horizon
    )
    expected = seen.with_columns(purchases=pl.Series(purchases))
    rows = customers.join(expected, on=alike, how="left", nulls_equal=True, maintain_order="left")
    spend = models.expect_spend(
        rows["frequency"].cast(pl.Float64).to_numpy(), rows["monetary_value"].cast(pl.Float64).to_numpy()
    )
    before = rows["purchases"].to_numpy() * spend
    now = (scores["expected_purchases"] * scores["expected_spend"]).to_numpy()
    return float(np.abs(now - before).sum() / before.sum()) if before.sum() > 0 else 0.0


def judge_scores(
    move: float | None, limit: float, *, version: str, before: str | None, chosen: bool, drifted: bool
) -> Verdict:
    """The verdict on scores of `version` after those of version `before` were published last (None for the first).

    `move` is what `measure_move` says of the two (None where the version is the same), `limit` the share that needs a
    reason: somebody has `chosen` the version, or it was fitted because the data `drifted`.
    """
    if before is None:
        return Verdict(True, "The first scores.")
    if move is None:
        return Verdict(True, "The version in use is the one published last: scores moved as the data did.")
    measured = f"{version} and {before}, published last, differ by {move:.1%} of the value of the same customers"
    if move <= limit:
        return Verdict(True, f"{measured}; up to {limit:.0%} is allowed.")
    if chosen:
        return Verdict(True, f"{measured}, and somebody chose it.")
    if drifted:
        return Verdict(True, f"{measured}, and the data moved too: it was fitted because of drift.")
    return Verdict(
        False,
        f"{measured}, more than publication.move = {limit:.0%}, and the data have not moved alike;"
        f" `clv promote {version}` publishes it, `clv rollback` goes back.",
    )
