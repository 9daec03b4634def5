"""How far a version moves the same customers, and whether that is published."""

import polars as pl
import pytest

from clv_pipeline.clv.scores import Recalibration, score_customers
from clv_pipeline.clv.scores.publication import judge_scores, measure_move
from clv_pipeline.clv.scores.recalibration import UNCHANGED

CUSTOMERS = pl.DataFrame(
    {
        "customer_id": ["once", "twice", "often"],
        "frequency": [0, 2, 9],
        "recency": [0.0, 30.43, 35.0],
        "T": [38.86, 38.86, 40.0],
        "monetary_value": [None, 22.35, 40.0],
    }
)
PARAMETERS = pl.DataFrame(
    [("bg_nbd", name, value) for name, value in (("r", 0.243), ("alpha", 4.414), ("a", 0.793), ("b", 2.426))]
    + [("gamma_gamma", name, value) for name, value in (("p", 6.25), ("q", 3.74), ("gamma", 15.44))],
    schema=["model", "parameter", "estimate"],
    orient="row",
)
SCORES = score_customers(CUSTOMERS, PARAMETERS, horizon_months=12, annual_discount_rate=0.1, margin=0.3)


def test_the_same_version_moves_nobody_and_dearer_purchases_all_by_the_same_share() -> None:
    assert measure_move(CUSTOMERS, SCORES, PARAMETERS, 12, UNCHANGED) == pytest.approx(0.0, abs=1e-9)
    dearer = SCORES.with_columns(pl.col("expected_spend") * 1.4)
    assert measure_move(CUSTOMERS, dearer, PARAMETERS, 12, UNCHANGED) == pytest.approx(0.4)
    free = SCORES.with_columns(expected_spend=0.0)
    assert measure_move(CUSTOMERS, free, PARAMETERS, 12, UNCHANGED) == pytest.approx(1.0)


def test_what_corrects_both_versions_moves_nobody() -> None:
    recalibration = Recalibration(pace=1.3, spend_level=0.9)
    corrected = score_customers(
        CUSTOMERS, PARAMETERS, horizon_months=12, annual_discount_rate=0.1, margin=0.3, recalibration=recalibration
    )
    assert measure_move(CUSTOMERS, corrected, PARAMETERS, 12, recalibration) == pytest.approx(0.0, abs=1e-9)
    assert measure_move(CUSTOMERS, corrected, PARAMETERS, 12, UNCHANGED) > 0.05


@pytest.mark.parametrize(
    ("move", "before", "chosen", "drifted", "published"),
    [
        (None, None, False, False, True),
        (None, "old", False, False, True),
        (0.5, "old", False, False, True),
        (0.51, "old", False, False, False),
        (0.51, "old", True, False, True),
        (0.51, "old", False, True, True),
    ],
)
def test_a_move_beyond_the_limit_needs_a_reason(
    move: float | None, before: str | None, chosen: bool, drifted: bool, published: bool
) -> None:
    verdict = judge_scores(move, 0.5, version="new", before=before, chosen=chosen, drifted=drifted)
    assert verdict.published is published
