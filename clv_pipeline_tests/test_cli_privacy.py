"""The commands of privacy as somebody types them: one line each, and nobody's id in it."""

import json
import os
import sys
from io import StringIO
from pathlib import Path

import pytest

from clv_pipeline.cli import run_app
from clv_pipeline.periods import list_periods
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import RFM_STEPS, Warehouse

KEY = "0123456789abcdef0123456789abcdef"
ANN = "ann@example.org"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    for name in [name for name in os.environ if name.startswith("CLV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COLUMNS", "200")
    house = Warehouse(tmp_path, extra="[privacy]\nkeep_raw_months = 13\n")
    house.deliver(
        "all.csv", [[month, ANN, f"{month}-05", "tea", 1, "2.50"] for month in list_periods("2023-01", "2024-02")]
    )
    house.refresh(steps=RFM_STEPS)
    return house


def call(house: Warehouse, capsys: Capture, *arguments: str, code: int = 0) -> str:
    """What a command said; where it has to fail, in one line of error."""
    assert run_app([*arguments, "--config", str(house.config)]) == code
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == (code != 0)
    return shown.err or shown.out


def test_what_cannot_be_done_is_one_line_that_names_nobody(house: Warehouse, capsys: Capture) -> None:
    said = call(house, capsys, "forget", ANN, code=1)
    assert "a privacy key is needed: set CLV_PRIVACY_KEY" in said
    assert ANN not in said
    said = call(house, capsys, "export-person", "bob@example.org", code=1)
    assert "nothing is known of a customer of that id" in said
    assert "bob" not in said
    with house.config.open("a") as config:
        config.write('pseudonyms = "perhaps"\n')
    assert "privacy.pseudonyms" in call(house, capsys, "retention", code=1)


def test_a_person_is_exported_and_forgotten(house: Warehouse, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY)
    assert len(json.loads(call(house, capsys, "export-person", ANN))["tables"]["landing.lines"]) == 14
    monkeypatch.setattr(sys, "stdin", StringIO(f"{ANN}\nnobody\n\n"))
    said = call(house, capsys, "forget", "-")
    assert "1 of 2 had data" in said
    assert ANN not in said
    assert find_traces(house.settings.home, ANN) == []
    assert "nothing is known" in call(house, capsys, "export-person", ANN, code=1)
    assert "privacy" not in call(house, capsys, "status")


def test_old_raw_lines_are_dropped_once(house: Warehouse, capsys: Capture) -> None:
    said = "1 raw line of 1 month {}; raw lines are kept from 2023-02 on"
    assert said.format("would be dropped") in call(house, capsys, "retention", "--dry-run")
    assert said.format("dropped") in call(house, capsys, "retention")
    assert "no raw lines dropped; raw lines are kept from 2023-02 on" in call(house, capsys, "retention")
    assert house.query("SELECT count(*) FROM landing.lines").row(0) == (13,)
