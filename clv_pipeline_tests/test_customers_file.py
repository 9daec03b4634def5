"""The customer file: what it may look like, and one line with file and row for what it may not."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from clv_pipeline.customers.landing import list_problems
from clv_pipeline.settings import SettingsError
from clv_pipeline_tests.warehouse import Warehouse

HEADER = "customer_id,acquisition_ts\n"


@pytest.fixture
def shop(tmp_path: Path) -> Warehouse:
    zone = 'timezone = "UTC"\nbusiness_timezone = "Europe/Berlin"\n'
    return Warehouse(tmp_path / "shop", source=zone, extra='[customers]\npath = "customers*"\n')


def write(shop: Warehouse, text: str | bytes, name: str = "customers.csv") -> None:
    (shop.root / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def landed(shop: Warehouse) -> dict[str, datetime | None]:
    shop.land()
    return dict(pl.read_parquet(shop.lake.path("landing.customers", "all")).select(pl.first(), "acquisition_ts").rows())


def test_text_dates_are_read_with_bom_spaces_and_gaps(shop: Warehouse) -> None:
    rows = "customer_id , acquisition_ts\n ann ,2024-01-05\nbob,2024-01-05 10:30:00\ncyd,2024-01-05T10:30:00.5\ndee,\n"
    write(shop, b"\xef\xbb\xbf" + rows.replace("\n", "\r\n").encode())
    assert landed(shop) == {
        "ann": datetime(2024, 1, 5),
        "bob": datetime(2024, 1, 5, 10, 30),
        "cyd": datetime(2024, 1, 5, 10, 30, 0, 500_000),
        "dee": None,
    }


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (date(2024, 1, 5), datetime(2024, 1, 5)),
        (datetime(2024, 1, 5, 10), datetime(2024, 1, 5, 10)),
        (datetime(2024, 1, 5, 23, 30, tzinfo=ZoneInfo("UTC")), datetime(2024, 1, 6, 0, 30)),  # in Berlin
    ],
)
def test_parquet_with_types_of_its_own(given: date, stored: datetime, shop: Warehouse) -> None:
    pl.DataFrame({"customer_id": [7], "acquisition_ts": [given]}).write_parquet(shop.root / "customers.parquet")
    assert landed(shop) == {"7": stored}


def test_a_customer_named_twice_has_the_earliest_date_and_the_latest_attributes(shop: Warehouse) -> None:
    write(shop, "customer_id,acquisition_ts,tier\nann,2024-02-01,gold\nann,2024-01-01,\nann,,iron\n")
    assert landed(shop) == {"ann": datetime(2024, 1, 1)}
    assert pl.read_parquet(shop.lake.path("landing.customers", "all"))["tier"].to_list() == ["iron"]


def test_dates_before_the_data_make_a_cohort_of_their_own_and_later_ones_are_not_believed(shop: Warehouse) -> None:
    write(shop, HEADER + "ann,1999-12-31\nbob,2024-02-01\nnobody,2024-01-01\n")
    shop.deliver("a.csv", [["1", who, "2024-01-05", "tea", 1, 1] for who in ("ann", "bob", "cyd")])
    shop.refresh()
    cohorts = shop.query("SELECT customer_id, cohort, acquired_before_data FROM marts.customers ORDER BY ALL").rows()
    assert cohorts == [("ann", "before 2024-01", True), ("bob", "2024Q1", False), ("cyd", "2024Q1", False)]


def test_history_begins_with_the_first_delivery_and_goes_on_with_each_change(shop: Warehouse) -> None:
    shop.config.write_text(shop.config.read_text() + "history = true\n")
    shop._open()
    for tier in ("gold", "gold", "iron"):
        write(shop, f"customer_id,tier\nann,{tier}\nbob,tin\n")
        shop.land()
    history = pl.read_parquet(shop.lake.path("landing.customers", "all"))
    assert history.select("customer_id", "tier", pl.col("valid_from", "valid_to").is_null()).rows() == [
        ("ann", "gold", True, False),
        ("ann", "iron", False, True),
        ("bob", "tin", True, True),
    ]
    assert history["valid_to"][0] == history["valid_from"][1]


def test_removing_the_setting_empties_the_table(shop: Warehouse) -> None:
    write(shop, HEADER + "ann,2024-01-01\n")
    assert len(landed(shop)) == 1
    shop.settings = shop.settings.model_copy(update={"customers": type(shop.settings.customers)()})
    assert landed(shop) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,acquisition_ts\nann,2024-01-01\n", "has no column 'customer_id'; it has id, acquisition_ts; rename one"),
        ("customer_id, customer_id\nann,bob\n", "has column 'customer_id' twice; rename one of them"),
        (HEADER.encode() + b"Andr\xe9,2024-01-01\n", "row 1 is not in the expected encoding; set [source] encoding"),
        ("", "is empty, without even a header; deliver it again"),
    ],
)
def test_a_customer_file_that_cannot_be_used_is_one_line_and_changes_nothing(
    content: str | bytes, message: str, shop: Warehouse
) -> None:
    write(shop, HEADER + "ann,2023-01-01\n")
    before = landed(shop)
    write(shop, content)
    with pytest.raises(SettingsError) as refusal:
        shop.land()
    assert str(refusal.value).startswith("customers.csv: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    write(shop, HEADER + "ann,2023-01-01\n")
    assert landed(shop) == before


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("bob,05.13.2024", "acquisition_ts '05.13.2024' is no date; write YYYY-MM-DD"),
        ("bob,1969-12-31", "acquisition_ts '1969-12-31' is before 1970; write the day it was, or leave it empty"),
        ("bob,2424-01-01", "acquisition_ts '2424-01-01' is in the future; write the day it was, or leave it empty"),
        (" ,2024-01-01", "customer_id is missing; fill it or remove the row"),
        ("bob,2024-01-01,x", "malformed line; mend the separators and quotes of the line"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_place_and_the_fix(row: str, problem: str, shop: Warehouse) -> None:
    write(shop, HEADER + f"ann,2024-01-01\n{row}\ncyd,\n")
    assert landed(shop) == {"ann": datetime(2024, 1, 1), "cyd": None}
    assert list_problems(shop.lake) == [f"customers.csv: row 2: {problem}"]
    write(shop, HEADER + "ann,2024-01-01\nbob,2024-01-02\n")
    assert landed(shop) == {"ann": datetime(2024, 1, 1), "bob": datetime(2024, 1, 2)}
    assert list_problems(shop.lake) == []


def test_damaged_parquet_and_a_missing_file_are_one_line(shop: Warehouse) -> None:
    with pytest.raises(SettingsError, match=r"^\[customers\] path: no file matches customers\*; mend the path"):
        shop.land()
    write(shop, b"PAR1 but not really", "customers.parquet")
    with pytest.raises(SettingsError, match=r"^customers.parquet: not a Parquet file[^\n]*; deliver it again$"):
        shop.land()
