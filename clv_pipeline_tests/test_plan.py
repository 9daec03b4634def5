"""What is stale, why, and in how many runs it is put right."""

from pathlib import Path

from clv_pipeline.pipeline import MONTH_STEPS
from clv_pipeline.plan import INHERITED, find_stale, plan_as_of, plan_months
from clv_pipeline_tests.warehouse import AUDIT_STEPS, Warehouse


def row(number: int, day: str, quantity: int = 1) -> list[object]:
    return [str(number), f"c{number % 3}", day, "tea", quantity, "2.00"]


HISTORY = [row(number, f"2024-{month:02d}-10") for month in range(1, 7) for number in range(month * 10, month * 10 + 3)]


def test_a_first_load_is_one_run_for_the_months_and_one_for_the_as_of(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", HISTORY)
    plans = warehouse.refresh()
    assert [(plan.first, plan.last, len(plan.steps)) for plan in plans] == [
        ("2024-01", "2024-06", len(MONTH_STEPS)),
        ("2024-06", "2024-06", len(AUDIT_STEPS)),
    ]
    assert warehouse.refresh() == []


def test_a_correction_runs_its_month_and_the_existing_as_ofs_from_that_month_on(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", HISTORY)
    warehouse.refresh()
    for as_of in ("2024-02", "2024-04"):
        warehouse.refresh(as_of)
    corrected = [row(30, "2024-03-10", 5), *(line for line in HISTORY if line[0] != "30")]
    warehouse.deliver("a.csv", corrected)
    plans = warehouse.refresh()
    assert [(plan.first, plan.last) for plan in plans] == [
        ("2024-03", "2024-03"),
        ("2024-04", "2024-04"),
        ("2024-06", "2024-06"),
    ]
    assert warehouse.query("SELECT DISTINCT as_of FROM rfm.customers ORDER BY 1")["as_of"].to_list() == [
        "2024-02",
        "2024-04",
        "2024-06",
    ]


def test_a_file_written_again_without_change_makes_nothing_stale(warehouse: Warehouse) -> None:
    path = warehouse.deliver("a.csv", HISTORY)
    warehouse.refresh()
    path.write_text(path.read_text())
    (warehouse.incoming / "copy of a.csv").write_text(path.read_text())
    warehouse.land()
    assert plan_months(MONTH_STEPS, warehouse.state) == []


def test_a_change_that_ends_in_the_same_rows_stops_there(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", HISTORY)
    warehouse.refresh()
    warehouse.deliver("a.csv", [[*line[:5], "2.0000"] for line in HISTORY])  # the same price, written differently
    plans = warehouse.refresh()
    assert [plan.first for plan in plans] == ["2024-01"]
    assert plan_as_of(AUDIT_STEPS, warehouse.state, []) == []


def test_settings_make_stale_only_what_reads_them(tmp_path: Path) -> None:
    house = Warehouse(tmp_path / "margin")
    house.deliver("a.csv", HISTORY)
    house.refresh()
    changed = house.settings.value.model_copy(update={"margin": house.settings.value.margin / 2})
    house.settings = house.settings.model_copy(update={"value": changed})
    stale = {(item.step.name, item.reason) for item in find_stale(MONTH_STEPS, house.state, ["2024-01"])}
    changed_names = {"orders", "customer_periods", "periods"}
    assert stale == {(name, "settings or code changed") for name in changed_names} | {("first_orders", INHERITED)}


def test_a_month_without_a_line_is_published_empty(warehouse: Warehouse) -> None:
    warehouse.deliver("a.csv", [row(1, "2024-01-10"), row(2, "2024-04-10")])
    warehouse.refresh()
    assert warehouse.query("SELECT period, lines, orders FROM marts.periods ORDER BY period").rows() == [
        ("2024-01", 1, 1),
        ("2024-02", 0, 0),
        ("2024-03", 0, 0),
        ("2024-04", 1, 1),
    ]
