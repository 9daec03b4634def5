"""The report begins with the traffic lights, the worst first, and says how old the data are on its latest page."""

from datetime import datetime

import polars as pl

from clv_pipeline.report import build_report
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.sufficiency import build_section
from clv_pipeline_tests.report.sample import make_facts

LIGHTS = pl.DataFrame(
    {
        "as_of": "1998-06",
        "check": ["history_covers_a_year", "returns_are_few", "orders_come_by_day"],
        "level": ["green", "red", "grey"],
        "value": [400.0, 0.4, None],
        "threshold": [365.0, 0.1, 0.5],
        "sentence": ["The data span 400 days.", "40.0% of what was bought was returned.", "Nothing to tell."],
        "fix": [None, "Check <b>the sign</b>.", None],
    }
)
SOON = make_facts("1998-06", generated_at=datetime(1998, 7, 2))


def list_lamps(facts_changes: dict[str, object]) -> list[tuple[str, str]]:
    facts = make_facts("1998-06", generated_at=datetime(1998, 7, 2), **facts_changes)
    section = build_section(ReportData({"quality.sufficiency": LIGHTS}, facts))
    assert section
    return [(lamp.level, lamp.title) for lamp in section.blocks[1].lamps]  # pyright: ignore[reportAttributeAccessIssue]


def test_the_worst_light_comes_first_and_an_earlier_page_has_no_freshness() -> None:
    earlier = [("red", "Returns"), ("green", "A year at least"), ("grey", "Time zone")]

    assert list_lamps({"as_of_links": [("1998-06", ""), ("1998-07", "")]}) == earlier
    assert list_lamps({}) == [*earlier[:2], ("green", "Freshness"), earlier[2]]


def test_the_page_is_the_first_and_says_threshold_and_fix() -> None:
    html = build_report({"quality.sufficiency": LIGHTS}, SOON)
    page = html[html.index('<section class="page" id="sufficiency"') :]

    assert html.index('<section class="page"') == html.index(page)
    page = page[: page.index('<section class="page" id="summary"')]
    assert "1 red, 2 green, 1 grey. What is red comes first" in page
    assert "Green: at most 10% of what was bought." in page
    assert "Check &lt;b&gt;the sign&lt;/b&gt;." in page
    assert 'id="sufficiency"' not in build_report({}, SOON)
