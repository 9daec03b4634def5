"""Serves Dagster's web server and daemon for one home.

Belongs here: starting and stopping those processes, and reloading definitions when the range of months grows. Does not
belong here: definitions (`definitions.py`).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from types import FrameType

from rich.console import Console

from clv_pipeline.lake import Lake
from clv_pipeline.runs import RunError, choose_dagster_home, open_instance
from clv_pipeline.settings import Settings
from clv_pipeline.sql import project_root
from clv_pipeline.state import State

_LOCATION = "clv_pipeline"
_WATCH_SECONDS = 10
_STOP_SECONDS = 60
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RELOAD = """
    mutation Reload($name: String!) {
        reloadRepositoryLocation(repositoryLocationName: $name) {
            __typename
            ... on WorkspaceLocationEntry { loadStatus locationOrLoadError { __typename } }
        }
    }"""


def serve(settings: Settings, port: int, console: Console) -> int:
    """Runs web server and daemon until interrupted; RunError when the port is taken."""
    _require_free(port)
    lake = Lake(settings.home, settings.engine)
    with open_instance(settings, lake):
        home = choose_dagster_home(settings)
    environment = {**os.environ, "CLV_CONFIG": str(settings.config_file), "DAGSTER_HOME": str(home)}
    workspace = project_root() / "workspace.yaml"
    command = [sys.executable, "-m", "dagster_dg_cli.cli", "dev", "-w", str(workspace), "-h", "127.0.0.1"]
    for stop in _STOPS:
        signal.signal(stop, _interrupt)
    months = State(lake, settings).known_periods
    # A session of its own: Ctrl-C then reaches the services once, through here, and they end in their own order.
    process = subprocess.Popen([*command, "-p", str(port)], env=environment, start_new_session=True)
    console.print(f"http://127.0.0.1:{port}  (stop with Ctrl-C)")
    try:
        while True:
            try:
                return process.wait(timeout=_WATCH_SECONDS)
            except subprocess.TimeoutExpired:
                now = State(lake, settings).known_periods
                if now != months and reload_definitions(port):
                    months = now
    except KeyboardInterrupt:
        console.print("stopping")
        return _stop(process)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _stop(process: subprocess.Popen[bytes]) -> int:
    for stop in _STOPS:
        signal.signal(stop, signal.SIG_IGN)
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(timeout=_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise RunError(f"port {port} is in use; choose another with --port")


def reload_definitions(port: int) -> bool:
    """Has the web server on `port` load the definitions again; False while it does not answer or cannot load them."""
    body = json.dumps({"query": _RELOAD, "variables": {"name": _LOCATION}}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            result = json.load(answer)["data"]["reloadRepositoryLocation"]
    except (urllib.error.URLError, OSError, ValueError, TypeError, KeyError):
        return False
    return (result.get("locationOrLoadError") or {}).get("__typename") == "RepositoryLocation"
