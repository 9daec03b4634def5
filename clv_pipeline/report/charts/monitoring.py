"""Charts of the monitoring page: watched series with their limits, forecasts against what happened, versions in use.

Belongs here: the drawing. Does not belong here: which series and horizons are shown.
"""

from copy import deepcopy

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    count_axis,
    share_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import as_counts, as_significant

_STATES = {"ok": "as expected", "warn": "beyond its limits", "alert": "far beyond its limits"}
_DECISIONS = ["first", "promoted", "kept", "pinned", "reused"]


def draw_series(series: pl.DataFrame, *, is_share: bool) -> Spec:
    """One series by month with its expectation and the limits around it; months beyond them are marked."""
    frame = with_text(series, "text", as_significant(series["value"].to_list()))
    frame = with_text(frame, "expected_text", as_significant(frame["expected"].to_list()))
    frame = frame.with_columns(state=pl.col("level").replace_strict(_STATES, default="nothing to expect yet"))
    moved = alt.FieldOneOfPredicate(field="state", oneOf=[_STATES["warn"], _STATES["alert"]])
    axis = share_axis("", is_part=False) if is_share else count_axis("", tickCount=4)
    x = alt.X("period:T", timeUnit="yearmonth", axis=alt.Axis(title=None, format="%b %Y", tickCount=4))
    tips = tooltips(period="Month", text="Value", expected_text="Expected", state="")
    band = (
        alt.Chart()
        .mark_area(color=LIGHT, opacity=0.35)
        .encode(x=x, y=alt.Y("lower:Q", axis=axis), y2=alt.Y2("upper:Q"))
    )
    line = (
        alt.Chart()
        .mark_line(color=BLUE, strokeWidth=1.6)
        .encode(x=x, y=alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=False)), tooltip=tips)
    )
    points = line.mark_point(color=ORANGE, size=60).transform_filter(moved)
    columns = ["period", "value", "lower", "upper", "text", "expected_text", "state"]
    return to_spec(alt.layer(band, line, points, data=to_data(frame, columns)), 120)


def draw_like(spec: Spec, series: pl.DataFrame) -> Spec:
    """The chart `spec` (of `draw_series`) of another series of the same kind; Altair takes longer than to copy it."""
    frame = with_text(series, "text", as_significant(series["value"].to_list()))
    frame = with_text(frame, "expected_text", as_significant(frame["expected"].to_list()))
    frame = frame.with_columns(state=pl.col("level").replace_strict(_STATES, default="nothing to expect yet"))
    columns = ["period", "value", "lower", "upper", "text", "expected_text", "state"]
    copied = deepcopy({name: part for name, part in spec.items() if name != "data"})
    return copied | {"data": {"values": to_data(frame, columns).values}}


def draw_forecasts(forecasts: pl.DataFrame) -> Spec:
    """Purchases of one horizon by the month that the forecast ended in: what happened, and what was forecast.

    `forecasts`: until, origin, expected, lower, upper, actual.
    """
    frame = with_text(forecasts, "actual_text", as_counts(forecasts["actual"].to_list()))
    frame = with_text(frame, "expected_text", as_counts(frame["expected"].to_list()))
    frame = frame.with_columns(happened=pl.lit("happened"), forecast=pl.lit("forecast, with its 95% interval"))
    x = alt.X("until:T", timeUnit="yearmonth", axis=alt.Axis(title=None, format="%b %Y", tickCount=4))
    tips = tooltips(until="Until", origin="Forecast at the end of", expected_text="Forecast", actual_text="Happened")
    scale = alt.Scale(domain=["happened", "forecast, with its 95% interval"], range=[INK, BLUE])
    bars = (
        alt.Chart()
        .mark_rule(color=BLUE, strokeWidth=5, opacity=0.3)
        .encode(x=x, y=alt.Y("lower:Q", axis=count_axis("Purchases")), y2=alt.Y2("upper:Q"))
    )
    expected = (
        alt.Chart()
        .mark_point(shape="diamond", size=60)
        .encode(x=x, y=alt.Y("expected:Q"), color=alt.Color("forecast:N", title=None, scale=scale), tooltip=tips)
    )
    actual = (
        alt.Chart()
        .mark_line(strokeWidth=1.6, point=True)
        .encode(
            x=x,
            y=alt.Y("actual:Q", scale=alt.Scale(zero=False)),
            color=alt.Color("happened:N", title=None, scale=scale),
            tooltip=tips,
        )
    )
    columns = [*("until", "origin", "expected", "lower", "upper", "actual"), "actual_text", "expected_text"]
    data = to_data(frame, [*columns, "happened", "forecast"])
    return to_spec(alt.layer(bars, expected, actual, data=data), 180)


def draw_versions(versions: pl.DataFrame) -> Spec:
    """The version in use in each as-of month, the oldest at the bottom, coloured by what was decided.

    `versions`: as_of, version, challenger, decision, reason.
    """
    order = versions["version"].unique(maintain_order=True).to_list()[::-1]
    decided = [name for name in _DECISIONS if name in versions["decision"]]
    colours = dict(zip(_DECISIONS, [BLUE, GREEN, ORANGE, INK, GREY], strict=True))
    chart = (
        alt.Chart(to_data(versions, ["as_of", "version", "challenger", "decision", "reason"]))
        .mark_point(shape="square", size=90, opacity=1)
        .encode(
            x=alt.X("as_of:T", timeUnit="yearmonth", axis=alt.Axis(title=None, format="%b %Y", tickCount=6)),
            y=alt.Y("version:N", sort=order, axis=alt.Axis(title="Version in use", labelLimit=170, labelPadding=12)),
            color=alt.Color(
                "decision:N",
                title=None,
                scale=alt.Scale(domain=decided, range=[colours[name] for name in decided]),
            ),
            tooltip=tooltips(
                as_of="As-of month", version="In use", challenger="Fit of the month", decision="Decision", reason="Why"
            ),
        )
    )
    return to_spec(chart, 60 + 26 * len(order))
