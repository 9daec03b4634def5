"""A home with a backfill, two versions of the model and a published report forgets somebody, through the command."""

import os
import random
from pathlib import Path

import pytest

from clv_pipeline.cli import run_app
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import Warehouse

KEY = "0123456789abcdef0123456789abcdef"
SETTINGS = """
[models]
refit = "month"
estimation = "map"
[periods]
window = "month"
cohort = "month"
[backtest]
horizon_months = 2
min_months = 4
"""
TOTALS = "SELECT period, lines, orders, spend, profit, quantity, returned FROM marts.periods ORDER BY period"
LENSES = "SELECT * FROM lenses.lens1_headline ORDER BY ALL"


def make_rows(customers: int = 60) -> list[list[object]]:
    draw, rows = random.Random(1), []
    for number in range(customers):
        who, first, rate = f"cust{number:03d}@example.org", draw.randrange(0, 6), draw.choice([0.2, 0.5, 1.2])
        for month in range(first, 10):
            if month == first or draw.random() < rate:
                moment = f"2023-{month + 1:02d}-{draw.randint(1, 28):02d} {draw.randint(8, 20)}:10:00"
                rows.append([f"{len(rows)}-{who}", who, moment, "tea", draw.randint(1, 3), f"{draw.randint(1, 30)}.50"])
    return rows


@pytest.mark.long
def test_everything_under_home_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY)
    house = Warehouse(tmp_path, extra=SETTINGS)
    home, config = house.settings.home, ("--config", str(house.config))
    house.deliver("all.csv", make_rows())
    assert run_app(["run", *config]) == 0
    assert run_app(["backfill", "2023-08", "2023-10", *config]) == 0
    assert len(list((home / "models").iterdir())) >= 2
    gone = house.query("SELECT customer_id FROM scores.current ORDER BY clv DESC LIMIT 1")["customer_id"][0]
    found = find_traces(home, gone)
    for place in ("report/index.html", "dagster_home/history/", "lake/scores/", "lake/landing/", "lake/.door/"):
        assert any(file.startswith(place) for file in found), place
    totals, lenses = house.query(TOTALS), house.query(LENSES)

    assert run_app(["forget", gone, *config]) == 0
    assert find_traces(home, gone) == []
    assert find_traces(home, KEY) == []
    assert (home / "report" / "index.html").exists()
    assert house.query(TOTALS).equals(totals)
    assert house.query(LENSES).equals(lenses)

    house.deliver("again.csv", make_rows()[:40])
    assert run_app(["run", *config]) == 0
    assert find_traces(home, gone) == []
    assert house.query(TOTALS).equals(totals)
    assert house.query("SELECT * FROM scores.current").height == 59
