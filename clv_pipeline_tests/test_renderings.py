"""The report's charts as images for the metadata of assets."""

from base64 import b64decode
from struct import unpack

from clv_pipeline.renderings import CHARTS, render_charts
from clv_pipeline_tests.report.sample import make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import read_cdnow


def test_each_chart_is_a_small_png_of_a_chart_that_is_in_the_report() -> None:
    facts = make_facts("1998-06", cohort="month", window="quarter")
    images = render_charts(make_tables(read_cdnow(), facts), facts)

    # The sample has no table of lens 4's trend: its chart is left out, as it is in the report.
    assert set(images) == set(CHARTS) - {"lenses.lens4_trend"}
    for image in images.values():
        assert len(image) < 20_000
        png = b64decode(image.partition("base64,")[2].removesuffix(")"))
        assert png.startswith(b"\x89PNG")
        width, height = unpack(">II", png[16:24])
        assert 470 <= width <= 500
        assert height > 100


def test_a_month_without_anything_to_draw_has_no_chart() -> None:
    assert render_charts({}, make_facts("1998-06")) == {}
