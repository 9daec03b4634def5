"""The customer file: what it may look like, and one line with file and row for what it may not."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

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
    rows = " ann ,2024-01-05\nbob,2024-01-05 10:30:00\ncyd,2024-01-05T10:30:00.5\ndee,\n"
    write(shop, b"\xef\xbb\xbf" + ("customer_id , acquisition_ts\r\n" + rows).encode())
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
        (HEADER + "ann,2024-01-01\nbob,05.13.2024\n", "row 2: acquisition_ts '05.13.2024' is no date; write YYYY"),
        (HEADER + "ann,2024-01-01\n ,2024-01-01\n", "row 2: customer_id is missing; fill it or remove the row"),
        ("id,acquisition_ts\nann,2024-01-01\n", "has no column 'customer_id'; it has id, acquisition_ts; rename one"),
        ("customer_id;acquisition_ts\nann;2024-01-01\n", "has no column 'customer_id'; it has customer_id;acq"),
        ("customer_id, customer_id\nann,bob\n", "cannot be read (column 'customer_id' is duplicate"),
        (HEADER.encode() + b"Andr\xe9,2024-01-01\n", "cannot be read (invalid utf-8 sequence); deliver it again"),
        (HEADER + "ann,2024-01-01,x,y\n", "cannot be read (found more fields than defined in 'Schema'); deliver"),
        ("", "cannot be read (empty CSV); deliver it again"),
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


def test_damaged_parquet_and_a_missing_file_are_one_line(shop: Warehouse) -> None:
    with pytest.raises(SettingsError, match=r"^\[customers\] path: no file matches customers\*; mend the path"):
        shop.land()
    write(shop, b"PAR1 but not really", "customers.parquet")
    with pytest.raises(SettingsError, match=r"^customers.parquet: cannot be read \([^\n]*\); deliver it again$"):
        shop.land()
