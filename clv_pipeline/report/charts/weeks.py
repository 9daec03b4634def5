"""The chart of weekly sales: first and repeat, one on the other.

Belongs here: what has calendar weeks on its axis. Does not belong here: charts by period or age (`cohorts.py`).
"""

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    BLUE,
    LIGHT,
    cohort_choice,
    money_axis,
    only_chosen,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import as_money

_SERIES = {"first_spend": "First orders", "repeat_spend": "Repeat orders"}


def draw_weeks(weeks: pl.DataFrame, currency: str, default_cohort: str) -> Spec:
    """Areas of spend by week, repeat below first; `weeks` has cohort, week_start, first_spend and repeat_spend.

    Every week between the first and the last of a cohort must be there: an area is drawn from each to the next. The
    cohort that the page chooses is shown, or `default_cohort`.
    """
    frame = weeks.with_columns(week=pl.col("week_start").dt.strftime("%Y-%m-%d"))
    for name in _SERIES:
        frame = with_text(frame, f"{name}_text", as_money(currency)(frame[name].to_list()))
    columns = ["cohort", "week", *_SERIES, *(f"{name}_text" for name in _SERIES)]
    color = alt.Color(
        "series:N", legend=alt.Legend(title=None), scale=alt.Scale(domain=list(_SERIES.values()), range=[LIGHT, BLUE])
    )
    chart = (
        alt.Chart(to_data(frame, columns))
        .transform_filter(only_chosen(default_cohort))
        .transform_fold(list(_SERIES), as_=["kind", "spend"])
        .transform_calculate(series="datum.kind == 'first_spend' ? 'First orders' : 'Repeat orders'")
        .mark_area(line=False)
        .encode(
            x=alt.X("week:T", scale=alt.Scale(type="utc"), axis=alt.Axis(title="Week", format="%b %Y", tickCount=6)),
            y=alt.Y("spend:Q", stack="zero", axis=money_axis("Spend a week", currency)),
            color=color,
            order=alt.Order("series:N", sort="descending"),
            tooltip=tooltips(week="Week from", first_spend_text="First orders", repeat_spend_text="Repeat orders"),
        )
        .add_params(cohort_choice()[0])
    )
    return to_spec(chart, 240)
