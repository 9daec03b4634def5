"""What goes wrong with a table as a source: one line, no secret in it, and nothing landed; ids that are pseudonyms."""

import threading
import time
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.automation import request_landing
from clv_pipeline.databases.connection import DatabaseAwayError, DatabaseError
from clv_pipeline.ledger import Ledger
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline_tests.postgres import PASSWORD, PostgresServer, fill
from clv_pipeline_tests.warehouse import TableShop


@pytest.fixture
def shop(table_shop: TableShop) -> TableShop:
    return table_shop


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
