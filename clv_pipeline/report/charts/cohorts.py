"""Charts of cohorts: the cohort x age heat map, lines by age, and the stacked cohort x calendar picture (C3)."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.bars import size_text
from clv_pipeline.report.charts.theme import (
    IS_OTHER,
    ORANGE,
    RULE,
    cohort_choice,
    cohort_color,
    dim_others,
    measure_axis,
    on_shade,
    share_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import Formatter, as_counts, as_decimals, as_money, as_shares

# So many cells beside each other leave no room for a number on a phone.
_NARROW = 18


def draw_heat_map(grid: pl.DataFrame, column: str, title: str | None, *, follows_choice: bool = True) -> Spec:
    """% active by cohort and `column` (age or calendar_period).

    Age 0 (100% by definition) is grey; incomplete periods carry a * and no colour scale. The percentages are written
    into the cells where these are wide enough. `follows_choice` is off where the cohorts are not those of the page.
    """
    frame = with_text(grid, "share_text", as_shares(grid["pct_active"].to_list()))
    frame = with_text(frame, "active_text", as_counts(grid["active"].to_list()))
    short = (100 * pl.col("pct_active")).round(0, mode="half_away_from_zero").cast(pl.Int64).cast(pl.String)
    frame = frame.with_columns(
        cell=short + pl.when("complete").then(pl.lit("")).otherwise(pl.lit("*")),
        state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")),
        later=pl.when((pl.col("age") > 0) & pl.col("complete")).then("pct_active"),
    )
    columns = ["cohort", "age", "calendar_period", "share_text", "active_text", "cell", "state", "later"]
    columns_shown = frame[column].n_unique()
    base = alt.Chart(to_data(frame, columns)).encode(
        x=alt.X(f"{column}:O", axis=alt.Axis(title=title, orient="top")),
        y=alt.Y("cohort:O", axis=alt.Axis(title=None)),
        tooltip=tooltips(
            cohort="Cohort",
            age="Age",
            calendar_period="Period",
            share_text="Active",
            active_text="Customers",
            state="State",
        ),
    )
    largest = max(frame["later"].drop_nulls().to_list(), default=0.0) or 1.0
    scale = alt.Scale(domain=[0, largest], range=["#eaf3f9", "#5fa8d3", "#0072b2", "#003a5c"])
    ground = base.mark_rect(stroke="white", strokeWidth=1, color=RULE)
    cells = (
        base.transform_filter("isValid(datum.later)")
        .mark_rect(stroke="white", strokeWidth=1)
        .encode(color=alt.Color("later:Q", scale=scale, legend=_explain_shades(columns_shown)))
    )
    letters = 3 if frame["complete"].all() else 4
    text = base.mark_text(fontSize=size_text(columns_shown, letters)).encode(
        text=alt.Text("cell:N"),
        color=on_shade(f"datum.later > {0.58 * float(largest)}"),
    )
    height = max(60, 26 * frame["cohort"].n_unique() + 30)
    layers = ground + cells + text
    if not follows_choice:
        return to_spec(layers, height)
    choice, _ = cohort_choice()
    return to_spec(layers.encode(opacity=dim_others(0.25)).add_params(choice), height)


def _explain_shades(columns: int) -> alt.Legend | None:
    """The scale of the shades, where cells may be too narrow on some screen for their number."""
    if columns < _NARROW:
        return None
    return alt.Legend(title="% active", format="~%", gradientLength=150, gradientThickness=8)


def draw_lines(
    grid: pl.DataFrame,
    measure: str,
    title: str,
    unit: str | None,
    *,
    by: str,
    by_title: str | None,
    are_dated: bool = True,
) -> Spec:
    """`measure` by `by` (age or calendar_period), a line a cohort, hollow points for incomplete periods.

    `unit` is a currency, '%' or None for plain numbers. The cohorts of the rows without `shown` appear when chosen.
    """
    frame = grid.drop_nulls(measure)
    frame = with_text(frame, "value_text", _write(unit)(frame[measure].to_list()))
    frame = frame.with_columns(state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")))
    cohorts = frame.filter("shown")["cohort"].unique().sort().to_list()
    keys = ["cohort", "age", "calendar_period"]
    color = cohort_color(cohorts, "Cohort", are_dated=are_dated)
    base = alt.Chart(to_data(frame, [*keys, measure, "value_text", "state", "shown"])).encode(
        x=alt.X(f"{by}:O", axis=alt.Axis(title=by_title, labelPadding=10)),
        y=alt.Y(f"{measure}:Q", axis=measure_axis(title, unit)),
        detail=alt.Detail("cohort:N"),
        color=color.condition(test="datum.cohort == cohort", value=ORANGE) if are_dated else color,
        opacity=dim_others(),
        tooltip=tooltips(cohort="Cohort", age="Age", calendar_period="Period", value_text=title, state="State"),
    )
    base = base.transform_filter("datum.shown || datum.cohort == cohort")
    choice, legend = cohort_choice()
    lines = base.transform_filter("datum.state == 'complete'").mark_line(point={"size": 34})
    if len(cohorts) > 1:
        lines = lines.add_params(legend)
    if frame["complete"].all():
        return to_spec(lines.add_params(choice), 220)
    hollow = base.transform_filter("datum.state != 'complete'").mark_point(filled=False, fill="white", size=36)
    return to_spec((lines + hollow).add_params(choice), 220)


def draw_stack(
    grid: pl.DataFrame, measure: str, title: str, unit: str | None, cohorts: Sequence[str], *, are_dated: bool = True
) -> Spec:
    """Bars of `measure` by calendar period, stacked by cohort, the oldest at the bottom; incomplete ones are pale.

    `unit` is a currency, '%' for shares of the period, or None for counts.
    """
    cells: Formatter = as_shares if unit == "%" else as_money(unit) if unit else as_counts
    frame = with_text(grid, "value_text", cells(grid[measure].to_list()))
    frame = frame.with_columns(
        rank=pl.col("cohort").replace_strict({name: i for i, name in enumerate(cohorts)}, return_dtype=pl.Int64),
        state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")),
    )
    columns = ["cohort", "calendar_period", measure, "value_text", "state", "rank"]
    pale = [{"test": IS_OTHER, "value": 0.12}, {"test": "datum.state != 'complete'", "value": 0.55}]
    choice, legend = cohort_choice()
    axis = share_axis(title) if unit == "%" else measure_axis(title, unit, is_count=True)
    chart = (
        alt.Chart(to_data(frame, columns))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("calendar_period:O", axis=alt.Axis(title=None, labelPadding=10)),
            y=alt.Y(f"{measure}:Q", axis=axis),
            color=cohort_color(cohorts, "Cohort", are_dated=are_dated),
            order=alt.Order("rank:Q"),
            opacity=alt.OpacityValue(1, condition=pale),
            tooltip=tooltips(cohort="Cohort", calendar_period="Period", value_text=title, state="State"),
        )
        .add_params(choice, *([legend] if len(cohorts) > 1 else []))
    )
    return to_spec(chart, 260)


def _write(unit: str | None) -> Formatter:
    if unit == "%":
        return as_shares
    return as_money(unit) if unit else as_decimals(2)
