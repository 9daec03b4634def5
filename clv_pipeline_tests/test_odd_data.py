"""Data that is odd but not wrong: every case ends in finite scores, a report and a status, or in one line."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from clv_pipeline.clv.models import ModelError
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import plan_as_of, plan_months
from clv_pipeline.publication import publish_report
from clv_pipeline.status import describe_gap, print_status
from clv_pipeline_tests.test_bad_input import ROW, lines, snapshot
from clv_pipeline_tests.warehouse import Warehouse

MAP = '[models]\nestimation = "map"\n'
ODD_DATA: dict[str, tuple[list[str], str]] = {
    "one line": ([ROW], "1 customer"),
    "one customer": ([f"{i},ann,2024-0{i}-05,tea,1,{i}" for i in range(1, 5)], "1 customer"),
    "no repeat buyers": ([f"{i},c{i},2024-0{1 + i % 3}-05,tea,1,{i}" for i in range(1, 9)], "8 customers"),
    "one day": ([f"{i},c{i % 3},2024-01-05,tea,1,{i}" for i in range(1, 9)], "3 customers"),
    "zero amounts": ([f"{i},c{i % 3},2024-0{1 + i % 4}-05,tea,1,0" for i in range(1, 24)], "3 customers"),
    "negative customer": (
        [ROW, "2,ann,2024-02-05,tea,-9,1", "3,ann,2024-03-05,tea,1,2", "4,bob,2024-01-05,tea,1,1"],
        "2 customers",
    ),
    "last month quarantined": ([ROW, "2,ann,2024-02-05,tea,two,1"], "1 customer"),
    "middle month quarantined": ([ROW, "2,ann,2024-02-05,tea,two,1", "3,bob,2024-03-05,tea,1,1"], "2 customers"),
    "everything quarantined": ([",ann,2024-01-05,tea,1,1", "2,ann,2024-02-05,tea,two,1"], "0 customers"),
    "only returns": ([f"{i},c{i % 3},2024-0{1 + i % 3}-05,tea,-1,{i}" for i in range(1, 9)], "0 customers"),
    "nobody known": ([f"{i},,2024-0{1 + i % 3}-05,tea,1,{i}" for i in range(1, 9)], "0 customers"),
}
# Where there are customers, and none had bought on a second day when the last month ended.
NEVER_AGAIN = {"one line", "no repeat buyers", "one day", "negative customer"}
NEVER_AGAIN |= {"last month quarantined", "middle month quarantined"}


def build(tmp_path: Path, rows: Sequence[str]) -> Warehouse:
    house = Warehouse(tmp_path / "odd", extra=MAP)
    house.deliver("a.csv", [row.split(",") for row in rows])
    house.land()
    house.execute(plan_months(MONTH_STEPS, house.state))
    state = house.state
    house.execute(plan_as_of(AS_OF_STEPS, state, state.periods[-1:]))
    return house


def show_status(house: Warehouse, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    before = snapshot(house.lake.home)
    print_status(house.settings, console)
    assert snapshot(house.lake.home) == before
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("case", ODD_DATA)
def test_odd_data_end_in_finite_scores_a_report_and_a_status(case: str, tmp_path: Path) -> None:
    rows, expected = ODD_DATA[case]
    house = build(tmp_path, rows)
    number = int(expected.split()[0])
    scores = house.query("SELECT * FROM scores.current")
    assert scores.height == number == house.query("SELECT count(*) FROM rfm.customers").item()
    assert scores.select(pl.selectors.float().is_finite().all()).to_series().all()
    assert house.query("SELECT customers FROM lenses.lens1_headline").item() == number
    page = publish_report(house.lake, house.settings).read_text()
    assert "</html>" in page
    assert not re.search(r">\s*-?(nan|inf|None)\s*<", page)
    assert ("the data tell nothing of how often customers buy" in page) == (case in NEVER_AGAIN)
    status = show_status(house)
    assert "stale     nothing, every published month is up to date" in status
    assert ("rejected" in status) == ("quarantined" in case)


def test_no_order_of_a_known_customer_is_said_where_a_model_would_be(tmp_path: Path) -> None:
    status = show_status(build(tmp_path, ODD_DATA["nobody known"][0]), width=300)
    assert "model     none\n" in status
    assert "No known customer has an order yet: there is nothing to fit or to score." in status


@pytest.mark.parametrize("more", [[], ["3,,2024-03-31,tea,1,5"]], ids=["open month", "ended month"])
def test_customers_who_came_after_months_of_returns_are_scored_at_once(tmp_path: Path, more: list[str]) -> None:
    house = build(tmp_path, ["1,ann,2024-02-05,tea,-1,5", "2,bob,2024-03-17,tea,1,5", *more])
    assert house.query("SELECT customer_id FROM scores.current")["customer_id"].to_list() == ["bob"]
    assert house.query("SELECT fitted_as_of FROM models.refits").item() == "2024-03"
    assert "</html>" in publish_report(house.lake, house.settings).read_text()


def test_a_model_that_cannot_be_had_is_one_line_and_what_comes_before_stays(tmp_path: Path) -> None:
    setting = 'priors = "flat"'
    message = r"^models.priors = 'flat' cannot fit bg_nbd, no customer has a repeat purchase yet: use"
    house = Warehouse(tmp_path / "odd", extra=f"[models]\n{setting}\n")
    house.deliver("a.csv", [row.split(",") for row in ODD_DATA["no repeat buyers"][0]])
    with pytest.raises(ModelError, match=message):
        house.refresh(steps=AS_OF_STEPS)
    assert house.query("SELECT count(*) FROM rfm.customers").item() == 8
    assert not house.lake.published("models.parameters")
    assert "</html>" in publish_report(house.lake, house.settings).read_text()
    assert "stale     models, scores, drift 2024-03: not there yet" in show_status(house)


def test_numbers_beyond_the_money_type_are_quarantined_one_by_one(warehouse: Warehouse) -> None:
    rows = [
        "1,ann,2024-01-05,tea,1,999999999999",
        "2,ann,2024-01-05,tea,1,99999999999999",
        "3,ann,2024-01-05,tea,99999999999,9999999999",
        "4,ann,2024-01-05,tea,999999999999999,99999999999999",
        "5,ann,2024-01-05,tea,-9999999999999,0",
        "6,ann,2024-01-05,tea,1,Infinity",
        "7,ann,2024-01-05,tea,nan,1",
        "8,ann,infinity,tea,1,1",
        "9,ann,2024-01-05,tea,1e3,1e-3",
    ]
    warehouse.deliver("a.csv", [row.split(",") for row in rows])
    warehouse.refresh()
    reasons = dict(warehouse.query("SELECT row_number, reason FROM transactions.quarantine").rows())
    assert {row: reasons[row] for row in (2, 3, 4, 5)} == dict.fromkeys((2, 3, 4, 5), "number too large")
    assert (reasons[6], reasons[7]) == ("non-numeric price", "non-numeric quantity")
    assert reasons[8] in ("timestamp in the future", "unparseable timestamp")
    assert sorted(str(row[0]) for row in lines(warehouse)) == ["1", "9"]


def test_status_before_anything_says_what_to_do_next(warehouse: Warehouse) -> None:
    assert "nothing landed yet; no file matches incoming/*" in show_status(warehouse, width=300)
    warehouse.deliver("a.csv", [[*ROW.split(",")[:2], "05.13.2024", *ROW.split(",")[3:]]])
    assert "new or changed files: 1; `clv run` loads them" in show_status(warehouse)
    warehouse.land()
    status = show_status(warehouse, width=300)
    assert "data      no usable line yet" in status
    assert "1 of 1 delivered rows are in transactions.quarantine, all for 'unparseable timestamp', first in" in status


def test_a_stray_first_month_is_named_with_the_way_out(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [["1", "ann", "1970-01-01", "tea", 1, 1], ["2", "bob", "2024-01-05", "tea", 1, 1]])
    warehouse.land()
    assert describe_gap(warehouse.state) == (
        'the data start in 1970-01 and go on in 2024-01; if 1970-01 is a placeholder, set [periods] start = "2024-01"'
    )
    warehouse.deliver("b.csv", [["3", "ann", "1971-06-01", "tea", 1, 1]])
    warehouse.land()
    assert describe_gap(warehouse.state) is None
