"""Databases other than PostgreSQL, as far as they can be had without a server: SQLite, and a stand-in for Snowflake."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakesnow
import pytest
import snowflake.connector

from clv_pipeline.databases.connection import Database, DatabaseError, hide_secrets
from clv_pipeline.databases.reading import open_table
from clv_pipeline_tests.warehouse import TableShop

TABLE = """
    CREATE TABLE lines (
        id INTEGER, order_id TEXT, customer_id TEXT, order_ts TIMESTAMP, product_id TEXT,
        quantity INTEGER, unit_price DECIMAL(12, 2), updated_at TIMESTAMP, gone BOOLEAN)"""
ROW = (
    "INSERT INTO lines VALUES ({0}, 'o{0}', 'c1', '2024-01-05 10:00:00', 'tea', {0}, 2.5, '2024-01-06 00:00:0{0}', {1})"
)


def check_loads(shop: TableShop, execute: Any) -> None:
    """A first load, nothing new, then a change, a deletion and a new row."""
    for n in (1, 2, 3):
        execute(ROW.format(n, "FALSE"))
    assert (shop.land().rows, shop.land().batches) == (3, 0)
    execute("UPDATE lines SET quantity = 9, updated_at = '2024-01-07 00:00:00' WHERE id = 1")
    execute("UPDATE lines SET gone = TRUE, updated_at = '2024-01-07 00:00:00' WHERE id = 2")
    execute(ROW.format(4, "FALSE"))
    assert shop.land().rows == 3
    shop.settle()
    assert [(line, int(quantity), float(price)) for line, quantity, price, _ in shop.lines()] == [
        ("1", 9, 2.5),
        ("3", 3, 2.5),
        ("4", 4, 2.5),
    ]


def test_sqlite(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db", autocommit=True) as con:
        con.execute(TABLE)
        check_loads(TableShop(tmp_path / "shop", f"sqlite:///{tmp_path}/shop.db", table="lines"), con.execute)
    con.close()


@pytest.fixture
def snowflake_cursor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("SNOWFLAKE_PASSWORD", "s3cret")
    with fakesnow.patch(), snowflake.connector.connect(database="SHOP", schema="SALES") as con:
        yield con.cursor()


@pytest.mark.filterwarnings("ignore:Arrow output on a DB-API")  # of the stand-in itself
def test_snowflake(snowflake_cursor: Any, tmp_path: Path) -> None:
    snowflake_cursor.execute(TABLE)
    address = "snowflake://clv:${SNOWFLAKE_PASSWORD}@account/SHOP/SALES"
    check_loads(TableShop(tmp_path / "shop", address, table="LINES"), snowflake_cursor.execute)


def test_a_table_of_bigquery_names_its_dataset() -> None:
    engine = SimpleNamespace(dialect=SimpleNamespace(name="bigquery"))
    with pytest.raises(DatabaseError, match=r"^table lines names no dataset; write table = 'dataset\.lines'"):
        open_table(Database(engine, []), "lines", None)  # pyright: ignore[reportArgumentType]


def test_the_definitions_import_no_library_of_databases() -> None:
    code = "import sys, clv_pipeline.definitions; print({'dlt', 'psycopg', 'pymysql'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("module", "extra"), [("dlt", "databases"), ("pymysql", "databases"), ("sqlalchemy_bigquery", "bigquery")]
)
def test_a_package_that_is_not_installed_is_named(
    module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    kind = "bigquery" if extra == "bigquery" else "mysql"
    with pytest.raises(DatabaseError, match=rf"install clv-pipeline\[{extra}\]$"):
        TableShop(tmp_path / "shop", f"{kind}://host/shop", table="lines").land()


@pytest.mark.parametrize("said", ["login s3cr@t failed", "mysql://me:s3cr%40t@host", "url=postgres://a:other@host"])
def test_what_a_driver_says_is_told_without_secrets(said: str) -> None:
    told = hide_secrets(said, ["s3cr@t"])
    assert "***" in told
    assert not any(secret in told for secret in ("s3cr@t", "s3cr%40t", "other"))
