"""Charts for any lens table: bars by class, a grid of cells, and values with an interval.

Belongs here: drawings that know nothing of a particular lens. Does not belong here: what is drawn with them.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    BLUE,
    LIGHT,
    ORANGE,
    cohort_choice,
    measure_axis,
    on_shade,
    only_chosen,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import Formatter, as_counts, as_decimals, as_money, as_percents, as_shares

_SHADES = ["#eaf3f9", "#5fa8d3", "#0072b2", "#003a5c"]


def draw_bars(
    frame: pl.DataFrame,
    category: str,
    measure: str,
    title: str,
    unit: str | None,
    *,
    category_title: str,
    default_cohort: str | None = None,
    series_title: str = "Window",
) -> Spec:
    """A bar a row in the order of `frame`; `unit` is a currency, '%' or None. With a column `series`, bars side by
    side. With a `default_cohort`, only the bars of the chosen cohort, or of that one."""
    frame = with_text(frame, "value_text", _write(unit)(frame[measure].to_list()))
    extra = [*(["series"] if "series" in frame.columns else []), *(["cohort"] if default_cohort else [])]
    columns = [category, measure, "value_text", *extra]
    order = frame[category].unique(maintain_order=True).to_list()
    chart = (
        alt.Chart(to_data(frame, columns))
        .mark_bar(cornerRadiusEnd=2, **_limit_width(len(order), frame))
        .encode(
            x=alt.X(
                f"{category}:N", sort=order, axis=alt.Axis(title=category_title, labelExpr="split(datum.label, ', ')")
            ),
            y=alt.Y(f"{measure}:Q", axis=measure_axis(title, unit, is_count=True)),
            tooltip=tooltips(**{category: category_title, "value_text": title}),
        )
    )
    if default_cohort:
        chart = chart.transform_filter(only_chosen(default_cohort)).add_params(cohort_choice()[0])
    if "series" not in frame.columns:
        return to_spec(chart, 200)
    names = frame["series"].unique(maintain_order=True).to_list()
    colours = alt.Scale(domain=names, range=[LIGHT, BLUE] if len(names) == 2 else [BLUE])
    return to_spec(
        chart.encode(
            xOffset=alt.XOffset("series:N", sort=names),
            color=alt.Color("series:N", sort=names, scale=colours, legend=alt.Legend(title=None)),
            tooltip=tooltips(series=series_title, **{category: category_title, "value_text": title}),
        ),
        200,
    )


def draw_cells(
    frame: pl.DataFrame,
    row: str,
    column: str,
    measure: str,
    unit: str | None,
    *,
    titles: tuple[str, str],
    measure_title: str = "Customers",
    columns: Sequence[str] | None = None,
    default_cohort: str | None = None,
) -> Spec:
    """A grid of numbers, darker for more; `titles` are those of rows and columns, in the order of the frame or, for
    `columns`, in theirs. With a `default_cohort`, only the cells of the chosen cohort, or of that one."""
    write = as_percents if unit == "%" else _write(unit)
    frame = with_text(frame, "cell", write(frame[measure].to_list()))
    rows, found = (frame[name].unique(maintain_order=True).to_list() for name in (row, column))
    columns = [name for name in columns if name in found] if columns else found
    low, high = _find_shades(frame[measure], from_zero=unit in (None, "%"))
    used = [row, column, measure, "cell", *(["cohort"] if default_cohort else [])]
    base = alt.Chart(to_data(frame, used)).encode(
        x=alt.X(f"{column}:N", sort=columns, axis=alt.Axis(title=titles[1], orient="top")),
        y=alt.Y(f"{row}:N", sort=rows, axis=alt.Axis(title=None)),
        tooltip=tooltips(**{row: titles[0], column: titles[1], "cell": measure_title}),
    )
    if default_cohort:
        base = base.transform_filter(only_chosen(default_cohort))
    scale = alt.Scale(domain=[low, high], range=_SHADES)
    cells = base.mark_rect(stroke="white").encode(color=alt.Color(f"{measure}:Q", scale=scale, legend=None))
    size = size_text(len(columns), max(map(len, frame["cell"].to_list()), default=0))
    text = base.mark_text(fontSize=size).encode(
        text=alt.Text("cell:N"),
        color=on_shade(f"datum['{measure}'] > {low + 0.58 * (high - low)}"),
    )
    layers = cells + text
    if default_cohort:
        layers = layers.add_params(cohort_choice()[0])
    return to_spec(layers, max(80, 26 * len(rows) + 30))


def draw_intervals(
    frame: pl.DataFrame, category: str, columns: Sequence[str], title: str, unit: str | None, *, category_title: str
) -> Spec:
    """A point with its interval a row; `columns` are value, lower and upper."""
    value, lower, upper = columns
    write = _write(unit)
    for name in columns:
        frame = with_text(frame, f"{name}_text", write(frame[name].to_list()))
    texts = {f"{value}_text": title, f"{lower}_text": "From", f"{upper}_text": "To"}
    base = alt.Chart(to_data(frame, [category, *columns, *texts])).encode(
        x=alt.X(f"{category}:N", sort=frame[category].to_list(), axis=alt.Axis(title=category_title)),
        tooltip=tooltips(**{category: category_title}, **texts),
    )
    bars = base.mark_rule(strokeWidth=6, color=LIGHT).encode(
        y=alt.Y(f"{lower}:Q", axis=measure_axis(title, unit), scale=alt.Scale(zero=False)), y2=alt.Y2(f"{upper}:Q")
    )
    points = base.mark_point(color=ORANGE, size=70, opacity=1).encode(y=alt.Y(f"{value}:Q"))
    return to_spec(bars + points, 220)


def size_text(columns: int, letters: int) -> alt.ExprRef:
    """The size of the longest text, of `letters`, that fits a cell of so many `columns`; 0 where none can be read."""
    width = f"width / {columns}"
    return alt.ExprRef(f"{width} > {6.4 * letters + 3} ? 11 : {width} > {5.2 * letters + 1} ? 9 : 0")


def _find_shades(values: pl.Series, *, from_zero: bool) -> tuple[float, float]:
    """The values of the lightest and the darkest shade: averages, unlike counts and shares, are far from zero."""
    known = [float(value) for value in values.drop_nulls().to_list()]
    if from_zero or len(set(known)) < 2:
        return 0.0, max(map(abs, known), default=0.0) or 1.0
    return min(known), max(known)


def _limit_width(categories: int, frame: pl.DataFrame) -> dict[str, Any]:
    """The width of bars where few of them, as wide as their share of the chart, would look like blocks."""
    if categories > 5 or "series" in frame.columns:
        return {}
    return {"width": alt.RelativeBandSize(band=0.18 * categories)}


def _write(unit: str | None) -> Formatter:
    if unit == "%":
        return as_shares
    if unit == "":
        return as_decimals(2)
    return as_money(unit) if unit else as_counts
