"""Who is told of what, how often, and what stays secret."""

import json
import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import SecretStr

from clv_pipeline.alerts import watchman
from clv_pipeline.alerts.causes import Cause, find_causes, find_patience
from clv_pipeline.alerts.log import AlertLog
from clv_pipeline.alerts.run_causes import find_run_causes
from clv_pipeline.alerts.send import AlertError, read_addresses
from clv_pipeline.alerts.watchman import raise_alerts
from clv_pipeline.cli import run_app
from clv_pipeline.contracts import Audit
from clv_pipeline.dead_runs import fail_dead_runs
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline.settings.automation import Alerts
from clv_pipeline_tests.orchestra import Orchestra, make_rows
from clv_pipeline_tests.warehouse import Warehouse

SECRET = "s3cr3t-t0ken"
NOON = datetime(2024, 5, 1, 12)
DRIFT = Cause("drift:price_change", "drift", "alert", "Prices moved: tea costs +10%.", "2024-04", "assets/drift")
FILE = Cause("file:a.csv", "file", "warn", "A delivered file cannot be read: a.csv", "2024-04-30", "assets/landing")


class Receiver(HTTPServer):
    """A web hook on this machine: keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.messages: list[dict[str, Any]] = []
        self.status = 200


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.messages.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def company(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv("HOOK_TOKEN", SECRET)
    port = receiver.server_address[1]
    return Warehouse(tmp_path / "company", extra=f'[alerts]\nurls = ["json://127.0.0.1:{port}/${{HOOK_TOKEN}}"]\n')


def look(company: Warehouse, *causes: Cause, hours: int = 0) -> list[str]:
    company.lake.prepare()
    return raise_alerts(company.lake, company.settings, causes, NOON + timedelta(hours=hours))


def test_a_cause_is_told_once_with_all_others_until_it_is_gone(company: Warehouse, receiver: Receiver) -> None:
    assert look(company, DRIFT, FILE) == []
    assert look(company, DRIFT, FILE, hours=1) == []
    (message,) = receiver.messages
    assert message["title"] == "[clv ALERT] Prices moved and 1 more"
    for part in ("ALERT since 2024-04: ", DRIFT.what, "WARN since 2024-04-30: ", "http://127.0.0.1:3000/assets/drift"):
        assert part in message["message"]
    look(company, FILE, hours=2)
    look(company, DRIFT, FILE, hours=3)
    assert [text["title"] for text in receiver.messages[1:]] == ["[clv ALERT] Prices moved"]
    log = company.query("SELECT kind, opened_at, cleared_at FROM monitoring.alerts ORDER BY opened_at, kind").rows()
    assert log == [
        ("drift", NOON, NOON + timedelta(hours=2)),
        ("file", NOON, None),
        ("drift", NOON + timedelta(hours=3), None),
    ]


def diagnose(company: Warehouse, month: str, *found: tuple[str, str, str, str]) -> None:
    """Publishes a month's diagnoses: cause, subject, since, level."""
    columns = ("cause", "subject", "since", "level")
    rows = pl.DataFrame(found, schema=dict.fromkeys(columns, pl.String), orient="row")
    meaning, effect = pl.lit("it moved").alias("meaning"), pl.lit(0.1).alias("effect")
    frame = rows.select(pl.lit(month).alias("as_of"), *columns[:-1], "level", effect, meaning, evidence=pl.lit("aov"))
    with company.lake.connect() as con:
        staged = company.lake.stage(con, "drift.diagnoses", [month], frame)
        company.lake.publish(con, staged[month], inputs="", code="")


def test_a_drift_is_one_alert_while_its_cause_has_the_same_name_and_subject(company: Warehouse) -> None:
    story = (
        ("2024-01", [("purchase_rate", "", "2024-01", "warn")]),
        ("2024-02", [("purchase_rate", "", "2024-01", "alert"), ("new_value", "channel = tv", "2024-02", "alert")]),
        ("2024-03", [("purchase_rate", "", "2024-01", "warn"), ("missing_days", "2024-03-08", "2024-03", "alert")]),
        ("2024-04", [("purchase_rate", "", "2024-04", "alert"), ("missing_days", "2024-04-02", "2024-04", "alert")]),
        ("2024-05", []),
    )
    for hours, (month, found) in enumerate(story):
        diagnose(company, month, *found)
        assert look(company, *find_causes(company.state, NOON), hours=hours) == []
    told = company.query("SELECT cause, since, opened_at, cleared_at FROM monitoring.alerts ORDER BY opened_at, cause")
    hour = [NOON + timedelta(hours=hours) for hours in range(5)]
    assert told.rows() == [
        ("drift:new_value:channel = tv", "2024-02", hour[1], hour[2]),
        ("drift:purchase_rate", "2024-01", hour[1], hour[4]),
        ("drift:missing_days:2024-03-08", "2024-03", hour[2], hour[3]),
        ("drift:missing_days:2024-04-02", "2024-04", hour[3], hour[4]),
    ]
    link = "http://127.0.0.1:3000/assets/drift/diagnoses"
    assert company.query("SELECT DISTINCT link FROM monitoring.alerts").item() == link


def test_what_could_not_be_sent_is_sent_later_and_addresses_stay_secret(
    company: Warehouse, receiver: Receiver, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    (problem,) = look(company, DRIFT)
    assert "did not take 1 alert; it is tried again next time" in problem
    receiver.status = 200
    assert look(company, DRIFT, hours=1) == []
    assert len(receiver.messages) == 1
    printed = capfd.readouterr()
    kept = [file.read_bytes() for file in company.settings.home.rglob("*") if file.is_file()]
    for text in (problem, printed.out, printed.err, caplog.text, repr(company.settings), str(company.settings.alerts)):
        assert SECRET not in text
    assert not [content for content in kept if SECRET.encode() in content]


def test_a_wrong_address_is_named_by_its_place_only(tmp_path: Path) -> None:
    def read(*urls: str) -> dict[str, str]:
        return read_addresses(Alerts(urls=tuple(map(SecretStr, urls)), secrets=Path("secrets.toml")), tmp_path)

    with pytest.raises(SettingsError, match=r"^\[alerts\] secrets: secrets.toml cannot be read"):
        read()
    (tmp_path / "secrets.toml").write_text(f'IN_FILE = "{SECRET}"')
    with pytest.raises(AlertError, match="address 2 is none; write one such as") as refusal:
        read("json://here", f"here/{SECRET}")
    assert SECRET not in str(refusal.value)
    with pytest.raises(AlertError, match="names NOT_SET_HERE, which neither the environment nor"):
        read("json://${NOT_SET_HERE}")
    assert list(read("json://here/${IN_FILE}").values()) == [f"json://here/{SECRET}"]


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mailto://me:hunter2@example.org", "password"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/short/#crm", "token"),
        ("json://example.org/hooks/0123456789abcdef", "token"),
        ("jsons://example.org/?+token=short", r"\+token"),
        ("json://example.org/${HALF}/0123456789abcdef", "token"),
    ],
)
def test_a_secret_of_an_address_that_stands_in_the_file_is_refused(url: str, what: str, tmp_path: Path) -> None:
    config = tmp_path / "clv.toml"
    config.write_text(f'[alerts]\nurls = ["json://localhost/clv", "{url}"]\n')
    with pytest.raises(
        SettingsError, match=f"alerts.urls: address 2 holds a {what}; write .*environment or in the file of"
    ):
        load_settings(config, {})
    config.write_text("")
    given = load_settings(config, {"CLV_ALERTS_URLS": url})
    assert given.alerts.urls[0].get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "slack://${SLACK_TOKENS}/#crm",
        "mailto://${ME}:${PW}@example.org",
        "ntfy://crm",
        "${ALL}",
        "json://hooks.example.org:80/clv",
    ],
)
def test_an_address_without_its_secret_may_stand_in_the_file(url: str, tmp_path: Path) -> None:
    (tmp_path / "clv.toml").write_text(f'[alerts]\nurls = ["{url}"]\n')
    assert load_settings(tmp_path / "clv.toml", {}).alerts.urls[0].get_secret_value() == url


def test_a_source_is_silent_after_half_again_the_longest_usual_gap() -> None:
    monday = date(2024, 4, 1)
    weekdays = [monday + timedelta(days=day) for day in range(26) if day % 7 < 5]
    assert find_patience(weekdays, None) == timedelta(days=4.5)
    assert find_patience(weekdays[:4], None) is None
    assert find_patience(weekdays[:4], 2.0) == timedelta(days=2)


def test_silence_and_its_end_are_seen_in_the_ledger(warehouse: Warehouse) -> None:
    text = warehouse.config.read_text() + "[alerts]\nstale_after_days = 2\n"
    warehouse.config.write_text(text)
    warehouse.settings = load_settings(warehouse.config, {})
    warehouse.deliver("a.csv", make_rows("2024-01"))
    warehouse.land()
    landed = warehouse.state.ledger.batches["loaded_at"].max()
    assert isinstance(landed, datetime)
    assert list(find_causes(warehouse.state, landed + timedelta(days=1))) == []
    (cause,) = find_causes(warehouse.state, landed + timedelta(days=3))
    assert (cause.kind, "No delivery for 3.0 days" in cause.what) == ("source", True)


def test_failed_and_killed_runs_are_causes_until_a_later_run_makes_them_good(
    loaded: Orchestra, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = dg.AssetKey(["rfm", "customers"])

    def find() -> list[tuple[str, str]]:
        return [(cause.kind, cause.what) for cause in find_run_causes(loaded.instance)]

    assert find() == []
    with monkeypatch.context() as broken:
        nothing = Audit("schema", passed=False, summary="nothing is right")
        broken.setattr("clv_pipeline.execution.audit_schema", lambda *_: nothing)
        assert not loaded.run([table], "2024-04", "2024-04").success
    ((kind, what),) = find()
    assert kind == "check"
    assert "rfm.customers 2024-04 failed its check 'schema': nothing is right" in what
    assert loaded.run([table], "2024-04", "2024-04").success
    assert find() == []
    job = loaded.definitions.resolve_job_def("refresh_month")
    run = loaded.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    sign = loaded.company.lake.root / ".locks" / "runs" / f"{run.run_id}.lock"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()
    assert fail_dead_runs(loaded.instance, loaded.company.lake) == [run.run_id]
    ((kind, what),) = find()
    assert (kind, "ended without a word" in what) == ("run", True)


def test_the_command_prints_what_it_would_send_and_sends_nothing(
    company: Warehouse, receiver: Receiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchman, "find_all_causes", lambda *_: [DRIFT])
    arguments = ["alerts", "--config", str(company.config)]
    assert run_app([*arguments, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "[clv ALERT] Prices moved" in printed
    assert "json-" in printed
    assert SECRET not in printed
    assert receiver.messages == []
    assert AlertLog.read(company.lake).rows.is_empty()
    assert run_app(arguments) == 0
    assert len(receiver.messages) == 1
