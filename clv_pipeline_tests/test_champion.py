"""Which version a small company's scores are made from, as months, data, settings and somebody's choice change.

The fit is replaced by a quick one that only looks like one; what it finds depends on the customers and on nothing else.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from clv_pipeline import mlflow_log
from clv_pipeline.alerts.causes import find_causes
from clv_pipeline.cli import models as cli_models
from clv_pipeline.cli import run_app
from clv_pipeline.clv.models import PARAMETERS, ModelError, ModelFit
from clv_pipeline.model_store import find_version
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.settings import load_settings
from clv_pipeline.stages import models
from clv_pipeline_tests.processes import make_rows
from clv_pipeline_tests.warehouse import Warehouse

FIRST, SECOND, THIRD = "2024-01", "2024-02", "2024-03"
# Without what takes time and knows nothing of versions.
STEPS = tuple(
    s for s in AS_OF_STEPS if s.stage in ("rfm", "models", "scores") and s.name not in ("projection", "totals")
)
TABLES = tuple(table.name for step in STEPS for table in step.tables)
LATE = ["late-1", "late", "2024-01-20 10:00:00", "tea", 5, "9.99"]


def fit_quickly(customers: pl.DataFrame, *, transactions: str, draws: int, **_: Any) -> ModelFit:
    seen = float(customers["T"].sum()) / 100 + customers.height
    rows = [(transactions, name, seen / (place + 7)) for place, name in enumerate(PARAMETERS[transactions])]
    rows += [("gamma_gamma", "p", 6.0), ("gamma_gamma", "q", 3.0 + seen / 1000), ("gamma_gamma", "gamma", 15.0)]
    parameters = pl.DataFrame(rows, schema=["model", "parameter", "estimate"], orient="row")
    bounds = {"sd": 0.1, "lower": pl.col("estimate") / 2, "upper": pl.col("estimate") * 2}
    many = parameters.join(pl.DataFrame({"draw": range(draws)}), how="cross")
    drawn = many.select("model", "draw", "parameter", value=pl.col("estimate") * (1 + pl.col("draw") / 10_000))
    measured = pl.DataFrame({"model": [transactions], "split": ["in_sample"], "metric": ["mae"], "value": [seen]})
    repeat = {
        "model": [transactions],
        "purchases": ["0"],
        "actual": [1],
        "expected": [1.0],
        "lower": [1.0],
        "upper": [1.0],
    }
    return ModelFit(parameters.with_columns(**bounds), measured, pl.DataFrame(repeat), ["a note"], drawn)


@pytest.fixture
def open_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Warehouse]:
    monkeypatch.setattr(models, "fit", fit_quickly)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def build(name: str) -> Warehouse:
        company = Warehouse(tmp_path / name, extra='[models]\ndraws = 100\nrefit = "month"\n')
        for month in (FIRST, SECOND, THIRD):
            company.deliver(f"{month}.csv", make_rows(month))
        return company

    return build


def run(company: Warehouse, *months: str) -> None:
    for month in months:
        company.refresh(month, STEPS)


def use(company: Warehouse) -> dict[str, str]:
    """The version that the scores of each as-of month carry, which is the one that is published as in use."""
    scored = company.query("SELECT DISTINCT as_of, model_version FROM scores.customers ORDER BY as_of")
    published = company.query("SELECT DISTINCT as_of, version FROM models.in_use ORDER BY as_of")
    assert scored.rows() == published.rows()
    return dict(scored.iter_rows())


def set_models(company: Warehouse, text: str) -> None:
    company.config.write_text(company.config.read_text().replace("[models]\n", f"[models]\n{text}\n"))
    company.settings = load_settings(company.config, {})


def clv(company: Warehouse, *arguments: str) -> int:
    return run_app([*arguments, "--config", str(company.config)])


def test_every_month_uses_its_own_fit_in_whatever_order_and_after_late_data(
    open_company: Callable[[str], Warehouse],
) -> None:
    history, rebuild = open_company("history"), open_company("rebuild")
    run(history, SECOND, FIRST)
    history.deliver("late.csv", [LATE])
    run(history, SECOND)
    rebuild.deliver("late.csv", [LATE])
    run(rebuild, FIRST, SECOND)
    found, expected = history.tables(TABLES), rebuild.tables(TABLES)
    for table in TABLES:
        assert_frame_equal(found[table], expected[table], check_exact=True)
    assert [version[:7] for version in use(history).values()] == [FIRST, SECOND]
    decisions = "SELECT decision, champion_before FROM models.promotions ORDER BY as_of"
    assert history.query(decisions).rows() == [("first", None), ("promoted", use(history)[FIRST])]
    assert history.refresh(SECOND, STEPS) == []


def test_promote_rollback_and_back_to_the_rule(
    open_company: Callable[[str], Warehouse], capsys: pytest.CaptureFixture[str]
) -> None:
    company = open_company("company")
    run(company, FIRST, SECOND, THIRD)
    own = use(company)
    first, second = own[FIRST], own[SECOND]
    draws = company.table("models.draws").filter(as_of=SECOND)
    estimates = company.table("models.in_use").filter(as_of=FIRST).select("model", "parameter", "estimate")

    assert clv(company, "promote", first, "--from", SECOND) == 0
    assert f"stale: {SECOND}, {THIRD}; `clv run`" in capsys.readouterr().out
    run(company, THIRD)
    assert use(company) == {FIRST: first, SECOND: first, THIRD: first}
    pinned = company.table("models.in_use").filter(as_of=THIRD).select("model", "parameter", "estimate")
    assert_frame_equal(pinned, estimates, check_exact=True)

    assert clv(company, "rollback") == 0
    run(company, THIRD)
    assert use(company) == {FIRST: first, SECOND: first, THIRD: own[THIRD]}
    company.deliver("late.csv", [LATE])
    run(company, THIRD)
    assert use(company)[SECOND] == first != use(company)[FIRST]

    # The lake has this one no more: its files have.
    assert clv(company, "promote", second) == 0
    run(company, THIRD)
    assert use(company)[THIRD] == second
    by = ["model", "draw", "parameter"]
    used = company.table("models.in_use_draws").filter(as_of=THIRD).select(*by, "value").sort(by)
    assert_frame_equal(used, draws.select(*by, "value").sort(by), check_exact=True)

    assert clv(company, "promote", "auto", "--from", SECOND) == 0
    run(company, THIRD)
    fitted = dict(company.query("SELECT DISTINCT as_of, version FROM models.parameters").iter_rows())
    assert use(company) == fitted
    assert second not in fitted.values()


def test_pins_are_listed_while_they_hold(
    open_company: Callable[[str], Warehouse], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    company = open_company("company")
    run(company, FIRST, SECOND, THIRD)
    first = use(company)[FIRST]
    monkeypatch.setattr(cli_models.console, "width", 200)

    def list_pinned() -> list[str]:
        capsys.readouterr()
        assert clv(company, "models") == 0
        header, *rows = capsys.readouterr().out.splitlines()
        return [row[header.index("pinned from") :].strip() for row in rows if row.startswith(first)]

    assert clv(company, "promote", first, "--from", SECOND) == 0
    assert "no data" not in capsys.readouterr().out
    assert list_pinned() == [SECOND]
    assert clv(company, "promote", "auto", "--from", THIRD) == 0
    assert list_pinned() == [f"{SECOND} to {SECOND}"]
    assert clv(company, "promote", first, "--from", "2025-01") == 0
    assert f"note: there are no data of 2025-01; they go from {FIRST} to {THIRD}" in capsys.readouterr().out
    assert list_pinned() == [f"{SECOND} to {SECOND}, 2025-01"]
    # The latest choice holds for all later months, also for those that an earlier choice named.
    assert clv(company, "promote", "auto", "--from", SECOND) == 0
    assert list_pinned() == [""]


def test_other_settings_leave_old_months_as_they_were_scored(
    open_company: Callable[[str], Warehouse], capsys: pytest.CaptureFixture[str]
) -> None:
    company = open_company("company")
    run(company, FIRST, SECOND)
    old = use(company)
    set_models(company, 'transactions = "pareto_nbd"')
    run(company, SECOND)
    new = use(company)
    assert new[FIRST] == old[FIRST]
    assert new[SECOND].startswith(f"{SECOND}-pareto_nbd")
    run(company, THIRD)
    assert use(company)[SECOND] == new[SECOND]
    assert clv(company, "models") == 0
    listed = capsys.readouterr().out
    assert all(version in listed for version in (*old.values(), *new.values()))
    assert clv(company, "models", "--card", new[SECOND]) == 0
    assert capsys.readouterr().out == find_version(company.lake, new[SECOND]).card
    # Told otherwise, the old month takes what the settings ask for now.
    assert clv(company, "promote", f"{FIRST}-pareto", "--from", FIRST) == 0
    run(company, THIRD)
    assert all("pareto" in version for version in use(company).values())


def test_scores_that_move_without_a_reason_are_held_until_somebody_decides(
    open_company: Callable[[str], Warehouse], capsys: pytest.CaptureFixture[str]
) -> None:
    company = open_company("company")
    run(company, FIRST, SECOND)
    company.config.write_text(company.config.read_text() + "[publication]\nmove = 0.0001\n")
    set_models(company, 'transactions = "mbg_nbd"')
    run(company, SECOND)
    shown = "SELECT DISTINCT as_of FROM scores.current"
    decided = company.query("SELECT published, published_as_of, reason FROM scores.publication WHERE as_of = '2024-02'")
    assert decided.row(0)[:2] == (False, FIRST)
    assert f"`clv promote {use(company)[SECOND]}` publishes it" in decided.row(0)[2]
    assert company.query(shown).rows() == [(FIRST,)]
    assert [cause.kind for cause in find_causes(company.state, datetime(2024, 3, 1))] == ["publication"]
    assert clv(company, "status") == 0
    assert f"scores.current shows {FIRST}; {SECOND} is held back" in " ".join(capsys.readouterr().out.split())
    assert clv(company, "promote", use(company)[SECOND]) == 0
    run(company, SECOND)
    assert company.query(shown).rows() == [(SECOND,)]


def test_commands_without_an_answer_say_what_to_do(
    open_company: Callable[[str], Warehouse], capsys: pytest.CaptureFixture[str]
) -> None:
    company = open_company("company")

    def refuse(*arguments: str) -> str:
        assert clv(company, *arguments) == 1
        return capsys.readouterr().err

    assert "run `clv run` first" in refuse("promote", "x")
    assert "run `clv run` first" in refuse("rollback")
    run(company, FIRST)
    (version,) = use(company).values()
    assert f"there is no version 'x'; `clv models` lists them, the latest: {version}" in refuse("promote", "x")
    assert "no version is pinned for 2024-01" in refuse("promote", "auto")
    assert "no other version was in use before" in refuse("rollback")
    assert "is no month" in refuse("promote", version, "--from", "yesterday")


def test_a_server_without_mlflow_is_refused(
    open_company: Callable[[str], Warehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    company = open_company("company")
    monkeypatch.setattr(mlflow_log, "find_spec", lambda _: None)
    assert mlflow_log.find_server(company.settings) is None
    set_models(company, 'mlflow_uri = "http://127.0.0.1:9"')
    with pytest.raises(ModelError, match=r"install clv-pipeline\[mlflow\], or remove the setting"):
        mlflow_log.find_server(company.settings)


def test_coefficients_have_names_that_mlflow_takes() -> None:
    of = "bg_nbd.purchase_coefficient"
    levels = ["web", "(none)", "a&b", "a+b", "a b"]

    assert mlflow_log.name_metrics(["bg_nbd.r", *(f"{of}[channel = {level}]" for level in levels)]) == [
        "bg_nbd.r",
        f"{of}.channel:web",
        f"{of}.channel:_none_",
        f"{of}.channel:a_b",
        f"{of}.channel:a_b 2",
        f"{of}.channel:a b",
    ]
    validate = pytest.importorskip("mlflow.utils.validation")
    for name in mlflow_log.name_metrics([f"{of}[größe = {level * 99}]" for level in levels]):
        validate._validate_metric_name(name)


@pytest.mark.slow
def test_versions_are_copied_to_mlflow_once_and_a_server_that_is_down_stops_nothing(
    open_company: Callable[[str], Warehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow.tracking")
    company = open_company("company")
    monkeypatch.chdir(company.root)
    set_models(company, 'mlflow_uri = "http://127.0.0.1:9"')
    run(company, FIRST)
    (version,) = use(company).values()
    assert not (company.settings.home / "models" / version / "mlflow.json").exists()

    uri = f"sqlite:///{company.root}/mlflow.db"
    set_models(company, "")
    company.config.write_text(company.config.read_text().replace("http://127.0.0.1:9", uri))
    company.settings = load_settings(company.config, {})
    run(company, SECOND)
    client = mlflow.MlflowClient(tracking_uri=uri)
    (logged,) = client.search_runs([client.get_experiment_by_name("clv").experiment_id])
    assert logged.info.run_name == use(company)[SECOND]
    assert logged.data.metrics["in_sample.bg_nbd.mae"] > 0
    assert {file.path for file in client.list_artifacts(logged.info.run_id)} == {"card.md", "draws.nc", "version.json"}
