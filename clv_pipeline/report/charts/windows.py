"""Charts of the windows and months: monthly bars, profit by decile, who bought when, the bridge of profit."""

from collections.abc import Sequence

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
    measure_axis,
    money_axis,
    share_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import Formatter, as_counts, as_money, as_percents, as_shares, money

_BRIDGE_COLOURS = {"total": GREY, "gain": GREEN, "loss": ORANGE}


def draw_months(months: pl.DataFrame, measure: str, title: str, unit: str | None) -> Spec:
    """Bars of `measure` by period; those that are not complete (column `complete`) are pale.

    `unit` is a currency, '%' or None for counts.
    """
    cells: Formatter = as_shares if unit == "%" else as_money(unit) if unit else as_counts
    frame = with_text(months, "value_text", cells(months[measure].to_list()))
    frame = frame.with_columns(state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")))
    axis = measure_axis(title, unit, is_count=True)
    chart = (
        alt.Chart(to_data(frame, ["period", measure, "value_text", "state"]))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "period:O",
                axis=alt.Axis(title=None, labelExpr="split(datum.label, ' to ')"),
                scale=alt.Scale(paddingInner=0.2),
            ),
            y=alt.Y(f"{measure}:Q", axis=axis),
            color=alt.Color(
                "state:N", legend=None, scale=alt.Scale(domain=["complete", "incomplete"], range=[BLUE, LIGHT])
            ),
            tooltip=tooltips(period="Period", value_text=title, state="State"),
        )
    )
    return to_spec(chart, 200)


def draw_decile_shares(deciles: pl.DataFrame, measure: str, title: str, label: str) -> Spec:
    """Bars of a share by decile, each with its percentage."""
    frame = with_text(deciles, "share_text", as_shares(deciles[measure].to_list()))
    frame = with_text(frame, "bar_text", as_percents(deciles[measure].to_list()))
    frame = with_text(frame, "customers_text", as_counts(deciles["customers"].to_list()))
    base = alt.Chart(to_data(frame, ["decile", measure, "share_text", "bar_text", "customers_text"])).encode(
        x=alt.X("decile:O", axis=alt.Axis(title=label)),
        y=alt.Y(f"{measure}:Q", axis=share_axis(title), scale=alt.Scale(domainMax=_headroom(frame[measure]))),
        tooltip=tooltips(decile="Decile", share_text=title, customers_text="Customers"),
    )
    bars = base.mark_bar(cornerRadiusEnd=2)
    return to_spec(bars + base.mark_text(baseline="bottom", dy=-4).encode(text=alt.Text("bar_text:N")), 240)


def draw_pairs(
    frame: pl.DataFrame, category: str, series: Sequence[tuple[str, str]], title: str, order: Sequence[str]
) -> Spec:
    """Two horizontal bars of shares per category: `series` are (column, name); `order` sorts the categories."""
    columns = [name for name, _ in series]
    names = [name for _, name in series]
    long = frame.rename(dict(series)).unpivot(on=names, index=category, variable_name="what", value_name="share")
    long = with_text(long.drop_nulls("share"), "share_text", as_shares(long.drop_nulls("share")["share"].to_list()))
    base = alt.Chart(to_data(long, [category, "what", "share", "share_text"])).encode(
        y=alt.Y(f"{category}:N", sort=list(order), axis=alt.Axis(title=None, labelLimit=150)),
        yOffset=alt.YOffset("what:N", sort=names),
        x=alt.X("share:Q", axis=share_axis(title), scale=alt.Scale(domainMax=_headroom(long["share"]))),
        tooltip=tooltips(**{category: "Group", "what": "Measure", "share_text": "Share"}),
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        color=alt.Color(
            "what:N",
            sort=names,
            legend=alt.Legend(title=None, orient="top"),
            scale=alt.Scale(domain=names, range=[BLUE, ORANGE]),
        )
    )
    text = base.mark_text(align="left", dx=4).encode(text=alt.Text("share_text:N"))
    return to_spec(bars + text, 30 + 22 * len(columns) * frame.height)


def draw_changes(changes: pl.DataFrame) -> Spec:
    """A horizontal bar a relative change, gains to the right; `changes` has name and relative_change in their order."""
    frame = changes.with_columns(
        kind=pl.when(pl.col("relative_change") < 0).then(pl.lit("loss")).otherwise(pl.lit("gain"))
    )
    signs = ["+" if (value or 0) > 0 else "" for value in frame["relative_change"].to_list()]
    texts = as_shares(frame["relative_change"].to_list())
    frame = with_text(frame, "text", [sign + text for sign, text in zip(signs, texts, strict=True)])
    values = frame["relative_change"]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.35 * ((high - low) or 1.0)
    base = alt.Chart(to_data(frame, ["name", "relative_change", "kind", "text"])).encode(
        y=alt.Y("name:N", sort=frame["name"].to_list(), axis=alt.Axis(title=None, labelLimit=150)),
        x=alt.X(
            "relative_change:Q",
            axis=share_axis("Change", is_part=False),
            scale=alt.Scale(domain=[low - room * (low < 0), high + room * (high > 0 or low == 0)], nice=False),
        ),
        tooltip=tooltips(name="Measure", text="Change"),
    )
    kinds = ["gain", "loss"]
    colours = alt.Scale(domain=kinds, range=[_BRIDGE_COLOURS[kind] for kind in kinds])
    bars = base.mark_bar(cornerRadiusEnd=2).encode(color=alt.Color("kind:N", legend=None, scale=colours))
    gains = (
        base.transform_filter("datum.relative_change >= 0")
        .mark_text(align="left", dx=4)
        .encode(text=alt.Text("text:N"))
    )
    losses = (
        base.transform_filter("datum.relative_change < 0")
        .mark_text(align="right", dx=-4)
        .encode(text=alt.Text("text:N"))
    )
    return to_spec(bars + gains + losses, 30 + 26 * frame.height)


def draw_bridge(bridge: pl.DataFrame, currency: str) -> Spec:
    """The waterfall of profit: `bridge` has step, label ('|' breaks the line), profit and is_total."""
    frame = bridge.sort("step").with_columns(
        running=pl.when("is_total").then(0.0).otherwise(pl.col("profit")).cum_sum()
        + pl.col("profit").filter("is_total").first()
    )
    frame = frame.with_columns(
        start=pl.when("is_total").then(0.0).otherwise(pl.col("running") - pl.col("profit")),
        end=pl.when("is_total").then(pl.col("profit")).otherwise(pl.col("running")),
        kind=pl.when("is_total")
        .then(pl.lit("total"))
        .when(pl.col("profit") < 0)
        .then(pl.lit("loss"))
        .otherwise(pl.lit("gain")),
    ).with_columns(edge=pl.max_horizontal("start", "end"))
    frame = with_text(frame, "profit_text", as_money(currency)(frame["profit"].to_list()))
    frame = with_text(frame, "bar_text", [money(value, currency) for value in frame["profit"].to_list()])
    columns = ["label", "start", "end", "edge", "kind", "profit_text", "bar_text"]
    lines = alt.Axis(title=None, labelExpr="split(datum.label, '|')", labelLimit=140)
    base = alt.Chart(to_data(frame, columns)).encode(
        y=alt.Y("label:N", sort=frame["label"].to_list(), axis=lines),
        tooltip=tooltips(label="Step", profit_text="Profit"),
    )
    scale = alt.Scale(domainMax=_headroom(frame["start"].append(frame["end"])))
    bars = base.mark_bar(height={"band": 0.62}).encode(
        x=alt.X("start:Q", axis=money_axis("Profit", currency, tickCount=4), scale=scale),
        x2=alt.X2("end:Q"),
        color=alt.Color(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=list(_BRIDGE_COLOURS), range=list(_BRIDGE_COLOURS.values())),
        ),
    )
    text = base.mark_text(align="left", dx=5, color=INK).encode(x=alt.X("edge:Q"), text=alt.Text("bar_text:N"))
    return to_spec(bars + text, 40 * frame.height)


def _headroom(values: pl.Series) -> float:
    """The end of an axis that leaves room for the text after the longest bar."""
    ends = [0.0, *values.drop_nulls().to_list()]
    return max(ends) + 0.4 * ((max(ends) - min(ends)) or 1.0)
