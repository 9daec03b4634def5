"""A synthetic company as files: written whole or not at all, and read by the pipeline as what is true of it."""

from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.cli import run_app
from clv_pipeline.clv.synthetic import ValidationError, validation
from clv_pipeline.generation import (
    CUSTOMERS,
    LINES,
    TRUTH,
    list_scenarios,
    read_scenario,
    write_company,
    write_settings,
)
from clv_pipeline.settings import load_settings
from clv_pipeline_tests.warehouse import RFM_STEPS, Warehouse

SMALL = """\
start = 2024-01-01
end = 2024-04-01
customers = 150
[purchases]
per_year = 20
first_order_days = 3
[[cities]]
name = "Austin"
[[cities]]
name = "Waco"
launch = 2024-02-10
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


def test_the_pipeline_reads_what_is_true(tmp_path: Path, scenario_file: Path) -> None:
    scenario, text = read_scenario(str(scenario_file))
    house = Warehouse(tmp_path / "company")
    house.config.unlink()
    write_settings(scenario, text, house.root)
    write_company(scenario, house.root)
    house._open()
    house.refresh("2024-03", RFM_STEPS)

    truth = pl.read_parquet(house.root / TRUTH).filter(pl.col("past_orders") > 0)
    read = house.query(
        "SELECT k.customer_id, c.acquisition_ts, c.first_order, k.orders AS past_orders"
        " FROM rfm.customers k JOIN marts.customers c USING (customer_id) ORDER BY customer_id"
    )
    assert read.height == truth.height > 100
    assert read.equals(truth.select(read.columns))
    assert house.query("FROM transactions.quarantine").is_empty()
    assert house.settings.periods.cohort_by == "city"


def test_a_company_that_fails_its_validation_replaces_nothing(
    tmp_path: Path, scenario_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, _ = read_scenario(str(scenario_file))
    write_company(scenario, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in (LINES, CUSTOMERS, TRUTH)}
    other, _ = read_scenario(str(scenario_file), {"seed": 2})
    monkeypatch.setattr(validation, "_TOLERATED", -1.0)

    with pytest.raises(ValidationError, match=r"^figures: [^\n]+$"):
        write_company(other, tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert sorted(path.name for path in (tmp_path / "incoming").iterdir()) == ["lines.parquet"]


def test_changes_are_in_the_scenario_that_is_written(scenario_file: Path) -> None:
    scenario, text = read_scenario(str(scenario_file), {"customers": 7, "seed": 3})

    assert (scenario.customers, scenario.seed) == (7, 3)
    scenario_file.write_text(text)
    assert read_scenario(str(scenario_file))[0] == scenario


def test_texas_is_four_cities_with_a_thousand_customers() -> None:
    scenario, _ = read_scenario("texas")

    assert list_scenarios() == ["texas"]
    assert (scenario.customers, len(scenario.cities), scenario.timezone) == (1000, 4, "America/Chicago")
    assert len({city.launch for city in scenario.cities}) == 4


def test_mistakes_are_one_line(tmp_path: Path, scenario_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*arguments: str) -> str:
        assert run_app(["generate", *arguments]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert fail(str(tmp_path / "a"), "--scenario", "utah") == (
        "error: no scenario 'utah' can be read; use texas, or the path of a TOML file"
    )
    scenario_file.write_text(SMALL.replace("per_year", "per_yaer"))
    assert "unknown setting 'purchases.per_yaer'; did you mean 'purchases.per_year'?" in fail(
        str(tmp_path / "a"), "--scenario", str(scenario_file)
    )
    assert not (tmp_path / "a").exists()
    (tmp_path / "clv.toml").write_text("home = 'mine'\n")
    assert "belongs to something else; choose another folder" in fail(str(tmp_path))
    assert [path.name for path in tmp_path.glob("*.parquet")] == []


def test_the_command_says_what_it_wrote(
    tmp_path: Path, scenario_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(["generate", str(tmp_path / "shop"), "--scenario", str(scenario_file), "--customers", "40"]) == 0

    shown = capsys.readouterr().out
    lines = pl.read_parquet(tmp_path / "shop" / LINES).height
    assert f"{lines:,} lines of 40 customers, checked against the scenario:" in shown
    assert f"clv run --config {tmp_path / 'shop' / 'clv.toml'}" in shown
    assert load_settings(tmp_path / "shop" / "clv.toml", {}).customers.path == CUSTOMERS
