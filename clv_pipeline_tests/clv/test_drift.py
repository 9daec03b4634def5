"""Distances against hand-worked numbers and SciPy, their common scale, equal ages, and the verdict on them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from clv_pipeline.clv.drift.checks import table_checks
from clv_pipeline.clv.drift.distances import count_values, measure_categories, measure_numbers
from clv_pipeline.clv.drift.equal_age import compare_at_equal_age
from clv_pipeline.clv.drift.levels import Limits, convert_limits, expect_by_chance, judge
from clv_pipeline.clv.drift.profiles import Against, compare_profiles
from clv_pipeline.schemas.drift import Checks

LIMITS = Limits(0.1, 0.25)
AGES = pl.Schema({"age": pl.Int64, "value": pl.Float64, "customers": pl.Int64})


def compare(current: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    return measure_numbers(*(count_values(np.array(values, dtype=np.float64)) for values in (current, reference)))


def make_profile(**customers: int) -> pl.DataFrame:
    """Customers who bought as often as they are old, by name: a1=3 are three of age 1 with frequency 1."""
    rows = [(int(name[1:]), False, "frequency", float(name[1:]), None, count) for name, count in customers.items()]
    rows += [(1, False, "segment", None, "loyal", count) for count in customers.values()]
    columns = ["age", "is_early", "feature", "value", "category", "customers"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_psi_and_ks_by_hand() -> None:
    """Reference: five 0, three 1, two 2; bins (..0], (0, 1], (1, ..): shares .5 .3 .2 against .2 .3 .5."""
    reference = [0.0] * 5 + [1.0] * 3 + [2.0] * 2
    current = [0.0] * 2 + [1.0] * 3 + [2.0] * 5

    found = compare(current, reference)

    assert found["psi"] == pytest.approx((0.2 - 0.5) * math.log(0.2 / 0.5) + (0.5 - 0.2) * math.log(0.5 / 0.2))
    assert found["ks"] == pytest.approx(0.3)
    # Half of the customers are 0.6 further on average, in standard deviations of the reference.
    assert found["wasserstein"] == pytest.approx(0.6 / np.std(reference))
    assert found["kullback_leibler"] == pytest.approx(0.2 * math.log(0.4) + 0.5 * math.log(2.5))
    middle = [0.35, 0.3, 0.35]
    halves = (
        sum(p * math.log2(p / m) for p, m in zip(s, middle, strict=True)) for s in ([0.2, 0.3, 0.5], [0.5, 0.3, 0.2])
    )
    assert found["jensen_shannon"] == pytest.approx(math.sqrt(sum(halves) / 2))


@pytest.mark.parametrize(("customers", "floor"), [(2, 0.25), (20_000, 0.0001)])
def test_an_empty_bin_counts_as_half_a_customer(customers: int, floor: float) -> None:
    """Two bins of reference share .5, one of them empty now."""
    by_hand = (1 - 0.5) * math.log(1 / 0.5) + (floor - 0.5) * math.log(floor / 0.5)

    assert compare([1.0] * customers, [1.0, 2.0])["psi"] == pytest.approx(by_hand)


@pytest.mark.parametrize("moved_to", [4.0, 6.0])
def test_a_constant_that_moved_has_drifted_on_either_side(moved_to: float) -> None:
    found = compare([moved_to] * 20, [5.0] * 20)

    assert found["ks"] == found["wasserstein"] == 1
    assert found["psi"] == pytest.approx(2 * (1 - 0.025) * math.log(1 / 0.025))


def test_ks_is_the_statistic_of_scipy_with_ties_and_equal_samples_are_at_no_distance() -> None:
    random = np.random.default_rng(4)
    current, reference = random.poisson(1.3, 700).astype(float), random.poisson(1.0, 500).astype(float)

    assert compare(current.tolist(), reference.tolist())["ks"] == pytest.approx(ks_2samp(current, reference)[0])
    assert set(compare([3, 1, 2, 2], [2, 2, 1, 3]).values()) == {0.0}


def test_cramers_v_is_that_of_equal_samples() -> None:
    """Of two samples of 100: chi2 / 200 under the root; ten times the customers do not change an effect."""
    now, then = {"web": 60.0, "shop": 40.0}, {"web": 45.0, "shop": 45.0, "app": 10.0}
    test: Any = chi2_contingency([[0, 40, 60], [10, 45, 45]], correction=False)

    assert measure_categories(now, then)["chi_squared"] == pytest.approx(math.sqrt(test.statistic / 200))
    more = {name: 10 * count for name, count in now.items()}
    assert measure_categories(more, then)["chi_squared"] == pytest.approx(math.sqrt(test.statistic / 200))
    assert measure_categories({"web": 3.0}, {"web": 9.0}) == {"chi_squared": 0.0, "psi": 0.0}


def test_all_distances_are_on_the_scale_of_the_psi() -> None:
    """A normal distribution that moves by sqrt(psi) standard deviations is at each test's converted limit."""
    points = np.linspace(-6, 6, 4001)
    density = count_values(points)
    then, now = (type(density)(points, np.exp(-((points - mean) ** 2) / 2), 1e6) for mean in (0.0, math.sqrt(0.1)))

    found = measure_numbers(now, then)

    limits = convert_limits(Limits(0.1, 0.25))
    # Ten bins keep most, not all, of what distinguishes the two.
    assert {test: value / limits[test].warn for test, value in found.items()} == pytest.approx(
        dict.fromkeys(found, 1.0), abs=0.06
    )


def test_chance_is_exceeded_once_in_a_thousand_times() -> None:
    random = np.random.default_rng(1)
    exceeded = {"psi": 0, "ks": 0, "wasserstein": 0}
    for _ in range(400):
        now, then = (count_values(random.normal(size=size)) for size in (500, 800))
        found, chance = measure_numbers(now, then), expect_by_chance(10, (500.0, 800.0))
        for test in exceeded:
            exceeded[test] += found[test] > chance[test]

    assert max(exceeded.values()) <= 4


def test_the_level_needs_effect_and_sample_size() -> None:
    assert [judge(value, LIMITS, 0.01) for value in (None, 0.1, 0.11, 0.26)] == ["ok", "ok", "warn", "alert"]
    # A hundred customers differ by so much by chance.
    assert judge(0.3, LIMITS, 0.35) == "ok"
    assert judge(0.4, LIMITS, 0.35) == "alert"


def test_a_base_that_only_ages_has_not_drifted() -> None:
    """As many times more customers of an age as there are: the same at equal age, and far apart otherwise."""
    then, now = make_profile(a1=800, a2=400, a3=100), make_profile(a1=100, a2=400, a3=800, a4=900)

    checks = table_checks(compare_profiles(now, then, Against("2020-01", "previous", LIMITS)))
    frequency = checks.filter(pl.col("feature") == "frequency")

    assert frequency["statistic"].to_list() == [0.0] * 5
    plain = measure_numbers(
        *(count_values(np.repeat([1.0, 2, 3], sizes)) for sizes in ([100, 400, 800], [800, 400, 100]))
    )
    assert plain["psi"] > 1
    assert plain["ks"] > 0.5
    # 1,300 customers of ages 1 to 3 now; then 1,300 too, of whom those of age 3 stand for eight each.
    assert frequency["size"].to_list() == [1300.0] * 5
    assert frequency["reference_size"][0] == pytest.approx(1300**2 / (100**2 / 800 + 400**2 / 400 + 800**2 / 100))
    assert checks.filter(pl.col("feature") == "clv")["statistic"].to_list() == [None] * 5
    Checks.validate(checks.select(pl.lit("2021-01").alias("as_of"), pl.all()), lazy=True)


def test_a_change_at_equal_age_is_seen_in_spite_of_ageing() -> None:
    then = pl.DataFrame([(1, 0.0, 500), (1, 1.0, 500), (2, 1.0, 10), (2, 2.0, 10)], schema=AGES, orient="row")
    now = pl.DataFrame(
        [(1, 0.0, 10), (1, 1.0, 10), (2, 1.0, 200), (2, 2.0, 800), (3, 9.0, 1)], schema=AGES, orient="row"
    )

    sides = compare_at_equal_age(now, then)

    assert sides
    # Of the 1,020 compared, 1,000 are of age 2: half of them would have 2.
    assert sides.then.weights.tolist() == pytest.approx([10, 10 + 500, 500])
    assert sides.share_compared == pytest.approx(1020 / 1021)
    assert compare_at_equal_age(now, then.with_columns(age=pl.lit(7, pl.Int64))) is None


def test_a_comparison_says_in_words_what_it_found() -> None:
    then, now = make_profile(a1=500), make_profile(a1=500)
    now = now.with_columns(value=pl.col("value") * 1.5)

    [first, *_] = compare_profiles(now, then, Against("2020-01", "same_period_last_year", LIMITS))

    assert first.meaning == (
        "frequency (repeat purchase days): mean 1.5 against 1 (+50.0%) for customers of the same age in the year"
        " before (2020-01)"
    )
    assert (first.effect, first.level) == (0.5, "alert")
