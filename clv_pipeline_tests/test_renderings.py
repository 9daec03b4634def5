"""The report's charts as images for the metadata of assets."""

from struct import unpack

import pytest

from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.renderings import find_table, render_charts
from clv_pipeline_tests.report.sample import make_facts, make_tables
from clv_pipeline_tests.report.sample_orders import make_tiny

LENSES = {name for step in AS_OF_STEPS for name in step.names if name.startswith("lenses.")}


def test_every_chart_of_the_lenses_is_a_small_png_of_a_table() -> None:
    facts = make_facts("2023-12")
    images = render_charts(make_tables(make_tiny(20), facts), facts)
    assert set(images) <= LENSES
    assert len(images) == 5
    for png in (png for charts in images.values() for png in charts.values()):
        assert len(png) < 20_000
        assert png.startswith(b"\x89PNG")
        width, height = unpack(">II", png[16:24])
        assert 470 <= width <= 500
        assert height > 50


def test_a_chart_goes_with_the_table_of_the_longest_name_it_begins_with() -> None:
    assert find_table("chart-age-pct-active") == "lenses.lens3_cohort_age"
    assert find_table("chart-age-of-pct-active") == "lenses.lens4_cohort_grid"
    with pytest.raises(KeyError, match="name it in"):
        find_table("chart-ages")


def test_a_month_without_anything_to_draw_has_no_chart() -> None:
    assert render_charts({}, make_facts("1998-06")) == {}
