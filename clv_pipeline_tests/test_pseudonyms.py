"""Customer ids as keyed hashes: nothing that is written has the id, and the key is kept to."""

import hashlib
import hmac
from pathlib import Path

import pytest

from clv_pipeline.privacy.erasure import erase
from clv_pipeline.privacy.guard import PrivacyError
from clv_pipeline.privacy.key import Key, read_key
from clv_pipeline.settings import SettingsError, load_settings
from clv_pipeline_tests.traces import find_traces
from clv_pipeline_tests.warehouse import Warehouse

KEY = "0123456789abcdef0123456789abcdef"
ROWS = [
    ["o1", "ann@example.org", "2024-01-05", "tea", 2, "1.25"],
    ["o1", " ann@example.org ", "2024-01-05", "pie", 1, "4.00"],
    ["o2", "bob@example.org", "2024-02-05", "tea", 1, "1.25"],
    ["o3", None, "2024-02-06", "tea", 1, "1.25"],
    ["o4", "cyd@example.org", "no date", "tea", 1, "1.25"],
]
PSEUDONYMS = "[privacy]\npseudonyms = true\n"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY)


def hash_id(customer: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), b"customer_id\0" + customer.encode(), hashlib.sha256).hexdigest()[:32]


def test_nothing_that_is_written_has_an_id_but_its_keyed_hash(tmp_path: Path) -> None:
    house = Warehouse(tmp_path, extra=f'[customers]\npath = "people.csv"\n{PSEUDONYMS}')
    (tmp_path / "people.csv").write_text("customer_id,acquisition_ts\nann@example.org,2023-12-01\n")
    file = house.deliver("a.csv", ROWS)
    file.write_text(file.read_text() + "o5,dan@example.org\n")
    house.refresh()
    shown = house.query("SELECT customer_id, orders FROM marts.customer_periods ORDER BY period")
    acquired = house.query("SELECT customer_id FROM marts.customers WHERE acquisition_ts < '2024-01-01'")
    rejected = house.query("SELECT reason FROM transactions.quarantine ORDER BY row_number")

    assert shown.rows() == [(hash_id("ann@example.org"), 1), (hash_id("bob@example.org"), 1)]
    assert acquired["customer_id"].to_list() == [hash_id("ann@example.org")]
    assert rejected["reason"].to_list() == ["unparseable timestamp", "malformed line"]
    assert find_traces(house.settings.home, "@example.org", "dan") == []
    assert find_traces(house.settings.home, hash_id("cyd@example.org"))  # the search finds what is there
    assert find_traces(house.settings.home, KEY) == []


def test_another_key_and_ids_of_another_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = Warehouse(tmp_path, extra=PSEUDONYMS)
    house.deliver("a.csv", ROWS)
    house.land()
    house.deliver("b.csv", ROWS[:1])
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY[::-1])
    with pytest.raises(
        PrivacyError, match=r"^the privacy key is not the one .* restore it; .*docs/privacy\.md$"
    ) as said:
        house.land()
    assert KEY not in str(said.value)
    assert KEY[::-1] not in str(said.value)
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY)
    plain = Warehouse(tmp_path / "plain")
    plain.deliver("a.csv", ROWS)
    plain.land()
    for changed, words in ((house, "was true .* is false now"), (plain, "was false .* is true now")):
        settings = changed.settings.model_copy(
            update={"privacy": changed.settings.privacy.model_copy(update={"pseudonyms": changed is plain})}
        )
        changed.settings = settings
        with pytest.raises(PrivacyError, match=words):
            changed.land()


def test_the_key_comes_from_the_environment_or_a_file_outside_home(tmp_path: Path) -> None:
    (tmp_path / "secret.env").write_text(f"# of the shop\nCLV_PRIVACY_KEY={KEY}\n")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret").write_text(KEY)
    config = tmp_path / "clv.toml"

    def read(text: str, environment: dict[str, str]) -> Key:
        config.write_text(f'home = "home"\n[privacy]\n{text}')
        return read_key(load_settings(config, environment), environment)

    assert read("", {"CLV_PRIVACY_KEY": KEY}) == read('key_file = "secret.env"', {})
    assert KEY not in repr(read("", {"CLV_PRIVACY_KEY": KEY}))
    for text, environment, words in (
        ("", {}, "a privacy key is needed: set CLV_PRIVACY_KEY"),
        ("", {"CLV_PRIVACY_KEY": "short"}, "fewer than 32 characters"),
        ('key_file = "gone"', {}, "cannot be read"),
        ('key_file = "home/secret"', {}, "move it out of home"),
        (f'key = "{KEY}"', {}, "unknown setting 'privacy.key'; known here: pseudonyms, key_file"),
    ):
        with pytest.raises(SettingsError, match=words) as said:
            read(text, environment)
        assert "\n" not in str(said.value)
        assert KEY not in str(said.value)
        assert "short" not in str(said.value)


def test_the_key_is_rotated_as_documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Warehouse(tmp_path / "old", extra=PSEUDONYMS)
    old.deliver("a.csv", ROWS)
    old.refresh()
    monkeypatch.setenv("CLV_PRIVACY_KEY", KEY[::-1])
    new = Warehouse(tmp_path / "new", extra=PSEUDONYMS)
    new.deliver("a.csv", ROWS)
    erase(new.lake, new.settings, ["ann@example.org"], lambda texts: None)
    new.refresh()

    assert new.query("SELECT DISTINCT customer_id FROM marts.customer_periods").rows() == [
        (hash_id("bob@example.org", KEY[::-1]),)
    ]
    totals = "SELECT period, lines, spend FROM marts.periods ORDER BY period"
    assert new.query(totals).equals(old.query(totals))
