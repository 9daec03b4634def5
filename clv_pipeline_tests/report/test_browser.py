"""The report in a real browser: one page at a time, its charts drawn, used as a reader uses it; skipped where there is
no browser."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from clv_pipeline.report import build_report
from clv_pipeline.report.glossary import DEFINITIONS
from clv_pipeline_tests.report.sample import make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import make_tiny

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = Path(__file__).with_name("drive.js")
# A window of a browser without a screen is no narrower than 500 pixels, a frame in it is.
FRAMES = """<!doctype html><script>
addEventListener("message", ({ data }) => {
  document.body.append(Object.assign(document.createElement("pre"), { textContent: data }));
});
</script><body>
<iframe src="report.html" width="390" height="844" style="border: 0"></iframe>
<iframe src="report.html" width="1280" height="900" style="border: 0"></iframe>"""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no browser")]


def open_at(file: Path, address: str = "") -> str:
    """The document as it stands after the scripts have run."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={file.parent}", "--dump-dom"]
    command = [str(BROWSER), *options, "--virtual-time-budget=20000", f"{file.as_uri()}#{address}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def write_report(file: Path, more: str = "") -> None:
    """The report of a tiny company, with `more` at its end."""
    facts = make_facts("2023-12")
    html = build_report(make_tables(make_tiny(20), facts), facts)
    before, _, after = html.rpartition("</body>")
    file.write_text(f"{before}{more}</body>{after}", encoding="utf-8")


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, dict[str, Any]]:
    """What a reader found, by width of the window."""
    folder = tmp_path_factory.mktemp("browser")
    write_report(folder / "report.html", f'<script type="module">{DRIVER.read_text(encoding="utf-8")}</script>')
    (folder / "frames.html").write_text(FRAMES, encoding="utf-8")
    answers = re.findall(r"<pre>(.*?)</pre>", open_at(folder / "frames.html"), re.DOTALL)
    return {found["width"]: found for found in map(json.loads, map(unescape, answers))}


def test_a_page_is_shown_alone_with_its_charts_and_what_can_be_clicked(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_report(file)
    document = open_at(file, "cohort-factors")  # a section of the page of lens 3

    pages = re.findall(r'<section class="page" id="(\w+)"[^>]*>', document)
    shown = re.findall(r'<section class="page" id="(\w+)"(?![^>]*hidden)[^>]*>', document)
    assert len(pages) == 10
    assert shown == ["lens3"]
    lens3 = document[document.index('id="lens3"') : document.index('id="lens4"')]
    assert lens3.count("<svg") == lens3.count("data-chart=") > 0
    assert "failed" not in lens3
    assert 'aria-selected="true"' in document
    assert re.search(r"<th[^>]*><button", lens3)
    assert "<svg" not in document[document.index('id="lens4"') : document.index("<footer>")]


@pytest.mark.parametrize("width", [390, 1280])
def test_a_reader_can_use_it_at_the_width_of_a_phone_and_of_a_desk(
    drives: Mapping[int, dict[str, Any]], width: int
) -> None:
    found = drives[width]
    assert (found["wide"], found["failed"], found["hidden"]) == ([], [], [])
    assert found["questions"] == 10
    definition = DEFINITIONS["active"]
    assert found["focused"] == ["active", definition, True]
    assert (found["escaped"], found["hovered"], found["tapped"]) == ("", definition, definition)
    direction, column = found["sorted"]
    assert (direction, column) == ("descending", sorted(column, reverse=True))
    assert found["turned"] == ["ascending", sorted(column)]
    name, is_hidden, (names, *rows) = found["csv"]
    assert (name, is_hidden) == ("chart-deciles_2023-12.csv", False)
    assert names == "decile,share_profit"
    assert [row.split(",")[0] for row in rows] == [str(decile) for decile in range(1, 11)]
    assert abs(sum(float(row.split(",")[1]) for row in rows) - 1) < 1e-4
    assert found["cohorts"][0] == ""
    assert found["dimmed"][0] == 0 < found["dimmed"][1]
