"""Customers and the map of identifiers in tables of a real PostgreSQL: what files say, tables say, with their news."""

from pathlib import Path

import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.customers import news
from clv_pipeline.customers.landing import list_problems
from clv_pipeline.customers.news import find_new_customers, list_new_customers
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline_tests.postgres import PASSWORD, PostgresServer
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import RFM_STEPS, Warehouse

TABLES = """
    DROP SCHEMA IF EXISTS crm CASCADE; CREATE SCHEMA crm;
    CREATE TABLE crm.customers (customer_id text, acquisition_ts timestamptz, updated_at timestamptz,
        source_system text, tier text, consent boolean, email text);
    CREATE TABLE crm.identities (source_id text, customer_id text, updated_at date)"""
TOLD = ("customers", "customer_ids", "customer_conflicts", "hidden_customers")
PEOPLE = [
    ("crm-ann", "2023-12-01", "2024-01-01", "crm", "gold", "true", "ann@home"),
    ("web-ann", "2023-11-01", "2024-02-01", "web", "iron", "true", "ann@home"),
    ("bob", "", "", "crm", "", "false", ""),
    ("cyd", "", "", "", "tin", "", ""),
    ("dee", "2424-01-01", "", "", "tin", "true", ""),
]
IDENTITIES = [("web-ann", "crm-ann", "2024-01-01"), ("web-ann", "cyd", "2023-01-01"), ("zed", "", "")]


@pytest.fixture
def crm(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    monkeypatch.setattr(news, "LOOK_EVERY", 0.0)
    server.execute(TABLES)
    return server


def open_shop(root: Path, server: PostgresServer, more: str = "", extra: str = "") -> Warehouse:
    where = f'kind = "sql"\nconnection = "{server.url}"\ntable = "crm.customers"\nid_map_table = "crm.identities"\n'
    shop = Warehouse(root, extra=f"[customers]\n{where}{more}{extra}")
    orders = [("web-ann", "2024-01-05"), ("crm-ann", "2024-02-05"), ("cyd", "2024-03-05"), ("dee", "2024-04-05")]
    shop.deliver("a.csv", [[str(n), who, day, "tea", 1, "2.50"] for n, (who, day) in enumerate(orders)])
    return shop


def fill(server: PostgresServer) -> None:
    cells = ", ".join(["NULLIF(%s, '')", *(f"NULLIF(%s, '')::{kind}" for kind in ("timestamptz", "timestamptz"))])
    server.execute(
        f"INSERT INTO crm.customers VALUES ({cells}, {', '.join(['NULLIF(%s, %s)'] * 2)}, %s::boolean, %s)",
        [(*row[:3], row[3], "", row[4], "", row[5] or None, row[6] or None) for row in PEOPLE],
    )
    server.execute("INSERT INTO crm.identities VALUES (%s, NULLIF(%s, ''), NULLIF(%s, '')::date)", IDENTITIES)


def tell(shop: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    shop.refresh(steps=RFM_STEPS)
    keep = "* EXCLUDE (source, row_number)"
    return {
        name: shop.query(
            f"SELECT {keep if name == 'customer_conflicts' else '*'} FROM landing.{name} ORDER BY ALL"
        ).rows()
        for name in TOLD
    }


def test_tables_say_what_files_say(crm: PostgresServer, tmp_path: Path) -> None:
    fill(crm)
    shop = open_shop(tmp_path / "table", crm, 'precedence = ["crm"]\n')
    files = Warehouse(
        tmp_path / "file", extra='[customers]\npath = "who.csv"\nid_map = "ids.csv"\nprecedence = ["crm"]\n'
    )
    files.deliver("a.csv", [line.split(",") for line in (shop.incoming / "a.csv").read_text().splitlines()[1:]])
    header = "customer_id,acquisition_ts,updated_at,source_system,tier,consent,email"
    (files.root / "who.csv").write_text("\n".join([header, *map(",".join, PEOPLE)]) + "\n")
    names = "source_id,customer_id,updated_at"
    (files.root / "ids.csv").write_text("\n".join([names, *map(",".join, IDENTITIES)]) + "\n")
    told = tell(shop)
    assert told == tell(files)
    assert {name: len(rows) for name, rows in told.items()} == {
        "customers": 3,
        "customer_ids": 1,
        "customer_conflicts": 4,
        "hidden_customers": 2,
    }
    assert list_problems(shop.lake) == [
        "crm.customers: row 4: acquisition_ts '2424-01-01 00:00:00+00' is in the future; write the day it was, or"
        " leave it empty",
        "crm.identities: row 3: customer_id is missing; fill it or remove the row",
    ]


def test_news_are_told_and_a_merge_discovered_later_restates_its_months(crm: PostgresServer, tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop", crm)
    crm.execute(
        "INSERT INTO crm.customers (customer_id, consent) SELECT unnest('{crm-ann,web-ann,cyd,dee}'::text[]), true"
    )
    shop.refresh(steps=RFM_STEPS)
    assert (request_landing(shop.lake, shop.settings, None), shop.refresh(steps=RFM_STEPS)) == ([], [])
    crm.execute("INSERT INTO crm.identities VALUES ('web-ann', 'crm-ann', NULL)")
    assert len(request_landing(shop.lake, shop.settings, None)) == 1
    plans = shop.refresh(steps=RFM_STEPS)
    assert [(plan.steps[0].stage, plan.first, plan.last) for plan in plans] == [
        ("transactions", "2024-01", "2024-01"),
        ("rfm", "2024-04", "2024-04"),
    ]
    assert find_new_customers(shop.lake, shop.settings) == []
    crm.execute("UPDATE crm.customers SET consent = false WHERE customer_id = 'cyd'; DELETE FROM crm.identities")
    assert len(find_new_customers(shop.lake, shop.settings)) == 1
    shop.refresh(steps=RFM_STEPS)
    seen = shop.query("SELECT customer_id FROM rfm.customers WHERE as_of = '2024-04' ORDER BY ALL")["customer_id"]
    assert seen.to_list() == ["crm-ann", "dee", "web-ann"]
    assert shop.query("FROM landing.id_map_rows").is_empty()


def test_the_sensor_reads_the_tables_every_ten_minutes_and_when_something_was_landed(
    crm: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(news, "LOOK_EVERY", 600.0)
    shop = open_shop(tmp_path / "shop", crm)
    shop.refresh(steps=RFM_STEPS)
    assert request_landing(shop.lake, shop.settings, None) == []
    crm.execute("INSERT INTO crm.identities VALUES ('dee', 'cyd', NULL)")
    assert request_landing(shop.lake, shop.settings, None) == []
    shop.land()
    crm.execute("DELETE FROM crm.identities")
    assert len(request_landing(shop.lake, shop.settings, None)) == 1


def test_only_what_is_mapped_is_read_and_ids_are_pseudonyms(
    crm: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", "0123456789abcdef0123456789abcdef")
    crm.execute("ALTER TABLE crm.customers RENAME customer_id TO number")
    fill(crm)
    columns = '[customers.columns]\ncustomer_id = "number"\ntier = "tier"\n'
    shop = open_shop(tmp_path / "shop", crm, "", f"{columns}[privacy]\npseudonyms = true\n")
    shop.refresh(steps=RFM_STEPS)
    assert find_traces(shop.settings.home, "ann@home", "crm-ann", "web-ann") == []
    assert shop.query("SELECT tier FROM landing.customers ORDER BY ALL")["tier"].to_list() == [
        "iron",
        "tin",
        "tin",
        None,
    ]
    # Consent is not mapped, and heeded all the same: of those with lines, cyd has said nothing.
    assert shop.query("SELECT reason FROM landing.hidden_customers")["reason"].to_list() == ["consent missing"]


def test_what_cannot_be_read_is_one_line_and_changes_nothing(crm: PostgresServer, tmp_path: Path) -> None:
    fill(crm)
    shop = open_shop(tmp_path / "shop", crm)
    before = tell(shop)
    crm.execute("ALTER TABLE crm.customers RENAME customer_id TO number")
    with pytest.raises(SettingsError, match=r"^crm.customers: has no column 'customer_id'; it has .*number"):
        shop.land()
    crm.execute("ALTER TABLE crm.customers RENAME number TO customer_id; ALTER TABLE crm.identities RENAME TO ids")
    with pytest.raises(DatabaseError, match=r"there is no table crm\.identities"):
        shop.land()
    crm.stop()
    try:
        with pytest.raises(DatabaseAwayError, match="does not answer"):
            shop.land()
        assert "does not answer" in list_new_customers(shop.lake, shop.settings)[0]
    finally:
        crm.start()
    crm.execute("ALTER TABLE crm.ids RENAME TO identities")
    assert tell(shop) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'table = "crm.customers"',
            "customers: table is set, but kind is 'files'; set kind = 'sql' to read a database",
        ),
        ('kind = "sql"', "customers: kind = 'sql' lacks table or id_map_table; see docs/customers.md"),
        ('kind = "sql"\ntable = "a"\npath = "b"', "customers: has path and table; keep the one that is to be read"),
        ('kind = "sql"\nconnection = "mysql://me:hunter2@db/crm"', "customers.connection holds a password; write"),
        ('[customers.columns]\ntier = "tier"', "customers.columns: lacks customer_id; map it to a column"),
    ],
)
def test_settings_that_cannot_be_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "clv.toml").write_text(f"[customers]\n{text}\n")
    with pytest.raises(SettingsError) as refusal:
        load_settings(tmp_path / "clv.toml", {})
    assert message in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


HISTORY = [
    ("ann", "gold", "", "2024-02-15"),
    ("ann", "iron", "2024-02-15", "2024-03-31"),
    ("ann", "lead", "2024-03-31", "9999-12-31"),
    ("bob", "gold", "2024-03-01", ""),
]


@pytest.mark.parametrize("kind", ["table", "files"])
def test_a_history_that_the_source_keeps_counts_as_of_each_month(
    kind: str, server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    where = 'path = "who.csv"\n'
    if kind == "table":
        server.execute("DROP SCHEMA IF EXISTS crm CASCADE; CREATE SCHEMA crm")
        server.execute("CREATE TABLE crm.who (customer_id text, tier text, valid_from timestamp, valid_to timestamp)")
        moments = ", ".join(["NULLIF(%s, '')::timestamp"] * 2)
        server.execute(f"INSERT INTO crm.who VALUES (%s, %s, {moments})", HISTORY)
        where = f'kind = "sql"\nconnection = "{server.url}"\ntable = "crm.who"\n'
    shop = Warehouse(
        tmp_path / "shop", extra=f'[customers]\n{where}history = "source"\n[periods]\ncohort_by = "tier"\n'
    )
    (shop.root / "who.csv").write_text("\n".join(["customer_id,tier,valid_from,valid_to", *map(",".join, HISTORY)]))
    days = [("ann", "2024-01-05"), ("bob", "2024-01-07"), ("bob", "2024-02-07"), ("ann", "2024-03-31")]
    shop.deliver("a.csv", [[str(n), who, day, "tea", 1, "2.50"] for n, (who, day) in enumerate(days)])
    cohorts = {}
    for month in ("2024-01", "2024-02", "2024-03"):
        shop.refresh(month)
        cohorts[month] = shop.query(
            "SELECT cohort, cohort_size FROM lenses.lens3_behaviour_age"
            f" WHERE as_of = '{month}' AND grain = 'year' AND age = 0 ORDER BY ALL"
        ).rows()
    assert cohorts == {
        "2024-01": [("gold", 1), ("unknown", 1)],
        "2024-02": [("iron", 1), ("unknown", 1)],
        "2024-03": [("gold", 1), ("lead", 1)],
    }
    assert list_problems(shop.lake) == []
