"""Puts the parts together for one configuration: assets in stage order, resources, job, schedule, sensor.

Belongs here: the composition. Does not belong here: any part itself, or which configuration (`definitions.py`).
"""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from clv_pipeline.assets import build_asset
from clv_pipeline.automation import build_chart_sensor, build_daily_schedule, build_delivery_sensor
from clv_pipeline.dead_runs import show_life
from clv_pipeline.door import rebuild_door
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.periods import build_partitions
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS, owner_of
from clv_pipeline.privacy.schedule import build_retention
from clv_pipeline.settings import Settings
from clv_pipeline.stages.charts import CHARTS, build_charts_asset
from clv_pipeline.stages.report import build_report_asset
from clv_pipeline.stages.transactions import build_landing
from clv_pipeline.state import State
from clv_pipeline.watching import build_watchers


def find_partitions(settings: Settings, lake: Lake) -> dg.MonthlyPartitionsDefinition:
    """The months as they are now: those with data decide."""
    months = State(lake, settings).known_periods
    first = settings.periods.start or (months[0] if months else None)
    return build_partitions(first, months[-1] if months else None, date.today())


def _build_lake_resource(lake: Lake, settings: Settings) -> dg.ResourceDefinition:
    @dg.resource(description="The tables of this home. A run that has them shows that it is alive, and shows its work.")
    def lake_of_run(context: dg.InitResourceContext) -> Iterator[Lake]:
        if context.run is None:
            yield lake
            return
        with show_life(lake, context.run.run_id):
            yield lake
            if Ledger.identify(lake):
                rebuild_door(lake, settings)

    return lake_of_run


def build_definitions(settings: Settings) -> dg.Definitions:
    """All definitions for one configuration."""
    lake = Lake(settings.home, settings.engine)
    partitions = find_partitions(settings, lake)
    steps = [build_asset(spec, settings, partitions, owner_of(spec)) for spec in (*MONTH_STEPS, *AS_OF_STEPS)]
    landing = build_landing(settings, partitions, owner_of(MONTH_STEPS[0]))
    assets = [*landing, *steps, build_report_asset(settings), build_charts_asset(settings)]
    refresh = dg.define_asset_job(
        "refresh_month",
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(CHARTS),
        description="Lands what is new and runs every stage for one month.",
    )
    return dg.Definitions(
        assets=assets,
        jobs=[refresh],
        schedules=[build_daily_schedule(refresh, settings, partitions), *build_retention(settings)],
        sensors=[
            build_delivery_sensor(settings, partitions),
            build_chart_sensor(settings),
            *build_watchers(lake, settings),
        ],
        resources={"lake": _build_lake_resource(lake, settings)},
        executor=dg.in_process_executor,
    )
