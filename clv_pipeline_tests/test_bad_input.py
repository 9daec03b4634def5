"""Bad files, a bad home and odd data: one line that names the culprit, or a sensible result; never half a table."""

import gzip
import io
import os
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import duckdb
import polars as pl
import pytest

from clv_pipeline import lake as lake_module
from clv_pipeline import landing, sources
from clv_pipeline.lake import Lake, LakeError
from clv_pipeline.settings import load_settings
from clv_pipeline.sources import SourceFile
from clv_pipeline_tests.warehouse import COLUMNS, RFM_STEPS, Warehouse

HEADER = ",".join(COLUMNS)
ROW = "1,ann,2024-01-05,tea,2,1.25"
GOOD = f"{HEADER}\n{ROW}\n2,bob,2024-02-05,tea,2,1.25\n"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", GOOD)
    return buffer.getvalue()


def parquet() -> bytes:
    buffer = io.BytesIO()
    pl.read_csv(GOOD.encode()).write_parquet(buffer)
    return buffer.getvalue()


def corrupt(packed: bytes) -> bytes:
    return packed[:-6] + bytes([packed[-6] ^ 0xFF]) + packed[-5:]  # a byte of the checksum before the length


PACKED = gzip.compress((GOOD * 50).encode())
BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "zip": ("a.csv", zipped(), "a ZIP archive or spreadsheet, not CSV; unpack it or export it as CSV"),
    "zip, named so": ("a.csv.zip", zipped(), "a ZIP archive or spreadsheet, not CSV; unpack it or export it as CSV"),
    "parquet as csv": ("a.csv", parquet(), "a Parquet file, not CSV; name it .parquet"),
    "gzip as csv": ("a.csv", PACKED, "gzipped, not plain CSV; name it .csv.gz"),
    "csv as gzip": ("a.csv.gz", GOOD.encode(), "not gzipped; drop .gz from its name"),
    "cut gzip": ("a.csv.gz", PACKED[:-20], "a damaged or cut gzip file; deliver it again"),
    "gzip checksum": ("a.csv.gz", corrupt(PACKED), "a damaged or cut gzip file; deliver it again"),
    "cut parquet": ("a.parquet", parquet()[:-30], "not a Parquet file, or cut off (No magic bytes found at end of"),
    "csv as parquet": ("a.pq", GOOD.encode(), "not a Parquet file, or cut off (No magic bytes found at end of"),
    "binary": ("a.csv", bytes(range(256)) * 20, "binary, not CSV; deliver it as CSV or Parquet"),
    "html": ("a.csv", b"<!DOCTYPE html>\n<p>Log in, please</p>\n", "a web page or XML, not CSV; deliver the export"),
    "json": ("a.csv", b'[{"order_id": 1},\n {"order_id": 2}]\n', "JSON, not CSV; deliver it as CSV or Parquet"),
    "utf-16": ("a.csv", GOOD.encode("utf-16"), "UTF-16 text; set [source] encoding = 'utf-16', or save it as UTF-8"),
    "latin-1": ("a.csv", GOOD.replace("bob", "zoé").encode("latin-1"), "row 2 is not in the expected encoding; set"),
    "latin-1 header": ("a.csv", GOOD.replace("quantity", "quantité").encode("latin-1"), "the header is not UTF-8; set"),
    "other columns": ("a.csv", b"id,who\n1,ann\n", "'quantity', 'unit_price'; it has id, who; mend the file, or [so"),
    "one column less": ("a.csv", GOOD.replace("unit_price", "price").encode(), "has no column 'unit_price'; it has"),
    "a bad header alone": ("a.csv", b"id,who\n", "has no column 'order_id'"),
    "no header": ("a.csv", f"{ROW}\n".encode(), "has no column 'order_id', "),
    "repeated header": ("a.csv", f"{HEADER},Order_ID\n{ROW},9\n".encode(), "has column 'order_id' twice; rename one"),
}


def snapshot(home: Path) -> dict[str, str]:
    """What is published or committed: every file of the home but locks."""
    return {
        str(path.relative_to(home)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and ".locks" not in path.parts
    }


def lines(house: Warehouse) -> list[tuple[object, ...]]:
    return house.query("SELECT order_id, customer_id, product_id FROM transactions.lines ORDER BY ALL").rows()


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_named_with_its_fix_and_lands_nothing(case: str, warehouse: Warehouse) -> None:
    name, content, problem = BAD_FILES[case]
    warehouse.deliver("good.csv", [ROW.split(",")])
    warehouse.land()
    before = snapshot(warehouse.lake.home)
    (warehouse.incoming / name).write_bytes(content)
    load = warehouse.land()
    (bad,) = load.bad_files
    assert str(bad).startswith(f"{name}: ")
    assert problem in str(bad)
    assert "\n" not in str(bad)
    assert (load.batches, load.rows, load.unchanged_files) == (0, 0, 1)
    assert snapshot(warehouse.lake.home) == before


def test_good_files_beside_a_bad_one_land_and_the_mended_one_lands_next_time(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "keyed", more_columns=("line_id",))
    columns = (*COLUMNS, "line_id")
    for name, customer in (("a.csv", "ann"), ("c.csv", "cyd")):
        house.deliver(name, [["1", customer, "2024-01-05", "tea", 1, 1, name]], columns)
    bad = house.deliver("b.csv", [["1"]], ("nothing",))
    os.utime(bad, ns=(0, 0))  # the first to arrive
    assert [file.name for file in house.land().bad_files] == ["b.csv"]
    assert [file.name for file in house.land().bad_files] == ["b.csv"]
    house.deliver("d.csv", [["1", "dee", "2024-01-05", "tea", 1, 1, "a.csv"]], columns)
    house.land()
    house.deliver("b.csv", [["1", "eve", "2024-01-05", "tea", 1, 1, "a.csv"]], columns)
    assert house.land().bad_files == ()
    house.refresh(steps=RFM_STEPS)
    assert [row[1] for row in lines(house)] == ["cyd", "eve"]  # the version of line a.csv that arrived last stands
    arrivals = house.query("SELECT seq FROM landing.batches ORDER BY seq")["seq"].to_list()
    assert len(arrivals) == len(set(arrivals)) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace(",", ";"), ["tea", "tea"]),
        (GOOD.replace(",", "\t"), ["tea", "tea"]),
        (GOOD.replace(",", " , "), ["tea", "tea"]),
        (GOOD.replace("\n", "\r\n") + "\r\n\r\n", ["tea", "tea"]),
        (HEADER + '\n1,ann,2024-01-05,"tea\nor, pie",1,1\n2,ann,2024-01-06,"a ""b""",1,1\n', ['a "b"', "tea\nor, pie"]),
        (HEADER + ",note,note\n" + ROW + ",x,y\n", ["tea"]),
        (HEADER + ",\n" + ROW + ",\n", ["tea"]),
    ],
    ids=["semicolons", "tabs", "spaces", "crlf and blank lines", "quoted newlines", "repeated note", "unnamed column"],
)
def test_unusual_but_clear_csv_is_read(text: str, expected: list[str], warehouse: Warehouse) -> None:
    (warehouse.incoming / "a.csv").write_text(text, newline="")
    warehouse.refresh(steps=RFM_STEPS)
    assert sorted(str(row[2]) for row in lines(warehouse)) == expected
    assert warehouse.query("SELECT count(*) FROM transactions.quarantine").item() == 0


def test_lines_that_do_not_fit_the_header_are_quarantined_with_their_row(warehouse: Warehouse) -> None:
    (warehouse.incoming / "a.csv").write_text(GOOD + "4,ann\n5,ann,2024-03-09,tea,1,1,x\n6;ann;2024-03-09;tea;1;1\n")
    warehouse.refresh(steps=RFM_STEPS)
    found = warehouse.query("SELECT row_number, reason FROM transactions.quarantine ORDER BY ALL").rows()
    assert [row for row, _ in found] == [3, 4, 5]
    assert all(reason.startswith("malformed line: Expected Number of Columns: 6 Found: ") for _, reason in found)
    assert len(lines(warehouse)) == 2


def test_columns_may_be_called_like_ours(warehouse: Warehouse) -> None:
    ours = ["source", "source_", "period", "batch_id", "row_number", "seq", "loaded_at", "malformed"]
    names = [*ours, "filename", "path", "n", "first_n", "k"]
    warehouse.deliver("a.csv", [[*ROW.split(","), *names]], (*COLUMNS, *names))
    more = ",".join(names)
    (warehouse.incoming / "b.csv").write_text(f"{HEADER},{more}\n2\n3,ann,2024-01-05,tea,1,1,{more}\n")
    warehouse.refresh(steps=RFM_STEPS)
    assert [row[0] for row in lines(warehouse)] == ["1", "3"]
    landed = warehouse.query("SELECT * FROM landing.lines WHERE source = 'a.csv'").row(0, named=True)
    assert [landed[name] for name in ("source_", "source__", "period_", "n")] == ["source", "source_", "period", "n"]
    assert warehouse.query("SELECT source, row_number FROM transactions.quarantine").rows() == [("b.csv", 1)]


def test_an_empty_file_waits_until_it_has_rows(warehouse: Warehouse) -> None:
    warehouse.deliver("header.csv", [])
    (warehouse.incoming / "empty.csv").write_bytes(b"")
    load = warehouse.land()
    assert (sorted(load.empty_files), load.bad_files, load.rows) == (["empty.csv", "header.csv"], (), 0)
    warehouse.deliver("empty.csv", [ROW.split(",")])
    warehouse.deliver("header.csv", [["2", *ROW.split(",")[1:]]])
    warehouse.refresh(steps=RFM_STEPS)
    assert [row[0] for row in lines(warehouse)] == ["1", "2"]


def test_hidden_files_folders_and_the_homes_own_files_are_no_deliveries(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "wide")
    house.config.write_text(house.config.read_text().replace("incoming/*", "**/*"))
    house.settings = load_settings(house.config, {})
    house.deliver("a.csv", [ROW.split(",")])
    (house.incoming / ".a.csv.part").write_text("half a file")
    (house.incoming / "folder.csv").mkdir()
    house.refresh(steps=RFM_STEPS)
    assert house.land().unchanged_files == 1
    assert len(lines(house)) == 1


def test_a_file_that_vanishes_or_cannot_be_opened_is_named_and_the_others_land(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone.csv", "kept.csv", "locked.csv", "late.csv"):
        warehouse.deliver(name, [ROW.split(",")])
    whole = landing.digest

    def digest(path: Path, length: int | None = None) -> str:
        if path.name == "gone.csv":
            path.unlink()
        if path.name == "locked.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return whole(path, length)

    read = sources._read_header

    def read_header(file: SourceFile) -> bytes:
        header = read(file)
        if file.name == "late.csv":
            file.path.unlink()
        return header

    monkeypatch.setattr(landing, "digest", digest)
    monkeypatch.setattr(sources, "_read_header", read_header)
    load = warehouse.land()
    assert sorted(map(str, load.bad_files)) == [
        "gone.csv: vanished while it was read; deliver it again if it is still wanted",
        "late.csv: vanished while it was read; deliver it again if it is still wanted",
        "locked.csv: cannot be opened (Permission denied); mend its permissions or deliver it again",
    ]
    assert (load.batches, load.rows) == (1, 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file; the case above is the same without permissions")
def test_a_file_without_permission_is_named(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW.split(",")]).chmod(0)
    assert str(warehouse.land().bad_files[0]).startswith("a.csv: cannot be opened (Permission denied)")


@pytest.mark.parametrize("below", ["file", "file/home"])
def test_a_home_that_cannot_be_written_is_one_line(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LakeError, match=r"^cannot write to home [^\n]* \([^\n]*\); fix its permissions or set home$"):
        Lake(tmp_path / below).prepare()


def test_a_full_disk_leaves_every_table_as_it_was(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse.deliver("a.csv", [ROW.split(",")])
    warehouse.refresh(steps=RFM_STEPS)
    before = snapshot(warehouse.lake.home / "lake" / "transactions") | snapshot(warehouse.lake.home / "lake" / "marts")
    rename, fail_at = lake_module.rename_durably, iter(range(100))

    def fill(source: Path, target: Path) -> None:
        if next(fail_at) == 1:
            raise OSError(28, "No space left on device", str(source))
        rename(source, target)

    warehouse.deliver("b.csv", [["2", "bob", "2024-01-06", "pie", 1, 1]])
    warehouse.land()
    monkeypatch.setattr(lake_module, "rename_durably", fill)
    with pytest.raises(OSError, match="No space left"):
        warehouse.refresh(steps=RFM_STEPS)
    after = snapshot(warehouse.lake.home / "lake" / "transactions") | snapshot(warehouse.lake.home / "lake" / "marts")
    assert set(after) == set(before)
    monkeypatch.undo()
    warehouse.refresh(steps=RFM_STEPS)
    assert len(lines(warehouse)) == 2


def test_an_open_database_file_disturbs_nobody(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW.split(",")])
    warehouse.refresh(steps=RFM_STEPS)
    warehouse.query("SELECT 1")
    hold = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    door = str(warehouse.lake.home / "clv.duckdb")
    with subprocess.Popen([sys.executable, "-c", hold, door], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(duckdb.IOException, match="lock"):
            duckdb.connect(door)
        warehouse.deliver("b.csv", [["2", "bob", "2024-02-06", "pie", 1, 1]])
        warehouse.refresh(steps=RFM_STEPS)
        assert len(lines(warehouse)) == 2
        holder.communicate("")
