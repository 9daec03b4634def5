"""Sentences and formats, on numbers worked by hand."""

import polars as pl
import pytest

from clv_pipeline.clv.models.words import describe_parameters
from clv_pipeline.report import numbers as n
from clv_pipeline.report.facts import ReportData, shift_month
from clv_pipeline.report.sections import (
    drift,
    lens1,
    lens2,
    lens3,
    lens5,
    models,
    scores,
    segments,
    summary,
)
from clv_pipeline_tests.report.sample import make_facts


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (n.money(35.174, "USD"), "$35.17"),
        (n.money(-1_234_567, "EUR"), "−€1.23M"),
        (n.money(999_950, "USD"), "$1.00M"),
        (n.money(123_456_789_012, "USD"), "$123B"),
        (n.money(3_700, "CHF"), "CHF\u00a03,700"),
        (n.money(0, "USD"), "$0"),
        (n.money(None, "USD"), "–"),
        (n.count(23_570), "23,570"),
        (n.count(123_456_789), "123M"),
        (n.share(0.4312), "43%"),
        (n.share(0.0431), "4.3%"),
        (n.share(0.00004), "under 0.1%"),
        (n.share(0.99996), "99.9%"),
        (n.share(1.0), "100%"),
        (n.significant(18.165), "18.2"),
        (n.significant(0.05505), "0.0551"),
        (n.change_words(-0.034), "down 3.4%"),
        (n.change_words(0.0001), "unchanged"),
        (n.change_words(11.0), "12 times as much"),
        (n.change_words(n.change(0, 5)), "not comparable"),
        (shift_month("1998-06", -23), "1996-07"),
        (n.join_words(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_formats(written: str, expected: str) -> None:
    assert written == expected


def test_money_cells_share_their_decimals() -> None:
    assert n.as_money("USD")([999.5, 0.004, -3.0, None]) == ["$999.50", "<$0.01", "−$3.00", "–"]
    assert n.as_money("USD")([1234.5, 2.0]) == ["$1,234", "$2"]
    assert n.as_money("USD")([12_345_678.0, 2_000.0]) == ["$12.3M", "$2.00k"]


def test_decile_sentence() -> None:
    deciles = pl.DataFrame(
        {
            "decile": range(1, 11),
            "customers": [2] * 10,
            "orders": [10, *[4] * 4, *[2] * 5],
            "spend": [400.0, *[80.0] * 4, *[20.0] * 5],
            "share_profit": [0.4, 0.2, 0.1, 0.1, 0.1, *[0.02] * 5],
            "aof": [5.0, *[2.0] * 4, *[1.0] * 5],
            "aov": [40.0, *[20.0] * 4, *[10.0] * 5],
        }
    )

    assert lens1.describe_deciles(deciles) == (
        "The most profitable 10% of customers bring 40% of the profit, the top 20% 60% and the lower half 10%; "
        "the top 10% order 5.0 times as often as the lower half and spend 4.0 times as much an order."
    )


def group_tables(profit_before: float = 100.0) -> dict[str, pl.DataFrame]:
    groups = pl.DataFrame(
        {
            "customer_group": ["first_only", "both", "new", "returning"],
            "customers": [30, 10, 20, 10],
            "orders_1": [30, 10, 0, 0],
            "spend_1": [300.0, 100.0, 0.0, 0.0],
            "profit_1": [profit_before * 0.75, profit_before * 0.25, 0.0, 0.0],
            "orders_2": [0, 10, 20, 10],
            "spend_2": [0.0, 100.0, 200.0, 100.0],
            "profit_2": [0.0, 25.0, 100.0, 25.0],
        }
    )
    headline = pl.DataFrame(
        {"window_complete": [True], "customers": [40], "orders": [40], "spend": [400.0], "profit": [150.0]}
    )
    periods = pl.DataFrame({"period": ["2021-01", "2022-12"]})
    return {"lenses.lens1_headline": headline, "lenses.lens2_groups": groups, "marts.periods": periods}


def test_change_names_the_factor_that_moved_most() -> None:
    data = ReportData(group_tables(), make_facts("2022-12"))

    assert summary.describe_change(data) == [
        "Profit is up 50% on the window before ($100 to $150); of its factors, margin moved most, up 50%."
    ]
    assert summary.describe_gaps(data) == []
    assert [card.detail for card in summary.build_cards(data, data.window_2)][3:7] == [  # pyright: ignore[reportArgumentType]
        "up 50% on the window before",
        "unchanged",
        "unchanged",
        "up 12.5 points on the window before",
    ]


def test_no_change_is_stated_against_a_window_that_data_do_not_cover() -> None:
    tables = group_tables() | {"marts.periods": pl.DataFrame({"period": ["2021-02", "2022-12"]})}
    data = ReportData(tables, make_facts("2022-12"))

    assert summary.describe_change(data) == []
    assert {card.detail for card in summary.build_cards(data, data.window_2)} == {""}  # pyright: ignore[reportArgumentType]
    assert summary.describe_gaps(data) == [
        "The window before (January 2021 to December 2021) is not covered by data in full: data start in "
        "February 2021. No change against it is stated here."
    ]


def test_groups_and_bridge() -> None:
    bridge = pl.DataFrame(
        {
            "item": ["window_1", "did_not_return", "change_in_both", "new", "returning", "window_2"],
            "profit": [100.0, -75.0, 0.0, 100.0, 25.0, 150.0],
        }
    )

    assert lens2.describe_groups(group_tables()["lenses.lens2_groups"]) == (
        "Of the 40 customers active in the window before, 10 (25%) bought in the latest one too; "
        "of the 40 active in the latest, 50% are new and 25% returning."
    )
    assert lens2.describe_bridge(bridge, "USD", (" (incomplete)", "")) == (
        "Profit $100 in the window before (incomplete), $150 in the latest; the largest step is “new” with +$100."
    )


def test_cohort_activity_leaves_incomplete_periods_out() -> None:
    grid = pl.DataFrame(
        [
            ("2022Q1", "2022-01", 0, "2022Q1", 100, True, 100, 1.0),
            ("2022Q1", "2022-01", 1, "2022Q2", 100, True, 30, 0.3),
            ("2022Q1", "2022-01", 2, "2022Q3", 100, True, 20, 0.2),
            ("2022Q2", "2022-04", 0, "2022Q2", 300, True, 300, 1.0),
            ("2022Q2", "2022-04", 1, "2022Q3", 300, True, 30, 0.1),
            ("2022Q3", "2022-07", 0, "2022Q3", 50, True, 50, 1.0),
            ("2022Q3", "2022-07", 1, "2022Q4", 50, False, 50, 1.0),
        ],
        schema=["cohort", "cohort_start", "age", "calendar_period", "cohort_size", "complete", "active", "pct_active"],
        orient="row",
    )

    assert lens3.describe_activity(grid, "quarter") == (
        "One quarter after acquisition, 30% of the 2022Q1 cohort were active and 10% of the 2022Q2 cohort; "
        "together 15%."
    )
    assert lens3.describe_activity(grid.head(3), "quarter") == (
        "Of the 100 customers acquired in 2022Q1, 30% were active at age 1 and 20% at age 2, in 2022Q3."
    )
    assert lens3.pick_cohorts(list("abcdefghijk"), 6) == list("acegik")


def test_carry_over_compares_complete_periods_only() -> None:
    grid = pl.DataFrame(
        [
            ("2021", "2021", True, 10, 10, 100.0, 50.0),
            ("2021", "2022", True, 4, 4, 40.0, 20.0),
            ("2022", "2022", True, 6, 6, 60.0, 80.0),
            ("2021", "2023", False, 1, 1, 10.0, 5.0),
        ],
        schema=["cohort", "calendar_period", "complete", "active", "orders", "spend", "profit"],
        orient="row",
    )
    periods = lens5.sum_periods(grid)

    assert periods["carry_over"].to_list() == [None, 0.4, None]
    assert lens5.describe_newest(periods) == (
        "In 2022, the latest complete period, 10 customers were active, 60% of them acquired in it."
    )
    assert lens5.describe_carry_over(periods, "USD") == (
        "In 2022, customers acquired earlier brought $20.00 of profit, 40% of all profit of the period before "
        "(carry-over)."
    )
    assert lens5.order_cohorts(pl.DataFrame({"cohort": ["2021", "to 2020", "before 2019-01"]})) == [
        "before 2019-01",
        "to 2020",
        "2021",
    ]


def test_folding_cohorts_keeps_the_totals() -> None:
    names = [str(year) for year in range(2000, 2020)]
    grid = pl.DataFrame(
        {"cohort": names, "calendar_period": "2020", "complete": True, "active": range(20), "profit": [1.0] * 20}
    )
    folded = lens5.fold_cohorts(grid, names)

    assert lens5.order_cohorts(folded) == ["to 2008", *names[9:]]
    assert folded.select("active", "profit").sum().row(0) == (190, 20.0)


def test_models_in_words() -> None:
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    spend = {"p": 6.25, "q": 3.74, "gamma": 15.44}
    pareto = {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}
    frame = pl.DataFrame(
        [
            (model, *item)
            for model, values in (("bg_nbd", published), ("gamma_gamma", spend))
            for item in values.items()
        ],
        schema=["model", "parameter", "estimate"],
        orient="row",
    )

    assert describe_parameters(frame, "USD") == [
        "BG/NBD: a typical customer buys every 18.2 weeks while active (alpha / r).",
        "In how often they buy, customers differ widely: most buy less often, a few far more (r = 0.243).",
        "After a repeat purchase, 25% of new customers leave for good (a / (a + b)); half of the customers have left "
        "by repeat purchase 4.",
        "Gamma-Gamma: a typical customer spends 35.22 USD a purchase (p gamma / (q - 1)); who has not bought again is "
        "expected to spend that.",
    ]
    other = pl.DataFrame({"model": "pareto_nbd", "parameter": list(pareto), "estimate": list(pareto.values())})
    assert "Half of the customers are still active 25.0 weeks" in describe_parameters(other, "USD")[2]


def test_fit_sentence() -> None:
    repeat = pl.DataFrame({"purchases": ["0", "1", "2+"], "actual": [60, 30, 10], "expected": [65.0, 22.0, 13.0]})

    assert models.describe_fit(repeat) == (
        "Customers with 0 repeat purchases: 60, the model expects 65. Over all bars it misplaces 8.0% of the "
        "customers, most at 1 (22 expected, 30 actual)."
    )


def test_alive_is_starred_for_one_time_buyers_of_the_bg_nbd() -> None:
    frame = pl.DataFrame({"customer_id": ["a", "b"], "p_alive": [1.0, 0.9999], "frequency": [0, 3]})
    data = ReportData({"scores.top": frame}, make_facts("2022-12"))
    section = scores.build_section(data)

    [table] = [block for block in section.blocks if block.kind == "table"]
    assert [row[1] for row in table.rows] == ["1.00*", ">0.99"]  # pyright: ignore[reportAttributeAccessIssue]
    assert any("BG/NBD gives every one-time buyer P(alive) = 1" in text for text in section.blocks[0].sentences)  # pyright: ignore


def test_score_drift_and_segment_sentences() -> None:
    deciles = pl.DataFrame({"decile": range(1, 11), "customers": [5] * 10, "clv": [50.0, *[10.0] * 5, *[0.0] * 4]})
    checks = pl.DataFrame(
        {
            "reference": ["previous", "2020-01", "2020-01"],
            "feature": ["frequency", "clv", "recency"],
            "test": ["ks", "psi", "psi"],
            "statistic": [0.05, 0.5, None],
            "threshold": [0.1, 0.25, 0.25],
            "drifted": [False, True, False],
        }
    )
    shares = pl.DataFrame(
        {"segment": ["Loyal", "Lost"], "customers": [1, 3], "share_customers": [0.25, 0.75], "share_spend": [0.8, 0.2]}
    )

    assert scores.describe_deciles(deciles, "USD") == (
        "The 50 scored customers are expected to bring $100; decile 1 brings 50% of it, the lower half 10%."
    )
    assert drift.describe_drift(drift.name_checks(checks)) == (
        "1 of 3 checks is beyond the threshold, the furthest CLV against 2020-01 (PSI 0.500, threshold 0.250)."
    )
    assert segments.describe_segments(shares) == (
        "“Loyal” holds 25% of the customers and 80% of the spend to date; the largest segment, "
        "“Lost”, holds 75% and 20%."
    )
