"""Settings: every knob from file and environment, and one line with key and fix for whatever is wrong."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr

from clv_pipeline.settings import Settings, SettingsError, load_settings

COLUMNS = {"order_id": "id", "customer_id": "who", "order_ts": "day", "product_id": "what", "line_total": "paid"}
MAPPED = "[source.columns]\n" + "\n".join(f'{ours} = "{theirs}"' for ours, theirs in COLUMNS.items())
# Every setting with a value that is not its default, as a variable holds it and as the settings do.
EVERY_SETTING = {
    "home": ("elsewhere", "elsewhere"),
    "source.path": ("drops/*.csv", "drops/*.csv"),
    "source.timezone": ("Asia/Tokyo", "Asia/Tokyo"),
    "source.business_timezone": ("Europe/Berlin", "Europe/Berlin"),
    "source.currency": ("EUR", "EUR"),
    "source.timestamp_format": ("%d.%m.%Y", "%d.%m.%Y"),
    "source.encoding": ("latin-1", "latin-1"),
    "source.columns": (json.dumps(COLUMNS), COLUMNS),
    "source.connection": ("sqlite://", SecretStr("sqlite://")),
    "source.secrets": ("run/secrets.toml", "secrets.toml"),
    "source.publication": ("shop", "shop"),
    "source.lag_minutes": ("2.5", 2.5),
    "customers.path": ("who.csv", "who.csv"),
    "customers.connection": ("sqlite://", SecretStr("sqlite://")),
    "customers.secrets": ("run/secrets.toml", "secrets.toml"),
    "customers.columns": ('{"customer_id": "id"}', {"customer_id": "id"}),
    "customers.history": ("source", "source"),
    "customers.id_map": ("ids/*.csv", "ids/*.csv"),
    "customers.id_columns": ('{"source_id": "old"}', {"source_id": "old"}),
    "customers.precedence": ("crm, shop", ("crm", "shop")),
    "customers.required": ("region", ("region",)),
    "customers.visible": ("shown", "shown"),
    "customers.consent": ("opted_in", "opted_in"),
    "returns.policy": ("drop", "drop"),
    "returns.order_id_pattern": ("^C", "^C"),
    "value.margin": ("0.4", Decimal("0.4")),
    "value.cutoff_step": ("0.5", Decimal("0.5")),
    "value.annual_discount_rate": ("0.2", 0.2),
    "value.horizon_months": ("24", 24),
    "periods.start": ("2020-02", "2020-02"),
    "periods.window": ("month", "month"),
    "periods.cohort": ("year", "year"),
    "periods.cohort_by": ("product_id", "product_id"),
    "periods.only": ('{"product_id": "P1"}', {"product_id": "P1"}),
    "lenses.histogram_edges": ('{"orders": [0, 1, 2]}', {"orders": (0.0, 1.0, 2.0)}),
    "lenses.profit_bands": ("5, 12.5", (5.0, 12.5)),
    "lenses.order_bands": ("1,2,4", (1, 2, 4)),
    "lenses.profit_cutoffs": ("9,8,7,6,5,4,3,2.5,-1", (9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.5, -1.0)),
    "lenses.growth": ("0.1", (0.1,)),
    "models.transactions": ("mbg_nbd", "mbg_nbd"),
    "models.estimation": ("map", "map"),
    "models.priors": ('{"bg_nbd": {"r": {"dist": "HalfFlat"}}}', {"bg_nbd": {"r": {"dist": "HalfFlat"}}}),
    "models.candidates": ("pareto_nbd, bg_nbd", ("pareto_nbd", "bg_nbd")),
    "models.covariates": ("product_id", ("product_id",)),
    "models.draws": ("100", 100),
    "models.chains": ("2", 2),
    "models.tune": ("1000", 1000),
    "models.seed": ("7", 7),
    "models.refit": ("year", "year"),
    "models.promote": ("never", "never"),
    "models.tolerance": ("0.1", 0.1),
    "models.mlflow_uri": ("http://server:5000", "http://server:5000"),
    "backtest.horizon_months": ("6", 6),
    "backtest.folds": ("4", 4),
    "backtest.min_months": ("12", 12),
    "backtest.recalibrate": ("false", False),
    "backtest.correct_pace": ("false", False),
    "backtest.correct_spend": ("false", False),
    "drift.reference": ("2020-03", "2020-03"),
    "drift.psi_warn": ("0.2", 0.2),
    "drift.psi_alert": ("0.5", 0.5),
    "drift.change_warn": ("0.08", 0.08),
    "drift.change_alert": ("0.2", 0.2),
    "drift.share_warn": ("0.03", 0.03),
    "drift.share_alert": ("0.08", 0.08),
    "drift.empty_days": ("5", 5),
    "publication.move": ("0.2", 0.2),
    "automation.enabled": ("true", True),
    "alerts.urls": ("json://a, json://b", (SecretStr("json://a"), SecretStr("json://b"))),
    "alerts.secrets": ("run/secrets.toml", "secrets.toml"),
    "alerts.link": ("http://clv", "http://clv"),
    "alerts.stale_after_days": ("2", 2.0),
    "privacy.pseudonyms": ("true", True),
    "privacy.key_file": ("secrets/clv.key", "clv.key"),
    "privacy.keep_raw_months": ("24", 24),
    "engine.threads": ("3", 3),
    "engine.memory_limit": ("1.5 GiB", "1.5 GiB"),
}
# Those that are right only together.
OF_TABLES = {
    "source.kind": "sql",
    "source.table": "sales.lines",
    "source.cursor": "changed_at",
    "source.replication_slot": "clv",
    "customers.kind": "sql",
    "customers.table": "crm.customers",
    "customers.id_map_table": "crm.identities",
}


def load(folder: Path, text: str = "", **variables: str) -> Settings:
    (folder / "clv.toml").write_text(text)
    return load_settings(folder / "clv.toml", variables)


def refuse(folder: Path, text: str = "", **variables: str) -> str:
    with pytest.raises(SettingsError) as refusal:
        load(folder, text, **variables)
    message = str(refusal.value)
    assert "\n" not in message
    return message


def variable(key: str) -> str:
    return "CLV_" + key.replace(".", "_").upper()


def list_settings() -> set[str]:
    sections = {name: getattr(Settings(), name) for name in Settings.model_fields if name != "config_file"}
    return {
        key
        for name, value in sections.items()
        for key in (
            [f"{name}.{inner}" for inner in type(value).model_fields] if isinstance(value, BaseModel) else [name]
        )
    }


def read(settings: Settings, key: str) -> object:
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value.name if isinstance(value, Path) else value


def test_the_list_of_settings_is_complete() -> None:
    assert {*EVERY_SETTING, *OF_TABLES, "automation.retention"} == list_settings()


def test_retention_runs_by_itself_only_where_it_is_said_what_is_kept(tmp_path: Path) -> None:
    wanted = {"CLV_AUTOMATION_RETENTION": "true"}
    assert "[automation] retention needs [privacy] keep_raw_months" in refuse(tmp_path, **wanted)
    assert load(tmp_path, "[privacy]\nkeep_raw_months = 24", **wanted).automation.retention


def test_the_settings_of_tables_are_variables_too(tmp_path: Path) -> None:
    columns = json.dumps({**COLUMNS, "line_id": "key"})
    given = {"source.connection": "sqlite://", "source.columns": columns, **OF_TABLES}
    given.pop("source.replication_slot")
    settings = load(tmp_path, **{f"CLV_{key.replace('.', '_').upper()}": text for key, text in given.items()})
    assert {key: read(settings, key) for key in OF_TABLES} == {**OF_TABLES, "source.replication_slot": None}
    assert settings.source.columns["updated_at"] == "changed_at"


@pytest.mark.parametrize("key", EVERY_SETTING)
def test_every_setting_is_also_a_variable_which_wins_over_the_file(key: str, tmp_path: Path) -> None:
    text, value = EVERY_SETTING[key]
    assert read(Settings(), key) != value
    other = json.dumps(read(load(tmp_path), key), default=str)
    section, _, name = key.rpartition(".")
    file = (f"[{section}]\n" if section else "") + f"{name} = {other}\n"
    if key == "source.columns":
        file = MAPPED.replace("paid", "total")
    elif other == "null":
        file = ""
    settings = load(tmp_path, file, **{variable(key): text})
    assert read(settings, key) == value


def test_one_column_as_a_variable_adds_to_the_file_and_to_the_whole_table(tmp_path: Path) -> None:
    settings = load(tmp_path, MAPPED, CLV_SOURCE_COLUMNS_CHANNEL="Kanal", CLV_SOURCE_COLUMNS_ORDER_ID="Nr")
    assert settings.source.columns == {**COLUMNS, "channel": "Kanal", "order_id": "Nr"}
    whole = {"CLV_SOURCE_COLUMNS_ORDER_ID": "Nr", "CLV_SOURCE_COLUMNS": json.dumps(COLUMNS)}
    assert load(tmp_path, "", **whole).source.columns == {**COLUMNS, "order_id": "Nr"}


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    assert load(tmp_path, "[value]\nhorizon_months = 6", CLV_VALUE_HORIZON_MONTHS="").value.horizon_months == 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hom = 'x'", "clv.toml: unknown setting 'hom'; did you mean 'home'?"),
        ("[valu]\nmargin = 1", "clv.toml: unknown setting 'valu'; did you mean 'value'?"),
        ("margin = 0.3", "clv.toml: unknown setting 'margin'; did you mean 'value.margin'?"),
        ("[value]\nmargn = 0.3", "clv.toml: unknown setting 'value.margn'; did you mean 'value.margin'?"),
        ("[source]\npth = 'x'", "clv.toml: unknown setting 'source.pth'; did you mean 'source.path'?"),
        ("[returns]\nzzz = 1", "clv.toml: unknown setting 'returns.zzz'; known here: policy, order_id_pattern"),
        ("source = 3", "clv.toml: 'source' is a table; write it as [source]"),
        ("home = 3", "clv.toml: home: 3 is no text; put it in quotes"),
        ("[source]\npath = ''", "clv.toml: source.path: '' is empty; write a value, or remove the setting"),
        ("[source]\ntimezone = 'Mars'", "clv.toml: source.timezone: 'Mars' is not a time zone; use a name such as "),
        ("[source]\nencoding = 'cp1252'", "encoding: 'cp1252' is unknown; choose 'utf-8', 'utf-16' or 'latin-1'"),
        ("[models]\nestimation = 'nuts'", "models.estimation: 'nuts' is unknown; choose 'map', 'laplace' or 'mcmc'"),
        ("[models]\ncandidates = ['nbd']", "clv.toml: models.candidates.0: 'nbd' is unknown; choose 'bg_nbd', "),
        ("[models]\ncandidates = []", "clv.toml: models.candidates: [] is an empty list; name at least one, or"),
        ("[models]\ncandidates = 3", 'clv.toml: models.candidates: 3 is no list; write it like ["bg_nbd", '),
        ("[models]\ncovariates = ['a', 'a']", "clv.toml: models.covariates: names 'a' twice; write it once"),
        ("[models]\ndraws = 10", "clv.toml: models.draws: 10 is too small; it must be at least 100"),
        ("[value]\nmargin = 'x'", "clv.toml: value.margin: 'x' is no number; write it like 0.3"),
        ("[value]\nmargin = 30", "clv.toml: value.margin: 30 is too large; it must be at most 1"),
        ("[value]\nmargin = nan", "clv.toml: value.margin: 'nan' is no number"),
        (
            "[value]\ncutoff_step = 0.015",
            "clv.toml: value.cutoff_step: '0.015' is too precise; write at most two decimals",
        ),
        ("[value]\nannual_discount_rate = nan", "value.annual_discount_rate: nan is no number"),
        ("[value]\nhorizon_months = 1.5", "clv.toml: value.horizon_months: 1.5 is no whole number"),
        ("[value]\nhorizon_months = 0", "clv.toml: value.horizon_months: 0 is too small; it must be at least 1"),
        ("[lenses]\norder_bands = [2, 3]", "lenses.order_bands: must start with 1; write the first number of orders"),
        ("[lenses]\ngrowth = [0.1, 0.1]", "clv.toml: lenses.growth: must ascend, each number once"),
        ("[lenses]\nprofit_cutoffs = [1, 2]", "clv.toml: lenses.profit_cutoffs: must descend, each number once"),
        ("[lenses]\nprofit_cutoffs = [2, 1]", "lenses.profit_cutoffs: needs the nine profits between ten deciles"),
        ("[lenses]\nprofit_bands = [-1, 5]", "clv.toml: lenses.profit_bands: needs upper edges above zero"),
        ("[lenses]\nhistogram_edges = {aov = [1]}", "lenses.histogram_edges.aov"),
        ("[periods]\nwindow = 'week'", "periods.window: 'week' is unknown; choose 'month', 'quarter' or 'year'"),
        ("[periods]\nstart = '2024'", "clv.toml: periods.start: '2024' is no month; write 'YYYY-MM'"),
        ("[periods]\nstart = 2024-01-01", "clv.toml: periods.start: 2024-01-01 is no text; put it in quotes"),
        ("[models]\npriors = 'wide'", "clv.toml: models.priors: 'wide' is unknown; choose 'default' or 'flat'"),
        ("[models]\npriors = {bg_nbd = 3}", "clv.toml: models.priors.bg_nbd: 3 is no table"),
        ("[returns]\norder_id_pattern = '('", "returns.order_id_pattern: '(' is no regular expression (missing )"),
        ("[returns]\norder_id_pattern = '(?!C)'", "'(?!C)' looks around or back, which DuckDB cannot; write one"),
        ("[engine]\nmemory_limit = 'lots'", "engine.memory_limit: 'lots' is no amount of memory; write it like '4GB'"),
        ("[drift]\nshare_warn = 1", "clv.toml: drift.share_warn: 1 is too large; it must be less than 1"),
        ("[drift]\npsi = 0.3", "clv.toml: 'drift.psi' is now called drift.psi_alert"),
        ("[drift]\npsi_warn = 0.3", "drift: psi_warn is 0.3, above psi_alert of 0.25; a warning comes first"),
        ("[source]\ncolumns = ['a']", "clv.toml: source.columns: ['a'] is no table; write name = value lines"),
        ("[source.columns]\norder_id = 'x'", "source.columns: lacks customer_id, order_ts, product_id; map each"),
        (MAPPED.replace("line_total", "note"), "source.columns: lacks an amount; map unit_price or line_total"),
        (MAPPED.replace("order_id", "orderid"), "source.columns: unknown column 'orderid'; did you mean 'order_id'?"),
        (MAPPED.replace("order_id", "Order"), "source.columns: 'Order' is no column name; use lower case letters"),
        (MAPPED.replace('"who"', '""'), "source.columns: customer_id is mapped to nothing; write the column's name"),
        (MAPPED.replace('"who"', "7"), "clv.toml: source.columns.customer_id: 7 is no text; put it in quotes"),
        (MAPPED + '\nupdated_at = "at"', "maps updated_at without line_id; versions need the line they belong to"),
        ("[source", "clv.toml: not valid TOML: Expected ']'"),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_fix(text: str, message: str, tmp_path: Path) -> None:
    assert message in refuse(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("CLV_VALUE_MARGIN", "much", "CLV_VALUE_MARGIN: 'much' is no number; write it like 0.3"),
        ("CLV_VALUE_MARGN", "1", "unknown environment variable CLV_VALUE_MARGN; did you mean CLV_VALUE_MARGIN?"),
        ("CLV_QQ", "1", "unknown environment variable CLV_QQ; every setting is CLV_SECTION_NAME"),
        ("CLV_SOURCE", "x", "unknown environment variable CLV_SOURCE; did you mean CLV_SOURCE_PATH?"),
        ("CLV_ENGINE_THREADS", "all", "CLV_ENGINE_THREADS: 'all' is no whole number"),
        ("CLV_MODELS_PRIORS", "{bad", "CLV_MODELS_PRIORS: not valid JSON (Expecting property name"),
        ("CLV_SOURCE_COLUMNS", "x", "CLV_SOURCE_COLUMNS: 'x' is no table; write name = value lines"),
        ("CLV_SOURCE_COLUMNS_CUSTOMER_ID", " ", "customer_id is mapped to nothing; write the column's name"),
    ],
)
def test_a_wrong_variable_is_named_itself(name: str, text: str, message: str, tmp_path: Path) -> None:
    assert message in refuse(tmp_path, MAPPED, **{name: text})


def test_a_file_that_was_named_has_to_be_a_text_file_that_exists(tmp_path: Path) -> None:
    missing = tmp_path / "other.toml"
    for config, environment in ((missing, {}), (None, {"CLV_CONFIG": str(missing)})):
        with pytest.raises(SettingsError, match=r"other.toml: no such file; write one, or run `clv demo`"):
            load_settings(config, environment)
    missing.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"^other.toml: not UTF-8 text; save it as UTF-8$"):
        load_settings(missing, {})
    with pytest.raises(SettingsError, match=r"cannot be read \(Is a directory\)"):
        load_settings(tmp_path, {})


def test_home_is_relative_to_the_file(tmp_path: Path) -> None:
    assert load(tmp_path, "home = 'h'").home == tmp_path / "h"
    assert load(tmp_path, "home = '/srv/h'").home == Path("/srv/h")


def test_a_password_does_not_stand_in_a_setting(tmp_path: Path) -> None:
    for text, fix in (
        (
            '[models]\nmlflow_uri = "https://ann:hush@server"',
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        ),
        (
            '[alerts]\nurls = ["mailto://ann:hush@example.org"]',
            "write ${NAME} in its place, and set NAME in the environment",
        ),
    ):
        message = refuse(tmp_path, text)
        assert fix in message
        assert "hush" not in message
    assert load(
        tmp_path, '[alerts]\nurls = ["mailto://${USER}:${WORD}@example.org", "json://127.0.0.1:80/hook"]'
    ).alerts
    assert load(tmp_path, CLV_ALERTS_URLS="mailto://ann:hush@example.org").alerts
