"""The README's settings and commands work as they stand there."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from clv_pipeline.settings import load_settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SET_UP = ("make demo", "make test", "source .venv/bin/activate")
SERVERS = ("clv ui", "dg dev")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("bash") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it after the set-up: the demo, a `clv.toml` and an export of an online shop."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "clv.toml").write_text(blocks("toml")[0], encoding="utf-8")
    (folder / "incoming").mkdir()
    header = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    days = [(number, f"2024-{number % 6 + 1:02d}-{number % 27 + 1:02d} 08:26:00") for number in range(300)]
    rows = [f"{536000 + n},8512{n % 7},{n % 5 + 1},{day},2.55,{n % 40},UK" for n, day in days]
    rows.append("C536999,85121,-1,2024-06-28 09:00:00,2.55,7,UK")
    (folder / "incoming" / "orders.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    shutil.copy(ROOT / "workspace.yaml", folder)
    shutil.copytree(ROOT / "dagster_home", folder / "dagster_home", ignore=shutil.ignore_patterns("[!d]*"))
    return folder


def run(command: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLV_", "DAGSTER_"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "200"}


def test_the_example_settings_load(project: Path) -> None:
    settings = load_settings(project / "clv.toml", {})
    assert settings.source.business_timezone == "Europe/London"
    assert settings.source.extra_columns == ("region",)


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in commands()
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.long
def test_every_command_works_in_order(project: Path) -> None:
    ran = []
    for command in ["clv demo cdnow", *commands()]:
        if command in SET_UP or any(server in command for server in SERVERS):
            continue
        result = run(command, project)
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        ran.append(command)
    assert {"clv run", "clv status", "clv report"} <= set(ran)
    assert "£" in (project / "data" / "shop" / "report" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("command", [line for line in commands() if any(server in line for server in SERVERS)])
def test_the_user_interface_starts_and_stops(project: Path, command: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        ["bash", "-c", f"exec {command.replace('DAGSTER_HOME', 'env DAGSTER_HOME')} --port {port}"],
        cwd=project,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            assert wait_for_answer(port, server)
        finally:
            server.send_signal(signal.SIGINT)
            output, _ = server.communicate(timeout=60)
    assert "Traceback" not in output


def wait_for_answer(port: int, server: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            time.sleep(1)
    return False
