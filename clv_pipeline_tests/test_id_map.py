"""Identifiers of several systems become one customer: a merge restates the months that it touches, and no others."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_pipeline.privacy.erasure import erase
from clv_pipeline.privacy.export import collect_person
from clv_pipeline.settings import SettingsError
from clv_pipeline_tests.test_late_data import HISTORIES, assert_same
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import RFM_STEPS, Warehouse

EXTRA = '[customers]\npath = "customers*"\nid_map = "ids/*.csv"\n'
ANN = ("web-ann", "till-ann", "crm-ann")
TABLES = (
    *("transactions.lines", "marts.orders", "marts.customer_periods", "marts.periods", "marts.customers"),
    *("rfm.customers", "landing.customers", "landing.customer_ids", "landing.hidden_customers"),
)


def found(shop: Warehouse, query: str) -> list[tuple[object, ...]]:
    return shop.query(query).rows()


def open_shop(root: Path, extra: str = EXTRA) -> Warehouse:
    shop = Warehouse(root, extra=extra)
    (root / "ids").mkdir()
    (root / "customers.csv").write_text("customer_id,acquisition_ts\n")
    return shop


def say(shop: Warehouse, name: str, *said: str) -> None:
    (shop.root / "ids" / name).write_text("\n".join(["source_id,customer_id", *said]) + "\n")


def order(number: int, who: str, day: str) -> list[object]:
    return [str(number), who, day, "tea", 1, "2.50"]


@pytest.fixture(scope="module")
def shop_once(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    shop = open_shop(tmp_path_factory.mktemp("shop") / "shop")
    orders = [("crm1", "2024-01-05"), ("bob", "2024-02-05"), ("web1", "2024-03-05"), ("bob", "2024-04-05")]
    shop.deliver("a.csv", [order(number, who, day) for number, (who, day) in enumerate(orders)])
    for month in ("2024-01", "2024-02", "2024-03", "2024-04"):
        shop.refresh(month, RFM_STEPS)
    return shop


@pytest.fixture
def shop(shop_once: Warehouse, tmp_path: Path) -> Warehouse:
    return shop_once.copy_to(tmp_path / "shop")


def test_a_merge_discovered_later_restates_the_months_of_its_identifiers_and_nothing_else(shop: Warehouse) -> None:
    before = {
        name: shop.state.stamps(name) for name in ("transactions.lines", "marts.customer_periods", "rfm.customers")
    }
    say(shop, "1.csv", "web1,crm1")
    plans = shop.refresh(steps=RFM_STEPS)
    assert [(plan.steps[0].stage, plan.first, plan.last) for plan in plans] == [
        ("transactions", "2024-03", "2024-03"),
        ("rfm", "2024-03", "2024-04"),
    ]
    changed = {
        name: [month for month, stamp in shop.state.stamps(name).items() if stamp != stamps[month]]
        for name, stamps in before.items()
    }
    assert changed["transactions.lines"] == changed["marts.customer_periods"] == ["2024-03"]
    assert changed["rfm.customers"] == ["2024-03", "2024-04"]
    assert found(shop, "SELECT customer_id, frequency FROM rfm.customers WHERE as_of = '2024-04' ORDER BY ALL") == [
        ("bob", 1),
        ("crm1", 1),
    ]
    assert shop.refresh(steps=RFM_STEPS) == []


def test_the_customer_of_a_merge_also_restates_what_is_said_of_her_from_her_first_month_on(shop: Warehouse) -> None:
    (shop.root / "customers.csv").write_text(
        "customer_id,acquisition_ts,tier\ncrm1,2024-01-02,gold\nweb1,2023-05-01,\n"
    )
    shop.refresh(steps=RFM_STEPS)
    seen = {month: shop.state.list_known("landing.customers", month) for month in ("2024-01", "2024-02", "2024-03")}
    say(shop, "1.csv", "crm1,web1")
    shop.refresh(steps=RFM_STEPS)
    assert found(shop, "SELECT * FROM landing.customers") == [
        ("web1", found(shop, "SELECT TIMESTAMP '2023-05-01'")[0][0], "gold")
    ]
    assert found(shop, "SELECT field, kept, other FROM landing.customer_conflicts") == [
        ("acquisition_ts", "2023-05-01 00:00:00.000000", "2024-01-02 00:00:00.000000")
    ]
    assert shop.state.list_known("landing.customers", "2024-01") != seen["2024-01"]
    assert found(shop, "SELECT first_order, acquired_before_data FROM marts.customers WHERE customer_id = 'web1'")[0][1]


def test_the_map_is_landed_once_and_a_file_delivered_again_replaces_what_it_said(shop: Warehouse) -> None:
    say(shop, "1.csv", "web1,crm1")
    shop.refresh(steps=RFM_STEPS)
    (shop.root / "ids" / "1.csv").touch()
    shop.refresh(steps=RFM_STEPS)
    assert found(shop, "SELECT source, row_number, source_id FROM landing.id_map_rows") == [("1.csv", 1, "web1")]
    (shop.root / "ids" / "1.csv").unlink()  # an archived delivery counts on
    assert shop.refresh(steps=RFM_STEPS) == []
    say(shop, "1.csv", "bob,crm1")
    plans = shop.refresh(steps=RFM_STEPS)
    assert [(plan.first, plan.last) for plan in plans if plan.steps[0].stage == "transactions"] == [
        ("2024-02", "2024-04")
    ]
    assert found(shop, "SELECT DISTINCT customer_id FROM transactions.lines ORDER BY ALL") == [("crm1",), ("web1",)]
    assert len(found(shop, "FROM landing.id_map_rows")) == 2


def test_bad_rows_of_the_map_are_set_aside_and_a_bad_file_is_one_line(shop: Warehouse) -> None:
    say(shop, "1.csv", "web1,", "web1,crm1", "crm1,web1")
    shop.refresh(steps=RFM_STEPS)
    problem = "SELECT source, row_number, field, reason, fix FROM landing.customer_quarantine"
    assert found(shop, problem) == [("1.csv", 1, "customer_id", "missing", "fill it or remove the row")]
    assert found(shop, "SELECT kind, source_id, other FROM landing.customer_conflicts") == [("cycle", "crm1", "web1")]
    (shop.root / "ids" / "2.csv").write_text("a,b\nc,d\n")
    with pytest.raises(SettingsError, match=r"^2\.csv: has no column 'source_id'; it has a, b; rename one$"):
        shop.land()


def test_columns_of_the_map_can_have_other_names(tmp_path: Path) -> None:
    names = '[customers.id_columns]\nsource_id = "old"\ncustomer_id = "golden"\n'
    shop = open_shop(tmp_path / "shop", f'[customers]\nid_map = "ids/*"\n{names}')
    (shop.root / "ids" / "1.csv").write_text("golden,old\nann,a1\n")
    shop.deliver("a.csv", [order(1, "a1", "2024-01-05")])
    shop.refresh(steps=RFM_STEPS)
    assert found(shop, "SELECT customer_id FROM rfm.customers") == [("ann",)]


people = st.sampled_from(["a", "b", "c", "d"])
deliveries = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["1.csv", "2.csv"]), st.lists(st.tuples(people, people), max_size=3)),
        st.tuples(
            st.sampled_from(["x.csv", "y.csv"]),
            st.lists(st.tuples(people, st.sampled_from(["2024-01-03", "2024-02-10", "2024-03-02"])), max_size=4),
        ),
        st.tuples(
            st.just("customers.csv"), st.lists(st.tuples(people, st.sampled_from(["yes", "no", ""])), max_size=3)
        ),
    ),
    min_size=1,
    max_size=6,
)


def deliver(shop: Warehouse, name: str, content: list[tuple[str, str]]) -> None:
    if name == "customers.csv":
        text = "\n".join(["customer_id,consent", *(",".join(row) for row in content)])
        (shop.root / name).write_text(f"{text}\n")
    elif name in {"1.csv", "2.csv"}:
        say(shop, name, *(",".join(row) for row in content))
    else:
        shop.deliver(name, [order(number, *row) for number, row in enumerate(content)])


@pytest.mark.long
@HISTORIES
@given(deliveries)
def test_whatever_was_delivered_when_the_tables_are_those_of_one_load(history: list[tuple[str, list]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shop, rebuild = open_shop(Path(folder) / "history"), open_shop(Path(folder) / "rebuild")
        for name, content in history:
            deliver(shop, name, content)
            shop.refresh(steps=RFM_STEPS)
        for name, content in dict(history).items():
            deliver(rebuild, name, content)
        rebuild.refresh(steps=RFM_STEPS)
        if rebuild.state.periods:
            last = rebuild.state.periods[-1]
            shop.refresh(last, RFM_STEPS)
            assert_same(shop, rebuild, TABLES, last)


def test_a_person_is_forgotten_under_every_identifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", "0123456789abcdef0123456789abcdef")
    shop = open_shop(tmp_path / "shop")
    (shop.root / "customers.csv").write_text(
        "customer_id,acquisition_ts,tier\ncrm-ann,2424-01-01,gold\nweb-ann,,iron\n"
    )
    say(shop, "1.csv", "web-ann,crm-ann", "till-ann,web-ann", "till-ann,zed", "zoe,")
    shop.deliver(
        "a.csv", [order(n, who, "2024-01-05") for n, who in enumerate(["web-ann", "till-ann", "crm-ann", "bob"])]
    )
    shop.refresh(steps=RFM_STEPS)
    totals = found(shop, "SELECT * FROM marts.periods")
    exported = json.loads(collect_person(shop.lake, shop.settings, "till-ann"))["tables"]
    counts = {table: len(exported[table]) for table in ("landing.lines", "transactions.lines", "landing.id_map_rows")}
    assert counts == {"landing.lines": 3, "transactions.lines": 3, "landing.id_map_rows": 3}
    erase(shop.lake, shop.settings, ["web-ann"], lambda _: None)
    for file in (*shop.incoming.iterdir(), *(shop.root / "ids").iterdir()):
        file.unlink()
    assert find_traces(shop.lake.home, *ANN) == []
    (shop.root / "customers.csv").write_text("customer_id,tier\nweb-ann,gold\nbob,iron\n")
    say(shop, "2.csv", "web-ann,bob", "b2,bob")
    shop.refresh(steps=RFM_STEPS)
    assert find_traces(shop.lake.home, *ANN) == []
    assert found(shop, "SELECT customer_id, tier FROM landing.customers") == [("bob", "iron")]
    assert found(shop, "FROM landing.customer_ids") == [("b2", "bob")]
    assert found(shop, "SELECT * FROM marts.periods")[0][4:7] == totals[0][4:7]


def test_identifiers_are_merged_under_their_pseudonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", "0123456789abcdef0123456789abcdef")
    shop = open_shop(tmp_path / "shop", EXTRA + "[privacy]\npseudonyms = true\n")
    (shop.root / "customers.csv").write_text("customer_id,consent\ncrm-ann,yes\nweb-ann,yes,x\nbob@home,perhaps\n")
    say(shop, "1.csv", " web-ann , crm-ann", "bob@home,")
    shop.deliver("a.csv", [order(n, who, "2024-01-05") for n, who in enumerate(["web-ann", "crm-ann", "bob@home"])])
    shop.refresh(steps=RFM_STEPS)
    assert found(shop, "SELECT orders FROM rfm.customers") == [(2,)]
    assert find_traces(shop.lake.home, *ANN, "bob@home") == []
    fields = [("1.csv", "customer_id"), ("customers.csv", ""), ("customers.csv", "consent")]
    assert found(shop, "SELECT source, field FROM landing.customer_quarantine ORDER BY ALL") == fields
