"""`clv ui` follows the months of the data, and leaves no process behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clv_pipeline_tests.orchestra import make_rows
from clv_pipeline_tests.warehouse import Warehouse

_MONTHS = '{ assetNodes(assetKeys: [{path: ["marts", "orders"]}]) { partitionKeys } }'


@contextmanager
def user_interface(company: Warehouse, port: int) -> Iterator["subprocess.Popen[str]"]:
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    code = "import sys; from clv_pipeline.cli import run_app; sys.exit(run_app(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "ui", "--config", str(company.config), "--port", str(port)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as ui:
        try:
            yield ui
        finally:
            ui.kill()


def wait_for_months(port: int, months: list[str]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": _MONTHS}).encode(),
        headers={"Content-Type": "application/json"},
    )
    found, deadline = None, time.monotonic() + 150
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                nodes = json.load(answer)["data"]["assetNodes"]
            found = nodes[0]["partitionKeys"] if nodes else None
        except OSError:
            found = None
        if found == months:
            return
        time.sleep(1)
    raise AssertionError(f"the months are {found}, not {months}")


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_new_months_appear_without_a_restart_and_a_signal_ends_all(warehouse: Warehouse) -> None:
    warehouse.deliver("b.csv", make_rows("2024-02"))
    warehouse.land()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with user_interface(warehouse, port) as ui:
        wait_for_months(port, ["2024-02"])
        warehouse.deliver("a.csv", make_rows("2024-01"))
        warehouse.land()
        wait_for_months(port, ["2024-01", "2024-02"])
        ui.send_signal(signal.SIGTERM)
        output, _ = ui.communicate(timeout=90)
    assert ui.returncode == 0
    assert "Warning" not in output
    assert "Traceback" not in output
    assert not is_open(port)
