"""Both statistics against hand-worked numbers, and what they do with ties, gaps and nothing at all."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp

from clv_pipeline.clv.drift import compare_distributions
from clv_pipeline.schemas.drift import Checks


def compare(
    current: Sequence[float | None], reference: Sequence[float | None], **thresholds: float
) -> dict[str, float | None]:
    frames = (pl.DataFrame({"v": values}, schema={"v": pl.Float64}) for values in (current, reference))
    checks = compare_distributions(*frames, features=["v"], **thresholds)
    return dict(checks.select("test", "statistic").iter_rows())


def test_psi_by_hand() -> None:
    """Reference: five 0, three 1, two 2; bins (..0], (0, 1], (1, ..): shares .5 .3 .2 against .2 .3 .5."""
    reference = [0.0] * 5 + [1.0] * 3 + [2.0] * 2
    current = [0.0] * 2 + [1.0] * 3 + [2.0] * 5

    by_hand = (0.2 - 0.5) * math.log(0.2 / 0.5) + (0.5 - 0.2) * math.log(0.5 / 0.2)

    assert compare(current, reference)["psi"] == pytest.approx(by_hand)
    assert compare(current, reference)["ks"] == pytest.approx(0.3)


def test_an_empty_bin_counts_as_one_in_ten_thousand() -> None:
    """Two bins of reference share .5, one of them empty now."""
    by_hand = (1 - 0.5) * math.log(1 / 0.5) + (0.0001 - 0.5) * math.log(0.0001 / 0.5)

    assert compare([1.0, 1.0], [1.0, 2.0])["psi"] == pytest.approx(by_hand)


@pytest.mark.parametrize("moved_to", [4.0, 6.0])
def test_a_constant_that_moved_has_drifted_on_either_side(moved_to: float) -> None:
    found = compare([moved_to] * 20, [5.0] * 20)

    assert found["ks"] == 1
    assert found["psi"] == pytest.approx(2 * (1 - 0.0001) * math.log(1 / 0.0001))


def test_the_same_values_have_not_drifted_in_any_order() -> None:
    assert compare([3.0, 1.0, 2.0, 2.0], [2.0, 2.0, 1.0, 3.0]) == {"psi": 0, "ks": 0}


def test_ks_is_the_statistic_of_scipy_with_ties() -> None:
    random = np.random.default_rng(4)
    current, reference = random.poisson(1.3, 700).astype(float), random.poisson(1.0, 500).astype(float)

    assert compare(current.tolist(), reference.tolist())["ks"] == pytest.approx(ks_2samp(current, reference)[0])


@pytest.mark.parametrize("nothing", [[], [None, None], [math.nan]])
def test_without_values_there_is_no_statistic_and_no_drift(nothing: list[float | None]) -> None:
    assert compare(nothing, [1.0]) == compare([1.0], nothing) == {"psi": None, "ks": None}


def test_nulls_are_left_out() -> None:
    assert compare([1.0, None, 2.0], [1.0, 2.0, None, None, None]) == {"psi": 0, "ks": 0}


def test_a_statistic_drifts_above_its_threshold_and_meets_the_contract() -> None:
    current = pl.DataFrame({"frequency": [0, 0, 1, 1], "clv": [1.0, 2.0, 3.0, None]})
    reference = pl.DataFrame({"frequency": [0, 1, 1, 1], "clv": [1.0, 2.0, 3.0, 4.0]})

    checks = compare_distributions(
        current, reference, features=["frequency", "clv"], psi_threshold=5.0, ks_threshold=0.25
    )

    assert checks.select("feature", "test", "threshold", "drifted").rows() == [
        ("frequency", "psi", 5.0, False),
        ("frequency", "ks", 0.25, False),
        ("clv", "psi", 5.0, False),
        ("clv", "ks", 0.25, False),
    ]
    assert checks.filter(pl.col("test") == "ks")["statistic"].to_list() == pytest.approx([0.25, 0.25])
    strict = compare_distributions(current, reference, features=["frequency"], ks_threshold=0.2)
    assert strict["drifted"].to_list() == [True, True]
    Checks.validate(checks.with_columns(as_of=pl.lit("1997-09"), reference=pl.lit("1997-08")), lazy=True)
