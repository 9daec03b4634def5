"""Serves Dagster's web server and daemon for one home.

Belongs here: starting and stopping those processes, and reloading definitions when the range of months grows. Does not
belong here: definitions (`definitions.py`).
"""

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request

from rich.console import Console

from clv_pipeline.lake import Lake
from clv_pipeline.runs import RunError, choose_dagster_home, open_instance
from clv_pipeline.settings import Settings
from clv_pipeline.state import State

_LOCATION = "clv_pipeline"
_WATCH_SECONDS = 10
_RELOAD = "mutation Reload($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"


def serve(settings: Settings, port: int, console: Console) -> int:
    """Runs web server and daemon until interrupted; RunError when the port is taken."""
    _require_free(port)
    lake = Lake(settings.home, settings.engine)
    with open_instance(settings, lake):
        home = choose_dagster_home(settings)
    # Without a file all settings are variables, which the processes inherit.
    config = str(settings.config_file) if settings.config_file.exists() else ""
    environment = {**os.environ, "CLV_CONFIG": config, "DAGSTER_HOME": str(home)}
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "clv_pipeline.definitions",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    console.print(f"http://127.0.0.1:{port}  (stop with Ctrl-C)")
    process = subprocess.Popen(command, env=environment)
    months = State(lake, settings).known_periods
    try:
        while True:
            try:
                return process.wait(timeout=_WATCH_SECONDS)
            except subprocess.TimeoutExpired:
                now = State(lake, settings).known_periods
                if now != months and _reload_definitions(port):
                    months = now
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise RunError(f"port {port} is in use; choose another with --port")


def _reload_definitions(port: int) -> bool:
    body = json.dumps({"query": _RELOAD, "variables": {"name": _LOCATION}}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return "WorkspaceLocationEntry" in answer.read().decode()
    except (urllib.error.URLError, OSError):
        return False
