"""Charts of cohorts: the cohort x age heat map, lines by age, and the stacked cohort x calendar picture (C3)."""

from collections.abc import Sequence

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    RULE,
    cohort_color,
    count_axis,
    money_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import Formatter, as_counts, as_money, as_shares


def draw_heat_map(grid: pl.DataFrame, age_title: str) -> Spec:
    """% active by cohort and age. Age 0 (100% by definition) is grey; incomplete periods carry a * and no colour scale.

    The percentages are written into the cells where these are wide enough.
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
    ages = frame["age"].n_unique()
    base = alt.Chart(to_data(frame, columns)).encode(
        x=alt.X("age:O", axis=alt.Axis(title=age_title, orient="top")),
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
        .encode(color=alt.Color("later:Q", scale=scale, legend=None))
    )
    text = base.mark_text(fontSize=alt.ExprRef(f"width / {ages} < 25 ? 0 : 11")).encode(
        text="cell:N",
        color=alt.condition(f"datum.later > {0.58 * float(largest)}", alt.value("white"), alt.value("black")),  # pyright: ignore[reportArgumentType]
    )
    return to_spec(ground + cells + text, max(60, 26 * frame["cohort"].n_unique() + 30))


def draw_age_lines(grid: pl.DataFrame, measure: str, title: str, currency: str | None, age_title: str) -> Spec:
    """`measure` by age, a line a cohort; the points of incomplete periods stand apart, hollow."""
    cells: Formatter = as_money(currency) if currency else _two_decimals
    frame = grid.drop_nulls(measure)
    frame = with_text(frame, "value_text", cells(frame[measure].to_list()))
    frame = frame.with_columns(state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")))
    cohorts = frame["cohort"].unique().sort().to_list()
    axis = money_axis(title, currency) if currency else count_axis(title)
    base = alt.Chart(to_data(frame, ["cohort", "age", "calendar_period", measure, "value_text", "state"])).encode(
        x=alt.X("age:O", axis=alt.Axis(title=age_title)),
        y=alt.Y(f"{measure}:Q", axis=axis),
        color=cohort_color(cohorts, "Cohort"),
        tooltip=tooltips(cohort="Cohort", age="Age", calendar_period="Period", value_text=title, state="State"),
    )
    whole = base.transform_filter("datum.state == 'complete'")
    points = base.mark_point(
        filled=False, fill=alt.ExprRef("datum.state == 'complete' ? null : 'white'"), size=36
    ).transform_filter("datum.state != 'complete'")
    return to_spec(whole.mark_line(point={"size": 34}) + points, 220)


def draw_stack(grid: pl.DataFrame, measure: str, title: str, currency: str | None, cohorts: Sequence[str]) -> Spec:
    """Bars of `measure` by calendar period, stacked by cohort, the oldest at the bottom; incomplete ones are pale."""
    cells: Formatter = as_money(currency) if currency else as_counts
    frame = with_text(grid, "value_text", cells(grid[measure].to_list()))
    frame = frame.with_columns(
        rank=pl.col("cohort").replace_strict({name: i for i, name in enumerate(cohorts)}, return_dtype=pl.Int64),
        state=pl.when("complete").then(pl.lit("complete")).otherwise(pl.lit("incomplete")),
    )
    axis = money_axis(title, currency) if currency else count_axis(title)
    columns = ["cohort", "calendar_period", measure, "value_text", "state", "rank"]
    chart = (
        alt.Chart(to_data(frame, columns))
        .mark_bar(stroke="white", strokeWidth=0.5)
        .encode(
            x=alt.X("calendar_period:O", axis=alt.Axis(title=None)),
            y=alt.Y(f"{measure}:Q", axis=axis),
            color=cohort_color(cohorts, "Cohort"),
            order="rank:Q",
            opacity=alt.condition("datum.state == 'complete'", alt.value(1), alt.value(0.55)),
            tooltip=tooltips(cohort="Cohort", calendar_period="Period", value_text=title, state="State"),
        )
    )
    return to_spec(chart, 260)


def _two_decimals(values: Sequence[object]) -> list[str]:
    return [f"{value:.2f}" for value in values if isinstance(value, int | float)]
