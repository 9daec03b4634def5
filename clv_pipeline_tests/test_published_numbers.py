"""From a CSV file through every stage to the numbers that were published for it."""

import re
from importlib import metadata

import polars as pl
import pytest

from clv_pipeline.cli import run_app
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline_tests.warehouse import Warehouse


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    extra = '[models]\npriors = "flat"\ncandidates = ["bg_nbd"]\n'
    house = Warehouse(tmp_path_factory.mktemp("cdnow") / "home", extra=extra)
    (sample,) = [file for file in metadata.files("lifetimes") or [] if file.name == "CDNOW_sample.txt"]
    text = sample.read_text(encoding="utf-8")
    rows = []
    for number, line in enumerate(text.splitlines()):
        _, customer, day, _, dollars = line.split()
        rows.append([number, customer, f"{day[:4]}-{day[4:6]}-{day[6:]}", "cd", 1, dollars])
    house.deliver("cdnow.csv", rows)
    house.refresh("1997-09", AS_OF_STEPS)
    return house


def test_rfm_has_the_customers_of_the_paper(cdnow: Warehouse) -> None:
    summary = cdnow.query("""
        SELECT count(*), count(*) FILTER (WHERE frequency > 0), max("T"), sum(frequency)
        FROM rfm.customers WHERE as_of = '1997-09'""").row(0)
    assert (summary[0], summary[1], round(summary[2], 2), summary[3]) == (2357, 946, 38.86, 2457)


def test_the_fit_is_the_published_one(cdnow: Warehouse) -> None:
    fitted = cdnow.query("SELECT model, parameter, estimate FROM models.parameters WHERE as_of = '1997-09'")
    estimates = {(model, name): value for model, name, value in fitted.rows()}
    printed = {
        ("bg_nbd", "r"): ".243",
        ("bg_nbd", "alpha"): "4.414",
        ("bg_nbd", "a"): ".793",
        ("bg_nbd", "b"): "2.426",
        ("gamma_gamma", "p"): "6.25",
        ("gamma_gamma", "q"): "3.74",
        ("gamma_gamma", "gamma"): "15.44",
    }
    for key, text in printed.items():
        digits = len(text.partition(".")[2])
        assert f"{estimates[key]:.{digits}f}".lstrip("0") == text, key


def test_scores_use_the_fit_and_give_one_time_buyers_the_population_mean(cdnow: Warehouse) -> None:
    scores = cdnow.query("""
        SELECT r.frequency, r.monetary_value, s.* FROM scores.customers s
        JOIN rfm.customers r USING (as_of, customer_id) WHERE as_of = '1997-09'""")
    once = scores.filter(pl.col("frequency") == 0)
    assert once["expected_spend"].round(2).unique().to_list() == [35.17]
    assert once["p_alive"].unique().to_list() == [1.0]
    twice = scores.filter((pl.col("frequency") == 2) & ((pl.col("monetary_value") - 22.345).abs() < 1e-9))
    assert twice["expected_spend"].round(2).to_list() == [24.65]


def test_totals_are_sums_of_scores(cdnow: Warehouse) -> None:
    totals = cdnow.query("SELECT * FROM scores.totals WHERE as_of = '1997-09'")
    scores = cdnow.query("SELECT * FROM scores.customers WHERE as_of = '1997-09'")
    by_level = totals.group_by("level").agg(pl.col("customers").sum(), pl.col("clv").sum())
    assert set(by_level["level"]) == {"total", "segment", "decile", "cohort"}
    assert set(by_level["customers"]) == {2357}
    assert by_level["clv"].to_list() == pytest.approx([scores["clv"].sum()] * 4)


def test_one_score_is_explained(cdnow: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    once = cdnow.query("SELECT customer_id FROM rfm.customers WHERE frequency = 0 ORDER BY customer_id").item(0, 0)
    assert run_app(["explain", once, "--config", str(cdnow.config)]) == 0
    told = capsys.readouterr().out
    assert "One purchase day" in told
    assert re.search(r"P\(alive\) +1\.00", told)
    assert "$35.17" in told
    assert "nobody leave before a repeat purchase" in told
    assert run_app(["explain", "nobody", "--config", str(cdnow.config)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no customer of that id has a score as of 1997-09" in line
    assert "nobody" not in line


def test_later_purchases_are_not_seen(cdnow: Warehouse) -> None:
    last = cdnow.query("SELECT max(last_order)::DATE::VARCHAR FROM rfm.customers WHERE as_of = '1997-09'").item()
    assert last <= "1997-09-30"
    assert cdnow.query("SELECT max(period) FROM marts.orders").item() == "1998-06"
