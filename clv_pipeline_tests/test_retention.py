"""Raw lines beyond their age are dropped; what was made of them stays, and what still comes for them is told."""

from datetime import datetime
from pathlib import Path

import pytest

from clv_pipeline import landing
from clv_pipeline.execution import run_months
from clv_pipeline.lake import LakeError
from clv_pipeline.periods import list_periods
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import find_stale
from clv_pipeline.privacy.guard import PrivacyError
from clv_pipeline.privacy.retention import drop_raw_lines, plan_retention
from clv_pipeline.status import describe_closed
from clv_pipeline_tests.processes import run_and_die
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import COLUMNS, RFM_STEPS, Warehouse

MONTHS = list_periods("2023-01", "2024-03")
KEEP = "[privacy]\nkeep_raw_months = 13\n"
TABLES = "SELECT * FROM {} ORDER BY ALL"
MADE = ("marts.periods", "marts.customer_periods", "marts.orders", "rfm.customers", "marts.customers")


def make_lines(month: str, price: str = "2.50") -> list[list[object]]:
    return [
        [f"{month}-a", "ann", f"{month}-03", f"old-{month}", 1, price],
        [f"{month}-b", f"new in {month}", f"{month}-09", f"old-{month}", 2, price],
    ]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    house = Warehouse(tmp_path_factory.mktemp("kept") / "shop", extra=KEEP)
    for month in MONTHS:
        house.deliver(f"{month}.csv", make_lines(month))
    house.refresh(steps=RFM_STEPS)
    return house


def read_made(house: Warehouse) -> dict[str, list]:
    return {name: house.query(TABLES.format(name)).rows() for name in MADE}


def drop(house: Warehouse) -> None:
    drop_raw_lines(house.lake, house.settings)


def test_old_raw_lines_go_and_all_that_was_made_of_them_stays(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    made = read_made(house)
    assert plan_retention(house.state).months == ("2023-01", "2023-02")
    drop(house)

    assert find_traces(house.settings.home, "old-2023-01", "old-2023-02") == []
    assert find_traces(house.settings.home, "old-2023-03") != []
    assert house.refresh(steps=RFM_STEPS) == []
    assert read_made(house) == made
    assert house.state.periods == MONTHS
    assert plan_retention(house.state).months == ()
    house.deliver("2024-04.csv", make_lines("2024-04"))
    house.refresh()  # the audit too, of which some looks at raw lines
    assert house.query("SELECT count(*) FROM rfm.customers WHERE as_of = '2024-04'").row(0) == (17,)
    assert house.query("SELECT min(period), count(*) FROM transactions.lines").row(0) == ("2023-03", 28)


def test_what_comes_for_a_closed_month_is_told_and_changes_nothing(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    drop(house)
    made = read_made(house)
    house.deliver("2023-01.csv", [*make_lines("2023-01", "9.99"), *make_lines("2023-05", "3.00")])
    house.refresh(steps=RFM_STEPS)

    (told,) = house.query("SELECT source, reason, raw FROM transactions.quarantine").rows()
    assert told[0] == "2023-01.csv"
    assert told[1].startswith("closed month: 2 rows of 2023-01 from this one on concern a month whose raw lines")
    assert "9.99" not in told[2]
    assert find_traces(house.settings.home, "old-2023-01") == []
    orders = [row for row in read_made(house)["marts.orders"] if row[0] == "2023-01"]
    assert orders == [row for row in made["marts.orders"] if row[0] == "2023-01"]
    assert house.query("SELECT lines FROM marts.periods WHERE period = '2023-05'").row(0) == (4,)
    with house.lake.connect() as con, pytest.raises(LakeError, match=r"2023-01 cannot be run again: .*2023-03"):
        run_months(MONTH_STEPS[0], house.state, con, ["2023-01"])


def test_a_line_of_a_closed_month_does_not_come_again_under_another_date(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, more_columns=("line_id", "is_deleted"), extra=KEEP)
    columns = (*COLUMNS, "line_id", "is_deleted")
    for month in MONTHS:
        house.deliver(f"{month}.csv", [[*make_lines(month)[0], f"l-{month}", None]], columns)
    house.refresh(steps=RFM_STEPS)
    drop(house)
    made = read_made(house)
    house.deliver("moved.csv", [[*make_lines("2024-02")[0], "l-2023-01", None]], columns)
    house.deliver("gone.csv", [[None] * 6 + ["l-2023-02", "true"]], columns)
    house.refresh(steps=RFM_STEPS)

    assert read_made(house) == made
    assert house.query("SELECT source FROM transactions.quarantine ORDER BY source")["source"].to_list() == [
        "gone.csv",
        "moved.csv",
    ]


def test_nothing_is_dropped_that_has_to_be_made_again(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    house.deliver("2023-02.csv", make_lines("2023-02", "4.00"))
    with pytest.raises(PrivacyError, match=r"^1 delivered files are not landed yet .*`clv run` first$"):
        drop(house)
    house.land()
    with pytest.raises(
        PrivacyError, match=r"^transactions of 2023-02 is not up to date \(new data\) .*`clv run` first$"
    ):
        drop(house)
    house.refresh(steps=RFM_STEPS)
    drop(house)
    assert describe_closed(house.state) is None
    value = house.settings.value.model_copy(update={"margin": house.settings.value.margin * 2})
    house.settings = house.settings.model_copy(update={"value": value})
    assert str(describe_closed(house.state)).startswith("2023-01 to 2023-02: settings, code or identifiers changed")
    stale = {item.period for item in find_stale(MONTH_STEPS, house.state, house.state.known_periods)}
    assert min(stale) == "2023-03"
    privacy = house.settings.privacy.model_copy(update={"keep_raw_months": None})
    house.settings = house.settings.model_copy(update={"privacy": privacy})
    with pytest.raises(PrivacyError, match=r"^privacy\.keep_raw_months is not set"):
        drop(house)


def test_a_retention_that_was_killed_is_completed_by_the_next(shop: Warehouse, tmp_path: Path) -> None:
    made = read_made(shop)
    for at_rename in (1, 3):  # before the list of closed months, and before the second of the emptied tables
        house = shop.copy_to(tmp_path / str(at_rename))
        assert run_and_die(drop, house, at_rename=at_rename)
        assert house.refresh(steps=RFM_STEPS) == []
        drop(house)
        assert find_traces(house.settings.home, "old-2023-01", "old-2023-02") == []
        assert read_made(house) == made


def test_undated_rows_lose_their_text_by_the_day_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Warehouse(tmp_path, extra=KEEP)
    house.deliver("odd.csv", [["o1", "cyd", "no date", "undated-tea", 1, "2.50"]])
    with monkeypatch.context() as patched:
        patched.setattr(landing, "tell_time", lambda: datetime(2023, 2, 15))
        house.land()
    for month in MONTHS:
        house.deliver(f"{month}.csv", make_lines(month))
    house.deliver("new.csv", [["o2", "cyd", "no date", "recent-tea", 1, "2.50"]])
    house.refresh(steps=RFM_STEPS)
    drop(house)

    assert find_traces(house.settings.home, "undated-tea") == []
    assert find_traces(house.settings.home, "recent-tea") != []
    told = house.query("SELECT source, reason, raw = '{}' AS emptied FROM transactions.quarantine ORDER BY source")
    assert told.rows() == [("new.csv", "unparseable timestamp", False), ("odd.csv", "unparseable timestamp", True)]
