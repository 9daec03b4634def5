"""The backtest as a step: which months are origins, what is known at them, and that nothing later leaks in.

Belongs here: the step over a small company, with fits that cost nothing. Does not belong here: forecasts and measures
(`clv/test_backtest.py`).
"""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.clv.backtest import rounds
from clv_pipeline.clv.models import ModelFit
from clv_pipeline.clv.models.fit import PARAMETER_SCHEMA
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import plan_months
from clv_pipeline.settings import load_settings
from clv_pipeline.stages import models
from clv_pipeline.stages.backtest import BACKTEST, choose_origins
from clv_pipeline.stages.champion import CHAMPION
from clv_pipeline.stages.models import MODELS
from clv_pipeline.stages.profiles import PROFILES
from clv_pipeline.stages.rfm import RFM
from clv_pipeline.stages.scores import SCORES
from clv_pipeline.steps import Step
from clv_pipeline_tests.clv.cdnow import PUBLISHED
from clv_pipeline_tests.warehouse import Warehouse

type Row = tuple[str, str, date, str, int, int]

STEPS = (RFM, BACKTEST, MODELS)
FIRST_DAY = date(2023, 1, 2)


def buy(customers: int, *, later: int) -> list[Row]:
    """Ten months of purchases: every third customer comes back every `later` days."""
    rows: list[Row] = []
    for number in range(customers):
        day = FIRST_DAY + timedelta(days=number % 80)
        while day < date(2023, 11, 1):
            rows.append((f"o{len(rows)}", f"c{number:03}", day, "p", 1, 10 + number % 7))
            if number % 3:
                break
            day += timedelta(days=28 if day < date(2023, 6, 20) else later)
    return rows


def know(_customers: pl.DataFrame, *, transactions: str, **_settings: object) -> ModelFit:
    rows = [
        (name, parameter, value, value / 10, value / 2, value * 2)
        for name in (transactions, "gamma_gamma")
        for parameter, value in PUBLISHED[name][0].items()
    ]
    return ModelFit(
        pl.DataFrame(rows, schema=PARAMETER_SCHEMA, orient="row"),
        pl.DataFrame(schema={"model": pl.String, "split": pl.String, "metric": pl.String, "value": pl.Float64}),
        pl.DataFrame(
            schema={"model": pl.String, "purchases": pl.String, "actual": pl.Int64}
            | dict.fromkeys(("expected", "lower", "upper"), pl.Float64)
        ),
        [],
    )


@pytest.fixture(autouse=True)
def know_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "fit_models", know)
    monkeypatch.setattr(models, "fit", know)


def run(house: Warehouse, rows: list[Row]) -> pl.DataFrame:
    house.deliver("orders.csv", rows)
    house.refresh("2023-10", STEPS)
    return house.query("SELECT * FROM models.backtest WHERE segment = 'all' AND target = 'purchases'")


def read(measures: pl.DataFrame, model: str, metric: str) -> float:
    return measures.filter(model=model, metric=metric)["value"].item()


def test_forecasts_know_nothing_of_what_came_after(tmp_path: Path) -> None:
    rows = buy(120, later=28)
    silent = [row for row in rows if row[2] < date(2023, 7, 1)]
    silent += [("x", "new", date(2023, 10, 31), "p", 1, 5)]
    busy = run(Warehouse(tmp_path / "busy"), rows)
    idle = run(Warehouse(tmp_path / "idle"), silent)

    assert set(busy["origin"]) == {"2023-06"}
    assert set(busy["horizon_months"]) == {4}
    for model in busy["model"].unique():
        assert read(busy, model, "forecast") == read(idle, model, "forecast")
    actual = sum(row[2] > date(2023, 6, 30) for row in rows)
    assert actual > 100
    assert (read(busy, "nbd", "actual"), read(idle, "nbd", "actual")) == (actual, 0)
    assert {"recency_frequency_bins", "cohort_mean", "last_year"} < set(busy["model"])


def test_the_intervals_of_a_fold_are_those_that_an_earlier_one_taught(tmp_path: Path) -> None:
    house, plain = (
        Warehouse(tmp_path / name, extra=f"[backtest]\nrecalibrate = {on}\n")
        for name, on in (("on", "true"), ("off", "false"))
    )
    corrected, as_it_is = (run(it, buy(120, later=28)) for it in (house, plain))
    taught = house.query(
        "SELECT DISTINCT origin, model, volatility, customers FROM models.recalibration ORDER BY model"
    )

    # Up to 2023-10 from 2023-06, whose own intervals are corrected by what 2023-04 taught up to 2023-06.
    assert taught["origin"].to_list() == ["2023-06"] * 3
    assert taught["customers"].to_list() == [120] * 3
    assert plain.query("SELECT * FROM models.recalibration").is_empty()
    assert as_it_is.filter(pl.col("metric").str.starts_with("uncorrected")).is_empty()
    for model in taught["model"]:
        assert read(corrected, model, "uncorrected_coverage_90") == read(as_it_is, model, "coverage_90")
        assert read(corrected, model, "coverage_90") != read(as_it_is, model, "coverage_90")
        assert read(corrected, model, "mae") == read(as_it_is, model, "mae")


def test_the_pace_of_the_scores_is_learnt_from_the_same_months_of_the_year_before(tmp_path: Path) -> None:
    rows = [
        (f"o{number}-{visit}", f"c{number:03}", FIRST_DAY + timedelta(days=number % 80 + 30 * visit), "p", 1, 10)
        for number in range(120)
        for visit in range(24 if number % 3 == 0 else 1)
    ]
    paces: list[list[float]] = []
    for on in ("true", "false"):
        house = Warehouse(tmp_path / on, extra=f"[backtest]\ncorrect_pace = {on}\n")
        house.deliver("orders.csv", rows)
        house.refresh("2025-01", STEPS)
        found = house.query("SELECT DISTINCT origin, model, pace FROM models.recalibration ORDER BY model")
        # After 25 months the backtest looks ten months ahead; the pace comes from a year ago, for the whole horizon.
        assert found["origin"].to_list() == ["2024-03"] * 3
        paces.append(found["pace"].to_list())

    # CDNOW's customers leave, these did not.
    assert min(paces[0]) > 1.1
    assert paces[1] == [1.0] * 3


def test_the_spend_level_follows_the_trend_of_single_customers(tmp_path: Path) -> None:
    # Everybody pays 5% more each 300 days; those who came later paid less from the start.
    rows = [
        (
            f"o{number}-{visit}",
            f"c{number:03}",
            day,
            "p",
            1,
            round((30 - number / 10) * 1.05 ** ((day - FIRST_DAY).days / 300), 2),
        )
        for number in range(120)
        for visit in range(24 if number % 3 == 0 else 1)
        for day in [FIRST_DAY + timedelta(days=number % 80 + 30 * visit)]
    ]
    scores: list[pl.DataFrame] = []
    for on in ("true", "false"):
        house = Warehouse(tmp_path / on, extra=f"[backtest]\ncorrect_pace = {on}\ncorrect_spend = {on}\n")
        house.deliver("orders.csv", rows)
        house.refresh("2025-01", (*STEPS, CHAMPION, SCORES, PROFILES))
        scores.append(house.query("SELECT * FROM scores.customers ORDER BY customer_id"))
        (issued,) = house.query("SELECT sum(spend) AS spend FROM drift.forecasts WHERE horizon_months = 12")["spend"]
        # What monitoring holds against the truth is what was issued: a year of 365 days here, of 365.25 there.
        assert issued == pytest.approx(
            (scores[-1]["expected_purchases"] * scores[-1]["expected_spend"]).sum(), rel=2e-3
        )
    raised, plain = scores

    # Purchases are a year old on average, and those of the next twelve months half a year ahead.
    (level,) = raised["spend_level"].unique()
    assert level == pytest.approx(1.05 ** (1.5 * 365 / 300), rel=0.01)
    assert plain["spend_level"].unique().to_list() == [1.0]
    assert raised["expected_spend"].to_list() == pytest.approx((plain["expected_spend"] * level).to_list())
    assert raised["pace"].min() > 1.1  # pyright: ignore[reportOperatorIssue]
    assert raised["clv_uncorrected"].to_list() == pytest.approx(plain["clv"].to_list())


def test_auto_takes_the_model_that_did_best(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "auto", extra='[models]\ntransactions = "auto"\n')
    measures = run(house, buy(120, later=28))
    errors = measures.filter(pl.col("metric") == "mae", pl.col("model").str.contains("bg_nbd|pareto"))
    best = house.query("SELECT model FROM models.choice WHERE chosen").item()

    assert best != "bg_nbd"
    assert read(errors, best, "mae") <= 1.01 * errors["value"].min()  # pyright: ignore[reportOperatorIssue]
    assert house.query("SELECT DISTINCT model FROM models.parameters ORDER BY 1")["model"].to_list() == sorted(
        [best, "gamma_gamma"]
    )
    assert f"-{best}-" in house.query("SELECT DISTINCT version FROM models.parameters").item()


def test_too_few_customers_are_no_backtest_and_auto_does_without(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "few", extra='[models]\ntransactions = "auto"\n')

    assert run(house, buy(40, later=28)).is_empty()
    notes = house.lake.read_stamps("models.choice")["2023-10"].facts["notes"]
    assert notes == [
        "No backtest: 2023-06 knows fewer than 100 customers or 10 with a repeat purchase, too few to judge a model by."
    ]
    assert "bg_nbd" in house.query("SELECT DISTINCT version FROM models.parameters").item()


def test_origins_lie_one_horizon_apart(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "house")
    last: Row = ("last", "c000", date(2023, 10, 31), "p", 1, 10)
    house.deliver("orders.csv", [*buy(5, later=28), last])
    house.land()
    house.execute(plan_months(MONTH_STEPS, house.state))
    # Ten months: the longest horizon with 1.5 times as much history is four.
    expected = {
        "": [("2023-06", "2023-10")],
        "folds=3 horizon_months=2": [("2023-08", "2023-10"), ("2023-06", "2023-08"), ("2023-04", "2023-06")],
        "folds=3": [("2023-06", "2023-10")],
        "horizon_months=12": [("2023-03", "2023-10")],
        "min_months=8": [("2023-08", "2023-10")],
        "min_months=10": [],
    }
    for knobs, origins in expected.items():
        chosen = {f"CLV_BACKTEST_{name.upper()}": value for name, value in (knob.split("=") for knob in knobs.split())}
        settings = load_settings(house.config, chosen)
        with house.lake.connect() as con:
            found = choose_origins(Step(con, house.lake, settings, house.state, ["2023-10"]))
        assert [(origin.month, origin.until) for origin in found] == origins, knobs


def test_a_month_that_is_open_is_not_judged_by(tmp_path: Path) -> None:
    """The second delivery of the day leaves what the backtest is made from as it was; the last day of the month not."""
    house = Warehouse(tmp_path / "house")
    made_from = []
    for number, day in enumerate((29, 30, 31)):
        house.deliver(f"{number}.csv", [*buy(5, later=28), ("last", "c000", date(2023, 10, day), "p", 1, 10)])
        house.land()
        house.execute(plan_months(MONTH_STEPS, house.state))
        made_from.append(BACKTEST.inputs(house.state, "2023-10"))

    assert made_from[0] == made_from[1] != made_from[2]
    with house.lake.connect() as con:
        later = Step(con, house.lake, house.settings, house.state, ["2023-10"])
        assert [origin.until for origin in choose_origins(later)] == ["2023-10"]
