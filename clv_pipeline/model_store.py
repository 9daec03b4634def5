"""Fitted versions as files: `<home>/models/<version>/` holds `version.json`, `draws.nc` and `card.md`.

Belongs here: writing a version once and whole, and reading it. Does not belong here: which version is in use
(`stages/champion.py`), what the card says (`clv/models/card.py`).

`draws.nc` is netCDF-4 with a group `posterior` of dimensions (chain, draw), as ArviZ and xarray read it. It is written
by h5netcdf alone: neither of them, nor PyMC, has to be imported for it.
"""

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from clv_pipeline.lake import Lake, rename_durably

_PARAMETERS = {"model": pl.String, "parameter": pl.String, "estimate": pl.Float64}
DRAWS_SCHEMA = {"model": pl.String, "draw": pl.Int64, "parameter": pl.String, "value": pl.Float64}


class VersionError(ValueError):
    """A version is not there or cannot be used; one line that says what to do."""


@dataclass(frozen=True)
class StoredVersion:
    """A version as it was kept: `facts` is what `version.json` says."""

    facts: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        """Its id."""
        return self.facts["version"]

    @property
    def parameters(self) -> pl.DataFrame:
        """model, parameter, estimate."""
        rows = [[row[name] for name in _PARAMETERS] for row in self.facts["parameters"]]
        return pl.DataFrame(rows, schema=_PARAMETERS, orient="row")

    @property
    def card(self) -> str:
        """Its card as Markdown."""
        return (self.folder / "card.md").read_text(encoding="utf-8")

    def read_draws(self) -> pl.DataFrame:
        """model, draw, parameter, value; no row where it has no draws."""
        file = self.folder / "draws.nc"
        return _read_draws(file) if file.exists() else pl.DataFrame(schema=DRAWS_SCHEMA)


def keep_version(lake: Lake, facts: Mapping[str, Any], draws: pl.DataFrame, card: str) -> Path:
    """Writes a version unless it is there; returns its folder.

    It is written beside and renamed, so that a folder is whole or not there. What was fitted never changes; the card
    is written again when it says something else, for it also tells what the version is compared with.
    """
    folder = lake.home / "models" / facts["version"]
    if not (folder / "version.json").exists():
        _write_folder(lake, folder, facts, draws, card)
    elif not (folder / "card.md").exists() or (folder / "card.md").read_text(encoding="utf-8") != card:
        staging = lake.staging_file("card", facts["version"])
        staging.write_text(card, encoding="utf-8")
        rename_durably(staging, folder / "card.md")
    return folder


def list_versions(lake: Lake) -> list[StoredVersion]:
    """All versions, by as-of month and the moment of their fit."""
    files = (lake.home / "models").glob("*/version.json")
    found = [StoredVersion(json.loads(file.read_text(encoding="utf-8")), file.parent) for file in files]
    return sorted(found, key=lambda stored: (stored.facts["as_of"], stored.facts["fitted_at"], stored.name))


def find_version(lake: Lake, name: str) -> StoredVersion:
    """The version called `name`, or the only one whose id begins so; VersionError without one."""
    versions = list_versions(lake)
    if not versions:
        raise VersionError("no version has been fitted yet; run `clv run` first")
    found = [v for v in versions if v.name == name] or [v for v in versions if v.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise VersionError(f"{len(found)} versions begin with '{name}': {_name_some(found)}; write one of them")
    raise VersionError(
        f"there is no version '{name}'; `clv models` lists them, the latest: {_name_some(versions[-3:])}"
    )


def _name_some(versions: list[StoredVersion]) -> str:
    return ", ".join(version.name for version in versions[:3])


def _write_folder(lake: Lake, folder: Path, facts: Mapping[str, Any], draws: pl.DataFrame, card: str) -> None:
    staging = lake.root / ".staging" / f"model-{folder.name}-{os.getpid()}-{time.monotonic_ns()}"
    staging.mkdir(parents=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    (staging / "card.md").write_text(card, encoding="utf-8")
    (staging / "version.json").write_text(json.dumps(facts, indent=2, default=str) + "\n", encoding="utf-8")
    if draws.height:
        _write_draws(staging / "draws.nc", draws, facts)
    for path in (*staging.iterdir(), staging):
        _sync(path)
    try:
        staging.replace(folder)
    except OSError:  # another process has kept the same version meanwhile
        shutil.rmtree(staging, ignore_errors=True)
        if not (folder / "version.json").exists():
            raise
    _sync(folder.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_draws(file: Path, draws: pl.DataFrame, facts: Mapping[str, Any]) -> None:
    import h5netcdf  # noqa: PLC0415  (a third of a second, and only where there are draws)
    import numpy as np  # noqa: PLC0415

    settings = facts["settings"]
    number = draws["draw"].n_unique()
    chains = settings["chains"] if settings["estimation"] == "mcmc" and number % settings["chains"] == 0 else 1
    with h5netcdf.File(file, "w") as root:
        root.attrs["version"], root.attrs["estimation"] = facts["version"], settings["estimation"]
        posterior = root.create_group("posterior")
        sizes = {"chain": chains, "draw": number // chains}
        posterior.dimensions = sizes
        for name, size in sizes.items():
            posterior.create_variable(name, (name,), data=np.arange(size))
        for (model, parameter), rows in draws.group_by("model", "parameter", maintain_order=True):
            values = rows.sort("draw")["value"].to_numpy().reshape(chains, -1)
            variable = posterior.create_variable(f"{model}_{parameter}", ("chain", "draw"), data=values)
            variable.attrs["model"], variable.attrs["parameter"] = model, parameter


def _read_draws(file: Path) -> pl.DataFrame:
    import h5netcdf  # noqa: PLC0415

    with h5netcdf.File(file, "r") as root:
        variables = [v for v in root["posterior"].variables.values() if "parameter" in v.attrs]
        frames = [
            pl.DataFrame({"value": v[:].ravel()}).select(
                pl.lit(str(v.attrs["model"])).alias("model"),
                pl.int_range(pl.len(), dtype=pl.Int64).alias("draw"),
                pl.lit(str(v.attrs["parameter"])).alias("parameter"),
                "value",
            )
            for v in variables
        ]
    return pl.concat(frames)
