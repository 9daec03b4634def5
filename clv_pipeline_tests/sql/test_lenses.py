"""The lens tables: worked by hand on the scenario, and their identities on random lines."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from pandera.errors import SchemaErrors

from clv_pipeline.schemas.lenses.lens1 import Lens1CustomerDeciles, Lens1Headline
from clv_pipeline.schemas.lenses.lens2 import Lens2Bridge, Lens2Groups
from clv_pipeline.schemas.lenses.lens3 import Lens3CohortAge
from clv_pipeline.schemas.lenses.lens5 import Lens5CohortCalendar
from clv_pipeline_tests.sql.engine import AsOf, Marts, build_marts, random_lines

D = Decimal
LAST_DAY = date(1997, 6, 30)


def _ratios(row: dict[str, object], *names: str) -> list[float | None]:
    return [value if value is None else round(float(str(value)), 6) for value in (row[name] for name in names)]


def test_headline(marts: Marts) -> None:
    headline = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens1_headline")
    Lens1Headline.validate(headline, lazy=True)
    [row] = headline.to_dicts()
    assert (row["window_start"], row["window_end"], row["window_complete"]) == ("1997-04", "1997-06", True)
    assert (row["customers"], row["orders"], row["spend"], row["profit"]) == (7, 8, D(190), D(31))
    assert row["returned_by_inactive"] == D(-20)
    ratios = _ratios(row, "aof", "aov", "margin", "spend_per_customer", "profit_per_customer")
    assert ratios == [1.142857, 23.75, 0.163158, 27.142857, 4.428571]


@pytest.mark.parametrize(
    ("as_of", "as_of_end", "window_months", "expected"),
    [
        ("1997-06", date(1997, 6, 29), 3, ("1997-04", False)),
        ("1997-06", LAST_DAY, 12, ("1996-07", False)),
        ("1997-03", date(1997, 3, 31), 3, ("1997-01", True)),
        ("1997-05", date(1997, 5, 31), 1, ("1997-05", True)),
    ],
)
def test_a_window_is_complete_when_the_data_covers_it(
    marts: Marts, as_of: str, as_of_end: date, window_months: int, expected: tuple[str, bool]
) -> None:
    [row] = marts.as_of(as_of, as_of_end, window_months=window_months).run("4_lenses/lens1_headline").to_dicts()
    assert (row["window_start"], row["window_complete"]) == expected


def test_an_empty_window_has_zeros_and_no_ratios(marts: Marts) -> None:
    now = marts.as_of("1997-05", date(1997, 5, 31), window_months=1)
    headline = now.run("4_lenses/lens1_headline")
    Lens1Headline.validate(headline, lazy=True)
    [row] = headline.to_dicts()
    assert (row["customers"], row["orders"], row["spend"], row["profit"]) == (0, 0, D(0), D(0))
    assert _ratios(row, "aof", "aov", "margin", "profit_per_customer") == [None, None, None, None]
    assert now.run("4_lenses/lens1_deciles", kind="customer").is_empty()


def test_customer_deciles(marts: Marts) -> None:
    deciles = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens1_deciles", kind="customer")
    Lens1CustomerDeciles.validate(deciles, lazy=True)
    # known_before and known_cost both earn 15.00: the first in the alphabet ranks first.
    assert deciles.select("decile", "customers", "orders", "spend", "profit").rows() == [
        (1, 1, 1, D(50), D(15)),
        (2, 1, 1, D(60), D(15)),
        (3, 1, 1, D(40), D(12)),
        (5, 1, 2, D(20), D(6)),
        (6, 1, 1, D(10), D(3)),
        (8, 1, 1, D(0), D(0)),
        (9, 1, 1, D(10), D(-20)),
    ]
    [best, *_, gift, worst] = deciles.to_dicts()
    shares = ("share_customers", "share_orders", "share_spend", "share_profit", "margin")
    assert _ratios(best, *shares) == [0.142857, 0.125, 0.263158, 0.483871, 0.3]
    assert _ratios(gift, *shares) == [0.142857, 0.125, 0.0, 0.0, None]
    assert _ratios(worst, *shares) == [0.142857, 0.125, 0.052632, -0.645161, -2.0]


def test_groups(marts: Marts) -> None:
    groups = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens2_groups")
    Lens2Groups.validate(groups, lazy=True)
    columns = ("customer_group", "customers", "orders_1", "spend_1", "profit_1", "orders_2", "spend_2", "profit_2")
    # gift: the customer file knows it since February, so it returns with its first order in window 2, and is not new.
    assert groups.select(columns).rows() == [
        ("first_only", 6, 8, D(180), D(54), 0, D(0), D(0)),
        ("both", 6, 8, D("230.05"), D("31.02"), 7, D(190), D(31)),
        ("new", 0, 0, D(0), D(0), 0, D(0), D(0)),
        ("returning", 1, 0, D(0), D(0), 1, D(0), D(0)),
    ]
    [first_only, both, new, returning] = groups.to_dicts()
    first = ("share_customers", "aof_1", "aov_1", "margin_1", "profit_per_customer_1")
    second = ("aof_2", "aov_2", "margin_2", "profit_per_customer_2")
    assert _ratios(first_only, *first, *second) == [0.461538, 1.333333, 22.5, 0.3, 9.0, None, None, None, None]
    assert _ratios(both, *second) == [1.166667, 27.142857, 0.163158, 5.166667]
    assert _ratios(new, *first, *second) == [0.0] + [None] * 8
    assert _ratios(returning, *first, *second) == [0.076923, None, None, None, None, 1.0, 0.0, None, 0.0]
    shares = [f"share_{of}_{window}" for window in (1, 2) for of in ("customers", "spend", "profit")]
    assert _ratios(first_only, *shares) == [0.5, 0.438971, 0.635145, 0.0, 0.0, 0.0]
    assert _ratios(returning, *shares) == [0.0, 0.0, 0.0, 0.142857, 0.0, 0.0]


def test_who_skipped_window_1_is_returning(marts: Marts) -> None:
    groups = marts.as_of("1997-06", LAST_DAY, window_months=1).run("4_lenses/lens2_groups")
    assert groups.select("customer_group", "customers", "orders_2", "spend_2", "profit_2").rows() == [
        ("first_only", 0, 0, D(0), D(0)),
        ("both", 0, 0, D(0), D(0)),
        ("new", 0, 0, D(0), D(0)),
        ("returning", 5, 5, D(120), D(13)),
    ]


def test_who_was_acquired_in_window_2_is_new(marts: Marts) -> None:
    groups = marts.as_of("1997-03", date(1997, 3, 31), window_months=1).run("4_lenses/lens2_groups")
    assert groups.select("customer_group", "customers", "spend_1", "spend_2", "profit_2").rows() == [
        # Of February only: two_a_day, part_return, unknown_return. First seen in March: full_return and two others.
        ("first_only", 3, D(70), D(0), D(0)),
        ("both", 1, D(10), D(10), D(3)),
        ("new", 3, D(0), D(90), D(27)),
        ("returning", 0, D(0), D(0), D(0)),
    ]


def test_bridge(marts: Marts) -> None:
    bridge = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens2_bridge")
    Lens2Bridge.validate(bridge, lazy=True)
    assert bridge.select("step", "item", "profit").rows() == [
        (1, "window_1", D("85.02")),
        (2, "did_not_return", D("-54.00")),
        (3, "change_in_both", D("-0.02")),
        (4, "new", D("0.00")),
        (5, "returning", D("0.00")),
        (6, "window_2", D("31.00")),
    ]


def test_cohorts_by_age_with_their_gaps(marts: Marts) -> None:
    ages = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens3_cohort_age")
    Lens3CohortAge.validate(ages, lazy=True)
    columns = ("cohort", "age", "calendar_period", "cohort_size", "active", "orders", "spend", "profit")
    assert ages.select(columns).rows() == [
        # of known_before; the refund of March is that of only_returns
        ("before 1997-01", 0, "1997-01", None, 1, 1, D(100), D(30)),
        ("before 1997-01", 1, "1997-02", None, 0, 0, D(0), D(0)),
        ("before 1997-01", 2, "1997-03", None, 0, 0, D(-8), D("-2.40")),
        ("before 1997-01", 3, "1997-04", None, 0, 0, D(0), D(0)),
        ("before 1997-01", 4, "1997-05", None, 0, 0, D(0), D(0)),
        ("before 1997-01", 5, "1997-06", None, 1, 1, D(50), D(15)),
        # of once, two_a_day, steady, gap, known_cost and loss_maker
        ("1997-01", 0, "1997-01", 6, 6, 7, D("130.05"), D("1.02")),
        ("1997-01", 1, "1997-02", 6, 2, 2, D(20), D(6)),
        ("1997-01", 2, "1997-03", 6, 1, 1, D(10), D(3)),
        ("1997-01", 3, "1997-04", 6, 2, 2, D(70), D(18)),
        ("1997-01", 4, "1997-05", 6, 0, 0, D(0), D(0)),
        ("1997-01", 5, "1997-06", 6, 3, 3, D(60), D(-5)),
        # of part_return, unknown_return and gift
        ("1997-02", 0, "1997-02", 3, 2, 2, D(60), D(18)),
        ("1997-02", 1, "1997-03", 3, 0, 0, D(0), D(0)),
        ("1997-02", 2, "1997-04", 3, 1, 1, D(0), D(0)),
        ("1997-02", 3, "1997-05", 3, 0, 0, D(0), D(0)),
        ("1997-02", 4, "1997-06", 3, 1, 1, D(10), D(3)),
        # of full_return, late_return and repeated_line
        ("1997-03", 0, "1997-03", 3, 3, 3, D(90), D(27)),
        ("1997-03", 1, "1997-04", 3, 0, 0, D(-20), D(-6)),
        ("1997-03", 2, "1997-05", 3, 0, 0, D(0), D(0)),
        ("1997-03", 3, "1997-06", 3, 0, 0, D(0), D(0)),
    ]
    last_of_january = ages.filter(pl.col("cohort") == "1997-01").to_dicts()[-1]
    ratios = ("pct_active", "aof", "aov", "margin", "profit_per_acquired", "cumulative_profit_per_acquired")
    assert _ratios(last_of_january, *ratios) == [0.5, 1.0, 20.0, -0.083333, -0.833333, 3.836667]
    before = ages.to_dicts()[0]
    assert _ratios(before, *ratios) == [None, 1.0, 100.0, 0.3, None, None]


def test_cohorts_by_quarter(marts: Marts) -> None:
    ages = marts.as_of("1997-06", LAST_DAY, cohort_months=3).run("4_lenses/lens3_cohort_age")
    Lens3CohortAge.validate(ages, lazy=True)
    columns = ("cohort", "cohort_start", "age", "calendar_period", "cohort_size", "active", "orders", "spend", "profit")
    assert ages.select(columns).rows() == [
        ("before 1997-01", None, 0, "1997Q1", None, 1, 1, D(92), D("27.60")),
        ("before 1997-01", None, 1, "1997Q2", None, 1, 1, D(50), D(15)),
        ("1997Q1", "1997-01", 0, "1997Q1", 12, 11, 15, D("310.05"), D("55.02")),
        ("1997Q1", "1997-01", 1, "1997Q2", 12, 6, 7, D(120), D(10)),
    ]


@pytest.mark.parametrize(
    ("as_of", "as_of_end", "cohort_months", "complete"),
    [
        ("1997-06", LAST_DAY, 3, [True, True]),
        ("1997-06", date(1997, 6, 29), 3, [True, False]),
        ("1997-05", date(1997, 5, 31), 3, [True, False]),
        ("1997-06", LAST_DAY, 12, [False]),
        ("1997-02", date(1997, 2, 28), 1, [True, True]),
    ],
)
def test_a_calendar_period_is_complete_once_it_has_ended(
    marts: Marts, as_of: str, as_of_end: date, cohort_months: int, complete: list[bool]
) -> None:
    now = marts.as_of(as_of, as_of_end, cohort_months=cohort_months)
    for lens in ("4_lenses/lens3_cohort_age", "4_lenses/lens5_cohort_calendar"):
        before = now.run(lens).filter(pl.col("cohort") == "before 1997-01")
        assert before["complete"].to_list() == complete


def test_cohorts_by_calendar(marts: Marts) -> None:
    calendar = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens5_cohort_calendar")
    Lens5CohortCalendar.validate(calendar, lazy=True)
    assert len(calendar) == 21
    june = calendar.filter(pl.col("calendar_period") == "1997-06")
    assert june.select("cohort", "active", "orders", "spend", "profit").rows() == [
        ("before 1997-01", 1, 1, D(50), D(15)),
        ("1997-01", 3, 3, D(60), D(-5)),
        ("1997-02", 1, 1, D(10), D(3)),
        ("1997-03", 0, 0, D(0), D(0)),
    ]
    assert [_ratios(row, "share_active", "share_profit") for row in june.to_dicts()] == [
        [0.2, 1.153846],
        [0.6, -0.384615],
        [0.2, 0.230769],
        [0.0, 0.0],
    ]
    may = calendar.filter(pl.col("calendar_period") == "1997-05").to_dicts()
    assert [_ratios(row, "share_active", "share_profit") for row in may] == [[None, None]] * 4


def test_the_contract_names_a_broken_identity(marts: Marts) -> None:
    ages = marts.as_of("1997-06", LAST_DAY).run("4_lenses/lens3_cohort_age")
    with pytest.raises(SchemaErrors, match="cohort_size x pct_active x aof x aov is not spend"):
        Lens3CohortAge.validate(ages.with_columns(aov=pl.col("aov") + 1), lazy=True)


@settings(max_examples=10)
@given(lines=random_lines())
def test_lenses_of_random_lines_add_up(lines: pl.DataFrame) -> None:
    with build_marts(lines) as marts:
        for window_months, cohort_months in ((3, 1), (1, 3)):
            now = marts.as_of("1997-06", LAST_DAY, window_months=window_months, cohort_months=cohort_months)
            _assert_windows_add_up(now)
            _assert_cohorts_add_up(now, marts)


def _assert_windows_add_up(now: AsOf) -> None:
    headline = now.run("4_lenses/lens1_headline")
    deciles = now.run("4_lenses/lens1_deciles", kind="customer")
    groups = now.run("4_lenses/lens2_groups")
    bridge = now.run("4_lenses/lens2_bridge")
    Lens1Headline.validate(headline, lazy=True)
    Lens1CustomerDeciles.validate(deciles, lazy=True)
    Lens2Groups.validate(groups, lazy=True)
    Lens2Bridge.validate(bridge, lazy=True)
    total = headline.select("orders", "spend", "profit").row(0)
    assert deciles.select(pl.col("orders", "spend", "profit").sum()).row(0) == total
    assert deciles["customers"].sum() == headline["customers"][0]
    assert groups.select(pl.col("orders_2", "spend_2", "profit_2").sum()).row(0) == total
    *changes, window_2 = bridge["profit"].to_list()
    assert sum(changes) == window_2 == headline["profit"][0]
    assert changes[0] == groups["profit_1"].sum()


def _assert_cohorts_add_up(now: AsOf, marts: Marts) -> None:
    ages = now.run("4_lenses/lens3_cohort_age")
    calendar = now.run("4_lenses/lens5_cohort_calendar")
    Lens3CohortAge.validate(ages, lazy=True)
    Lens5CohortCalendar.validate(calendar, lazy=True)
    shared = ["cohort", "calendar_period", "complete", "active", "orders", "spend", "profit"]
    assert ages.select(shared).rows() == calendar.select(shared).rows()
    label = "period" if now.parameters["cohort_months"] == 1 else "substr(period, 1, 4) || 'Q' || quarter"
    expected = marts.rows(
        f"""
        SELECT {label} AS calendar_period, sum(orders), sum(spend), sum(profit),
            count(DISTINCT customer_id) FILTER (orders > 0)
        FROM (
            SELECT *, CAST((CAST(substr(period, 6, 2) AS INTEGER) + 2) // 3 AS VARCHAR) AS quarter
            FROM built.customer_periods
        )
        GROUP BY 1 ORDER BY 1
        """
    )
    totals = calendar.group_by("calendar_period").agg(pl.col("orders", "spend", "profit", "active").sum())
    found = {row[0]: row[1:] for row in totals.rows()}
    assert {row[0]: found.pop(row[0]) for row in expected} == {row[0]: row[1:] for row in expected}
    assert all(not any(zeros) for zeros in found.values())
