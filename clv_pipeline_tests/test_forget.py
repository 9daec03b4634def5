"""A forgotten person is nowhere, stays away, and leaves the company's totals as they were."""

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import polars as pl
import pytest

from clv_pipeline.alerts.causes import Cause, find_causes
from clv_pipeline.alerts.log import AlertLog
from clv_pipeline.ledger import Ledger
from clv_pipeline.moments import tell_time
from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import find_stale
from clv_pipeline.privacy.erasure import Erasure, erase
from clv_pipeline.privacy.export import collect_person, write_person
from clv_pipeline.privacy.guard import LOCK, PrivacyError
from clv_pipeline.privacy.key import Key
from clv_pipeline.settings import SettingsError
from clv_pipeline_tests.processes import run_and_die
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import COLUMNS, RFM_STEPS, Warehouse

KEY = "0123456789abcdef0123456789abcdef"
ANN, BOB = "ann@example.org", "bob@example.org"
JANUARY = [
    ["o1", ANN, "2024-01-05", "tea", 2, "1.25", "north"],
    ["o1", ANN, "2024-01-05", "tea", 2, "1.25", "north"],
    [f"C-{ANN}", f" {ANN} ", "2024-01-07", "tea", 1, "1.25", "north"],
    ["o2", BOB, "2024-01-05", "pie", 1, "4.00", "south"],
    ["o3", ANN, "no date", "pie", 1, "4.00", "south"],
]
FEBRUARY = [["o4", ANN, "2024-02-05", "pie", 1, "4.00", "south"], ["o5", BOB, "2024-02-05", "tea", 1, "1.25", "south"]]
TOTALS = "SELECT period, lines, orders, spend, profit, quantity, returned FROM marts.periods ORDER BY period"
EXTRA = '[customers]\npath = "people.csv"\n[returns]\norder_id_pattern = "^C"\n'


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY)


def deliver(house: Warehouse, name: str, rows: Sequence[Sequence[object]]) -> Path:
    return house.deliver(name, rows, (*COLUMNS, "region"))


def open_shop(root: Path, extra: str = "") -> Warehouse:
    house = Warehouse(root, more_columns=("region",), extra=EXTRA + extra)
    (root / "people.csv").write_text(
        f"customer_id,acquisition_ts,city\n{ANN},2023-12-01,Annstown\n{BOB},2023-12-02,B\n"
    )
    file = deliver(house, "jan.csv", JANUARY)
    file.write_text(file.read_text() + f"o6,{ANN}\n")
    deliver(house, "feb.csv", FEBRUARY)
    house.refresh(steps=RFM_STEPS)
    house.query("SELECT 1")
    return house


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return open_shop(tmp_path_factory.mktemp("forgetting") / "shop")


def forget(house: Warehouse, *customers: str) -> Erasure:
    def clear(texts: Sequence[str]) -> None:
        """Nothing ran through Dagster here."""

    return erase(house.lake, house.settings, customers, clear)


def forget_ann(house: Warehouse) -> None:
    os.environ["CLV_PRIVACY_KEY"] = KEY  # a process that was started before this test has none
    forget(house, ANN)


def run_again(house: Warehouse) -> None:
    """Computes every month anew from what is landed."""
    for file in house.lake.root.glob("transactions/*/*/part.parquet"):
        file.unlink()
    house.refresh(steps=RFM_STEPS)


@pytest.mark.parametrize("pseudonyms", [False, True])
def test_who_is_forgotten_is_nowhere_and_the_totals_stay(tmp_path: Path, *, pseudonyms: bool) -> None:
    house = open_shop(tmp_path, "[privacy]\npseudonyms = true\n" if pseudonyms else "")
    name = Key(KEY.encode()).hash("customer_id", ANN) if pseudonyms else ANN
    assert name in house.query("SELECT customer_id FROM rfm.customers")["customer_id"]
    before = house.query(TOTALS)
    told = Cause("run:1", "run", "alert", f"transactions failed, first: {{'order_id': 'C-{ANN}'}}", "2024-01")
    AlertLog.read(house.lake).update([told], tell_time(), "").write(house.lake)
    done = forget(house, ANN)

    assert (done.asked, done.known) == (1, 1)
    assert find_traces(house.settings.home, ANN, "Annstown", name) == []
    assert find_stale((*MONTH_STEPS, *RFM_STEPS), house.state, house.state.periods[-1:]) == []
    assert house.query(TOTALS).equals(before)
    assert house.query("SELECT * FROM rfm.customers").height == 1
    run_again(house)
    assert house.query(TOTALS).equals(before)
    lines = house.query("SELECT order_id, line_id, region, is_return FROM transactions.lines WHERE customer_id IS NULL")
    assert lines["region"].null_count() == lines.height == 4
    assert lines["is_return"].sum() == 1
    assert all(line.startswith(f"{order}-") for order, line in lines.select("order_id", "line_id").rows())
    record = house.query(
        "SELECT action, people, rows > 0 AS rows, done_at >= began_at AS ended FROM monitoring.privacy"
    )
    assert record.rows() == [("forget", 1, True, True)]


def test_a_redelivery_brings_nobody_back(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    before = house.query(TOTALS)
    forget(house, ANN, "nobody@example.org")
    deliver(house, "again.csv", JANUARY)
    deliver(house, "feb.csv", [*FEBRUARY, ["o7", ANN, "2024-02-06", "tea", 1, "1.00", "south"]])
    deliver(house, "late.csv", [["o8", "nobody@example.org", "2024-02-07", "tea", 1, "2.00", "south"]])
    house.refresh(steps=RFM_STEPS)

    assert find_traces(house.settings.home, ANN, "nobody@example.org") == []
    assert house.query(TOTALS)["spend"].to_list() == [before["spend"][0], before["spend"][1] + 3]
    assert house.query("SELECT DISTINCT customer_id FROM transactions.lines").drop_nulls()["customer_id"].to_list() == [
        BOB
    ]


def test_lines_with_ids_of_their_own_are_corrected_moved_and_deleted_as_before(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, more_columns=("line_id", "is_deleted"))
    columns = (*COLUMNS, "line_id", "is_deleted")
    rows = [
        ["o1", ANN, "2024-01-05", "tea", 1, "1.00", "l1", None],
        ["o1", ANN, "2024-01-05", "tea", 1, "2.00", f"{ANN}-2", None],
        ["o2", BOB, "2024-02-05", "tea", 1, "4.00", "l3", None],
    ]
    house.deliver("a.csv", rows, columns)
    house.deliver("b.csv", [["o1", ANN, "2024-02-06", "tea", 1, "2.00", f"{ANN}-2", None]], columns)
    house.refresh(steps=RFM_STEPS)
    forget(house, ANN)
    house.deliver("c.csv", [["o1", ANN, "2024-02-07", "tea", 1, "3.00", f"{ANN}-2", None]], columns)
    house.deliver("d.csv", [[None, None, None, None, None, None, "l1", "true"]], columns)
    house.refresh(steps=RFM_STEPS)
    run_again(house)

    assert find_traces(house.settings.home, ANN) == []
    lines = house.query("SELECT period, customer_id, line_total FROM transactions.lines ORDER BY line_total")
    assert [(period, who, float(total)) for period, who, total in lines.rows()] == [
        ("2024-02", None, 3.0),
        ("2024-02", BOB, 4.0),
    ]


def test_an_erasure_that_was_killed_goes_on_without_the_id(shop: Warehouse, tmp_path: Path) -> None:
    before = shop.query(TOTALS)
    # Before the tombstone, the first and some later file, and the record.
    for at_rename in (2, 3, 9, 15):
        house = shop.copy_to(tmp_path / str(at_rename))
        assert run_and_die(forget_ann, house, at_rename=at_rename)
        causes = [cause.kind for cause in find_causes(house.state, tell_time())]
        assert causes == ["privacy"] * (at_rename > 2)
        forget(house, *([ANN] if at_rename <= 2 else []))
        assert find_traces(house.settings.home, ANN) == []
        assert list(find_causes(house.state, tell_time())) == []
        assert house.query(TOTALS).equals(before)
    assert not run_and_die(forget_ann, shop.copy_to(tmp_path / "last"), at_rename=16)


def test_an_erasure_waits_for_steps_that_work(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    with ThreadPoolExecutor() as pool:
        with house.lake.hold(LOCK, shared=True):
            erasing = pool.submit(forget_ann, house)
            with pytest.raises(TimeoutError):
                erasing.result(timeout=0.5)
            assert find_traces(house.settings.home, ANN) != []
        erasing.result(timeout=60)
    assert find_traces(house.settings.home, ANN) == []


def test_without_a_key_nobody_is_forgotten_and_nothing_is_landed_any_more(
    shop: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = shop.copy_to(tmp_path / "house")
    forget(house, ANN)
    deliver(house, "again.csv", JANUARY)
    loads = Ledger.read(house.lake).loads
    monkeypatch.setenv("CLV_PRIVACY_KEY", "")
    for refused in (house.land, lambda: forget(house, BOB)):
        with pytest.raises(SettingsError, match="a privacy key is needed: set CLV_PRIVACY_KEY"):
            refused()
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY[::-1])
    with pytest.raises(PrivacyError, match="is not the one this home was begun with"):
        house.land()
    assert Ledger.read(house.lake).loads == loads


def test_the_search_finds_what_is_packed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"customer_id": [ANN] * 3, "spend": [1, 2, 3]})
    frame.write_parquet(tmp_path / "a.parquet", compression="zstd")
    with duckdb.connect(str(tmp_path / "b.duckdb")) as con:
        con.register("frame", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        con.execute("CREATE TABLE t AS FROM frame")
    assert find_traces(tmp_path, ANN) == ["a.parquet", "b.duckdb"]


def test_a_person_gets_all_that_is_known_and_nothing_of_others(shop: Warehouse, tmp_path: Path) -> None:
    house = shop.copy_to(tmp_path / "house")
    person = json.loads(collect_person(house.lake, house.settings, ANN))

    assert person["customer_id"] == ANN
    assert {table: len(rows) for table, rows in person["tables"].items()} == {
        "landing.customers": 1,
        "landing.lines": 5,
        "marts.customer_periods": 2,
        "marts.orders": 2,
        "rfm.customers": 1,
        "transactions.lines": 4,
        "transactions.quarantine": 1,
    }
    assert person["tables"]["landing.customers"][0]["city"] == "Annstown"
    assert BOB not in json.dumps(person)
    write_person(tmp_path / "ann.json", json.dumps(person))
    assert (tmp_path / "ann.json").stat().st_mode & 0o077 == 0
    assert house.query("SELECT action, people FROM monitoring.privacy").rows() == [("export", 1)]
    forget(house, ANN)
    with pytest.raises(PrivacyError, match="nothing is known of a customer of that id") as said:
        collect_person(house.lake, house.settings, ANN)
    assert ANN not in str(said.value)


def test_a_pseudonymous_person_is_asked_for_by_the_id_of_the_source(tmp_path: Path) -> None:
    house = open_shop(tmp_path, "[privacy]\npseudonyms = true\n")
    person = json.loads(collect_person(house.lake, house.settings, ANN))
    assert len(person["tables"]["transactions.lines"]) == 4
