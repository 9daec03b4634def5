"""The report's charts of the lenses as PNG, for the metadata of the assets they are drawn from.

Belongs here: which chart goes with which table, and turning it into an image. Does not belong here: the charts
(`report/`), when they are drawn (`stages/charts.py`), or the small bars that go with every month of every table
(`pictures.py`). The first image takes a second, which starts the JavaScript engine, and each further one a tenth.
"""

from base64 import b64encode
from collections.abc import Mapping
from io import BytesIO

import polars as pl

from clv_pipeline.report.facts import ReportData, ReportFacts

# Pages of the report whose charts are drawn, and what their sections read beside the tables of the lenses.
_PAGES = ("lens1", "lens2", "lens3", "lens4", "lens5", "behaviours")
READ_BESIDE = ("marts.periods",)
# Where a chart's asset is: the table of the longest of these that its id begins with.
_TABLES = {
    "chart-spread": "lens1_histograms",
    "chart-spend-by-orders": "lens1_spend_by_orders",
    "chart-deciles": "lens1_customer_deciles",
    "chart-value-deciles": "lens1_value_deciles",
    "chart-rfm": "lens1_rfm",
    "chart-rfm-monetary": "lens1_rfm_monetary",
    "chart-changes": "lens2_changes",
    "chart-groups": "lens2_groups",
    "chart-bridge": "lens2_bridge",
    "chart-both": "lens2_histograms",
    "chart-common-deciles": "lens2_common_deciles",
    "chart-migration": "lens2_migration",
    "chart-up-down": "lens2_up_down",
    "chart-activity": "lens3_cohort_age",
    "chart-age": "lens3_cohort_age",
    "chart-weekly-sales": "lens3_weekly_sales",
    "chart-second-purchase": "lens3_second_purchase",
    "chart-waits": "lens3_interpurchase_bands",
    "chart-repeat-buying": "lens3_repeat_buying",
    "chart-patterns": "lens3_activity_patterns",
    "chart-cohort-value": "lens3_value_deciles",
    "chart-to-date": "lens3_value_histogram",
    "chart-decile-activity": "lens3_value_decile_activity",
    "chart-cohort-rfm": "lens3_rfm",
    "chart-cohort-monetary": "lens3_rfm",
    "chart-age-of": "lens4_cohort_grid",
    "chart-calendar-of": "lens4_cohort_grid",
    "chart-value-to-date": "lens4_cohort_grid",
    "chart-calendar-grid": "lens4_cohort_grid",
    "chart-years": "lens4_cohort_grid",
    "chart-less-earlier": "lens4_comparison",
    "chart-trend": "lens4_trend",
    "chart-c3": "lens5_cohort_calendar",
    "chart-share": "lens5_cohort_shares",
    "chart-grid": "lens5_cohort_shares",
    "chart-windows": "lens5_windows",
    "chart-carry-over": "lens5_periods",
    "chart-acquired": "lens5_periods",
    "chart-projection": "lens5_projection",
    "chart-behaviour": "lens3_behaviour_age",
    "chart-behaviour-active": "lens5_behaviour_calendar",
    "chart-behaviour-profit": "lens5_behaviour_calendar",
}
_WIDTH = 480
# A chart has few colours, and the event log keeps every image for good.
_COLOURS = 24


def render_charts(tables: Mapping[str, pl.DataFrame], facts: ReportFacts) -> dict[str, dict[str, bytes]]:
    """By lens table and title, every chart that the report's pages of the lenses draw from it, as PNG.

    `facts` are the report's.
    """
    from clv_pipeline.report.charts.theme import build_unchecked  # noqa: PLC0415 - charts take half a second to import
    from clv_pipeline.report.pages import PAGES  # noqa: PLC0415

    data = ReportData(tables, facts)
    images: dict[str, dict[str, bytes]] = {}
    with build_unchecked():
        pages = [spec.build(data) for spec in PAGES if spec.id in _PAGES]
    for figure in (figure for page in pages for figure in page.figures):
        images.setdefault(find_table(figure.id), {})[figure.title] = render_png(figure.spec)
    return images


def find_table(figure_id: str) -> str:
    """The lens table that a chart belongs to; raises KeyError for a chart that is not named above."""
    starts = [start for start in _TABLES if figure_id == start or figure_id.startswith(f"{start}-")]
    if not starts:
        raise KeyError(f"{figure_id} belongs to no table; name it in renderings.py")
    return f"lenses.{_TABLES[max(starts, key=len)]}"


def render_png(spec: Mapping[str, object]) -> bytes:
    """A chart of the report as PNG on white, 480 pixels wide; nothing is loaded from the network."""
    import vl_convert  # noqa: PLC0415 - loads a JavaScript engine

    from clv_pipeline.report.charts.theme import THEME  # noqa: PLC0415

    config = {**THEME, "background": "white", "font": "Arial, sans-serif"}
    return _shrink(vl_convert.vegalite_to_png({**spec, "width": _WIDTH, "config": config}, allowed_base_urls=[]))


def to_markdown(title: str, png: bytes) -> str:
    """The image inside a Markdown text, as the web interface shows it."""
    return f"![{title}](data:image/png;base64,{b64encode(png).decode()})"


def _shrink(png: bytes) -> bytes:
    from PIL import Image  # noqa: PLC0415 - only charts need it

    small = BytesIO()
    image = Image.open(BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    return small.getvalue()
