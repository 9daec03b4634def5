"""The page as a whole: one file, nothing from the network, every table also as CSV, sensible with little or no data."""

import io
import json
import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote

import polars as pl
import pytest
from altair.vegalite.v6.schema.core import TopLevelSpec

from clv_pipeline.report import build_report, bundle
from clv_pipeline_tests.report.sample import Tables, make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import make_tiny, read_cdnow, spread_cohorts

VOID = {"meta", "link", "br", "hr", "img", "input"}
MODEL_STAGES = ("models.", "scores.", "drift.", "monitoring.")


class Page(HTMLParser):
    """Elements, text by page of the report, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self.page = "page"
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        if values.get("class") == "page":
            self.page = values["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            joined = self.text.get(self.page, "") + re.sub(r"\s+", " ", data.replace("\u2060", ""))
            self.text[self.page] = re.sub(r"\s+", " ", joined)

    def attributes(self, name: str) -> Iterator[str]:
        return (value for _, values in self.elements if (value := values.get(name)))


@pytest.fixture(autouse=True, scope="module")
def stand_in_for_the_chart_library() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "load_bundle", lambda _: "window.vegaEmbed = null;")
        yield


@cache
def cdnow_tables() -> Tables:
    return make_tables(read_cdnow(), make_facts("1998-06"))


@cache
def long_tables() -> Tables:
    return make_tables(spread_cohorts(read_cdnow(), 12), make_facts("2000-06"))


@cache
def cdnow_page() -> Page:
    return Page(build_report(cdnow_tables(), make_facts("1998-06")))


def read_json(html: str, name: str) -> dict[str, Any]:
    match = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)
    assert match
    return json.loads(match.group(1))


def describe_shape(spec: Any) -> str:
    """The keys of a specification without its names: validating takes most of a second, and many charts are alike."""
    if isinstance(spec, dict):
        return f"{{{','.join(f'{key}:{describe_shape(value)}' for key, value in spec.items())}}}"
    return f"[{','.join(map(describe_shape, spec))}]" if isinstance(spec, list) else type(spec).__name__


def test_every_element_is_closed_and_ids_are_unique() -> None:
    page = cdnow_page()

    ids = list(page.attributes("id"))
    assert page.open == []
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_from_the_network() -> None:
    page = cdnow_page()

    assert list(page.attributes("src")) == []
    assert [href for href in page.attributes("href") if not href.startswith(("#", "data:text/csv"))] == []
    assert "link" not in {tag for tag, _ in page.elements}


def test_links_within_the_page_lead_somewhere() -> None:
    page = cdnow_page()

    targets = {href[1:] for href in page.attributes("href") if href.startswith("#")}
    assert targets - set(page.attributes("id")) == set()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("lens1_customer_deciles", "lenses.lens1_customer_deciles"),
        ("lens3_cohort_age", "lenses.lens3_cohort_age"),
        ("scores_top", "scores.top"),
        ("reconciliation", "transactions.reconciliation"),
        ("months", "marts.periods"),
    ],
)
def test_csv_holds_the_whole_table(name: str, table: str) -> None:
    [link] = [values for _, values in cdnow_page().elements if values.get("download") == f"{name}_1998-06.csv"]
    text = unquote((link["href"] or "").partition(",")[2])

    expected = cdnow_tables()[table]
    read = pl.read_csv(io.StringIO(text), schema=expected.schema)
    assert read.columns == expected.columns
    for column, dtype in expected.schema.items():
        if dtype == pl.Float64:
            assert (read[column] - expected[column]).abs().max() <= 5.1e-7  # pyright: ignore[reportOperatorIssue]
        else:
            assert read[column].to_list() == expected[column].to_list()


def test_every_chart_has_a_text_and_a_valid_specification() -> None:
    html = build_report(long_tables(), make_facts("2000-06"))
    page, charts = Page(html), read_json(html, "charts")

    labelled = {str(v["data-chart"]): v["aria-label"] or "" for _, v in page.elements if v.get("data-chart")}
    assert set(labelled) == set(charts)
    assert [name for name, text in labelled.items() if not re.fullmatch(r"Chart: .+\. .+\.", text)] == []
    sets = read_json(html, "datasets")
    assert {name for spec in charts.values() for name in spec["datasets"]} == set(sets)
    assert [name for name, rows in sets.items() if not rows["rows"]] == []
    assert [name for name, rows in sets.items() if {len(row) for row in rows["rows"]} != {len(rows["names"])}] == []
    assert {spec["width"] for spec in charts.values()} == {"container"}
    bare = [{**spec, "datasets": {}} for spec in charts.values()]
    for spec in {describe_shape(spec): spec for spec in bare}.values():
        TopLevelSpec.from_dict(spec, validate=True)


def test_long_numbers_and_unwanted_words_do_not_appear() -> None:
    text = " ".join(cdnow_page().text.values())

    assert re.findall(r"[\d,]*\d{5,}|\d\.\d{5,}", re.sub(r"\b\d{5}\b", "", text)) == []
    assert re.findall(r"(?i:churn|retention|retained)|\bNone\b|\b[Nn]a[Nn]\b|\binf\b|\bnull\b", text) == []


@pytest.mark.parametrize("given", [{}, "empty"])
def test_without_data_every_section_says_so_and_draws_nothing(given: Tables | str) -> None:
    tables = {name: frame.clear() for name, frame in cdnow_tables().items()} if given == "empty" else {}
    html = build_report(tables, make_facts("1998-06", model_name=None, model_version=None))
    page = Page(html)

    assert "data-chart" not in html
    assert "<table" not in html
    assert "There is no order in the window that ends in June 1998." in page.text["summary"]
    assert "No model could be fitted" in page.text["models"]
    assert "There are no scores for this month" in page.text["models"]
    assert "There is no earlier month to compare with yet." in page.text["monitoring"]


def test_a_single_order_gets_tables_but_no_chart() -> None:
    facts = make_facts("2023-02", model_name=None, model_version=None)
    tables = {k: v for k, v in make_tables(make_tiny(1), facts).items() if not k.startswith(MODEL_STAGES)}
    html = build_report(tables, facts)
    text = Page(html).text

    assert "data-chart" not in html
    assert "1 customer was active: 1 order for $10.00 brought $3.00 of profit, 30% of spend." in text["summary"]
    assert "no model could be fitted, so there are no scores" in text["summary"]
    assert "The latest window (March 2022 to February 2023) is not covered by data in full" in text["summary"]


def test_a_measure_that_nobody_has_gets_its_sentence_but_no_chart() -> None:
    facts = make_facts("2000-06")
    tables = dict(long_tables())
    cells = tables["lenses.lens3_cohort_age"]
    tables["lenses.lens3_cohort_age"] = cells.with_columns(
        profit=pl.lit(0, cells.schema["profit"]), aov=pl.lit(None, cells.schema["aov"])
    )
    html = build_report(tables, facts)
    drawn = read_json(html, "charts")
    assert "chart-age-of-aof" in drawn
    assert not {"chart-age-aov", "chart-age-of-aov", "chart-calendar-of-profit-index"} & drawn.keys()
    assert set(Page(html).attributes("data-chart")) == drawn.keys()
    assert "AOV: no complete period yet." in html


def test_an_open_month_is_marked_everywhere() -> None:
    facts = make_facts("2000-06", as_of_end=date(2000, 6, 14), window="month", cohort="month")
    html = build_report(make_tables(spread_cohorts(read_cdnow(), 12), facts), facts)
    page = Page(html)

    assert "month still open" in page.text["page"]
    assert "June 2000 is still open: data reach to 14 June 2000" in page.text["summary"]
    assert not re.search(r"\bup \d", page.text["summary"])
    assert "(incomplete)" in page.text["lens2"]
    [months] = read_json(html, "charts")["chart-months"]["datasets"]
    columns, rows = read_json(html, "datasets")[months].values()
    states = {row[columns.index("period")]: row[columns.index("state")] for row in rows}
    assert {period for period, state in states.items() if state == "incomplete"} == {"2000-06"}


def test_text_of_the_data_cannot_become_markup() -> None:
    nasty = "</script><b>&\"'"
    tables = {
        "rfm.segments": pl.DataFrame({"segment": [nasty, "b"], "customers": [1, 2], "spend": [5.0, 1.0]}),
        "transactions.quarantine": pl.DataFrame({"reason": [nasty], "lines": [1]}),
    }
    page = Page(build_report(tables, make_facts("1998-06", title=nasty, notes=[nasty])))

    assert page.open == []
    assert "b" not in {tag for tag, _ in page.elements}
    assert nasty in page.text["quality"]


def test_every_page_asks_answers_and_points_on() -> None:
    page = cdnow_page()

    names = ["summary", "lens1", "lens2", "lens3", "lens4", "lens5", "models", "monitoring", "quality"]
    assert [name for name in page.text if name != "page"] == [*names, "definitions"]
    assert [name for name in names if "?" not in page.text[name][:160]] == []
    assert [name for name in names if "What to look at next" not in page.text[name]] == []


def test_sorting_uses_the_numbers_behind_the_cells() -> None:
    html = build_report(cdnow_tables(), make_facts("1998-06"))
    table = html[html.index('id="deciles"') :]
    cells = re.findall(r'<td data-v="([^"]+)">([^<]+)<', table[: table.index("</table>")])

    profit = cdnow_tables()["lenses.lens1_customer_deciles"]["profit"]
    shown = [float(value) for value, text in cells if text.startswith("$")][::3]
    assert shown == [float(value) for value in profit]


def test_the_index_lists_every_month_and_links_those_with_a_page() -> None:
    links = [("1998-05", ""), ("1998-06", "1998-06.html"), ("1997-12", "1997-12.html")]
    html = build_report(cdnow_tables(), make_facts("1998-06", as_of_links=links))
    index = html[html.index('<dl class="months">') :]
    index = re.sub(r"\s+", " ", index[: index.index("</dl>")])

    assert re.findall(r"<dt>(\d+)</dt>", index) == ["1998", "1997"]
    assert re.findall(r"<(?:a|span)[^>]*>\w+", index) == [
        '<a href="#summary" aria-current="page">June',
        "<span>May",
        '<a href="1997-12.html">December',
    ]
    assert "clv report --as-of YYYY-MM" in Page(html).text["summary"]
