"""A version is kept whole and once, whoever dies while he writes it, and comes back as it was."""

from pathlib import Path

import h5netcdf
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline.model_store import VersionError, find_version, keep_version, list_versions
from clv_pipeline_tests.processes import run_and_die
from clv_pipeline_tests.warehouse import Warehouse

ROW = {"model": "bg_nbd", "parameter": "r", "estimate": 0.243, "lower": 0.2, "upper": 0.3}
FACTS = {
    "version": "2024-03-bg_nbd-0a",
    "as_of": "2024-03",
    "fitted_at": "2024-04-01",
    "settings": {"estimation": "mcmc", "chains": 2},
    "parameters": [ROW],
}
DRAWS = pl.DataFrame(
    {
        "model": ["bg_nbd"] * 8,
        "draw": [0, 0, 1, 1, 2, 2, 3, 3],
        "parameter": ["r", "alpha"] * 4,
        "value": [0.1, 1.0, 0.2, 2.0, 0.3, 3.0, 0.4, 4.0],
    }
)


def keep(company: Warehouse) -> Path:
    company.lake.prepare()
    return keep_version(company.lake, FACTS, DRAWS, "# card\n")


def test_it_comes_back_as_it_was(warehouse: Warehouse) -> None:
    folder = keep(warehouse)
    stored = find_version(warehouse.lake, "2024-03")
    assert stored.facts == FACTS
    assert stored.parameters.rows() == [("bg_nbd", "r", 0.243)]
    by = ["model", "parameter", "draw"]
    assert_frame_equal(stored.read_draws().sort(by), DRAWS.sort(by), check_exact=True)
    with h5netcdf.File(folder / "draws.nc") as root:
        variable = root["posterior"].variables["bg_nbd_r"]
        assert variable.dimensions == ("chain", "draw")
        assert variable[:].tolist() == [[0.1, 0.2], [0.3, 0.4]]


@pytest.mark.slow
def test_arviz_reads_the_draws(warehouse: Warehouse) -> None:
    import xarray  # noqa: PLC0415

    tree = xarray.open_datatree(keep(warehouse) / "draws.nc", engine="h5netcdf")
    assert tree["posterior"]["bg_nbd_alpha"].sel(chain=1, draw=0).item() == 3.0


def test_what_was_fitted_never_changes_but_the_card_may(warehouse: Warehouse) -> None:
    folder = keep(warehouse)
    before = (folder / "version.json").stat().st_mtime_ns
    keep_version(warehouse.lake, FACTS | {"fitted_at": "later"}, DRAWS.clear(), "# other card\n")
    assert (folder / "version.json").stat().st_mtime_ns == before
    assert find_version(warehouse.lake, FACTS["version"]).card == "# other card\n"
    assert list((warehouse.lake.root / ".staging").iterdir()) == []


def test_whoever_dies_while_he_writes_leaves_all_or_nothing(warehouse: Warehouse) -> None:
    assert run_and_die(keep, warehouse, at_rename=1)
    assert list_versions(warehouse.lake) == []
    keep(warehouse)
    assert [version.name for version in list_versions(warehouse.lake)] == [FACTS["version"]]
    assert not run_and_die(keep, warehouse, at_rename=1)


def test_a_name_that_fits_none_or_several_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(VersionError, match="no version has been fitted yet; run `clv run`"):
        find_version(warehouse.lake, "2024")
    keep(warehouse)
    keep_version(warehouse.lake, FACTS | {"version": "2024-03-bg_nbd-0b"}, DRAWS, "")
    with pytest.raises(VersionError, match="2 versions begin with '2024': 2024-03-bg_nbd-0a, 2024-03-bg_nbd-0b"):
        find_version(warehouse.lake, "2024")
    with pytest.raises(VersionError, match="there is no version 'x'; `clv models` lists them"):
        find_version(warehouse.lake, "x")
