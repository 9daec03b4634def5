"""The backtest section says what its tables hold: every number here is worked out by hand."""

import polars as pl
import pytest

from clv_pipeline.report.blocks import Figure, FigureGrid, Note, Section
from clv_pipeline.report.charts.theme import build_unchecked
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections import backtest
from clv_pipeline.report.tables import Table
from clv_pipeline_tests.report.sample import make_facts

VALUES = {
    "bg_nbd": (90.0, 0.50),
    "mbg_nbd": (110.0, 0.40),
    "last_year": (200.0, 0.80),
}
TARGETS = ("purchases", "spend")


def make_measures() -> pl.DataFrame:
    rows = []
    for model, (forecast, mae) in VALUES.items():
        for target in TARGETS:
            scale = 1.0 if target == "purchases" else 20.0
            metrics = {
                "customers": 200.0,
                "actual": 100.0 * scale,
                "forecast": forecast * scale,
                "total_error": forecast / 100 - 1,
                "mae": mae * scale,
                "rmse": 1.0,
                "gini": 0.6,
                "lift": 4.0,
            }
            if model != "last_year":
                metrics |= {"coverage_50": 0.5, "coverage_80": 0.79, "coverage_90": 0.86, "coverage_95": 0.94}
            rows += [(1, "1997-11", 7, model, target, "all", metric, value) for metric, value in metrics.items()]
            rows.append((1, "1997-11", 7, model, target, "frequency:0", "customers", 150.0))
    names = ["fold", "origin", "horizon_months", "model", "target", "segment", "metric", "value"]
    return pl.DataFrame(rows, schema=names, orient="row")


def make_data(model_name: str) -> ReportData:
    calibration = [
        (1, model, "purchases", grouping, bin_, size, actual, actual * 0.9)
        for model in ("bg_nbd", "mbg_nbd")
        for grouping, bins in (("frequency", ("0", "1")), ("decile", ("1", "2")))
        for bin_, size, actual in zip(bins, (150, 50), (0.2, 1.4), strict=True)
    ]
    weeks = [
        (model, week, 5.0, 5.5, 5.0 * (week + 2), 5.5 * (week + 2)) for model in VALUES for week in (-1, 0, 1)
        if model != "last_year"
    ]  # fmt: skip
    measured = ["weekly_actual", "weekly_expected", "cumulative_actual", "cumulative_expected"]
    grouped = ["fold", "model", "target", "grouping", "bin", "customers", "mean_actual", "mean_forecast"]
    tables = {
        "models.backtest": make_measures(),
        "models.backtest_calibration": pl.DataFrame(calibration, schema=grouped, orient="row"),
        "models.backtest_weeks": pl.DataFrame(weeks, schema=["model", "week", *measured], orient="row"),
        "models.backtest_pit": pl.DataFrame(
            [(1, m, t, b, 0.05) for m in ("bg_nbd", "mbg_nbd") for t in TARGETS for b in range(1, 21)],
            schema=["fold", "model", "target", "pit_bin", "share"],
            orient="row",
        ),
        "models.choice": pl.DataFrame(
            {
                "model": ["bg_nbd", "mbg_nbd"],
                "chosen": [False, True],
                "sentence": ["BG/NBD is worse.", "MBG/NBD: off by less."],
            }
        ),
    }
    return ReportData(tables, make_facts("1998-06", model_name=model_name))


def build(data: ReportData) -> Section:
    with build_unchecked():
        section = backtest.build_section(data)
    assert section is not None
    return section


def test_sentences_say_how_far_off_the_model_in_use_was() -> None:
    section = build(make_data("bg_nbd"))
    note = section.blocks[0]
    assert isinstance(note, Note)

    assert list(note.sentences) == [
        "Every model was fitted to what was known at the end of November 1997 and asked what these 200 customers would "
        "do in the 7 months after it; so was what one would do without a model.",
        "BG/NBD, the model in use, forecast 90 purchases; 100 were made (10% too few). For spend it forecast $1,800 "
        "against $2,000 (10% too little).",
        "For a single customer it is off by 38% less than the best plain rule (“Last year again”).",
        "Of the models, MBG/NBD did best. MBG/NBD: off by less.",
        "Its 90% intervals held what 86% of the customers then spent: too few.",
    ]


def test_what_was_corrected_is_told_with_what_it_would_have_been() -> None:
    data, known = make_data("bg_nbd"), make_measures()
    held = {"pace": 0.9, "spend_level": 1.05, "uncorrected_total_error": 0.2}
    rows = [(1, "1997-11", 7, "bg_nbd", target, "all", *item) for target in TARGETS for item in held.items()]
    measures = pl.concat([known, pl.DataFrame(rows, schema=known.schema, orient="row")])
    note = build(ReportData({**data.tables, "models.backtest": measures}, data.facts)).blocks[0]
    assert isinstance(note, Note)
    assert list(note.sentences)[2:5] == [
        "All rates of purchase were multiplied by 0.90 (the pace), as forecasts of the same months in earlier years"
        " asked for.",
        "Spend per purchase was multiplied by 1.05 (the spend level), as the trend of single customers asked for.",
        "Uncorrected, purchases would have been 20% too many, spend 20% too much.",
    ]


def test_the_table_has_losers_and_baselines_the_best_first() -> None:
    table = build(make_data("bg_nbd")).blocks[1]
    assert isinstance(table, Table)

    assert [row[0] for row in table.rows] == ["MBG/NBD (best model)", "BG/NBD", "Last year again"]
    assert [row[2] for row in table.rows] == ["10.0%", "−10.0%", "100.0%"]
    assert table.title.endswith("what happened: 100 purchases, $2,000")


def test_charts_show_the_model_in_use_and_every_candidate() -> None:
    section = build(make_data("mbg_nbd"))
    figures = {figure.id: figure for figure in section.figures}

    assert len(figures) == 6
    assert "By week 1, 15 repeat purchases were made; expected: BG/NBD 16 and MBG/NBD 16." in (
        figures["chart-backtest-cumulative"].sentence
    )
    assert figures["chart-backtest-frequency"].sentence == (
        "MBG/NBD is off most for customers with 1 repeat purchases before: forecast 1.26 purchases a customer, 1.40 "
        "made."
    )
    assert all(isinstance(block, FigureGrid | Figure | Note | Table) for block in section.blocks)
    assert "BG/NBD" not in str(figures["chart-backtest-deciles"].spec["layer"][0]).replace("MBG/NBD", "")


@pytest.mark.parametrize("model", ["pareto_nbd", None])
def test_a_model_that_was_not_judged_gives_way_to_the_best(model: str | None) -> None:
    note = build(make_data(model)).blocks[0]  # pyright: ignore[reportArgumentType]
    assert isinstance(note, Note)

    assert note.sentences[1].startswith("MBG/NBD forecast 110 purchases; 100 were made (10% too many).")


def test_without_a_backtest_the_section_says_why_or_is_left_out() -> None:
    facts = make_facts("1998-06")
    nothing = ReportData({"models.backtest": make_measures().clear()}, facts)

    assert backtest.build_section(ReportData({}, facts)) is None
    assert "No forecast could be held against what happened" in " ".join(build(nothing).texts)
