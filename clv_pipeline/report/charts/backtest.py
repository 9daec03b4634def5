"""Charts of the backtest: tracking by week, holdout by frequency and by decile, the transform's histogram.

Belongs here: what is drawn from forecasts and what happened. Does not belong here: which model is shown.
"""

from collections.abc import Mapping, Sequence

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
from clv_pipeline.report.numbers import as_counts, as_decimals, as_shares

_ACTUAL = "Actual"
_COLOURS = (ORANGE, GREEN, GREY)


def draw_tracking(weeks: pl.DataFrame, kind: str, title: str, names: Mapping[str, str]) -> Spec:
    """`kind` (weekly or cumulative) repeat purchases by week: what happened, and a line for each of `names`.

    `weeks`: model, week, <kind>_actual, <kind>_expected; a rule marks the origin, week 0.
    """
    models = [model for model in names if model in weeks["model"]]
    first = weeks.filter(pl.col("model") == models[0])
    actual = first.select("week", series=pl.lit(_ACTUAL), purchases=f"{kind}_actual")
    expected = weeks.select("week", series=pl.col("model").replace(names), purchases=f"{kind}_expected")
    frame = pl.concat([actual, expected])
    frame = with_text(frame, "text", as_counts(frame["purchases"].to_list()))
    shown = [_ACTUAL, *(names[model] for model in models)]
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=1.6, clip=True)
        .encode(
            x=alt.X("week:Q", axis=alt.Axis(title="Week after the origin", tickCount=8, format="d")),
            y=alt.Y("purchases:Q", axis=count_axis(title)),
            color=alt.Color("series:N", title=None, sort=shown, scale=_scale(shown, first=INK)),
            tooltip=tooltips(series="", week="Week", text="Repeat purchases"),
        )
    )
    origin = alt.Chart().mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.XDatum(0))
    return to_spec(alt.layer(lines, origin, data=to_data(frame, ["week", "series", "purchases", "text"])), 240)


def draw_bins(bins: pl.DataFrame, title: str, names: Mapping[str, str]) -> Spec:
    """Bars for the mean that happened in each bin, marks for the mean that each of `names` forecast.

    `bins`: model, bin, customers, mean_actual, mean_forecast. Bars are those of the first model.
    """
    models = [model for model in names if model in bins["model"]]
    columns = ["bin", "actual_text", "customers_text", "series"]
    frame = with_text(bins, "actual_text", as_decimals(2)(bins["mean_actual"].to_list()))
    frame = with_text(frame, "forecast_text", as_decimals(2)(bins["mean_forecast"].to_list()))
    frame = with_text(frame, "customers_text", as_counts(bins["customers"].to_list()))
    frame = frame.with_columns(series=pl.col("model").replace(names))
    shown = [_ACTUAL, *(names[model] for model in models)]
    colour = alt.Color("series:N", title=None, sort=shown, scale=_scale(shown, first=BLUE))
    order = frame["bin"].unique(maintain_order=True).to_list()
    x = alt.X("bin:O", sort=order, axis=alt.Axis(title=title))
    actual = frame.filter(pl.col("model") == models[0]).with_columns(series=pl.lit(_ACTUAL))
    bars = (
        alt.Chart(to_data(actual, [*columns, "mean_actual"]))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=x,
            y=alt.Y("mean_actual:Q", axis=count_axis("Purchases a customer")),
            color=colour,
            tooltip=tooltips(bin=title, customers_text="Customers", actual_text=_ACTUAL),
        )
    )
    marks = (
        alt.Chart(to_data(frame, [*columns, "mean_forecast", "forecast_text"]))
        .mark_point(shape="diamond", size=90, stroke="white", opacity=1)
        .encode(
            x=x,
            y=alt.Y("mean_forecast:Q"),
            color=colour,
            tooltip=tooltips(series="", bin=title, forecast_text="Forecast", actual_text=_ACTUAL),
        )
    )
    return to_spec(bars + marks, 240)


def draw_pit(pit: pl.DataFrame) -> Spec:
    """The share of customers in each twentieth of their forecast distribution; the rule is what each should hold."""
    frame = with_text(pit, "share_text", as_shares(pit["share"].to_list()))
    bars = (
        alt.Chart()
        .mark_bar(color=LIGHT, cornerRadiusEnd=2)
        .encode(
            x=alt.X("pit_bin:O", axis=alt.Axis(title="Twentieth of the forecast distribution, the lowest first")),
            y=alt.Y("share:Q", axis=share_axis("Customers")),
            tooltip=tooltips(pit_bin="Twentieth", share_text="Customers"),
        )
    )
    even = alt.Chart().mark_rule(color=INK, strokeDash=[4, 3]).encode(y=alt.YDatum(1 / pit.height))
    return to_spec(alt.layer(bars, even, data=to_data(frame, ["pit_bin", "share", "share_text"])), 180)


def _scale(shown: Sequence[str], *, first: str) -> alt.Scale:
    return alt.Scale(domain=list(shown), range=[first, *_COLOURS[: len(shown) - 1]])
