"""Sections that appear with their tables: each says what the numbers say, and is left out where it has none."""

import polars as pl
import pytest

from clv_pipeline.report.blocks import Section
from clv_pipeline.report.charts.theme import build_unchecked
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.pages import PAGES
from clv_pipeline.report.sections import lens1_spread, lens2_moves, lens3_purchases, lens5_outlook
from clv_pipeline_tests.report.sample import Tables, make_facts

BUILDERS = [builder for page in PAGES for builder in page.builders]


def make_data(**tables: pl.DataFrame) -> ReportData:
    return ReportData({f"lenses.{name}": frame for name, frame in tables.items()}, make_facts("2022-12"))


def read_first(section: Section | None) -> str:
    assert section is not None
    return next(section.figures).sentence


@pytest.mark.parametrize("builder", BUILDERS, ids=lambda builder: f"{builder.__module__}.{builder.__name__}")
def test_no_section_needs_a_table(builder: object) -> None:
    empty: Tables = {}
    section = builder(ReportData(empty, make_facts("2022-12")))  # pyright: ignore[reportCallIssue]

    assert section is None or [block.kind for block in section.blocks] == ["note"]


def test_bins_are_named_and_empty_ends_left_out() -> None:
    edges = [None, 0.0, 2.5, 10_000.0, 20_000.0]
    bins = pl.DataFrame({"lower": edges, "upper": [*edges[1:], None], "customers": [1, 5, 0, 2, 0]})

    assert lens1_spread.name_bins(bins, "profit")["bin_name"].to_list() == [
        "below 0",
        "0–2.5",
        "2.5–10.0k",
        "10.0k–20.0k",
    ]
    counted = pl.DataFrame({"lower": [0.0, 1.0, 5.0], "upper": [1.0, 5.0, None], "customers": [1, 1, 1]})
    assert lens1_spread.name_bins(counted, "orders")["bin_name"].to_list() == ["1", "2–5", "over 5"]


def test_the_frequent_buyer_is_set_beside_the_one_time_buyer() -> None:
    frame = pl.DataFrame({"number_of_orders": ["1", "10+"], "orders_from": [1, 10], "aov": [20.0, 35.5]})
    statistics = pl.DataFrame(
        {"measure": ["profit", "spend_per_order"], "statistic": ["correlation_with_orders"] * 2, "value": [0.9, -0.12]}
    )

    assert lens1_spread.describe_frequent(frame, statistics, "USD") == (
        "Customers with 1 order spend $20.00 an order, those with 10+ $35.50; correlation over customers −0.12."
    )


def test_moves_and_directions() -> None:
    moves = pl.DataFrame({"decile_1": [1, 1, 1, 2], "decile_2": [1, 2, None, 1], "customers": [5, 3, 2, 7]})
    groups = pl.DataFrame(
        {
            "pattern": ["UUDU", "UUDU", "DDDD"],
            "profit_direction": ["up", "same", "down"],
            "customers": [20, 10, 70],
            "share_customers": [0.2, 0.1, 0.7],
            "profit_1": [10.0, 0.0, 100.0],
            "profit_2": [60.0, 0.0, 20.0],
            "profit_change": [50.0, 0.0, -80.0],
        }
    )

    assert lens2_moves.describe_migration(moves) == (
        "Of the 10 customers in decile 1 in the window before, 50% are in it again and 20% were not active in the "
        "latest window."
    )
    assert lens2_moves.describe_up_down(groups, "USD") == (
        "Of the 100 customers active in both windows, 20 (20%) brought more profit than before; together they brought "
        "$30.00 less."
    )
    named = lens2_moves.name_patterns(groups).select("name", "customers", "profit_change").rows()
    assert named == [("profit, orders, margin", 30, 50.0), ("nothing", 70, -80.0)]


def test_what_became_of_a_cohort() -> None:
    second = pl.DataFrame(
        {
            "cohort": "2021Q1",
            "age": [0, 1, 2],
            "complete": [True, True, False],
            "share_customers": [0.1, 0.25, 0.4],
        }
    )
    patterns = pl.DataFrame(
        {
            "grain": "quarter",
            "cohort": "2021Q1",
            "alignment": ["age", "age", "calendar"],
            "years": 2,
            "complete": True,
            "pattern": ["YN", "YY", "YY"],
            "repeat_pattern": ["NN", "NY", "NY"],
            "seen_again": [False, True, True],
            "customers": [75, 25, 25],
            "share_customers": [0.75, 0.25, 0.25],
        }
    )

    assert lens3_purchases.describe_second(second, "quarter") == (
        "Of the 2021Q1 cohort, 10% had a second order within the quarter of acquisition, 25% by age 1."
    )
    with build_unchecked():
        section = lens3_purchases.build_patterns(make_data(lens3_activity_patterns=patterns))
    assert read_first(section) == (
        "Of the 100 customers of the cohorts with the most years, 75 (75%) never bought again."
    )


def test_a_trend_counts_only_where_the_interval_leaves_out_zero() -> None:
    main = pl.DataFrame(
        {
            "difference": [0.1, -0.1, 0.1],
            "difference_lower": [0.05, -0.2, -0.1],
            "difference_upper": [0.2, -0.01, 0.3],
        }
    )

    assert lens5_outlook.describe_trend(main) == (
        "Newer cohorts are clearly above at 1 and below at 1 of 3 ages; at the others the difference may be chance."
    )
    assert lens5_outlook.describe_trend(main[1:2]) == "Newer cohorts are clearly below at 1 of 1 age."
    assert lens5_outlook.describe_trend(main.tail(1)) == (
        "At no age do newer cohorts differ from older ones by more than chance."
    )
