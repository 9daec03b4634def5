"""Logs versions to an MLflow tracking server, for teams that run one.

Belongs here: what of a version becomes a parameter, metric or artifact there. Does not belong here: the version
(`model_store.py`). The server gets a copy: nothing is ever read from it, and one that is down stops nothing.
"""

import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from clv_pipeline.clv.models.result import ModelError
from clv_pipeline.settings import Settings

EXPERIMENT = "clv"
_LOGGED = "mlflow.json"
_REFUSED = re.compile(r"[^A-Za-z0-9_\-. :/]")
_LONGEST = 240
# MLflow would try for minutes; whoever set these himself keeps them.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}


def find_server(settings: Settings) -> str | None:
    """[models] mlflow_uri, else $MLFLOW_TRACKING_URI where mlflow is installed; None without either.

    Raises ModelError when a server is configured and mlflow is not installed.
    """
    installed = find_spec("mlflow") is not None
    configured = settings.models.mlflow_uri
    if configured and not installed:
        raise ModelError("models.mlflow_uri needs mlflow: install clv-pipeline[mlflow], or remove the setting")
    return configured or (os.environ.get("MLFLOW_TRACKING_URI") or None if installed else None)


def log_version(folder: Path, uri: str) -> str | None:
    """Logs the version in `folder` unless it was before; returns what went wrong, None for nothing."""
    if (folder / _LOGGED).exists():
        return None
    facts = json.loads((folder / "version.json").read_text(encoding="utf-8"))
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            run = _log(folder, facts, uri)
        except Exception as error:  # whatever a server, its database or its proxy may say
            return _hide_login(str(error).splitlines()[0])[:200]
    logged = {"uri": _hide_login(uri), "run_id": run}
    (folder / _LOGGED).write_text(json.dumps(logged) + "\n", encoding="utf-8")
    return None


def name_metrics(names: Sequence[str]) -> list[str]:
    """`names` as MLflow takes them, all different: 'a.purchase_coefficient[b = c]' is 'a.purchase_coefficient.b:c'.

    It refuses brackets, signs, letters beyond ASCII, and more than 250 characters.
    """
    named: list[str] = []
    for name in names:
        plain = _REFUSED.sub("_", name.replace(" = ", ":").replace("[", ".").removesuffix("]"))[:_LONGEST]
        number = sum(other == plain or other.startswith(f"{plain} ") for other in named)
        named.append(f"{plain} {number + 1}" if number else plain)
    return named


def _hide_login(text: str) -> str:
    """`text` without what stands before the host of an address: $MLFLOW_TRACKING_URI may hold a password."""
    return re.sub(r"//[^/\s]*@", "//", text)


def _log(folder: Path, facts: Mapping[str, Any], uri: str) -> str:
    from mlflow.tracking import MlflowClient  # noqa: PLC0415  (seconds, and only where a server is configured)

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    number = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    tags = {name: str(facts[name]) for name in ("version", "as_of", "code_version", "data_version", "converged")}
    run = client.create_run(number, run_name=facts["version"], tags=tags).info.run_id
    for name, value in facts["settings"].items():
        client.log_param(run, name, value)
    parameters = [f"{row['model']}.{row['parameter']}" for row in facts["parameters"]]
    for name, row in zip(name_metrics(parameters), facts["parameters"], strict=True):
        client.log_metric(run, name, row["estimate"])
    for row in facts["metrics"]:
        client.log_metric(run, f"{row['split']}.{row['model']}.{row['metric']}", row["value"])
    for row in facts["backtest"]:
        client.log_metric(run, f"backtest.{row['model']}.{row['criterion']}", row["value"])
    for file in sorted(folder.iterdir()):
        client.log_artifact(run, str(file))
    client.set_terminated(run)
    return run
