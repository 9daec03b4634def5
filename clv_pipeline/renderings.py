"""The report's charts as PNG, for the metadata of the assets they are drawn from.

Belongs here: which chart goes with which table, and turning it into an image. Does not belong here: the charts
(`report/`), or the small bars that go with every month of every table (`pictures.py`). The first image takes a second,
which starts the JavaScript engine, and each further one a tenth: so there is one chart for each lens, and only for the
latest month of a run.
"""

import importlib
from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO

import polars as pl

from clv_pipeline.report.facts import ReportData, ReportFacts

# Table: section of the report it is drawn in, by module and builder, and the figure of it.
CHARTS = {
    "lenses.lens1_customer_deciles": ("lens1", "build_deciles", "chart-deciles"),
    "lenses.lens2_bridge": ("lens2", "build_bridge", "chart-bridge"),
    "lenses.lens3_cohort_age": ("lens3", "build_activity", "chart-activity"),
    "lenses.lens4_trend": ("lens5_outlook", "build_trend", "chart-trend"),
    "lenses.lens5_cohort_calendar": ("lens5", "build_stacks", "chart-c3-profit"),
}
# What those sections read beside the table of the chart.
READ_BESIDE = ("marts.periods", "lenses.lens1_headline", "lenses.lens2_groups")
_SECTIONS = "clv_pipeline.report.sections"
_WIDTH = 480
# A chart has few colours, and the event log keeps every image for good.
_COLOURS = 64


def render_charts(tables: Mapping[str, pl.DataFrame], facts: ReportFacts) -> dict[str, str]:
    """A Markdown image for each table of CHARTS that the report draws, by table name.

    `facts` are the report's. Tables whose chart the report leaves out are left out.
    """
    from clv_pipeline.report.charts.theme import build_unchecked  # noqa: PLC0415 - charts take half a second to import

    data = ReportData(tables, facts)
    images = {}
    with build_unchecked():
        for name, (module, builder, figure_id) in CHARTS.items():
            section = getattr(importlib.import_module(f"{_SECTIONS}.{module}"), builder)(data)
            figures = {figure.id: figure for figure in section.figures} if section else {}
            if figure := figures.get(figure_id):
                images[name] = _to_markdown(figure.title, render_png(figure.spec))
    return images


def render_png(spec: Mapping[str, object]) -> bytes:
    """A chart of the report as PNG on white, 480 pixels wide; nothing is loaded from the network."""
    import vl_convert  # noqa: PLC0415 - loads a JavaScript engine

    from clv_pipeline.report.charts.theme import THEME  # noqa: PLC0415

    config = {**THEME, "background": "white", "font": "Arial, sans-serif"}
    return _shrink(vl_convert.vegalite_to_png({**spec, "width": _WIDTH, "config": config}, allowed_base_urls=[]))


def _shrink(png: bytes) -> bytes:
    from PIL import Image  # noqa: PLC0415 - only charts need it

    small = BytesIO()
    image = Image.open(BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    return small.getvalue()


def _to_markdown(title: str, png: bytes) -> str:
    return f"![{title}](data:image/png;base64,{b64encode(png).decode()})"
