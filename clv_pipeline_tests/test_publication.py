"""Which pages are written: the latest as the entry, earlier months where they are missing or out of date."""

from pathlib import Path

import pytest

from clv_pipeline.lake import LakeError
from clv_pipeline.publication import publish_report
from clv_pipeline_tests.warehouse import Warehouse


def order(number: int, customer: str, day: str) -> list[object]:
    return [number, customer, day, "tea", 1, 10]


def test_earlier_months_have_pages_that_follow_their_tables(warehouse: Warehouse) -> None:
    folder = warehouse.settings.home / "report"
    warehouse.deliver("a.csv", [order(1, "ann", "2024-01-05"), order(2, "bob", "2024-02-05")])
    warehouse.refresh("2024-01")
    warehouse.refresh("2024-02")
    assert publish_report(warehouse.lake, warehouse.settings) == folder / "index.html"
    written = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert set(written) == {"2024-01.html", "2024-02.html", "index.html"}

    entry = read(folder / "index.html")
    assert '<a href="2024-01.html">January</a>' in entry
    assert "January 2024 and February 2024" in entry  # this month against last

    publish_report(warehouse.lake, warehouse.settings)
    assert (folder / "2024-01.html").stat().st_mtime_ns == written["2024-01.html"]

    warehouse.deliver("late.csv", [order(3, "cid", "2024-01-20")])
    warehouse.refresh("2024-01")
    publish_report(warehouse.lake, warehouse.settings)
    assert "2 customers were " in read(folder / "2024-01.html")


@pytest.mark.parametrize(("name", "column"), [("lenses.lens1_headline", "customers"), ("rfm.customers", "spend")])
def test_tables_of_an_earlier_version_are_told_in_one_line(name: str, column: str, warehouse: Warehouse) -> None:
    month, lake = "2024-01", warehouse.lake
    warehouse.deliver("a.csv", [order(1, "ann", "2024-01-05"), order(2, "bob", "2024-01-09")])
    warehouse.refresh(month)
    frame = warehouse.query(f"SELECT * EXCLUDE ({column}) FROM {name}")
    with lake.connect() as con:
        lake.publish(con, lake.stage(con, name, [month], frame)[month], inputs="", code="earlier")
    with pytest.raises(LakeError, match=r"^tables of 2024-01 were made by an earlier version; run `clv run"):
        publish_report(lake, warehouse.settings)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")
