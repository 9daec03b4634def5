"""What Dagster is told: partitions, versions, staleness, checks and metadata, for each month of a run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from clv_pipeline import steps
from clv_pipeline.sql import load_sql
from clv_pipeline.stages.charts import CHARTS
from clv_pipeline.stages.transactions import CUSTOMERS, LANDING
from clv_pipeline_tests.conftest import MONTHS
from clv_pipeline_tests.orchestra import AUDIT, MONTHLY, Orchestra, make_rows

LINES, ORDERS = dg.AssetKey(["transactions", "lines"]), dg.AssetKey(["marts", "orders"])
RFM = dg.AssetKey(["rfm", "customers"])
# One table of each step as of a month: Dagster takes seconds to say which of all forty are stale in some months.
AS_OF = [RFM, next(key for key in AUDIT if key.path[0] == "lenses")]
# Of four months: there is no window before the first year to compare with.
_WARNINGS = (
    "acquisition_dates_are_known",
    "data_suffice",
    "has_repeat_buyers",
    "history_is_long_enough",
)
PICTURED = {
    "rfm.customers",
    "lenses.lens1_histograms",
    "lenses.lens1_spend_by_orders",
    "lenses.lens1_customer_deciles",
    "lenses.lens1_value_deciles",
    "lenses.lens1_concentration",
    "lenses.lens1_rfm",
    "lenses.lens2_common_deciles",
    "lenses.lens2_groups",
    "lenses.lens2_bridge",
    "lenses.lens5_cohort_calendar",
    "models.repeat_purchases",
    "models.alive_matrix",
    "scores.customers",
    "drift.checks",
    "drift.measures",
}


@pytest.mark.slow
@pytest.mark.parametrize("config", ["", 'home = "nothing yet"\n'])
def test_definitions_load_before_there_is_anything_and_without_heavy_imports(tmp_path: Path, config: str) -> None:
    if config:
        (tmp_path / "clv.toml").write_text(config)
    code = """if True:
        import dagster, sys
        from clv_pipeline.definitions import defs
        dagster.Definitions.validate_loadable(defs)
        print(defs.resolve_asset_graph().get(dagster.AssetKey(["marts", "orders"])).partitions_def.get_partition_keys())
        print(sorted({"pymc", "pymc_marketing", "altair", "arviz"} & set(sys.modules)))
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CLV_", "DAGSTER_"))}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    months, heavy = done.stdout.splitlines()
    assert len(months.split(",")) == 1
    assert heavy == "[]"


def test_a_range_is_one_run_that_reports_every_month_with_rows_checks_and_columns(loaded: Orchestra) -> None:
    assert loaded.instance.get_runs_count() == 3
    assert loaded.materialised(ORDERS) == list(MONTHS)
    assert loaded.materialised(RFM) == ["2024-04"]
    assert [loaded.read_metadata(ORDERS, month)["dagster/row_count"] for month in MONTHS] == [3, 3, 3, 3]
    assert loaded.read_metadata(RFM, "2024-04")["dagster/row_count"] == 9
    assert loaded.read_check(ORDERS, "schema") == dict.fromkeys(MONTHS, Status.SUCCEEDED)
    assert loaded.read_check(LINES, "reconciles_with_landing") == dict.fromkeys(MONTHS, Status.SUCCEEDED)
    preview = loaded.read_metadata(ORDERS, "2024-02")["preview"]
    assert preview.count("\n") == 4
    assert "| 2024-02-0 |" in preview
    assert "c-0" not in preview
    shown = loaded.read_metadata(LINES, "2024-01")
    assert shown["fates"].splitlines()[0].startswith("| fate | lines | amount |")
    assert "| kept | 3 | 7.50 |" in shown["fates"]
    assert shown["last_day"] == "2024-01-03"


def test_landing_makes_only_the_touched_months_stale(loaded: Orchestra) -> None:
    loaded.company.deliver("late.csv", [["late", "c-0", "2024-02-20", "pie", 1, "9.00"]])
    assert loaded.land().success
    assert loaded.find_stale([LANDING, *MONTHLY, *AS_OF]) == {
        "transactions.lines": ["2024-02"],
        "transactions.quarantine": ["2024-02"],
    }
    assert loaded.read_metadata(LANDING, "2024-02")["dagster/row_count"] == 4
    assert loaded.read_metadata(LANDING, "2024-02")["months changed"] == "2024-02"


def test_nothing_looks_stale_after_a_load_nor_after_landing_again(loaded: Orchestra) -> None:
    assert loaded.find_stale([*MONTHLY, *AUDIT]) == {}
    assert loaded.land().success
    assert loaded.run([LANDING], MONTHS[0], MONTHS[-1]).success
    assert loaded.find_stale([*MONTHLY, *AUDIT]) == {}


def test_a_rerun_with_the_same_result_makes_nothing_stale(loaded: Orchestra) -> None:
    assert loaded.run(MONTHLY, "2024-02", "2024-02").success
    assert loaded.run(MONTHLY, "2024-01", "2024-03").success
    assert loaded.find_stale([*MONTHLY, *AS_OF]) == {}


def test_a_rerun_with_another_result_makes_what_reads_it_stale(loaded: Orchestra) -> None:
    assert loaded.run([RFM], "2024-01", "2024-04").success
    loaded.company.deliver("2024-03.csv", make_rows("2024-03", orders=5))
    assert loaded.land().success
    assert loaded.run([LINES, dg.AssetKey(["transactions", "quarantine"])], "2024-03", "2024-03").success
    assert loaded.find_stale(MONTHLY) == {
        name: ["2024-03"] for name in ("marts.orders", "marts.customer_periods", "marts.first_orders", "marts.periods")
    }
    assert loaded.run(MONTHLY[2:], "2024-03", "2024-03").success
    assert loaded.find_stale([*MONTHLY, RFM]) == {"rfm.customers": ["2024-03", "2024-04"]}
    assert loaded.run([RFM], "2024-03", "2024-04").success
    assert loaded.find_stale([*MONTHLY, RFM]) == {}


def test_one_changed_month_in_a_range_leaves_the_versions_of_the_others(loaded: Orchestra) -> None:
    assert loaded.run([RFM], "2024-01", "2024-04").success
    assert loaded.run(MONTHLY, "2024-02", "2024-02").success
    loaded.company.deliver("2024-03.csv", make_rows("2024-03", orders=5))
    assert loaded.land().success
    assert loaded.run(MONTHLY, "2024-01", "2024-04").success
    assert loaded.find_stale([*MONTHLY, RFM]) == {"rfm.customers": ["2024-03", "2024-04"]}
    assert loaded.read_metadata(ORDERS, "2024-02")["dagster/row_count"] == 3


def test_a_setting_changes_the_code_version_of_what_it_touches(loaded: Orchestra) -> None:
    value = loaded.company.settings.value.model_copy(update={"margin": loaded.company.settings.value.margin / 2})
    loaded.company.settings = loaded.company.settings.model_copy(update={"value": value})
    assert set(loaded.find_stale(MONTHLY)) == {"marts.orders", "marts.customer_periods", "marts.periods"}


@pytest.mark.parametrize(("first", "last"), [("2024-03", "2024-03"), ("2024-02", "2024-04")])
def test_a_broken_contract_keeps_the_month_and_shows_the_rows(
    loaded: Orchestra, monkeypatch: pytest.MonkeyPatch, first: str, last: str
) -> None:
    before = loaded.company.table("marts.orders")
    loaded.company.deliver("2024-03.csv", make_rows("2024-03", orders=5))
    assert loaded.land().success
    assert loaded.run(MONTHLY[:2], "2024-03", "2024-03").success

    def load_broken(name: str) -> str:
        query = load_sql(name)
        twice = f"SELECT * FROM ({query}) UNION ALL BY NAME SELECT * FROM ({query}) WHERE period = '2024-03'"
        return twice if name == "2_marts/orders" else query

    monkeypatch.setattr(steps, "load_sql", load_broken)
    result = loaded.run(MONTHLY[2:], first, last)
    assert not result.success
    failure = result.failure_data_for_node("marts__orders")
    assert failure
    assert failure.user_failure_data
    description = failure.user_failure_data.description or ""
    assert description.startswith("marts.orders 2024-03 failed its check 'schema': ")
    assert description.endswith("; the published month is unchanged")
    assert loaded.company.table("marts.orders").equals(before)
    kept = list((loaded.company.lake.root / ".failed" / "marts.orders").iterdir())
    assert [file.name for file in kept] == ["2024-03.parquet"]
    assert loaded.read_check(ORDERS, "schema")["2024-03"] == Status.FAILED
    assert {status for month, status in loaded.read_check(ORDERS, "schema").items() if month != "2024-03"} == {
        Status.SUCCEEDED
    }
    broken = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.partition for check in broken] == ["2024-03"]
    assert str(broken[0].metadata["offending rows"].value).count("| 2024-03-4 |") == 2
    assert loaded.materialised(dg.AssetKey(["marts", "customer_periods"])) == list(MONTHS)


def test_the_months_beside_a_broken_one_are_published_and_versioned(
    loaded: Orchestra, monkeypatch: pytest.MonkeyPatch
) -> None:
    for month in ("2024-02", "2024-03"):
        loaded.company.deliver(f"{month}.csv", make_rows(month, orders=5))
    assert loaded.land().success
    assert loaded.run(MONTHLY[:2], "2024-02", "2024-03").success
    broken = "SELECT *, NULL::VARCHAR AS more FROM (%s)"
    monkeypatch.setattr(
        steps, "load_sql", lambda name: broken % load_sql(name) if name == "2_marts/orders" else load_sql(name)
    )
    assert not loaded.run([ORDERS], "2024-02", "2024-03").success
    monkeypatch.undo()
    assert loaded.run([ORDERS], "2024-02", "2024-03").success
    assert [loaded.read_metadata(ORDERS, month)["dagster/row_count"] for month in MONTHS] == [3, 5, 5, 3]
    stale = ["2024-02", "2024-03"]
    assert loaded.find_stale(MONTHLY) == {
        "marts.customer_periods": stale,
        "marts.first_orders": stale,
        "marts.periods": stale,
    }


def test_an_unreadable_file_fails_its_check_and_not_the_landing(conduct: Callable[..., Orchestra]) -> None:
    orchestra = conduct(MONTHS[:1])
    (orchestra.company.incoming / "bad.csv").write_bytes(b"\x00\x01\x02PK\x03")
    result = orchestra.land()
    assert result.success
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert not checks["files_are_readable"].passed
    assert "bad.csv" in str(checks["files_are_readable"].metadata["bad files"].value)
    assert orchestra.read_metadata(LANDING, "2024-01")["dagster/row_count"] == 3


def test_a_customer_file_makes_the_lenses_stale_when_it_changes(conduct: Callable[..., Orchestra]) -> None:
    orchestra = conduct(MONTHS[:2], extra='[customers]\npath = "customers.csv"\n')
    file = orchestra.company.root / "customers.csv"
    file.write_text("customer_id,acquisition_ts\nc-0,2023-12-01\n")
    orchestra.load()
    assert orchestra.land().success
    assert orchestra.find_stale(AUDIT) == {}
    file.write_text("customer_id,acquisition_ts\nc-0,2023-12-01\nd,2023-12-02\n")
    assert orchestra.land().success
    record = orchestra.instance.get_latest_materialization_event(CUSTOMERS)
    assert record
    assert record.asset_materialization
    assert record.asset_materialization.metadata["dagster/row_count"].value == 2
    assert set(orchestra.find_stale(AUDIT)) == {".".join(key.path) for key in AUDIT if key.path[0] == "lenses"}


def read_charts(orchestra: Orchestra, key: dg.AssetKey, month: str) -> dict[str, str]:
    """The charts by title that were recorded with a month of a table."""
    asked = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[month])
    found = orchestra.instance.fetch_observations(asked, limit=1).records
    observation = found[0].asset_observation if found else None
    return {title: str(chart.value) for title, chart in observation.metadata.items()} if observation else {}


@pytest.mark.slow
def test_every_asset_is_described_and_shows_what_is_in_it(conduct: Callable[..., Orchestra]) -> None:
    orchestra = conduct(MONTHS[:3])
    graph = orchestra.definitions.resolve_asset_graph()
    assert orchestra.land().success
    tables = [key for key in graph.get_all_asset_keys() if key.path[0] not in ("landing", "report")]
    for keys in ([key for key in tables if key in MONTHLY], [key for key in tables if key not in MONTHLY]):
        assert orchestra.run(keys, "2024-02" if keys[0] not in MONTHLY else "2024-01", "2024-03").success
    assert orchestra.execute([dg.AssetKey(["report", "page"])], {}).success
    assert orchestra.execute([CHARTS], {}).success
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description
        assert node.owners
        assert node.kinds
        assert orchestra.instance.get_latest_materialization_event(key)
    for key in tables:
        name = ".".join(key.path)
        shown = orchestra.read_metadata(key, "2024-03")
        assert (
            shown["dagster/row_count"]
            == orchestra.company.query(
                f"SELECT count(*) FROM {name} WHERE {'period' if key in MONTHLY else 'as_of'} = '2024-03'"
            ).item()
        )
        assert "dagster/column_schema" in graph.get(key).metadata
        assert shown["preview"].startswith("| ")
        assert ("picture" in shown) == (name in PICTURED), name
        if "picture" in shown:
            assert len(shown["picture"]) < 1000
            image = unquote(shown["picture"].partition("data:image/svg+xml,")[2].removesuffix(")"))
            assert ElementTree.fromstring(image).findall(".//{*}path")
    for name in ("lens1_histograms", "lens1_spend_by_orders"):
        drawn = read_charts(orchestra, dg.AssetKey(["lenses", name]), "2024-03")
        assert drawn
        assert all(image.startswith(f"![{title}](data:image/png;base64,") for title, image in drawn.items())
    page = orchestra.instance.get_latest_materialization_event(dg.AssetKey(["report", "page"]))
    assert page
    assert page.asset_materialization
    assert Path(str(page.asset_materialization.metadata["page"].value)).exists()
    assert orchestra.find_stale(tables) == {}
    for check in graph.asset_check_keys:
        if check.asset_key.path[0] != "landing":
            status = orchestra.read_check(check.asset_key, check.name)["2024-03"]
            # Three customers a month, of three months; no file says when they were acquired: warnings.
            warns = check.name in _WARNINGS
            assert status == (Status.FAILED if warns else Status.SUCCEEDED), check
