"""The report in a real browser: one page at a time, its charts drawn; skipped where there is no browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clv_pipeline.report import build_report
from clv_pipeline_tests.report.sample import make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import make_tiny

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def open_at(file: Path, address: str) -> str:
    """The document as it stands after the scripts have run."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={file.parent}", "--dump-dom"]
    command = [str(BROWSER), *options, "--virtual-time-budget=20000", f"{file.as_uri()}#{address}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_is_shown_alone_with_its_charts_and_what_can_be_clicked(tmp_path: Path) -> None:
    facts = make_facts("2023-12")
    file = tmp_path / "report.html"
    file.write_text(build_report(make_tables(make_tiny(20), facts), facts), encoding="utf-8")
    document = open_at(file, "cohort-factors")  # a section of the page of lens 3

    pages = re.findall(r'<section class="page" id="(\w+)"[^>]*>', document)
    shown = re.findall(r'<section class="page" id="(\w+)"(?![^>]*hidden)[^>]*>', document)
    assert len(pages) == 9
    assert shown == ["lens3"]
    lens3 = document[document.index('id="lens3"') : document.index('id="lens4"')]
    assert lens3.count("<svg") == lens3.count("data-chart=") > 0
    assert "failed" not in lens3
    assert 'aria-selected="true"' in document
    assert re.search(r"<th[^>]*><button", lens3)
    assert "<svg" not in document[document.index('id="lens4"') : document.index("<footer>")]
