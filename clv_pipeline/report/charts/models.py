"""Charts of models and their scores: expected against actual purchases, CLV by decile, drift against its threshold."""

import altair as alt
import polars as pl

from clv_pipeline.report.blocks import Spec
from clv_pipeline.report.charts.theme import (
    BLUE,
    GREY,
    INK,
    LIGHT,
    MUTED,
    ORANGE,
    count_axis,
    money_axis,
    to_data,
    to_spec,
    tooltips,
    with_text,
)
from clv_pipeline.report.numbers import as_counts, as_money, as_significant

_ACTUAL, _EXPECTED, _RANGE = "Actual", "Expected by the model", "95% of repetitions"
_DRIFT_SHADES = {"steady": LIGHT, "no more than chance": GREY, "drifted": ORANGE}


def draw_fit(repeat: pl.DataFrame) -> Spec:
    """Customers by number of repeat purchases: bars for what happened, marks and ranges for the model."""
    frame = with_text(repeat, "actual_text", as_counts(repeat["actual"].to_list()))
    frame = with_text(frame, "expected_text", as_counts(repeat["expected"].to_list()))
    frame = frame.with_columns(bar=pl.lit(_ACTUAL), mark=pl.lit(_EXPECTED))
    ends = [as_counts(repeat[name].to_list()) for name in ("lower", "upper")]
    frame = with_text(frame, "range_text", [f"{low} to {high}" for low, high in zip(*ends, strict=True)])
    columns = ["purchases", "actual", "expected", "lower", "upper"]
    columns += ["actual_text", "expected_text", "range_text", "bar", "mark"]
    colour = alt.Scale(domain=[_ACTUAL, _EXPECTED], range=[BLUE, ORANGE])
    base = alt.Chart(to_data(frame, columns)).encode(
        x=alt.X("purchases:O", sort=None, axis=alt.Axis(title="Repeat purchases")),
        tooltip=tooltips(purchases="Repeat purchases", actual_text=_ACTUAL, expected_text=_EXPECTED, range_text=_RANGE),
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        y=alt.Y("actual:Q", axis=count_axis("Customers")),
        color=alt.Color("bar:N", scale=colour, title=None),
    )
    marks = base.mark_point(shape="diamond", size=110, stroke="white", opacity=1).encode(
        y=alt.Y("expected:Q"), color=alt.Color("mark:N", scale=colour, title=None)
    )
    range_ = base.mark_rule(color=ORANGE, strokeWidth=2).encode(y=alt.Y("lower:Q"), y2=alt.Y2("upper"))
    return to_spec(bars + range_ + marks, 240)


def draw_score_deciles(deciles: pl.DataFrame, currency: str) -> Spec:
    """Total CLV of each score decile."""
    frame = with_text(deciles, "clv_text", as_money(currency)(deciles["clv"].to_list()))
    frame = with_text(frame, "customers_text", as_counts(deciles["customers"].to_list()))
    frame = with_text(frame, "purchases_text", as_counts(deciles["expected_purchases"].to_list()))
    chart = (
        alt.Chart(to_data(frame, ["decile", "clv", "clv_text", "customers_text", "purchases_text"]))
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("decile:O", axis=alt.Axis(title="Score decile")),
            y=alt.Y("clv:Q", axis=money_axis("CLV", currency)),
            tooltip=tooltips(
                decile="Decile",
                clv_text="CLV",
                customers_text="Customers",
                purchases_text="Expected purchases",
            ),
        )
    )
    return to_spec(chart, 240)


def draw_drift(checks: pl.DataFrame) -> Spec:
    """Each check's statistic as a multiple of its threshold; beyond 1 it has drifted, unless chance goes as far."""
    frame = checks.with_columns(ratio=pl.col("statistic") / pl.col("threshold")).filter(pl.col("ratio").is_finite())
    frame = with_text(frame, "statistic_text", as_significant(frame["statistic"].to_list()))
    frame = with_text(frame, "threshold_text", as_significant(frame["threshold"].to_list()))
    by_chance = pl.when(pl.col("ratio") > 1).then(pl.lit("no more than chance")).otherwise(pl.lit("steady"))
    frame = frame.with_columns(state=pl.when("drifted").then(pl.lit("drifted")).otherwise(by_chance))
    found = {state: shade for state, shade in _DRIFT_SHADES.items() if state in frame["state"]}
    limit = alt.Chart().mark_rule(color=INK, strokeDash=[4, 3]).encode(x=alt.XDatum(1))
    bars = (
        alt.Chart()
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            x=alt.X("ratio:Q", axis=alt.Axis(title="Multiple of the threshold", tickCount=5)),
            y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=190, labelColor=MUTED)),
            color=alt.Color(
                "state:N",
                legend=alt.Legend(title=None, columns=1),
                scale=alt.Scale(domain=list(found), range=list(found.values())),
            ),
            tooltip=tooltips(name="Check", statistic_text="Statistic", threshold_text="Threshold", state="State"),
        )
    )
    data = to_data(frame, ["name", "ratio", "statistic_text", "threshold_text", "state"])
    return to_spec(alt.layer(bars, limit, data=data), 30 + 24 * frame.height)
