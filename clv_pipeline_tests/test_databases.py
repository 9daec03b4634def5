"""Tables of a real PostgreSQL as a source: exactly once, whatever changes, breaks or is restarted meanwhile."""

import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.customers import land_customers
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.lake import Lake
from clv_pipeline.landing import land_transactions
from clv_pipeline.ledger import Ledger
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline_tests.postgres import PASSWORD, PostgresServer, find_programs
from clv_pipeline_tests.processes import start_process
from clv_pipeline_tests.warehouse import RFM_STEPS, TableShop

PROGRAMS = find_programs()
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL's server programs")

TABLE = """
    DROP SCHEMA IF EXISTS shop CASCADE; CREATE SCHEMA shop;
    CREATE TABLE shop.lines (
        id bigint PRIMARY KEY, order_id text, customer_id text, order_ts timestamptz, product_id text,
        quantity integer, unit_price numeric(12, 4), updated_at timestamptz DEFAULT clock_timestamp(),
        gone boolean DEFAULT false)"""
INSERT = (
    "INSERT INTO shop.lines (id, order_id, customer_id, order_ts, product_id, quantity, unit_price)"
    " VALUES (%s, %s, %s, %s, 'tea', %s, 2.5)"
)
CHANGE = "UPDATE shop.lines SET updated_at = clock_timestamp(), "


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    assert PROGRAMS is not None
    running = PostgresServer(PROGRAMS)
    yield running
    running.remove()


@pytest.fixture
def shop(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TableShop:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    server.execute(TABLE)
    return TableShop(tmp_path / "shop", server.url)


def fill(server: PostgresServer, first: int, last: int) -> None:
    server.execute(INSERT, [(n, f"o{n}", f"c{n % 3}", f"2024-0{n % 3 + 1}-05 10:00+00", n) for n in range(first, last)])


def expect(server: PostgresServer) -> list[tuple[Any, ...]]:
    """What the table says is there."""
    return server.execute("""
        SELECT id::text, quantity::numeric(18, 3), unit_price, to_char(order_ts AT TIME ZONE 'UTC', 'YYYY-MM')
        FROM shop.lines WHERE NOT gone ORDER BY id::text COLLATE "C" """)


def test_news_alone_is_landed_and_runs_the_months_it_touches(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 10)
    assert shop.land().rows == 9
    shop.refresh(steps=RFM_STEPS)
    assert shop.lines() == expect(server)

    assert (shop.land().batches, request_landing(shop.lake, shop.settings, None)) == (0, [])
    server.execute(CHANGE + "quantity = 70 WHERE id = 7; " + CHANGE + "gone = true WHERE id = 4")
    (request,) = request_landing(shop.lake, shop.settings, None)
    assert request.tags["clv/why"] == "1 new or changed tables"

    load = shop.land()
    assert (load.rows, load.months) == (2, ("2024-02",))
    plan, *_ = shop.refresh(steps=RFM_STEPS)
    assert (plan.first, plan.last) == ("2024-02", "2024-02")
    assert shop.lines() == expect(server)
    assert request_landing(shop.lake, shop.settings, None) == []


def test_a_correction_may_move_a_line_to_another_month(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 5)
    shop.settle()
    server.execute(CHANGE + "order_ts = '2024-05-05' WHERE id = 2")
    assert shop.land().months == ("2024-03", "2024-05")
    shop.settle()
    assert shop.lines() == expect(server)


def test_a_transaction_that_commits_late_is_read_within_the_lag(shop: TableShop, server: PostgresServer) -> None:
    with server.connect() as late:
        late.autocommit = False
        late.execute(INSERT, (1, "o1", "c1", "2024-01-05", 1))
        fill(server, 2, 4)
        assert shop.land().rows == 2
        late.commit()
    assert shop.land().rows == 1
    shop.settle()
    assert shop.lines() == expect(server)


def test_rejected_rows_are_in_quarantine_once_however_often_read(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 4)
    server.execute(
        "UPDATE shop.lines SET quantity = NULL WHERE id = 2; UPDATE shop.lines SET order_id = '' WHERE id = 3"
    )
    for n in range(10, 13):
        shop.land()
        fill(server, n, n + 1)
    shop.settle()
    reasons = shop.query("SELECT reason, count(*) FROM transactions.quarantine GROUP BY ALL ORDER BY ALL").rows()
    assert reasons == [("missing order id", 1), ("non-numeric quantity", 1)]


def test_a_cursor_in_the_future_or_missing_hides_nothing(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 5)
    server.execute("UPDATE shop.lines SET updated_at = '2999-01-01' WHERE id = 1")
    server.execute("UPDATE shop.lines SET updated_at = NULL WHERE id = 2")
    shop.land()
    server.execute(CHANGE + "quantity = 30 WHERE id = 3; UPDATE shop.lines SET quantity = 20 WHERE id = 2")
    shop.settle()
    assert shop.lines() == expect(server)
    assert shop.land().batches == 0


def test_customers_of_a_table_have_a_history(shop: TableShop, server: PostgresServer) -> None:
    server.execute(
        "CREATE TABLE shop.people AS SELECT 'c1' AS customer_id, date '2024-01-02' AS acquisition_ts, 3 AS tier"
    )
    shop.config.write_text(shop.config.read_text() + '[customers]\ntable = "shop.people"\nhistory = true\n')
    shop._open()
    assert land_customers(shop.lake, shop.settings) == 1
    server.execute("UPDATE shop.people SET tier = 4")
    assert land_customers(shop.lake, shop.settings) == 1
    versions = pl.read_parquet(shop.lake.path("landing.customers", "all"))
    assert versions.select("acquisition_ts", "tier").rows() == [
        (datetime(2024, 1, 2), "3"),
        (datetime(2024, 1, 2), "4"),
    ]


def test_rows_that_change_while_they_are_read_are_never_half_seen(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 400)
    stop = threading.Event()

    def change() -> None:
        with server.connect() as con:
            chance = random.Random(5)
            while not stop.is_set():
                con.execute(CHANGE + f"quantity = quantity + 1 WHERE id % 20 = {chance.randrange(20)}")  # pyright: ignore[reportArgumentType, reportCallIssue]

    writer = threading.Thread(target=change)
    writer.start()
    try:
        loads = [shop.land() for _ in range(4)]
    finally:
        stop.set()
        writer.join()
    assert loads[-1].rows > 0
    shop.settle()
    assert shop.lines() == expect(server)


def test_a_cut_connection_lands_nothing_and_is_told_in_one_line(server: PostgresServer, shop: TableShop) -> None:
    fill(server, 1, 300)
    server.execute("CREATE VIEW shop.slow AS SELECT *, pg_sleep(0.01)::text AS waited FROM shop.lines")
    slow = TableShop(shop.root.parent / "slow", server.url, table="shop.slow")
    slow.config.write_text(slow.config.read_text() + 'waited = "waited"\n')
    slow._open()
    cut = threading.Thread(target=_cut_connection, args=[server])
    cut.start()
    with pytest.raises(
        DatabaseAwayError, match=r"^table shop\.slow: the database does not answer \(.*again$"
    ) as raised:
        slow.land()
    cut.join()
    assert PASSWORD not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert Ledger.read(slow.lake).batches.is_empty()
    assert shop.land().rows == 299


def _cut_connection(server: PostgresServer) -> None:
    ours = "SELECT pid FROM pg_stat_activity WHERE application_name = 'clv' AND state = 'active' AND query LIKE 'COPY%'"
    while not server.execute(ours):
        time.sleep(0.02)
    server.execute(f"SELECT pg_terminate_backend(pid) FROM ({ours}) AS a")


def test_a_server_that_was_restarted_goes_on_from_the_checkpoint(server: PostgresServer, shop: TableShop) -> None:
    fill(server, 1, 5)
    shop.land()
    server.stop()
    try:
        with pytest.raises(DatabaseAwayError, match="does not answer"):
            shop.land()
        (request,) = request_landing(shop.lake, shop.settings, None)  # the run that it asks for says why
        assert request.tags["clv/why"] == "1 new or changed tables"
    finally:
        server.start()
    fill(server, 5, 7)
    assert shop.land().rows == 2
    assert Ledger.read(shop.lake).batches.height == 2


def test_no_secret_is_in_the_settings_or_in_an_error(shop: TableShop, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "wrong&pass@word"
    monkeypatch.setenv("SHOP_PASSWORD", wrong)
    with pytest.raises(DatabaseError, match="password authentication failed") as raised:
        shop.land()
    assert wrong not in str(raised.value)
    assert raised.value.__suppress_context__
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(SettingsError, match=r"names SHOP_PASSWORD, which neither the environment nor"):
        shop.land()
    shown = f"{shop.settings!r}{shop.settings.model_dump_json()}"
    assert "postgresql" not in shown

    shop.config.write_text(shop.config.read_text().replace("[source]", '[source]\nsecrets = "secrets.toml"'))
    (shop.root / "secrets.toml").write_text(f'SHOP_PASSWORD = "{PASSWORD}"')
    shop._open()
    assert shop.land().batches == 1


def test_ids_of_a_table_become_pseudonyms_before_anything_is_written(
    shop: TableShop, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", "k" * 40)
    shop.config.write_text(shop.config.read_text() + "[privacy]\npseudonyms = true\n")
    shop._open()
    fill(server, 1, 4)
    assert (shop.land().rows, shop.land().batches) == (3, 0)
    landed = pl.read_parquet(shop.lake.root / "landing" / "lines", hive_partitioning=False)["customer_id"]
    assert set(landed.str.len_chars()) == {32}


@pytest.mark.parametrize(
    ("connection", "what"),
    [("postgresql://clv:hunter2@db/shop", "password"), ("snowflake://me@account/db?token=abc", "token")],
)
def test_a_secret_that_stands_in_the_file_is_refused(connection: str, what: str, tmp_path: Path) -> None:
    config = tmp_path / "clv.toml"
    config.write_text(f'[source]\nkind = "sql"\nconnection = "{connection}"\n')
    with pytest.raises(SettingsError, match=f"source.connection holds a {what}; write") as raised:
        load_settings(config, {})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"shop.lines"', '"shop.nothing"', "there is no table shop.nothing"),
        ('"id"', '"key"', r"table shop.lines has no column 'key'; it has id, order_id"),
        ('cursor = "updated_at"', 'cursor = "quantity"', "'quantity', which is INTEGER; name a column with a date"),
        ("postgresql:", "oracle:", "'oracle' is no known database; known: bigquery"),
    ],
)
def test_what_cannot_be_read_is_one_line_with_the_fix(before: str, after: str, message: str, shop: TableShop) -> None:
    shop.config.write_text(shop.config.read_text().replace(before, after))
    shop._open()
    with pytest.raises((DatabaseError, SettingsError), match=message):
        shop.land()


def _land_in_child(config: Path) -> None:
    settings = load_settings(config, {})
    land_transactions(Lake(settings.home, settings.engine), settings)


@pytest.mark.parametrize("times", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_interruptions_lose_and_double_nothing(times: int, shop: TableShop, server: PostgresServer) -> None:
    """Kills the loading process, or cuts its connection, at a random moment, while rows are added, changed, deleted."""
    chance = random.Random(times)
    fill(server, 1, 300)
    shop.land()
    finished, patience = 0, 60.0
    for n in range(times):
        fill(server, 1000 + 10 * n, 1010 + 10 * n)
        server.execute(CHANGE + f"quantity = {n + 1} WHERE id % 50 = {chance.randrange(50)}")
        server.execute(CHANGE + f"gone = NOT gone WHERE id % 70 = {chance.randrange(70)}")
        started = time.monotonic()
        child = start_process(_land_in_child, shop.config)
        # The first two are left alone: one imports, the other shows how long a load takes.
        child.join(patience if n < 2 else chance.uniform(0, 1.1 * patience))
        patience = time.monotonic() - started if n == 1 else patience
        if child.exitcode == 0:
            finished += 1
        elif chance.random() < 0.3:
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'clv'")
        child.kill()
        child.join()
    assert 2 <= finished < times
    shop.settle()
    assert shop.lines() == expect(server)
    versions = pl.read_parquet(shop.lake.root / "landing" / "lines", hive_partitioning=False).select("id", "updated_at")
    assert versions.is_duplicated().sum() == 0
    assert Ledger.read(shop.lake).batches.height >= finished
