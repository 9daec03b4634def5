"""The chart library in the page: whole, kept for the next report, and small enough."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from clv_pipeline.report import build_report, bundle
from clv_pipeline_tests.report.sample import make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import make_tiny

CHARTS = Path(bundle.__file__).parent / "templates" / "charts.js"


class Scripts(HTMLParser):
    """The text of the scripts that run, as a browser would cut it out of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.runs = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.runs = tag == "script" and dict(attrs).get("type") == "module"
        if self.runs:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.runs = False

    def handle_data(self, data: str) -> None:
        if self.runs:
            self.texts[-1] += data


def test_the_library_is_in_the_page_once_and_kept_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = make_facts("2023-12")
    tables = make_tables(make_tiny(20), facts)
    monkeypatch.setattr(bundle, "_SET_UP", tmp_path / "environment")
    html = build_report(tables, facts, cache_dir=tmp_path)
    monkeypatch.setattr(bundle, "make_bundle", lambda: pytest.fail("bundled again"))

    assert build_report(tables, facts, cache_dir=tmp_path) == html
    assert [file.suffix for file in tmp_path.iterdir()] == [".js"]
    [script] = Scripts(html).texts
    assert script.startswith(bundle.load_bundle(tmp_path))
    assert script.rstrip().endswith(CHARTS.read_text(encoding="utf-8").rstrip())
    assert len(html.encode()) < 1_500_000


def test_what_the_set_up_made_serves_every_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_SET_UP", tmp_path / "environment")
    monkeypatch.setattr(bundle, "make_bundle", lambda: "made by the set-up")
    bundle.set_up_bundle()
    monkeypatch.setattr(bundle, "make_bundle", lambda: pytest.fail("bundled again"))
    bundle.set_up_bundle()

    assert bundle.load_bundle(tmp_path / "home") == "made by the set-up"
    assert not (tmp_path / "home").exists()
