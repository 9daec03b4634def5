"""Raw lines beyond their age are dropped; what was made of them stays, and what still comes for them is told."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from clv_pipeline import landing
from clv_pipeline.alerts.run_causes import find_run_causes
from clv_pipeline.assembly import build_definitions
from clv_pipeline.execution import run_months
from clv_pipeline.lake import LakeError
from clv_pipeline.periods import list_periods
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import find_stale
from clv_pipeline.privacy.guard import PrivacyError
from clv_pipeline.privacy.retention import drop_raw_lines, plan_retention
from clv_pipeline.settings.automation import Automation
from clv_pipeline.status import describe_closed
from clv_pipeline_tests.orchestra import QUIET
from clv_pipeline_tests.postgres import CHANGE, INSERT, PostgresServer
from clv_pipeline_tests.processes import run_and_die
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import COLUMNS, RFM_STEPS, TableShop, Warehouse

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


def test_news_in_tables_are_looked_for_before_a_month_is_closed(table_shop: TableShop, server: PostgresServer) -> None:
    house = table_shop
    tables = 'kind = "sql"\nid_map_table = "shop.ids"\n'
    house.config.write_text(f"{house.config.read_text()}[customers]\n{tables}{KEEP}")
    house._open()
    server.execute("CREATE TABLE shop.ids (source_id text, customer_id text)")
    server.execute(INSERT, [(n, f"o{n}", "ann", f"{month}-05", 1) for n, month in enumerate(MONTHS)])
    house.refresh(steps=RFM_STEPS)
    server.execute(CHANGE + "quantity = 9 WHERE id = 0")
    for look in (lambda: drop(house), lambda: plan_retention(house.state)):
        with pytest.raises(PrivacyError, match=r"^rows of table shop\.lines are not landed yet .*`clv run` first$"):
            look()
    house.refresh(steps=RFM_STEPS)
    server.execute("INSERT INTO shop.ids VALUES ('ann', 'bob')")
    with pytest.raises(PrivacyError, match=r"^what is said of customers has changed .* may merge customers of months"):
        drop(house)
    house.refresh(steps=RFM_STEPS)
    server.stop()
    try:
        with pytest.raises(PrivacyError, match=r"cannot be told: .* does not answer"):
            drop(house)
    finally:
        server.start()
    drop(house)
    assert house.query("SELECT min(period) AS first FROM transactions.lines").item() == "2023-03"
    assert house.query("SELECT customer_id, frequency FROM rfm.customers").rows() == [("bob", 14)]


def test_the_schedule_is_off_until_it_is_wanted_and_its_job_drops_what_is_too_old(
    shop: Warehouse, tmp_path: Path
) -> None:
    house = shop.copy_to(tmp_path / "house")
    started = {}
    for automation in ({}, {"enabled": True}, {"enabled": True, "retention": True}):
        settings = house.settings.model_copy(update={"automation": Automation(**automation)})
        repository = build_definitions(settings).get_repository_def()
        schedule = repository.get_schedule_def("drop_raw_lines")
        started[len(automation)] = schedule.default_status.value
    assert started == {0: "STOPPED", 1: "STOPPED", 2: "RUNNING"}
    assert schedule.cron_schedule == "0 6 * * 0"
    moment = datetime(2024, 4, 21, 6, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
            request = schedule(context)
        assert isinstance(request, dg.RunRequest)
        assert request.run_key == "2024-04-21"
        job = repository.get_job("retention")
        house.deliver("late.csv", make_lines("2023-02", "4.00"))
        assert not job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False).success
        (cause,) = find_run_causes(instance)
        assert cause.what.startswith("A run of retention failed: ")
        assert cause.what.endswith("`clv run` first")
        house.refresh(steps=RFM_STEPS)
        assert job.execute_in_process(instance=instance, run_config=QUIET).success
        assert list(find_run_causes(instance)) == []
    assert find_traces(house.settings.home, "old-2023-01") == []
    with duckdb.connect(str(house.settings.home / "clv.duckdb"), read_only=True) as con:
        assert con.sql("SELECT count(*) FROM marts.periods").fetchall() == [(len(MONTHS),)]


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
