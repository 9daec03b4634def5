"""Columns of customers from delivery to lens: first orders, late data, as-of months, and names that nobody has."""

from datetime import datetime
from pathlib import Path

import pytest

from clv_pipeline.execution import run_months
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline_tests.warehouse import COLUMNS, Warehouse

CHANNELLED = (*COLUMNS, "channel")
FIRST = [
    ("o1", "ann", "2024-02-05", "p", 1, 10, " web "),
    ("o2", "ann", "2024-03-05", "p", 1, 10, "shop"),
    ("o3", "bob", "2024-03-07", "p", 1, 30, ""),
    ("o3", "bob", "2024-03-07", "q", 1, 30, "shop"),
]


@pytest.fixture
def shop(tmp_path: Path) -> Warehouse:
    house = Warehouse(tmp_path / "shop", more_columns=("channel",), extra='[periods]\ncohort_by = "channel"\n')
    house.deliver("first.csv", FIRST, CHANNELLED)
    return house


def sizes(shop: Warehouse, as_of: str) -> dict[str, int]:
    rows = shop.query(
        "SELECT cohort, cohort_size FROM lenses.lens3_behaviour_age"
        f" WHERE as_of = '{as_of}' AND grain = 'year' AND age = 0"
    ).rows()
    return dict(rows)


def test_the_first_order_counts_with_its_first_line_that_has_a_value(shop: Warehouse) -> None:
    shop.refresh("2024-03")
    assert sizes(shop, "2024-03") == {"web": 1, "shop": 1}


def test_an_earlier_order_that_comes_late_moves_its_customer_from_its_month_on(shop: Warehouse) -> None:
    shop.refresh("2024-02")
    shop.refresh("2024-03")
    shop.deliver("late.csv", [("o0", "bob", "2024-01-03", "p", 1, 5, "phone")], CHANNELLED)
    shop.refresh("2024-03")
    assert sizes(shop, "2024-03") == {"web": 1, "phone": 1}
    shop.refresh("2024-02")
    assert sizes(shop, "2024-02") == {"web": 1, "phone": 1}


def test_an_as_of_month_knows_no_later_customer(shop: Warehouse) -> None:
    shop.refresh("2024-03")
    shop.refresh("2024-02")
    assert sizes(shop, "2024-02") == {"web": 1}


def test_an_as_of_month_sees_customers_as_they_were_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = '[customers]\npath = "who.csv"\nhistory = true\n[periods]\ncohort_by = "tier"\n'
    house = Warehouse(tmp_path / "shop", extra=extra)
    house.deliver("first.csv", [row[:6] for row in FIRST])
    for tier, moment in (("gold", "2024-02-01 08:00"), ("iron", "2024-02-29 18:00"), ("lead", "2024-03-01 00:00")):
        now = datetime.fromisoformat(moment)
        monkeypatch.setattr("clv_pipeline.customers.landing.tell_business_time", lambda _, now=now: now)
        (house.root / "who.csv").write_text(f"customer_id,tier\nann,{tier}\nbob,gold\n")
        house.land()
    house.refresh("2024-02")
    house.refresh("2024-03")
    assert sizes(house, "2024-02") == {"iron": 1}
    assert sizes(house, "2024-03") == {"lead": 1, "gold": 1}


def test_the_customer_file_may_have_the_column_and_a_filter_may_find_nobody(tmp_path: Path) -> None:
    extra = '[customers]\npath = "who.csv"\n[periods]\nonly = { region = "north" }\n'
    house = Warehouse(tmp_path / "shop", extra=extra)
    house.deliver("first.csv", [row[:6] for row in FIRST])
    (house.root / "who.csv").write_text("customer_id,region\nann,north\nbob,south\n")
    house.refresh("2024-03")
    seen = "SELECT sum(active) FROM lenses.lens5_periods WHERE grain = 'year'"
    assert house.query(seen).item() == 1
    (house.root / "who.csv").write_text("customer_id,region\nann,south\nbob,south\n")
    house.refresh("2024-03")
    assert house.query("SELECT * FROM lenses.lens5_periods").is_empty()
    with house.lake.connect() as con:
        [outcome] = run_months(LENSES, house.state, con, ["2024-03"])
    checks = {audit.check: audit for audit in outcome.audits["lenses.lens3_cohort_age"]}
    assert not checks["filter_finds_customers"].passed
    assert "region = south" in checks["filter_finds_customers"].summary
    assert not checks["acquisition_dates_are_known"].passed
    assert not outcome.failed


def test_an_acquisition_date_in_the_file_takes_the_warning_away(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "shop", extra='[customers]\npath = "who.csv"\n')
    house.deliver("first.csv", [row[:6] for row in FIRST])
    (house.root / "who.csv").write_text("customer_id,acquisition_ts\nann,2023-11-01\nbob,\n")
    house.refresh("2024-03")
    with house.lake.connect() as con:
        [outcome] = run_months(LENSES, house.state, con, ["2024-03"])
    checks = {audit.check: audit.passed for audit in outcome.audits["lenses.lens3_cohort_age"]}
    assert checks["acquisition_dates_are_known"]
    before = house.query(
        "SELECT DISTINCT cohort, cohort_size, pct_active FROM lenses.lens3_cohort_age WHERE cohort_start IS NULL"
    )
    assert before.rows() == [("before 2024-02", None, None)]


def test_a_column_that_no_customer_has_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "shop", more_columns=("channel",))
    text = house.config.read_text()
    house.config.write_text(text + '[periods]\ncohort_by = "chanel"\n')
    with pytest.raises(SettingsError, match=r"'chanel', which no customer has; did you mean 'channel'\?$"):
        load_settings(house.config, {})
    house.config.write_text(text + '[customers]\npath = "who.csv"\n[periods]\nonly = { country = "UK" }\n')
    (house.root / "who.csv").write_text("customer_id,region\nann,north\n")
    house.settings = load_settings(house.config, {})
    with pytest.raises(SettingsError, match="'country', which no customer has; known: product_id, channel, region;"):
        house.land()
