"""Monitoring: forecasts made some months ago against what happened, and which version was in use when.

Belongs here: the wording, and which horizons are shown. Does not belong here: measuring a forecast
(`clv/drift/performance.py`).
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, FigureGrid, Section, empty_section
from clv_pipeline.report.charts.monitoring import draw_forecasts, draw_versions
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import Column, Table, build_table, counts, decimals, label

_FORECASTS, _FORECASTS_TITLE = "monitoring-forecasts", "Forecasts and what happened"
_VERSIONS, _VERSIONS_TITLE = "monitoring-versions", "Versions in use"


def build_forecasts(data: ReportData) -> Section | None:
    """A chart for each horizon whose forecasts have ended, and the latest by cohort; None where nobody looked."""
    if "drift.performance" not in data.tables:
        return None
    ended = data.table("monitoring.forecasts")
    if ended.is_empty():
        sentence = "No forecast has come due yet: the first does a month after the first as-of month that was run."
        return empty_section(_FORECASTS, _FORECASTS_TITLE, sentence)
    purchases = ended.filter(pl.col("target") == "purchases")
    figures = [
        Figure(
            f"chart-forecasts-{horizon}",
            f"Over {n.plural(int(str(horizon)), 'month')}",
            describe_forecasts(of_horizon),
            draw_forecasts(of_horizon),
        )
        for (horizon,), of_horizon in purchases.sort("horizon_months", "until").group_by(
            "horizon_months", maintain_order=True
        )
    ]
    blocks: list[Block] = [FigureGrid(figures)]
    if data.has("drift.performance"):
        blocks.append(_build_cohorts(data))
    question = "Did what was forecast happen, and does the model miss as it always did?"
    return Section(_FORECASTS, _FORECASTS_TITLE, blocks, question)


def describe_forecasts(forecasts: pl.DataFrame) -> str:
    """How the latest forecast of a horizon ended, and how often what happened lay within the interval."""
    latest = forecasts.sort("until").row(-1, named=True)
    within = forecasts.filter(pl.col("actual").is_between("lower", "upper")).height
    return (
        f"Of the {n.count(latest['expected'])} purchases that were forecast at the end of {n.month(latest['origin'])} "
        f"up to {n.month(latest['until'])}, {n.count(latest['actual'])} were made; {within} of "
        f"{n.plural(forecasts.height, 'forecast')} held what happened in the 95% interval."
    )


def _build_cohorts(data: ReportData) -> Table:
    latest = data.table("drift.performance").sort("target", "horizon_months", "cohort")
    return build_table(
        "monitoring-cohorts",
        "The latest forecasts by cohort",
        latest,
        [
            label("target", "Of"),
            counts("horizon_months", "Months"),
            label("origin", "Made at the end of"),
            label("cohort", "Cohort"),
            counts("customers", "Customers"),
            counts("expected", "Forecast"),
            counts("lower", "Lower"),
            counts("upper", "Upper"),
            counts("actual", "Happened"),
            decimals("ratio", "Happened / forecast"),
            Column("residual", "Residual (sd)", n.as_decimals(1)),
        ],
        csv=data.exact("drift.performance"),
        csv_name=f"forecasts_{data.facts.as_of}.csv",
        note="Residual: what happened less what was forecast, in standard deviations of what the model held possible.",
    )


def build_versions(data: ReportData) -> Section | None:
    """The version in use by as-of month; None before any is."""
    versions = data.table("monitoring.versions")
    if versions.is_empty():
        return None
    figure = Figure(
        "chart-versions", "Version in use by as-of month", describe_versions(versions), draw_versions(versions)
    )
    return Section(_VERSIONS, _VERSIONS_TITLE, [figure], "Which version made the scores of which month, and why?")


def describe_versions(versions: pl.DataFrame) -> str:
    """How many versions were in use, and since when the latest is."""
    latest = versions.sort("as_of").row(-1, named=True)
    since = versions.filter(pl.col("version") == latest["version"])["as_of"].min()
    used = versions["version"].n_unique()
    return (
        f"{n.plural(used, 'version')} in use over {n.plural(versions.height, 'as-of month')}; {latest['version']} "
        f"since {n.month(str(since))}."
    )
