"""Storage: stamps travel with their data, publication is all or nothing, readers see whole partitions."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from clv_pipeline.lake import Lake, LakeError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "home")
    lake.prepare()
    return lake


def publish(lake: Lake, value: int, period: str = "2024-01") -> str:
    with lake.connect() as con:
        staged = lake.stage(con, "marts.orders", [period], f"SELECT '{period}' AS period, {value} AS spend")[period]
        return lake.publish(con, staged, inputs="i", code="c", facts={"note": "it's {here}"}).content


def read(lake: Lake) -> list[tuple[str, int]]:
    with lake.connect() as con:
        lake.expose(con, "marts.orders")
        return con.sql("SELECT * FROM marts.orders ORDER BY ALL").fetchall()


def test_a_partition_carries_its_stamp(lake: Lake) -> None:
    content = publish(lake, 1)
    stamp = lake.read_stamps("marts.orders")["2024-01"]
    assert (stamp.content, stamp.rows, stamp.inputs, stamp.code) == (content, 1, "i", "c")
    assert stamp.facts == {"note": "it's {here}"}


def test_content_hashes_follow_rows_and_not_their_order(lake: Lake) -> None:
    with lake.connect() as con:
        forward = lake.stage(con, "marts.orders", ["2024-01"], "SELECT unnest([1, 2, 2]) AS x")["2024-01"]
        backward = lake.stage(con, "marts.orders", ["2024-01"], "SELECT unnest([2, 1, 2]) AS x")["2024-01"]
        fewer = lake.stage(con, "marts.orders", ["2024-01"], "SELECT unnest([2, 1]) AS x")["2024-01"]
        frame = lake.stage(con, "marts.orders", ["2024-01"], pl.DataFrame({"x": [1, 2, 2]}, schema={"x": pl.Int32}))[
            "2024-01"
        ]
    assert forward.content == backward.content == frame.content != fewer.content


def test_publishing_again_replaces_the_partition_and_no_other(lake: Lake) -> None:
    publish(lake, 1)
    publish(lake, 2, "2024-02")
    publish(lake, 3)
    assert read(lake) == [("2024-01", 3), ("2024-02", 2)]
    assert list((lake.root / ".staging").glob("*.parquet")) == []


def test_a_write_that_fails_leaves_the_old_partition(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(lake, 1)

    def fail(*_: object) -> None:
        raise duckdb.IOException("disk full")

    monkeypatch.setattr(Lake, "copy", staticmethod(fail))
    with pytest.raises(duckdb.IOException):
        publish(lake, 2)
    assert read(lake) == [("2024-01", 1)]


def test_an_open_reader_keeps_the_rows_it_started_with(lake: Lake) -> None:
    publish(lake, 1)
    with lake.connect() as con:
        lake.expose(con, "marts.orders")
        cursor = con.execute("SELECT * FROM marts.orders")
        publish(lake, 2)
        assert cursor.fetchall() == [("2024-01", 1)]
        assert con.execute("SELECT * FROM marts.orders").fetchall() == [("2024-01", 1)]
    assert read(lake) == [("2024-01", 2)]


def test_what_is_not_published_has_a_message_with_the_fix(lake: Lake) -> None:
    with lake.connect() as con, pytest.raises(LakeError, match=r"marts\.orders has no published month.*run the stages"):
        lake.expose(con, "marts.orders")


def test_an_empty_month_has_one_content_alone_and_among_others(lake: Lake) -> None:
    with lake.connect() as con:
        query = "SELECT '2024-01' AS period, 1 AS spend"
        together = lake.stage(con, "marts.orders", ["2024-01", "2024-02"], query)
        alone = lake.stage(con, "marts.orders", ["2024-02"], f"SELECT * FROM ({query}) WHERE period = '2024-02'")
    assert together["2024-02"].content == alone["2024-02"].content == "0-0"
