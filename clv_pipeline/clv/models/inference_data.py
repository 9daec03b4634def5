"""Draws as the file that ArviZ and its friends read (netCDF), with the facts of the fit.

Belongs here: the shape of that file. Does not belong here: where it is kept, or the table `models.draws`.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl


def to_inference_data(draws: pl.DataFrame, facts: Mapping[str, str | float], *, chains: int = 1) -> Any:
    """An xarray DataTree with group `posterior`: chains x draws of each parameter, named as in 'bg_nbd_alpha'.

    `draws`: model, draw, parameter, value, chain after chain, as in ModelFit; Laplace draws are one chain. `facts`
    become attributes of the tree.
    """
    grouped = draws.sort("model", "parameter", "draw").group_by("model", "parameter", maintain_order=True)
    posterior = {
        f"{model}_{parameter}": rows["value"].to_numpy().reshape(chains, -1) for (model, parameter), rows in grouped
    }
    return import_module("arviz_base").from_dict({"posterior": posterior}, attrs={"/": dict(facts)})


def write_inference_data(tree: Any, path: Path) -> None:
    """Writes the tree as netCDF 4; `xarray.open_datatree` reads it."""
    tree.to_netcdf(path, engine="h5netcdf")
