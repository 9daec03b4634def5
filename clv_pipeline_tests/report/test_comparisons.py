"""What is compared or counted up in words, on numbers worked by hand: months, cohorts, delivered lines."""

from decimal import Decimal

import polars as pl

from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections import comparison, lens4, quality, scores, trust
from clv_pipeline_tests.report.sample import make_facts


def reconcile(**lines: int) -> pl.DataFrame:
    names = {"again": "known and delivered again", "returns": "kept, returns"}
    return pl.DataFrame(
        {"item": [names.get(name, name) for name in lines], "lines": lines.values(), "amount": Decimal(1)}
    )


def test_reconciliation_adds_up_or_says_what_is_missing() -> None:
    whole = reconcile(delivered=100, duplicate=4, kept=84, quarantined=6, again=6, returns=7)
    short = reconcile(delivered=100, duplicate=4, kept=82, quarantined=6, again=6, returns=7)

    assert quality.describe_reconciliation(whole) == (
        "Of 100 delivered lines, 84 (84%) are kept, and every other line is accounted for."
    )
    assert quality.describe_reconciliation(short) == (
        "Of 100 delivered lines, 82 (82%) are kept; 2 lines are not accounted for."
    )


def test_trust_is_not_shaken_by_lines_delivered_twice() -> None:
    assert trust.describe_lines(reconcile(delivered=200, kept=100, quarantined=0, again=99, superseded=1)) == (
        "all 100 lines that count are in these figures, none is in quarantine; delivered besides, and rightly left "
        "out: 99 second copies and 1 older version"
    )
    assert trust.describe_lines(reconcile(delivered=100, kept=95, quarantined=5)) == (
        "95% of the lines that count are in these figures (5 in quarantine)"
    )


def test_a_range_that_ends_at_zero_is_explained() -> None:
    ranges = pl.DataFrame({"customers": [200], "unlikely": [30]})

    assert scores.describe_unlikely(ranges).startswith(
        "30 of 200 scored customers (15%) have a CLV above 0 and a likely range that ends at 0."
    )
    assert scores.describe_unlikely(ranges.with_columns(unlikely=pl.lit(0))) == ""


def test_this_month_against_last() -> None:
    headline = {"customers": [40], "orders": [80], "spend": [400.0], "profit": [100.0]}
    last = pl.DataFrame(headline | {"customers": [50], "profit": [80.0]})
    deciles = pl.DataFrame(
        {"decile": [1, 2], "customers": [5, 5], "clv": [90.0, 10.0], "expected_purchases": [4.0, 2.0]}
    )
    months = {"period": ["2022-11", "2022-12"], "customers": [9, 10], "orders": [0, 12], "spend": [1.0, 1.0]}
    tables = {
        "lenses.lens1_headline": pl.DataFrame(headline),
        "scores.deciles": deciles,
        "marts.periods": pl.DataFrame(months | {"profit": [0.3, 0.3]}),
    }
    previous = {"lenses.lens1_headline": last, "scores.deciles": deciles}
    facts = make_facts("2022-12", previous_as_of="2022-11")
    [note, table] = comparison.build_section(ReportData(tables, facts, previous)).blocks

    assert note.sentences == [  # pyright: ignore[reportAttributeAccessIssue]
        "Since November 2022, the figure that moved most is “Latest year: profit per customer”: up 56%, from $1.60 to "
        "$2.50."
    ]
    rows = {row[0]: row[1:] for row in table.rows}  # pyright: ignore[reportAttributeAccessIssue]
    assert rows["Month: customers"] == ("9", "10", "+11.1%")
    assert rows["Month: orders"] == ("0", "12", "–")
    assert rows["Latest year: active customers"] == ("50", "40", "−20.0%")
    assert rows["Latest year: margin"] == ("20.0%", "25.0%", "+5.0 points")
    assert rows["Scores: CLV"] == ("$100", "$100", "0%")


def test_without_an_earlier_month_nothing_is_compared() -> None:
    section = comparison.build_section(ReportData({}, make_facts("2022-12")))

    assert [block.kind for block in section.blocks] == ["note"]


def test_cohorts_are_compared_at_the_same_age_and_in_the_same_period() -> None:
    grid = pl.DataFrame(
        [
            ("2021", "2021-01", 0, "2021", True, 1.0, 100.0),
            ("2021", "2021-01", 1, "2022", True, 0.3, 40.0),
            ("2021", "2021-01", 2, "2023", True, 0.2, 30.0),
            ("2022", "2022-01", 0, "2022", True, 1.0, 0.0),
            ("2022", "2022-01", 1, "2023", True, 0.1, 5.0),
            ("2023", "2023-01", 0, "2023", True, 1.0, 50.0),
        ],
        schema=["cohort", "cohort_start", "age", "calendar_period", "complete", "pct_active", "profit"],
        orient="row",
    )
    measure = lens4.Measure("pct_active", "% active", "%")

    assert (
        lens4.describe_ages(grid, measure) == "At age 1, % active of the 2021 cohort was 30%, of the 2022 cohort 10%."
    )
    assert lens4.describe_calendar(grid, measure) == (
        "In 2023, % active of the 2021 cohort was 20%, of the 2022 cohort 10%."
    )
    assert lens4.add_index(grid)["profit_index"].to_list() == [1.0, 0.4, 0.3, None, None, 1.0]
