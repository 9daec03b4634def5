"""A PostgreSQL server of the tests' own: on loopback, on a free port, in a temporary folder, with a password.

Belongs here: starting, stopping and asking it. Does not belong here: what is tested (`test_databases.py`).
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "s3cr@t/pass:word"
_ACCOUNT = "postgres"
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


def find_programs() -> Path | None:
    """The folder of PostgreSQL's server programs; None where it is not installed."""
    beside = shutil.which("pg_ctl")
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        *([Path(beside).parent] if beside else []),
    ]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class PostgresServer:
    """One running server with a database and a table owner, both called 'clv'."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.root = Path(tempfile.mkdtemp(prefix="clv-postgres-"))
        # The server refuses to run as root.
        self.account = ["runuser", "-u", _ACCOUNT, "--"] if os.geteuid() == 0 else []
        if self.account:
            shutil.chown(self.root, _ACCOUNT)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        secret = self.root / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        auth = ["--auth=scram-sha-256", "--username=clv", f"--pwfile={secret}"]
        self._run("initdb", "-D", self.root / "data", "--no-sync", "--encoding=UTF8", "--locale=C", *auth)
        self.start()

    def _run(self, program: str, *arguments: object) -> None:
        command = [*self.account, str(self.programs / program), *map(str, arguments)]
        # Not captured: the server would keep a pipe open, and the wait for its end would never end.
        subprocess.run(command, check=True, cwd=self.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Starts the server and waits until it takes connections."""
        options = f"-p {self.port} -k {self.root} -c listen_addresses=127.0.0.1 -c fsync=off -c wal_level=logical"
        self._run("pg_ctl", "-D", self.root / "data", "-o", options, "-l", self.root / "log", "-w", "start")

    def stop(self) -> None:
        """Cuts every connection and stops the server, as a crash would."""
        self._run("pg_ctl", "-D", self.root / "data", "-m", "immediate", "-w", "stop")

    def remove(self) -> None:
        """Stops the server for good."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address as `clv.toml` has it, with a name in the place of the password."""
        return f"postgresql://clv:${{SHOP_PASSWORD}}@127.0.0.1:{self.port}/postgres"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="clv", password=PASSWORD, dbname="postgres", autocommit=True
        )

    def execute(self, sql: str, rows: Sequence[Sequence[object]] | None = None) -> list[tuple[Any, ...]]:
        """Runs `sql` (once for each of `rows`) and returns what it gives."""
        with self.connect() as con, con.cursor() as cursor:
            if rows is not None:
                cursor.executemany(sql, rows)  # pyright: ignore[reportArgumentType, reportCallIssue]
                return []
            cursor.execute(sql)  # pyright: ignore[reportArgumentType, reportCallIssue]
            return cursor.fetchall() if cursor.description else []


def fill(server: PostgresServer, first: int, last: int) -> None:
    server.execute(INSERT, [(n, f"o{n}", f"c{n % 3}", f"2024-0{n % 3 + 1}-05 10:00+00", n) for n in range(first, last)])


def expect(server: PostgresServer) -> list[tuple[Any, ...]]:
    """What the table says is there."""
    return server.execute("""
        SELECT id::text, quantity::numeric(18, 3), unit_price, to_char(order_ts AT TIME ZONE 'UTC', 'YYYY-MM')
        FROM shop.lines WHERE NOT gone ORDER BY id::text COLLATE "C" """)
