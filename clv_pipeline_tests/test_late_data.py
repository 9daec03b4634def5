"""Whatever the history of deliveries, the published tables equal one load of the final state."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from clv_pipeline_tests.warehouse import AUDIT_STEPS, COLUMNS, RFM_STEPS, Warehouse

KEYED_COLUMNS = (*COLUMNS, "line_id", "updated_at", "is_deleted")
TABLES = (
    "transactions.lines",
    "marts.orders",
    "marts.customer_periods",
    "marts.periods",
    "marts.customers",
    "marts.customer_quarters",
    "rfm.customers",
    *(table.name for step in AUDIT_STEPS if step.stage in {"quality", "lenses"} for table in step.tables),
)
HISTORIES = settings(
    max_examples=10,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

days = st.sampled_from(["2024-01-03", "2024-01-31 23:59:59", "2024-02-10", "2024-03-02 08:00:00", "bad date"])
quantities = st.sampled_from([1, 2, -1, "x"])
rows = st.tuples(
    st.sampled_from(["1", "2", "3", None]),
    st.sampled_from(["ann", "bob", None]),
    days,
    st.sampled_from(["tea", "pie"]),
    quantities,
    st.sampled_from(["1.005", "2.50", "-1"]),
)
files = st.sampled_from(["a.csv", "b.csv", "c.csv"])
unkeyed_histories = st.lists(st.tuples(files, st.lists(rows, max_size=8), st.booleans()), min_size=1, max_size=6)
versions = st.tuples(
    st.sampled_from("uvwxyz"), days.filter(lambda day: day != "bad date"), st.sampled_from([1, 2, -1]), st.booleans()
)
keyed_histories = st.lists(
    st.tuples(st.lists(versions, min_size=1, max_size=5, unique_by=lambda v: v[0]), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=6,
)


def assert_same(
    history: Warehouse, rebuild: Warehouse, tables: tuple[str, ...] = TABLES, as_of: str | None = None
) -> None:
    found, expected = history.tables(tables, as_of), rebuild.tables(tables, as_of)
    for table in tables:
        assert_frame_equal(found[table], expected[table], check_exact=True)


@pytest.mark.long
@HISTORIES
@given(unkeyed_histories)
def test_files_split_repeated_corrected_and_replaced(deliveries: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history, rebuild = Warehouse(Path(folder) / "history"), Warehouse(Path(folder) / "rebuild")
        final = {}
        for name, content, refresh_now in deliveries:
            history.deliver(name, content)
            final[name] = content
            if refresh_now:
                history.refresh(steps=RFM_STEPS)
            else:
                history.land()
        history.refresh(steps=RFM_STEPS)
        for name, content in final.items():
            rebuild.deliver(name, content)
        rebuild.refresh()
        assert history.state.periods == rebuild.state.periods
        if not rebuild.state.last_loaded_day:
            assert not history.state.last_loaded_day
            return
        history.refresh(rebuild.state.periods[-1])
        assert_same(history, rebuild, as_of=rebuild.state.periods[-1])
        place = "SELECT period, source, row_number, reason, raw FROM transactions.quarantine ORDER BY ALL"
        assert_frame_equal(history.query(place), rebuild.query(place))


def test_an_as_of_month_whose_data_vanished_knows_nobody(warehouse: Warehouse) -> None:
    order = [1, "ann", "2024-01-05", "tea", 1, 10]
    for content in ([order], [], [[1, "ann", "2024-02-05", "tea", 1, 10]]):
        warehouse.deliver("a.csv", content)
        warehouse.refresh(steps=RFM_STEPS)

    assert warehouse.query("SELECT as_of, customer_id FROM rfm.customers").rows() == [("2024-02", "ann")]
    stamp = warehouse.state.stamp("rfm.customers", "2024-01")
    assert stamp
    assert stamp.rows == 0


@pytest.mark.long
@HISTORIES
@given(keyed_histories)
def test_lines_corrected_moved_and_deleted_in_any_order(deliveries: list) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = ("line_id", "updated_at", "is_deleted")
        history = Warehouse(Path(folder) / "history", more_columns=keys)
        rebuild = Warehouse(Path(folder) / "rebuild", more_columns=keys)
        latest: dict[str, tuple[tuple[int, int], list[object]]] = {}
        for arrival, (content, updated, refresh_now) in enumerate(deliveries):
            lines = [
                [f"order {line}", "ann", day, "tea", quantity, "1.50", line, f"2024-07-{updated + 1:02d}", deleted]
                for line, day, quantity, deleted in content
            ]
            history.deliver(f"{arrival}.csv", lines, KEYED_COLUMNS)
            if refresh_now:
                history.refresh(steps=RFM_STEPS)
            else:
                history.land()
            for line in lines:
                key, rank = str(line[6]), (updated, arrival)
                if key not in latest or latest[key][0] < rank:
                    latest[key] = (rank, line)
        history.refresh(steps=RFM_STEPS)
        rebuild.deliver("final.csv", [line for _, line in latest.values() if not line[8]], KEYED_COLUMNS)
        rebuild.refresh(steps=RFM_STEPS)
        if not rebuild.state.last_loaded_day:
            assert history.query("SELECT count(*) FROM transactions.lines").item() == 0
            return
        assert_same(
            history, rebuild, ("transactions.lines", "marts.orders", "marts.customer_periods", "marts.customers")
        )
