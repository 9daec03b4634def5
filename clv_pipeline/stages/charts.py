"""The report's charts on the assets of the lenses: drawn after the fact, for the web interface.

Belongs here: when they are drawn, and how Dagster is told. Does not belong here: the drawing (`renderings.py`). Sixty
charts take about six seconds, which no load should wait for: an asset of its own draws them once for each state of the
lenses, asked by a sensor, and records them as observations of the tables they show.
"""

from hashlib import sha256

import dagster as dg

from clv_pipeline.lake import Lake
from clv_pipeline.publication import draw_lenses
from clv_pipeline.renderings import to_markdown
from clv_pipeline.settings import Settings
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline.stages.projection import PROJECTION
from clv_pipeline.state import State

CHARTS = dg.AssetKey(["report", "charts"])
_STEPS = (LENSES, PROJECTION)


def find_month(state: State) -> str | None:
    """The month whose charts are drawn, the latest that has lenses; None before the first."""
    return max(state.stamps(LENSES.tables[0].name), default=None)


def describe_lenses(state: State, month: str) -> str:
    """A hash of what the charts of `month` show; equal hashes mean equal charts."""
    stamps = [state.stamp(table.name, month) for step in _STEPS for table in step.tables]
    return sha256(repr((month, [stamp and stamp.content for stamp in stamps])).encode()).hexdigest()[:20]


def build_charts_asset(settings: Settings) -> dg.AssetsDefinition:
    """The charts of the lenses of the latest as-of month."""

    @dg.asset(
        key=CHARTS,
        deps=[table.key for step in _STEPS for table in step.tables],
        group_name="report",
        kinds={"altair"},
        owners=["team:customer-analytics"],
        description="Every chart of the lenses in the report, latest as-of month, shown with the tables of the lenses.",
    )
    def charts(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        state = State(lake, settings)
        month = find_month(state)
        if month is None:
            raise dg.Failure("no as-of month has lenses yet; run `clv run` first", allow_retries=False)
        version = describe_lenses(state, month)
        images = draw_lenses(lake, settings, month)
        for table, charts in images.items():
            shown = {title: dg.MetadataValue.md(to_markdown(title, png)) for title, png in charts.items()}
            context.log_event(dg.AssetObservation(table.split("."), partition=month, metadata=shown))
        sizes = [len(png) for charts in images.values() for png in charts.values()]
        counts = {"as_of": month, "charts": len(sizes), "bytes": sum(sizes)}
        return dg.MaterializeResult(metadata=counts, data_version=dg.DataVersion(version))

    return charts
