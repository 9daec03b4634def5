"""Landing and the current state of lines: identity, corrections, time zones, returns, quarantine, reconciliation."""

import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from clv_pipeline.ledger import LedgerError
from clv_pipeline_tests.warehouse import COLUMNS, RFM_STEPS, Warehouse

ROW = ["1", "ann", "2024-01-05 10:00:00", "tea", 2, "1.25"]


def lines(warehouse: Warehouse) -> list[tuple[object, ...]]:
    columns = "order_id, customer_id, product_id, quantity, line_total, period"
    return warehouse.query(f"SELECT {columns} FROM transactions.lines ORDER BY ALL").rows()


def test_a_line_is_typed_and_valued_half_up(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [["1", "ann", "2024-01-05 10:00:00", "tea", 3, "0.115"]])
    warehouse.refresh(steps=RFM_STEPS)
    row = warehouse.query("SELECT * FROM transactions.lines").row(0, named=True)
    assert row["line_total"] == Decimal("0.35")  # 0.345 rounds up, half even would give 0.34
    assert (row["quantity"], row["unit_price"]) == (Decimal("3.000"), Decimal("0.1150"))
    assert row["order_ts"] == datetime(2024, 1, 5, 10)
    assert (row["period"], row["line_id"], row["is_return"]) == ("2024-01", "1-1", False)


def test_bom_gzip_parquet_and_crlf_read_alike(warehouse: Warehouse) -> None:
    text = ",".join(COLUMNS) + "\r\n" + ",".join(map(str, ROW)) + "\r\n"
    (warehouse.incoming / "bom.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    with gzip.open(warehouse.incoming / "b.csv.gz", "wt", newline="") as file:
        file.write(text.replace("ann", "bob"))
    frame = pl.DataFrame([dict(zip(COLUMNS, [*ROW[:1], "cyd", datetime(2024, 1, 5, 10), "tea", 2, 1.25], strict=True))])
    frame.write_parquet(warehouse.incoming / "c.parquet")
    warehouse.refresh(steps=RFM_STEPS)
    assert [row[1:] for row in lines(warehouse)] == [
        (name, "tea", Decimal(2), Decimal("2.50"), "2024-01") for name in ("ann", "bob", "cyd")
    ]


def test_the_same_delivery_lands_once(warehouse: Warehouse) -> None:
    path = warehouse.deliver("a.csv", [ROW])
    assert warehouse.land().rows == 1
    path.write_bytes(path.read_bytes())
    assert warehouse.land().batches == 0
    assert warehouse.land().unchanged_files == 1


def test_a_file_that_grows_lands_only_its_tail(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW])
    warehouse.refresh(steps=RFM_STEPS)
    warehouse.deliver("a.csv", [ROW, ["2", "bob", "2024-02-01", "pie", 1, 3]])
    assert warehouse.land().rows == 1
    warehouse.refresh(steps=RFM_STEPS)
    landed = warehouse.query("SELECT source, row_number FROM landing.lines ORDER BY ALL").rows()
    assert landed == [("a.csv", 1), ("a.csv", 2)]
    assert len(lines(warehouse)) == 2


def test_a_redelivered_file_replaces_what_it_delivered(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW, ["2", "bob", "2024-02-01", "pie", 1, 3]])
    warehouse.refresh(steps=RFM_STEPS)
    warehouse.deliver("a.csv", [ROW, ["2", "bob", "2024-03-01", "pie", 1, 3]])
    plans = warehouse.refresh(steps=RFM_STEPS)
    assert [(plan.first, plan.last) for plan in plans[:1]] == [("2024-02", "2024-03")]
    assert [(row[0], row[5]) for row in lines(warehouse)] == [("1", "2024-01"), ("2", "2024-03")]


def test_repeats_inside_a_file_are_real_and_copies_in_other_files_are_not(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW, ROW])
    warehouse.deliver("b.csv", [ROW, ROW, ROW])
    warehouse.deliver("c.csv", [ROW])
    warehouse.refresh(steps=RFM_STEPS)
    assert len(lines(warehouse)) == 3


def keyed(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "keyed", more_columns=("line_id", "updated_at", "is_deleted"))


def version(line: str, ts: str, qty: object, updated: str = "2024-06-01", deleted: str = "") -> list[object]:
    return ["1", "ann", ts, "tea", qty, "1.00", line, updated, deleted]


KEYED_COLUMNS = (*COLUMNS, "line_id", "updated_at", "is_deleted")


def test_the_latest_version_wins_whenever_it_arrives(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    house.deliver("a.csv", [version("x", "2024-01-05", 5, "2024-06-03")], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    house.deliver("b.csv", [version("x", "2024-01-05", 1, "2024-06-01")], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    assert [row[3] for row in lines(house)] == [Decimal(5)]


def test_a_line_that_moves_to_another_month_changes_both_and_nothing_else(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    rows = [version("x", "2024-01-05", 1), version("y", "2024-02-05", 1), version("z", "2024-04-05", 1)]
    house.deliver("a.csv", rows, KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    house.deliver("b.csv", [version("x", "2024-04-09", 1, "2024-07-01")], KEYED_COLUMNS)
    plans = house.refresh(steps=RFM_STEPS)
    assert [(plan.first, plan.last) for plan in plans] == [
        ("2024-01", "2024-01"),
        ("2024-04", "2024-04"),
        ("2024-04", "2024-04"),
    ]
    assert [row[5] for row in lines(house)] == ["2024-02", "2024-04", "2024-04"]


def test_a_line_that_moved_once_no_longer_concerns_the_month_it_left(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    house.deliver("a.csv", [version("x", "2024-01-05", 1), version("y", "2024-01-05", 1)], KEYED_COLUMNS)
    house.deliver("b.csv", [version("x", "2024-04-09", 1, "2024-07-01")], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    house.deliver("c.csv", [version("x", "2024-04-09", 3, "2024-07-02")], KEYED_COLUMNS)
    assert {(plan.first, plan.last) for plan in house.refresh(steps=RFM_STEPS)} == {("2024-04", "2024-04")}
    assert [(row[3], row[5]) for row in lines(house)] == [(Decimal(1), "2024-01"), (Decimal(3), "2024-04")]


def test_a_deletion_removes_the_line_even_without_its_other_columns(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    house.deliver("a.csv", [version("x", "2024-01-05", 1), version("y", "2024-01-06", 1)], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    house.deliver("b.csv", [[None] * 6 + ["x", "2024-07-01", "true"]], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    assert house.query("SELECT line_id FROM transactions.lines").rows() == [("y",)]


def test_two_claims_to_the_same_version_in_one_file_are_quarantined(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    house.deliver("a.csv", [version("x", "2024-01-05", 7, "2024-05-01"), version("y", "2024-01-05", 1)], KEYED_COLUMNS)
    house.deliver("b.csv", [version("x", "2024-01-05", 1), version("x", "2024-01-05", 2)], KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    quarantined = house.query("SELECT reason, row_number FROM transactions.quarantine ORDER BY ALL").rows()
    assert quarantined == [("conflicting duplicates", 1), ("conflicting duplicates", 2)]
    assert [row[3] for row in lines(house)] == [Decimal(1), Decimal(7)]  # the version before the conflict stands


def test_a_redelivery_that_says_nothing_new_touches_nothing(tmp_path: Path) -> None:
    house = keyed(tmp_path)
    rows = [version("x", "2024-01-05", 1), version("y", "2024-02-05", 1)]
    house.deliver("a.csv", rows, KEYED_COLUMNS)
    house.refresh(steps=RFM_STEPS)
    house.deliver("full_dump.csv", [*rows, version("z", "2024-02-07", 1)], KEYED_COLUMNS)
    plans = house.refresh(steps=RFM_STEPS)
    assert {(plan.first, plan.last) for plan in plans} == {("2024-02", "2024-02")}


BAD_ROWS = {
    "missing order id": [None, "ann", "2024-01-05", "tea", 1, 1],
    "unparseable timestamp": ["2", "ann", "05.13.2024", "tea", 1, 1],
    "timestamp before 1970": ["3", "ann", "1969-12-31", "tea", 1, 1],
    "timestamp in the future": ["4", "ann", "2999-01-01", "tea", 1, 1],
    "non-numeric quantity": ["5", "ann", "2024-01-05", "tea", "two", 1],
    "negative price": ["6", "ann", "2024-01-05", "tea", 1, "-1"],
    "non-numeric price": ["7", "ann", "2024-01-05", "tea", 1, "free"],
}


def test_bad_rows_are_quarantined_with_reason_place_and_text(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW, *BAD_ROWS.values()])
    with (warehouse.incoming / "a.csv").open("a") as file:
        file.write("8,ann\n")
    warehouse.refresh(steps=RFM_STEPS)
    found = warehouse.query("SELECT row_number, reason, raw FROM transactions.quarantine ORDER BY row_number").rows()
    assert [row[1] for row in found[:-1]] == list(BAD_ROWS)
    assert [row[0] for row in found] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert '"quantity":"two"' in found[4][2]
    assert found[-1][1].startswith("malformed line: Expected Number of Columns: 6 Found: 2: 8,ann")
    assert len(lines(warehouse)) == 1


def test_every_delivered_row_is_accounted_for_by_number_and_amount(warehouse: Warehouse) -> None:
    no_customer = ["9", None, "2024-01-07", "tea", 1, 4]
    warehouse.deliver("a.csv", [ROW, ROW, no_customer, *BAD_ROWS.values()])
    warehouse.deliver("b.csv", [ROW])
    warehouse.refresh(steps=RFM_STEPS)
    counted = {row[0]: row[1:] for row in warehouse.query("FROM transactions.reconciliation").rows()}
    assert counted["delivered"][0] == 11
    assert counted["kept"] == (3, Decimal("9.00"))
    assert counted["duplicate"] == (1, Decimal("2.50"))
    assert counted["quarantined"][0] == 7
    assert counted["replaced by a later delivery"] == (0, Decimal("0.00"))
    assert counted["kept, without a customer"] == (1, Decimal("4.00"))


@pytest.mark.parametrize(
    ("policy", "kept", "quarantined"), [("net", [-1, 2, 5], 0), ("drop", [2, 5], 0), ("reject", [2, 5], 1)]
)
def test_return_policies(tmp_path: Path, policy: str, kept: list[int], quarantined: int) -> None:
    house = Warehouse(tmp_path / policy, extra=f'[returns]\npolicy = "{policy}"\norder_id_pattern = "^C"\n')
    house.deliver("a.csv", [ROW, ["2", "ann", "2024-01-06", "pie", 5, 1], ["C2", "ann", "2024-01-07", "pie", 1, 1]])
    house.refresh(steps=RFM_STEPS)
    assert sorted(int(row[3]) for row in lines(house)) == kept  # pyright: ignore[reportArgumentType]
    assert house.query("SELECT count(*) FROM transactions.quarantine").item() == quarantined


def test_timestamps_become_business_time(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "zones", source='timezone = "America/New_York"\nbusiness_timezone = "Europe/Berlin"\n')
    stamps = ["2024-01-31 19:30:00", "2024-01-31 23:30:00Z", "2024-06-30 18:30:00+00:00"]
    house.deliver("a.csv", [[str(i), "ann", stamp, "tea", 1, 1] for i, stamp in enumerate(stamps)])
    house.refresh(steps=RFM_STEPS)
    found = house.query("SELECT order_ts, period FROM transactions.lines ORDER BY order_ts").rows()
    assert found == [
        (datetime(2024, 2, 1, 0, 30), "2024-02"),
        (datetime(2024, 2, 1, 1, 30), "2024-02"),
        (datetime(2024, 6, 30, 20, 30), "2024-06"),
    ]


def test_settings_that_sort_rows_into_months_cannot_change_unseen(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [ROW])
    warehouse.land()
    warehouse.settings = warehouse.settings.model_copy(
        update={"source": warehouse.settings.source.model_copy(update={"timezone": "Asia/Tokyo"})}
    )
    with pytest.raises(LedgerError, match=r"\[source\] timezone was 'UTC'.*'Asia/Tokyo' now"):
        warehouse.land()


def test_a_wrong_timestamp_format_can_be_mended_as_long_as_no_row_has_a_month(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "house", source='timestamp_format = "%d/%m/%Y"\n')
    house.deliver("a.csv", [ROW])
    house.refresh(steps=RFM_STEPS)
    assert house.query("SELECT reason FROM transactions.quarantine").rows() == [("unparseable timestamp",)]
    source = house.settings.source.model_copy(update={"timestamp_format": None})
    house.settings = house.settings.model_copy(update={"source": source})
    house.refresh(steps=RFM_STEPS)
    assert house.query("SELECT count(*) FROM transactions.quarantine").item() == 0
    assert len(lines(house)) == 1


def test_thousands_of_small_files_with_changing_columns_land_together(warehouse: Warehouse) -> None:
    for day in range(600):
        month, number = f"2024-{day % 3 + 1:02d}", str(day)
        columns = COLUMNS if day % 2 else (*COLUMNS, "note")
        row = [number, "ann", f"{month}-05", "tea", 1, 1]
        warehouse.deliver(f"{day:04d}.csv", [row if day % 2 else [*row, "hello"]], columns)
    assert warehouse.land().batches == 600
    warehouse.refresh(steps=RFM_STEPS)
    assert warehouse.query("SELECT period, count(*) FROM transactions.lines GROUP BY ALL ORDER BY ALL").rows() == [
        ("2024-01", 200),
        ("2024-02", 200),
        ("2024-03", 200),
    ]
