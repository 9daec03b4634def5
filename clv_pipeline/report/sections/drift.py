"""Drift: whether today's customers still look like those the figures and models are compared with, check by check."""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Figure, Note, Section, empty_section
from clv_pipeline.report.charts.models import draw_drift
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import Column, build_table, label

_ID, _TITLE, _QUESTION = "drift", "Checks", "How far is each quantity from the months it is compared with?"
_DRAWN = 15
FEATURES = {
    "frequency": "Frequency",
    "recency": "Recency",
    "monetary_value": "Monetary value",
    "clv": "CLV",
    "T": "T",
    "p_alive": "P(alive)",
}
TESTS = {
    "psi": "PSI",
    "ks": "KS",
    "wasserstein": "Wasserstein",
    "jensen_shannon": "Jensen-Shannon",
    "kullback_leibler": "Kullback-Leibler",
    "chi_squared": "Chi-squared (V)",
    "control_limit": "against its past",
    "run_length": "days in a row",
    "new_value": "share",
    "forecast_error": "error",
}


def build_section(data: ReportData) -> Section:
    """Each check against its threshold."""
    checks = data.table("drift.checks")
    if checks.is_empty():
        return empty_section(_ID, _TITLE, "There is no earlier month to compare with yet.")
    checks = name_checks(checks)
    table = build_table(
        "drift-checks",
        "Drift checks",
        checks,
        [
            label("feature", "Feature"),
            label("test", "Test"),
            label("reference", "Against"),
            Column("statistic", "Statistic", n.as_significant),
            Column("threshold", "Threshold", n.as_significant),
            Column("chance", "By chance", n.as_significant),
            label("level", "Level"),
            label("meaning", "Finding"),
        ],
        csv=data.exact("drift.checks"),
        csv_name=f"drift_checks_{data.facts.as_of}.csv",
        note="The furthest from its threshold first. A check alerts beyond its threshold and beyond what chance "
        "gives at these numbers of customers. Distributions are compared at equal age.",
    )
    if checks["statistic"].is_null().all():
        sentence = "Neither month has values to compare, so no check could be made."
        return Section(_ID, _TITLE, [Note([sentence]), table], _QUESTION)
    figure = Figure(
        "chart-drift", "Drift against the threshold", describe_drift(checks), draw_drift(checks.head(_DRAWN))
    )
    return Section(_ID, _TITLE, [figure, table], _QUESTION)


def name_checks(checks: pl.DataFrame) -> pl.DataFrame:
    """The checks in a reader's words, the furthest beyond its threshold first; a month that is a reference twice (the
    month before is also the one of the fit) once."""
    plain = pl.col("feature").str.replace_all("_", " ", literal=True)
    named = (
        checks.unique(["feature", "test", "reference"], keep="first", maintain_order=True)
        .with_columns(
            pl.col("feature").replace_strict(
                FEATURES, default=plain.str.slice(0, 1).str.to_uppercase() + plain.str.slice(1)
            ),
            pl.col("test").replace(TESTS),
        )
        .sort(pl.col("statistic") / pl.col("threshold"), descending=True, nulls_last=True)
    )
    return named.with_columns(name=pl.format("{}, {}, {}", "feature", "test", "reference"))


def describe_drift(checks: pl.DataFrame) -> str:
    """How many checks are beyond their threshold, and the furthest; `checks` comes from `name_checks`."""
    drifted = checks.filter("drifted")
    if drifted.is_empty():
        total = n.plural(checks.height, "check")
        return f"None of the {total} is beyond its threshold: the customers still look like those of the reference."
    worst = drifted.row(0, named=True)
    verb = "is" if drifted.height == 1 else "are"
    return (
        f"{drifted.height} of {n.plural(checks.height, 'check')} {verb} beyond the threshold, the furthest "
        f"{worst['feature']} against {worst['reference']} ({worst['test']} {n.significant(worst['statistic'])}, "
        f"threshold {n.significant(worst['threshold'])})."
    )
