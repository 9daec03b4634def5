"""Change data capture from a real PostgreSQL: what its log says becomes the state of the lines, exactly once."""

import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.databases.connection import DatabaseError
from clv_pipeline.ledger import Ledger
from clv_pipeline_tests.postgres import PostgresServer, expect, fill
from clv_pipeline_tests.warehouse import TableShop

SLOTS = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"


@pytest.fixture
def shop(table_shop: TableShop, server: PostgresServer) -> TableShop:
    server.execute("DROP PUBLICATION IF EXISTS clv; CREATE PUBLICATION clv FOR TABLE shop.lines")
    server.execute(SLOTS)
    text = table_shop.config.read_text().replace('cursor = "updated_at"', 'replication_slot = "clv"')
    table_shop.config.write_text(text.replace('"gone"', '"was_deleted"'))
    table_shop._open()
    return table_shop


def test_inserts_updates_and_deletes_arrive_without_a_cursor(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 10)
    assert (shop.land().rows, shop.land().batches) == (9, 0)
    server.execute("UPDATE shop.lines SET quantity = 70 WHERE id = 7; UPDATE shop.lines SET quantity = 71 WHERE id = 7")
    server.execute("DELETE FROM shop.lines WHERE id = 4")
    server.execute("UPDATE shop.lines SET id = 80 WHERE id = 8")
    server.execute("UPDATE shop.lines SET order_ts = '2024-05-05' WHERE id = 2")
    fill(server, 20, 22)
    assert len(request_landing(shop.lake, shop.settings, None)) == 1
    load = shop.land()
    assert (load.rows, load.months) == (7, ("2024-01", "2024-02", "2024-03", "2024-05"))
    shop.settle()
    assert shop.lines() == expect(server)
    assert request_landing(shop.lake, shop.settings, None) == []


def test_a_load_that_dies_is_told_the_same_again(
    shop: TableShop,
    server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(server, 1, 4)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for first in (4, 10, 20):
        fill(server, first, first + 2)
        with monkeypatch.context() as dying:
            dying.setattr(Ledger, "commit", die)
            with pytest.raises(KeyboardInterrupt):
                shop.land()
        fill(server, first + 2, first + 4)
        server.execute("DELETE FROM shop.lines WHERE id = 1; UPDATE shop.lines SET quantity = quantity + 1")
        shop.land()
    shop.settle()
    assert shop.lines() == expect(server)
    held = server.execute("SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots")
    assert held[0][0] < 1_000_000


def test_what_the_server_lacks_is_one_line(shop: TableShop, server: PostgresServer) -> None:
    fill(server, 1, 3)
    server.execute("DROP PUBLICATION clv")
    with pytest.raises(DatabaseError, match=r"run CREATE PUBLICATION clv FOR TABLE shop\.lines there"):
        shop.land()
    server.execute("CREATE PUBLICATION clv FOR TABLE shop.lines")
    shop.land()
    server.execute("TRUNCATE shop.lines")
    with pytest.raises(DatabaseError, match="slot clv: a published table was truncated"):
        shop.land()
    server.execute(SLOTS)
    with pytest.raises(DatabaseError, match="slot clv is gone, and with it what changed since; load into a new home"):
        shop.land()


def test_a_long_value_that_is_not_sent_again_is_not_taken_for_empty(shop: TableShop, server: PostgresServer) -> None:
    server.execute("ALTER TABLE shop.lines ALTER order_id SET STORAGE EXTERNAL")
    server.execute(f"INSERT INTO shop.lines VALUES (1, '{'x' * 9000}', 'c1', '2024-01-05', 'tea', 1, 2)")
    shop.land()
    server.execute("UPDATE shop.lines SET quantity = 2")
    with pytest.raises(DatabaseError, match=r"run ALTER TABLE shop\.lines REPLICA IDENTITY FULL"):
        shop.land()
