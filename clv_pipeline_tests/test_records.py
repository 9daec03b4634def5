"""What Dagster is told of months that a run finds up to date: what it was told of them before, or should have been."""

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from clv_pipeline_tests.orchestra import AUDIT, MONTHLY, Orchestra, make_rows

ORDERS, RFM = dg.AssetKey(["marts", "orders"]), dg.AssetKey(["rfm", "customers"])


def test_content_published_without_a_word_to_dagster_is_noticed_by_the_next_run(loaded: Orchestra) -> None:
    loaded.company.deliver("2024-03.csv", make_rows("2024-03", orders=5))
    loaded.company.refresh()
    assert loaded.run(MONTHLY, "2024-03", "2024-03", only_stale=True).success
    assert set(loaded.find_stale(AUDIT)) == {".".join(key.path) for key in AUDIT}
    assert loaded.read_check(ORDERS, "schema")["2024-03"] == Status.SUCCEEDED
    assert loaded.read_metadata(ORDERS, "2024-03")["preview"].count("\n") == 6
    assert loaded.run([RFM], "2024-04", "2024-04", only_stale=True).success
    assert "lost:%203" in loaded.read_metadata(RFM, "2024-04")["picture"]


def test_what_is_up_to_date_is_shown_and_judged_as_when_it_was_run(loaded: Orchestra) -> None:
    def read_warning(result: dg.ExecuteInProcessResult) -> tuple[bool, str | None]:
        checks = result.get_asset_check_evaluations()
        return next((check.passed, check.description) for check in checks if check.check_name == "data_suffice")

    first = read_warning(loaded.run(AUDIT, "2024-04", "2024-04"))
    shown = {key: loaded.read_metadata(key, "2024-04") for key in AUDIT}
    assert not first[0]
    assert {"picture", "preview"} < set(shown[RFM])
    again = loaded.run(AUDIT, "2024-04", "2024-04", only_stale=True)
    assert read_warning(again) == first
    assert {key: loaded.read_metadata(key, "2024-04") for key in AUDIT} == shown
