"""A MariaDB server of the tests' own: on loopback, on a free port, in a temporary folder, with a password.

Belongs here: starting, stopping and asking it. Does not belong here: what is tested (`test_mariadb.py`).
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql

from clv_pipeline_tests.postgres import PASSWORD

_ACCOUNT = "mysql"
_PATIENCE = 60.0


def find_program(name: str) -> str | None:
    """A program of the server; None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/bin")


class MariaServer:
    """One running server with a database and an account, both called 'clv'."""

    def __init__(self, server: str, installer: str) -> None:
        # Paths of sockets are short.
        self.root = Path(tempfile.mkdtemp(prefix="clv-maria-"))
        if os.geteuid() == 0:
            shutil.chown(self.root, _ACCOUNT)
        account = [f"--user={_ACCOUNT}"] if os.geteuid() == 0 else []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        data = f"--datadir={self.root / 'data'}"
        made = [
            installer,
            "--no-defaults",
            data,
            *account,
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        files = [f"--socket={self.root / 's'}", f"--pid-file={self.root / 'pid'}", f"--log-error={self.root / 'log'}"]
        options = ["--bind-address=127.0.0.1", f"--port={self.port}", "--innodb-flush-log-at-trx-commit=0"]
        # Not UTC, so that what depends on it shows.
        options += ["--default-time-zone=+05:00"]
        command = [server, "--no-defaults", data, *account, *files, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()
        self._ask_root(f"CREATE DATABASE clv; CREATE USER clv@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        self._ask_root("GRANT ALL ON clv.* TO clv@'127.0.0.1'")

    def _wait(self) -> None:
        last = time.monotonic() + _PATIENCE
        while time.monotonic() < last and self._process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
                probe.connect(str(self.root / "s"))
                return
            time.sleep(0.1)
        raise RuntimeError("MariaDB did not start")

    def _ask_root(self, sql: str) -> None:
        with (
            pymysql.connect(unix_socket=str(self.root / "s"), user="root", autocommit=True) as con,
            con.cursor() as cursor,
        ):
            for statement in sql.split("; "):
                cursor.execute(statement)

    def remove(self) -> None:
        """Stops the server for good."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address as `clv.toml` has it, with a name in the place of the password."""
        return f"mysql://clv:${{SHOP_PASSWORD}}@127.0.0.1:{self.port}/clv"

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Runs `sql` and returns what it gives."""
        with (
            pymysql.connect(
                host="127.0.0.1", port=self.port, user="clv", password=PASSWORD, database="clv", autocommit=True
            ) as con,
            con.cursor() as cursor,
        ):
            cursor.execute(sql)
            return list(cursor.fetchall())
