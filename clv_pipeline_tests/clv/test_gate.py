"""The gate before a fit: each assumption, with data that keeps it and data that breaks it."""

import numpy as np
import polars as pl
import pytest

from clv_pipeline.clv.models import gate
from clv_pipeline.schemas.models import Gate
from clv_pipeline_tests.clv.cdnow import read_sample


def make_intervals(shape: float) -> pl.DataFrame:
    """Forty customers with six intervals of mean 30 days, Gamma distributed with coefficient of variation 1/sqrt."""
    gaps = np.maximum(np.random.default_rng(1).gamma(shape, 30 / shape, (40, 6)).round(), 1).astype(int)
    return pl.DataFrame({"intervals": [6] * 40, "days": gaps.sum(axis=1), "squared_days": (gaps**2).sum(axis=1)})


def make_months(customers: list[int], before: list[int]) -> pl.DataFrame:
    names = [f"2024-{month + 1:02d}" for month in range(len(customers))]
    return pl.DataFrame({"first_month": names, "customers": customers, "acquired_before": before})


@pytest.mark.parametrize(
    ("shape", "passed", "level"), [(1.0, True, "warn"), (16.0, False, "warn"), (900.0, False, "refuse")]
)
def test_regular_intervals_look_like_a_contract(shape: float, passed: bool, level: str) -> None:
    finding = gate.judge_regularity(make_intervals(shape))

    assert (finding.passed, finding.level) == (passed, level)
    assert gate.judge_regularity(make_intervals(shape).head(19)).value is None


def test_the_variation_of_intervals_is_the_one_by_hand() -> None:
    # 10, 20 and 30 days: mean 20, standard deviation 10.
    intervals = pl.DataFrame({"intervals": [3] * 20, "days": [60] * 20, "squared_days": [1400] * 20})
    assert gate.judge_regularity(intervals).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("customers", "before", "passed", "value"),
    [
        ([110, 100, 90, 100], [0, 0, 0, 0], True, 1.1),
        ([400, 100, 90, 100], [0, 0, 0, 0], False, 4.0),
        ([110, 200, 190, 200], [0, 100, 100, 100], False, 4.1),
        ([500, 100], [0, 0], True, None),
    ],
)
def test_customers_from_before_the_data_make_the_first_cohort_too_large(
    customers: list[int], before: list[int], passed: bool, value: float | None
) -> None:
    finding = gate.judge_cohorts(make_months(customers, before))
    assert (finding.passed, finding.value) == (passed, value)


def test_history_repeaters_and_spend() -> None:
    assert gate.judge_history(18, 12).passed
    assert not gate.judge_history(17, 12).passed
    sample = read_sample()
    assert gate.judge_repeaters(sample).value == 946
    assert not gate.judge_repeaters(sample.filter(pl.col("frequency") > 3).head(99)).passed
    assert gate.judge_spend(sample).passed
    related = sample.with_columns(monetary_value=pl.col("monetary_value") * pl.col("frequency"))
    finding = gate.judge_spend(related)
    assert not finding.passed
    assert "rare buyers" in finding.sentence


def test_the_findings_meet_their_contract_and_come_in_order() -> None:
    findings = gate.judge(
        read_sample(), make_intervals(1.0), make_months([9, 8, 9], [0] * 3), history_months=9, horizon_months=6
    )
    assert tuple(finding.check for finding in findings) == gate.GATE_CHECKS
    Gate.validate(gate.tabulate(findings).select(pl.lit("1997-09").alias("as_of"), pl.all()))
