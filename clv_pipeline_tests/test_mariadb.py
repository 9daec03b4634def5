"""Tables of a real MariaDB as a source, by the address that MySQL has: lines, and what is known of customers."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.ledger import Ledger
from clv_pipeline_tests.mariadb import MariaServer, find_program
from clv_pipeline_tests.postgres import PASSWORD
from clv_pipeline_tests.warehouse import TableShop

TABLE = """
    CREATE OR REPLACE TABLE `lines` (
        id BIGINT PRIMARY KEY, order_id VARCHAR(20), customer_id VARCHAR(20), order_ts DATETIME, product_id TEXT,
        quantity INT UNSIGNED, unit_price DECIMAL(12, 4), gone BOOLEAN DEFAULT FALSE,
        updated_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))"""
INSERT = "INSERT INTO `lines` (id, order_id, customer_id, order_ts, product_id, quantity, unit_price) VALUES "
EXPECTED = """
    SELECT CAST(id AS CHAR), quantity, unit_price, DATE_FORMAT(order_ts, '%Y-%m') FROM `lines` WHERE NOT gone
    ORDER BY CAST(id AS CHAR)"""


@pytest.fixture(scope="module")
def maria() -> Iterator[MariaServer]:
    server, installer = find_program("mariadbd"), find_program("mariadb-install-db")
    if server is None or installer is None:
        pytest.skip("needs MariaDB's server programs")
    running = MariaServer(server, installer)
    yield running
    running.remove()


@pytest.fixture
def shop(maria: MariaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TableShop:
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    maria.execute(TABLE)
    return TableShop(tmp_path / "shop", maria.url, table="lines")


def fill(maria: MariaServer, first: int, last: int) -> None:
    rows = (
        f"({n}, 'o{n}', 'ü{n % 3}', '2024-0{n % 3 + 1}-05 10:00:00', 'tea', {n}, {n}.1234)" for n in range(first, last)
    )
    maria.execute(INSERT + ", ".join(rows))


def test_first_load_then_news_and_deletions(shop: TableShop, maria: MariaServer) -> None:
    fill(maria, 1, 2500)
    assert shop.land().rows == 2499
    shop.settle()
    assert shop.lines() == maria.execute(EXPECTED)
    assert (shop.land().batches, request_landing(shop.lake, shop.settings, None)) == (0, [])

    fill(maria, 2500, 2503)
    maria.execute("UPDATE `lines` SET quantity = 70 WHERE id = 7")
    maria.execute("UPDATE `lines` SET gone = TRUE WHERE id = 4")
    assert len(request_landing(shop.lake, shop.settings, None)) == 1
    load = shop.land()
    checkpoint = json.loads(str(Ledger.read(shop.lake).last_checkpoint("lines")))
    age = datetime.now(UTC).replace(tzinfo=None) - datetime.fromisoformat(checkpoint["cursor"])
    assert timedelta(0) <= age < timedelta(minutes=10)
    assert (load.rows, load.months) == (5, ("2024-01", "2024-02", "2024-03"))
    shop.settle()
    assert shop.lines() == maria.execute(EXPECTED)


def test_customers_and_map_come_from_tables_too(shop: TableShop, maria: MariaServer) -> None:
    fill(maria, 1, 10)
    maria.execute("CREATE OR REPLACE TABLE people (customer_id VARCHAR(20), acquisition_ts DATE, consent BOOLEAN)")
    maria.execute("INSERT INTO people VALUES ('ü1', '2023-05-01', TRUE), ('ü2', NULL, FALSE)")
    maria.execute("CREATE OR REPLACE TABLE ids (source_id VARCHAR(20), customer_id VARCHAR(20), updated_at DATETIME)")
    maria.execute("INSERT INTO ids VALUES ('ü0', 'ü1', NULL)")
    shop.config.write_text(
        shop.config.read_text() + '[customers]\nkind = "sql"\ntable = "people"\nid_map_table = "ids"\n'
    )
    shop._open()
    shop.settle()
    assert shop.query("SELECT DISTINCT customer_id FROM transactions.lines ORDER BY ALL")["customer_id"].to_list() == [
        "ü1",
        "ü2",
    ]
    told = shop.query(
        "SELECT customer_id, strftime(acquisition_ts, '%Y-%m-%d') AS day FROM landing.customers ORDER BY ALL"
    )
    assert told.rows() == [("ü1", "2023-05-01"), ("ü2", None)]
    assert shop.query("FROM landing.hidden_customers").rows() == [("ü2", "consent refused")]


def test_errors_are_one_line_without_the_password(
    shop: TableShop, maria: MariaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "wrong&pass@word")
    with pytest.raises(DatabaseError, match="Access denied for user 'clv'") as raised:
        shop.land()
    assert "wrong" not in str(raised.value)
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    shop.config.write_text(shop.config.read_text().replace(f":{maria.port}/", ":1/"))
    shop._open()
    with pytest.raises(DatabaseAwayError, match="does not answer"):
        shop.land()
