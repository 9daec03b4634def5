"""Sections of lenses 2 to 5 that say in a sentence what their table holds: every number here is worked out by hand."""

from datetime import date

import polars as pl
import pytest

from clv_pipeline.report import tables
from clv_pipeline.report.blocks import Figure
from clv_pipeline.report.charts.theme import build_unchecked
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections import lens2_headline, lens3_value, lens3_weeks, lens4_years, lens5_shares
from clv_pipeline_tests.report.sample import make_facts


def test_profit_and_its_factors() -> None:
    changes = pl.DataFrame(
        {
            "measure": ["customers", "aof", "aov", "margin", "profit"],
            "relative_change": [0.5, -0.2, 0.25, 0.0, 0.5],
        }
    )

    assert lens2_headline.describe_changes(changes) == (
        "Profit is up 50%; its factors: active customers up 50%, AOF down 20%, AOV up 25% and margin unchanged."
    )
    after_a_loss = changes.with_columns(relative_change=pl.lit(None, pl.Float64))
    assert "no percentage" in lens2_headline.describe_changes(after_a_loss)


def test_best_customers_then_and_now() -> None:
    deciles = pl.DataFrame(
        {
            "decile": [1, 1, 2, 2],
            "window_number": [1, 2, 1, 2],
            "lower": [50.0, 50.0, None, None],
            "customers": [30, 12, 70, 108],
            "share_customers": [0.3, 0.1, 0.7, 0.9],
        }
    )

    assert lens2_headline.describe_deciles(deciles, "USD") == (
        "More than $50.00, which begins the best decile, was brought by 30 customers (30%) in the window before, 12 "
        "(10%) in the latest."
    )


def test_weeks_without_an_order_are_zeros() -> None:
    weeks = pl.DataFrame(
        {
            "cohort": ["all", "all", "2022Q1"],
            "week_start": [date(2022, 1, 3), date(2022, 1, 24), date(2022, 1, 3)],
            "first_orders": [2, 0, 2],
            "repeat_orders": [0, 1, 0],
            "first_spend": [30.0, 0.0, 30.0],
            "repeat_spend": [0.0, 10.0, 0.0],
        }
    )
    filled = lens3_weeks.fill_weeks(weeks).sort("cohort", "week_start")

    assert filled.filter(pl.col("cohort") == "all")["repeat_spend"].to_list() == [0.0, 0.0, 0.0, 10.0]
    assert filled["week_start"].dt.day().to_list() == [3, 3, 10, 17, 24]
    together = filled.filter(pl.col("cohort") == "all")
    assert lens3_weeks.describe_weeks(together, "USD") == (
        "Of $40.00 spent in 4 weeks, 25% was spent on repeat orders."
    )


def test_bands_of_waits_have_names() -> None:
    bands = pl.DataFrame(
        {"from_order": [1, 2, 1], "lower_weeks": [0.0, 1.0, 52.0], "upper_weeks": [0.0, 2.0, None], "intervals": 1}
    )

    named = lens3_weeks.name_bands(bands)
    assert named["band_name"].to_list() == ["same day", "1–2", "over 52"]
    assert named["series"].to_list() == ["After the 1st order", "After the 2nd order", "After the 1st order"]


def test_bands_of_orders_are_drawn_in_their_order() -> None:
    rows = pl.DataFrame(
        {
            "grain": "quarter",
            "cohort": "2021Q1",
            "last_active": "2021Q1",
            "frequency": [11, 2, 1, 5],
            "orders_to": [None, 4, 1, 10],
            "profit_band": 1,
            "profit_per_order_over": 0.0,
            "profit_per_order_to": None,
            "customers": [1, 2, 3, 4],
            "profit": 2.0,
        }
    )
    with build_unchecked():
        section = lens3_value.build_rfm(ReportData({"lenses.lens3_rfm": rows}, make_facts("2022-12")))

    assert section is not None
    figure = section.blocks[0]
    assert isinstance(figure, Figure)
    assert "['1', '2-4', '5-10', '11+']" in str(figure.spec)


def test_cells_fold_the_earliest_periods_and_add_up() -> None:
    periods = [f"20{year:02d}" for year in range(10, 24)]
    rows = pl.DataFrame(
        {
            "cohort": "2010",
            "last_active": periods,
            "frequency": [1] * 13 + [6],
            "orders_to": [2] * 13 + [None],
            "customers": [1] * 13 + [7],
            "profit": 2.0,
        }
    )
    cells = lens3_value.sum_cells(rows)

    assert cells["orders_name"].unique(maintain_order=True).to_list() == ["6+", "1-2"]
    assert cells["last"].to_list()[0] == "2023"
    assert cells["last"].to_list()[-1] == "to 2012"
    assert cells["customers"].to_list() == [7, *[1] * 10, 3]
    assert cells["share"].round(9).to_list() == [0.35, *[0.05] * 10, 0.15]
    assert lens3_value.describe_cells(cells) == (
        "The largest cell of the 2010 cohort holds 35% of it: last active in 2023, orders to date: 6+."
    )


def test_only_a_complete_later_year_says_whether_the_best_are_active() -> None:
    own = pl.DataFrame(
        {
            "decile": [1, 10, 1, 10, 1, 10],
            "year": [1, 1, 2, 2, 3, 3],
            "complete": [True, True, True, True, False, False],
            "pct_active": [1.0, 1.0, 0.8, 0.1, 0.4, 0.0],
        }
    )

    assert lens3_value.describe_activity(own) == (
        "In year 2 after acquisition, 80% of value decile 1 were active and 10% of decile 10."
    )
    assert lens3_value.describe_activity(own.head(2)).startswith("No year after")


def test_the_age_with_most_cohorts_and_the_latest_period_are_compared() -> None:
    known = pl.DataFrame(
        {
            "alignment": ["age", "age", "age", "calendar", "calendar"],
            "cohort": ["2021Q2", "2021Q3", "2021Q2", "2021Q2", "2021Q3"],
            "age": [1, 1, 2, 2, 1],
            "calendar_period": ["2021Q3", "2021Q4", "2021Q4", "2021Q3", "2021Q4"],
            "difference": [0.1, -0.2, 0.3, 0.1, -0.1],
        }
    )
    parts = lens4_years.pick_ages(known)

    assert {where: part["difference"].to_list() for where, part in parts.items()} == {
        "at age 1": [0.1, -0.2],
        "in 2021Q4": [-0.1],
    }
    assert lens4_years.describe_differences(parts["at age 1"], "AOF", "at age 1") == (
        "AOF at age 1: 1 of 2 cohorts above all earlier ones together; the newest, 2021Q3, is below them."
    )


def test_shares_of_folded_cohorts_still_add_up() -> None:
    names = [f"{year}" for year in range(2000, 2014)]
    grid = pl.DataFrame(
        {
            "cohort": names,
            "calendar_period": "2013",
            "complete": True,
            "share_active": 1 / 14,
            "share_profit": [0.5, *[0.5 / 13] * 13],
        }
    )
    folded = lens5_shares.fold_shares(grid, names)

    assert folded["cohort"].to_list() == ["to 2002", *names[3:]]
    assert abs(folded["share_profit"].sum() - 1) < 1e-12
    assert lens5_shares.describe_shares(grid, "share_profit", "Share of profit") == (
        "In 2013, the 2000 cohort has the largest share of profit: 50%."
    )


def test_a_window_that_data_do_not_cover_is_not_compared() -> None:
    windows = pl.DataFrame({"period": ["a", "b", "c"], "complete": [False, True, True], "profit": [900.0, 100.0, 60.0]})

    assert lens5_shares.describe_windows(windows, "USD") == (
        "Profit was $100 in b and $60.00 in c, the least of 2 complete windows."
    )
    assert lens5_shares.describe_windows(windows.head(2), "USD").startswith("Fewer than two windows")


def test_pictures_of_one_cohort_follow_the_choice_and_else_show_the_oldest() -> None:
    cohorts = ["2021Q1", "2021Q2"]
    ages = pl.DataFrame({"cohort": cohorts, "cohort_start": ["2021-01", "2021-04"], "age": 0, "pct_active": 1.0})
    deciles = pl.DataFrame(
        {
            "grain": "quarter",
            "cohort": cohorts,
            "decile": 1,
            "customers": [4, 9],
            "share_customers": [0.4, 0.9],
            "share_profit": 0.1,
        }
    )
    given = {"lenses.lens3_cohort_age": ages, "lenses.lens3_value_deciles": deciles}
    with build_unchecked():
        section = lens3_value.build_value(ReportData(given, make_facts("2022-12")))

    assert section is not None
    figure = section.blocks[0]
    assert isinstance(figure, Figure)
    assert figure.sentence == (
        "The best value decile of the 2021Q1 cohort holds 4 customers (40% of it) and 10% of its profit to date."
    )
    (rows,) = figure.spec["datasets"].values()
    assert {row["cohort"] for row in rows} == set(cohorts)
    assert figure.spec["transform"] == [{"filter": "datum.cohort == (cohort == '' ? \"2021Q1\" : cohort)"}]


def test_a_csv_too_large_keeps_its_latest_cohorts_whole_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CSV_CHARACTERS", 120)
    frame = pl.DataFrame({"cohort": ["2021", "2021", "2022", "2022", "2023", "2023"], "value": [100_000_000] * 6})
    table = tables.build_table("t", "T", frame.head(1), [tables.label("cohort", "Cohort")], csv=frame, csv_name="t.csv")

    assert tables.cut_csv(frame)["cohort"].to_list() == ["2022", "2022", "2023", "2023"]
    assert table.note == "The CSV has the latest 2 of 3 cohorts; the database has all."
    assert tables.cut_csv(frame.tail(2)).height == 2
    assert tables.cut_csv(frame.drop("cohort").vstack(frame.drop("cohort"))).height < 12
