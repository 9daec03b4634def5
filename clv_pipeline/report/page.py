"""The report as one HTML text that needs nothing else: a tab a page.

Belongs here: putting pages, styles, scripts and chart specifications together. Does not belong here: what is on a page
(`pages.py`) and what a section says (`sections/`).
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import jinja2
import polars as pl
from markupsafe import Markup

from clv_pipeline.clv.models.words import MODEL_NAMES
from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.bundle import start_bundle
from clv_pipeline.report.facts import ReportData, ReportFacts
from clv_pipeline.report.glossary import DEFINITIONS, define
from clv_pipeline.report.numbers import day, month


def build_report(
    tables: Mapping[str, pl.DataFrame],
    facts: ReportFacts,
    *,
    previous: Mapping[str, pl.DataFrame] | None = None,
    cache_dir: Path | None = None,
) -> str:
    """The report on `tables` ('schema.table' names, one as-of month) as one HTML text.

    `previous` are the tables of `facts.previous_as_of` that this month is compared with: lenses.lens1_headline and
    scores.deciles. A table that is missing or empty makes its section say so, or leaves it out. `cache_dir` keeps the
    chart library's script from one report to the next, which saves about 2 s; nothing else is written.
    """
    bundle = start_bundle(cache_dir)
    # Altair takes its time to import; by now the bundle is being made beside it.
    from clv_pipeline.report.charts.theme import THEME, build_unchecked  # noqa: PLC0415
    from clv_pipeline.report.pages import PAGES  # noqa: PLC0415

    data = ReportData(tables, facts, previous or {})
    with build_unchecked():
        built = [(spec, spec.build(data)) for spec in PAGES]
    pages = [page for spec, page in built if page.sections or not spec.is_optional]
    named, rows = pack({figure.id: figure.spec for page in pages for figure in page.figures if figure.is_drawable})
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            facts=facts,
            pages=pages,
            tabs={page.id: page.tab for page in pages},
            definitions=sorted(DEFINITIONS.items(), key=lambda pair: pair[0].lower()),
            charts=embed_json(named),
            datasets=embed_json(rows),
            theme=embed_json(THEME),
            bundle=Markup(bundle.result()) if named else None,
        )
    )


def prepare_building(cache_dir: Path | None) -> None:
    """Loads ahead what `build_report` wants in this process: the chart library, the pages, the template."""
    start_bundle(cache_dir)
    from clv_pipeline.report.pages import PAGES  # noqa: F401, PLC0415 - see above

    _environment().get_template("page.html.j2")


def pack(charts: Mapping[str, Spec]) -> tuple[dict[str, Spec], dict[str, Spec]]:
    """The charts with the names of their rows, and the rows by name: each set once, its keys once; less than half the
    text. `charts.js` puts them together again."""
    named = {id: {**spec, "datasets": list(spec["datasets"])} for id, spec in charts.items()}
    rows = {name: values for spec in charts.values() for name, values in spec["datasets"].items()}
    return named, {
        name: {"names": list(values[0]) if values else [], "rows": [list(row.values()) for row in values]}
        for name, values in rows.items()
    }


def embed_json(value: object) -> Markup:
    """`value` as JSON that is safe inside a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "define": define,
        "month": month,
        "day": day,
        "model": lambda name: MODEL_NAMES.get(name, name),
    }
    environment.globals["new_set"] = set
    return environment
