"""Lens 2 worked by hand on the scenario: January to March 1997 (window 1) and April to June (window 2).

Profit of those active in both: steady 9 to 6, gap 6 to 12, unknown_return 6 to 3, known_cost 10.02 to 15, loss_maker
-30 to -20, known_before 30 to 15.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from clv_pipeline.settings import Settings
from clv_pipeline_tests.scenario import frame_of, make_line
from clv_pipeline_tests.sql.engine import Marts, build_marts

D = Decimal
LAST_DAY = date(1997, 6, 30)


@pytest.fixture(scope="module")
def lenses(marts: Marts) -> dict[str, pl.DataFrame]:
    return marts.as_of("1997-06", LAST_DAY).take_lenses()


def test_headlines(lenses: dict[str, pl.DataFrame]) -> None:
    columns = ("window_start", "window_end", "customers", "orders", "spend", "profit", "returned_by_inactive")
    assert lenses["lens2_headline"].select(columns).rows() == [
        ("1997-01", "1997-03", 12, 16, D("410.05"), D("85.02"), D(-8)),
        ("1997-04", "1997-06", 7, 8, D(190), D(31), D(-20)),
    ]
    before = lenses["lens2_headline"].select("aof", "aov", "margin", "profit_per_customer").row(0)
    assert before == pytest.approx((16 / 12, 410.05 / 16, 85.02 / 410.05, 85.02 / 12))


@pytest.mark.parametrize(
    ("as_of", "as_of_end", "window_months", "complete"),
    [
        ("1997-06", LAST_DAY, 3, [True, True]),
        ("1997-06", date(1997, 6, 29), 3, [True, False]),
        ("1997-04", date(1997, 4, 30), 3, [False, True]),
        ("1997-03", date(1997, 3, 31), 3, [False, True]),
    ],
)
def test_each_window_says_whether_the_data_cover_it(
    marts: Marts, as_of: str, as_of_end: date, window_months: int, complete: list[bool]
) -> None:
    headline = marts.as_of(as_of, as_of_end, window_months=window_months).run("4_lenses/lens2_headline")
    assert headline["window_complete"].to_list() == complete


def test_changes(lenses: dict[str, pl.DataFrame]) -> None:
    changes = {row[1]: row[2:] for row in lenses["lens2_changes"].rows()}
    assert changes["customers"] == pytest.approx((12, 7, -5, -5 / 12))
    assert changes["profit"] == pytest.approx((85.02, 31, -54.02, -54.02 / 85.02))
    assert changes["aof"] == pytest.approx((16 / 12, 8 / 7, 8 / 7 - 16 / 12, 8 / 7 / (16 / 12) - 1))


def test_both_windows_on_the_bins_of_the_latest(lenses: dict[str, pl.DataFrame]) -> None:
    spend = lenses["lens2_histograms"].filter(pl.col("measure") == "spend", pl.col("customers") > 0)
    before = spend.filter(window_number=1).select("bin", "lower", "upper", "customers").rows()
    # 10, 15, 20 three times, 25, 30, 40 twice, 40.05, 50 and 100, which is beyond the bins of window 2.
    assert before == [
        (2, 5, 10, 1),
        (3, 10, 15, 1),
        (4, 15, 20, 3),
        (5, 20, 25, 1),
        (6, 25, 30, 1),
        (8, 35, 40, 2),
        (9, 40, 45, 1),
        (10, 45, 50, 1),
        (13, 60, None, 1),
    ]
    assert spend["share"].to_list()[2] == 3 / 12
    latest = lenses["lens2_histograms"].filter(window_number=2).drop("window_number")
    assert latest.equals(lenses["lens1_histograms"])


def test_common_deciles_are_the_value_deciles_of_the_latest_window(marts: Marts) -> None:
    # The value deciles of January to March are 4, 6, 9 and 10, with 15, 12 and 10.02 between them.
    now = marts.as_of("1997-03", date(1997, 3, 31)).take_lenses()["lens2_common_deciles"].filter(window_number=2)
    assert now.filter(pl.col("customers") > 0).select("decile", "lower", "upper", "customers", "profit").rows() == [
        (4, D(15), D(30), 1, D(30)),
        (6, D(12), D(15), 1, D(15)),
        (9, D("10.02"), D(12), 2, D(24)),
        (10, None, D("10.02"), 8, D("16.02")),
    ]
    assert now["lower"].to_list() == [D(30)] * 3 + [D(15)] * 2 + [D(12)] * 3 + [D("10.02"), None]


def test_cut_offs_are_rounded_half_up_as_configured(marts: Marts) -> None:
    lenses = marts.as_of("1997-03", date(1997, 3, 31), cutoff_step="10").take_lenses()
    latest = lenses["lens2_common_deciles"].filter(window_number=2)
    assert latest["lower"].to_list() == [D(30)] * 3 + [D(20)] * 2 + [D(10)] * 4 + [None]
    assert latest["customers"].to_list() == [0, 0, 0, 1, 0, 4, 0, 0, 0, 7]


@pytest.fixture(scope="module")
def given(marts: Marts) -> dict[str, pl.DataFrame]:
    """Lens 2 on cut-offs of its own."""
    cutoffs = (25.0, 15.0, 12.0, 9.0, 6.0, 3.0, 0.0, -20.0, -25.0)
    return marts.as_of("1997-06", LAST_DAY, profit_cutoffs=cutoffs).take_lenses()


def test_given_cut_offs(given: dict[str, pl.DataFrame]) -> None:
    before, latest = (given["lens2_common_deciles"].filter(window_number=number) for number in (1, 2))
    # Who earned just as much as a cut-off lies below it: 15, 15, 12, 6, 3, 0 and -20; then 30, 15, 12, 12, 10.02, ...
    assert latest["customers"].to_list() == [0, 0, 2, 1, 0, 1, 1, 1, 1, 0]
    assert before["customers"].to_list() == [1, 0, 1, 3, 2, 3, 1, 0, 0, 1]
    assert before.select("lower", "upper", "profit").row(3) == (D(9), D(12), D("34.02"))
    assert before["share_customers"][3] == 3 / 12


def test_migration(given: dict[str, pl.DataFrame]) -> None:
    moves = given["lens2_migration"]
    assert moves["customer_group"].value_counts().sort("count", "customer_group").rows() == [
        ("first_only", 10),
        ("second_only", 10),
        ("both", 100),
    ]
    columns = ("customer_group", "decile_1", "decile_2", "customers", "profit_1", "profit_2")
    assert moves.filter(pl.col("customers") > 0).select(columns).rows() == [
        ("both", 1, 3, 1, D(30), D(15)),
        ("first_only", 3, None, 1, D(15), D(0)),
        ("both", 4, 3, 1, D("10.02"), D(15)),
        ("first_only", 4, None, 2, D(24), D(0)),
        ("both", 5, 6, 1, D(9), D(6)),
        ("first_only", 5, None, 1, D("7.50"), D(0)),
        ("both", 6, 4, 1, D(6), D(12)),
        ("both", 6, 7, 1, D(6), D(3)),
        ("first_only", 6, None, 1, D("4.50"), D(0)),
        ("first_only", 7, None, 1, D(3), D(0)),
        ("both", 10, 9, 1, D(-30), D(-20)),
        ("second_only", None, 8, 1, D(0), D(0)),
    ]
    stayed = moves.filter(decile_1=6, decile_2=4)
    assert stayed["share_of_decile_1"].item() == 1 / 3


def test_up_and_down(lenses: dict[str, pl.DataFrame]) -> None:
    directions = lenses["lens2_up_down"]
    columns = (pl.col("^.*_direction$"), "pattern", "customers", "profit_1", "profit_2", "profit_change")
    assert directions.select(columns).rows() == [
        ("up", "same", "up", "same", "UUUU", 1, D(6), D(12), D(6)),  # gap
        # known_cost, whose margin fell from 10.02 / 40.05 to 15 / 60
        ("up", "same", "up", "down", "UUUD", 1, D("10.02"), D(15), D("4.98")),
        # loss_maker lost less, at half the spend
        ("up", "same", "down", "down", "UUDD", 1, D(-30), D(-20), D(10)),
        ("down", "same", "down", "same", "DUDU", 2, D(36), D(18), D(-18)),  # unknown_return and known_before
        ("down", "down", "same", "same", "DDUU", 1, D(9), D(6), D(-3)),  # steady
    ]
    assert directions["share_customers"].sum() == pytest.approx(1)


def test_margins_of_customers_who_spend_billions_are_compared() -> None:
    lines = [
        make_line("ann", "old", "1997-01-05", "999999999999.99", cost="100000000000.01"),
        make_line("ann", "new", "1997-04-05", "899999999999.99", cost="100000000000.01"),
    ]
    with build_marts(frame_of(lines)) as marts:
        assert marts.as_of("1997-06", LAST_DAY).take_lenses()["lens2_up_down"]["margin_direction"].to_list() == ["down"]


@pytest.mark.parametrize(
    ("latest", "direction"),
    [
        ([("new", "50", "30")], "up"),
        ([("new", "50", "35")], "same"),
        ([("new", "0", None)], "undefined"),
        # Spend of 10 less 30 returned of an order nobody knows, at a profit of 5 - 9 and of 5 - 21.
        ([("new", "10", "5"), ("unknown", "-30", "-21")], "down"),
        ([("new", "10", "5"), ("unknown", "-30", "-9")], "up"),
    ],
    ids=["up", "equal", "undefined", "spend below zero, margin 0.2", "spend below zero, margin 0.8"],
)
def test_direction_of_a_margin_of_030(latest: list[tuple[str, str, str | None]], direction: str) -> None:
    lines = [make_line("ann", "old", "1997-01-05", "100", cost="70")]
    for order, total, cost in latest:
        returned = total.startswith("-")
        lines.append(make_line("ann", order, "1997-04-05", total, cost=cost, quantity=-1 if returned else 1))
    with build_marts(frame_of(lines)) as marts:
        now = marts.as_of("1997-06", LAST_DAY)
        assert now.take_lenses()["lens2_up_down"]["margin_direction"].to_list() == [direction]
        without_costs = replace(now, settings=Settings()).take_lenses()["lens2_up_down"]
        assert without_costs["margin_direction"].to_list() == ["undefined" if direction == "undefined" else "same"]
