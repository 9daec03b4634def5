"""Charts of what a fit believes: P(alive) by recency and frequency, spend per purchase.

Belongs here: what is drawn from one fit. Does not belong here: forecasts held against a later time (`backtest.py`).
"""

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    BLUE,
    ORANGE,
    count_axis,
    money_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import as_counts, as_decimals, as_money, as_shares

_ACTUAL, _EXPECTED = "Actual", "Expected by the model"


def draw_alive_matrix(matrix: pl.DataFrame) -> Spec:
    """A cell for each frequency and time since the last purchase, dark where the customer counts as alive."""
    frame = with_text(matrix, "alive_text", as_shares(matrix["p_alive"].to_list()))
    frame = with_text(frame, "silent_text", as_decimals(0)(matrix["weeks_silent"].to_list()))
    frame = frame.with_columns(weeks=pl.col("weeks_silent").round(0).cast(pl.Int64))
    base = alt.Chart(to_data(frame, ["frequency", "weeks", "p_alive", "alive_text", "silent_text"])).encode(
        x=alt.X("frequency:O", axis=alt.Axis(title="Repeat purchases")),
        y=alt.Y("weeks:O", axis=alt.Axis(title="Weeks since the last purchase")),
        tooltip=tooltips(frequency="Repeat purchases", silent_text="Weeks since the last", alive_text="P(alive)"),
    )
    scale = alt.Scale(domain=[0, 1], range=["#eaf3f9", "#5fa8d3", "#0072b2", "#003a5c"])
    cells = base.mark_rect(stroke="white", strokeWidth=1).encode(
        color=alt.Color("p_alive:Q", scale=scale, legend=alt.Legend(title="P(alive)", format="~%"))
    )
    return to_spec(cells, 24 * frame["weeks"].n_unique() + 40)


def draw_spend_fit(bins: pl.DataFrame, currency: str) -> Spec:
    """Customers by mean spend per repeat purchase: bars for what was spent, a line for what the model expects."""
    inner = bins.filter(pl.col("upper").is_not_null())
    frame = with_text(inner, "actual_text", as_counts(inner["actual"].to_list()))
    frame = with_text(frame, "expected_text", as_counts(inner["expected"].to_list()))
    ends = [as_money(currency)(inner[name].to_list()) for name in ("lower", "upper")]
    frame = with_text(frame, "range", [f"{low} to {high}" for low, high in zip(*ends, strict=True)])
    frame = frame.with_columns(
        middle=(pl.col("lower") + pl.col("upper")) / 2, bar=pl.lit(_ACTUAL), line=pl.lit(_EXPECTED)
    )
    columns = ["lower", "upper", "middle", "actual", "expected", "actual_text", "expected_text", "range", "bar", "line"]
    colour = alt.Scale(domain=[_ACTUAL, _EXPECTED], range=[BLUE, ORANGE])
    tooltip = tooltips(range="Spend a purchase", actual_text=_ACTUAL, expected_text=_EXPECTED)
    base = alt.Chart(to_data(frame, columns))
    bars = base.mark_bar(binSpacing=1).encode(
        x=alt.X("lower:Q", bin="binned", axis=money_axis("Mean spend per repeat purchase", currency)),
        x2=alt.X2("upper"),
        y=alt.Y("actual:Q", axis=count_axis("Customers")),
        color=alt.Color("bar:N", scale=colour, title=None),
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2, interpolate="monotone").encode(
        x=alt.X("middle:Q"), y=alt.Y("expected:Q"), color=alt.Color("line:N", scale=colour, title=None)
    )
    return to_spec(bars + line, 240)
