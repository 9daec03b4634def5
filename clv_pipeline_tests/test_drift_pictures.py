"""Pictures of drift are images that a browser reads, short enough to be shown without a click."""

from urllib.parse import unquote
from xml.etree import ElementTree

import polars as pl

from clv_pipeline.clv.drift.examination import MEASURES_SCHEMA
from clv_pipeline.drift_pictures import draw_measures, draw_performance
from clv_pipeline.periods import list_periods
from clv_pipeline_tests.report.sample_monitoring import monitoring_tables


def read(picture: str) -> ElementTree.Element:
    assert len(picture) < 1000
    return ElementTree.fromstring(unquote(picture.partition("data:image/svg+xml,")[2].removesuffix(")")))


def test_series_that_moved_come_first_and_those_that_never_vary_are_left_out() -> None:
    image = read(draw_measures(monitoring_tables()["drift.measures"]))
    assert [text.text for text in image.findall(".//{*}tspan")] == ["price +10% alert", "repeated_lines +30%"]
    expected, happened = (path.attrib["d"] for path in image.findall(".//{*}path"))
    # 1, 1.001, 1.002, 1.1 from the first month on; what is expected of repeated lines is known from the second on.
    assert happened.startswith("M0,23l50,0,50,0,50,-22M0,")
    assert expected.startswith("M0,23l50,0,50,0,50,0M50,")


def test_many_series_of_many_months_are_cut_to_what_is_shown() -> None:
    months = list_periods("2020-01", "2022-06")
    rows = [
        (month, f"series_{number}", "a series", (at * 7 + number) % 11 + 1.0, 6.0, 1.0, 11.0, "ok")
        for number in range(15)
        for at, month in enumerate(months)
    ]
    image = read(draw_measures(pl.DataFrame(rows, schema=MEASURES_SCHEMA, orient="row")))
    assert len(image.findall(".//{*}tspan")) >= 3
    assert draw_measures(pl.DataFrame(schema=MEASURES_SCHEMA)) == ""


def test_a_forecast_is_a_bar_beside_what_would_have_been_right() -> None:
    image = read(draw_performance(monitoring_tables()["drift.performance"]))
    assert [text.text for text in image.findall(".//{*}tspan")] == ["purchases 1 m: 1.30"]
