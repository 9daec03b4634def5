"""The last asset: the report and the database file that people open.

Belongs here: when the report is rebuilt. Does not belong here: what is in it (`report/`, `publication.py`).
"""

import dagster as dg

from clv_pipeline.lake import Lake
from clv_pipeline.pipeline import AS_OF_STEPS
from clv_pipeline.publication import publish_report
from clv_pipeline.settings import Settings

REPORT = dg.AssetKey(["report", "page"])


def build_report_asset(settings: Settings) -> dg.AssetsDefinition:
    """The report of the latest as-of month."""

    @dg.asset(
        key=REPORT,
        deps=[table.key for step in AS_OF_STEPS for table in step.tables],
        group_name="report",
        kinds={"html", "altair"},
        owners=["team:customer-analytics"],
        description="The page that answers how healthy the customer base is, with the latest as-of month.",
    )
    def report(lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        page = publish_report(lake, settings)
        return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(str(page)), "bytes": page.stat().st_size})

    return report
