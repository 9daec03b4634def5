"""Tables of a real PostgreSQL as a source: exactly once, whatever changes, breaks or is restarted meanwhile."""

import random
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.databases import news
from clv_pipeline.databases.extracts import extract_news
from clv_pipeline.lake import Lake
from clv_pipeline.landing import land_transactions
from clv_pipeline.ledger import Ledger
from clv_pipeline.settings import load_settings
from clv_pipeline_tests.postgres import CHANGE, INSERT, PostgresServer, expect, fill
from clv_pipeline_tests.processes import start_process
from clv_pipeline_tests.warehouse import RFM_STEPS, TableShop


@pytest.fixture
def shop(table_shop: TableShop) -> TableShop:
    return table_shop


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


def test_the_sensor_reads_no_row_again_as_long_as_the_cursors_are_the_same(
    shop: TableShop, server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    monkeypatch.setattr(news, "extract_news", lambda *args: reads.append(args) or extract_news(*args))
    fill(server, 1, 5)
    shop.land()
    asked = [request_landing(shop.lake, shop.settings, None) for _ in range(3)]
    assert (asked, len(reads)) == ([[], [], []], 1)
    with server.connect() as late:
        late.autocommit = False
        late.execute(INSERT, (9, "o9", "c1", "2024-01-05", 1))
        server.execute(CHANGE + "quantity = 7 WHERE id = 1")
        shop.land()
        assert (request_landing(shop.lake, shop.settings, None), len(reads)) == ([], 2)
        late.commit()
    assert len(request_landing(shop.lake, shop.settings, None)) == 1  # its cursor is older than the latest
    server.execute("UPDATE shop.lines SET updated_at = NULL WHERE id = 2")
    shop.land()
    for _ in range(2):
        assert request_landing(shop.lake, shop.settings, None) == []
    server.execute("UPDATE shop.lines SET quantity = 70 WHERE id = 2")
    assert len(request_landing(shop.lake, shop.settings, None)) == 1


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


def _land_in_child(config: Path) -> None:
    settings = load_settings(config, {})
    land_transactions(Lake(settings.home, settings.engine), settings)


@pytest.mark.parametrize("times", [8, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
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
