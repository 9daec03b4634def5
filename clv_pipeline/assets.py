"""Shows a step to Dagster: one asset per table, with its dependencies and checks.

Belongs here: asset and check specifications, and the loop over the months of a run. Does not belong here: running a
month (`execution.py`), the shape of events (`events.py`).
"""

import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from clv_pipeline.contracts import describe_columns
from clv_pipeline.events import report_outcomes
from clv_pipeline.execution import ask_ahead, run_months
from clv_pipeline.lake import Lake
from clv_pipeline.periods import map_earlier, map_history
from clv_pipeline.publication import prepare_report
from clv_pipeline.retries import retry_what_passes
from clv_pipeline.settings import Settings
from clv_pipeline.sql import load_sql
from clv_pipeline.stages.lenses import LENSES
from clv_pipeline.stages.models import MODELS
from clv_pipeline.stages.rfm import RFM
from clv_pipeline.state import HIDDEN, State
from clv_pipeline.steps import ONLY_STALE_TAG, Reach, StepSpec, Table

# Two hours after the schedule, which the first load of a day may take.
_MORNING = "0 7 * * *"


def declare_dependencies(spec: StepSpec, partitions: dg.MonthlyPartitionsDefinition) -> list[dg.AssetDep]:
    """The upstream assets of a step with the months they are read for."""
    mappings: dict[Reach, dg.PartitionMapping | None] = {
        Reach.LANDED: None,
        Reach.KNOWN: None,
        Reach.SAME: dg.TimeWindowPartitionMapping(),
        Reach.HISTORY: map_history(partitions),
        Reach.ENDED: map_history(partitions),
        Reach.FITTED: map_history(partitions),
        Reach.FITTED_AS_OF: dg.TimeWindowPartitionMapping(),
        # The month before and that of the year before; what else is compared with may lie anywhere.
        Reach.COMPARED: map_earlier(12),
    }
    # What was found earlier (UP_TO, BEFORE, ALERTS), whether costs are known (COSTS, beside a HISTORY of the table),
    # and who is hidden, is no asset, or the asset itself: only the plan follows it.
    return [
        dg.AssetDep(dg.AssetKey(read.table.split(".")), partition_mapping=mappings[read.reach])
        for read in spec.reads
        if read.reach in mappings and read.table != HIDDEN
    ]


def build_asset(
    spec: StepSpec, settings: Settings, partitions: dg.MonthlyPartitionsDefinition, owner: str
) -> dg.AssetsDefinition:
    """The Dagster assets of a step, one per table, with their checks."""
    deps = declare_dependencies(spec, partitions)
    specs = [
        dg.AssetSpec(
            table.key,
            deps=deps,
            description=table.description,
            group_name=spec.stage,
            kinds=set(spec.kinds),
            owners=[owner],
            code_version=spec.code_version(settings),
            partitions_def=partitions,
            metadata={"dagster/column_schema": describe_columns(table.schema)},
            freshness_policy=_expect_daily(table, settings),
        )
        for table in spec.tables
    ]

    @dg.multi_asset(
        name=f"{spec.stage}__{spec.name}",
        specs=specs,
        check_specs=_declare_checks(spec, partitions),
        backfill_policy=dg.BackfillPolicy.single_run(),
        # Among steps that may run, RFM comes first: the fit is made beside the others then.
        op_tags={"dagster/priority": "1" if spec is RFM else "0"},
    )
    def run_step(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[Any]:
        state = State(lake, settings)
        only_stale = context.run.tags.get(ONLY_STALE_TAG) == "true"
        months = context.partition_keys
        with retry_what_passes(), lake.connect() as con:
            outcomes = run_months(spec, state, con, months, only_stale=only_stale)
        if spec is RFM and len(months) == 1:
            ask_ahead(MODELS, State(lake, settings), months[0])
        published = sum(not outcome.skipped for outcome in outcomes)
        context.log.info(f"{spec.name}: {published} of {len(months)} months run, the others were up to date")
        if spec is LENSES and published:
            prepare_report(lake)
        yield from report_outcomes(context, lake, spec, outcomes)

    return run_step


def _expect_daily(table: Table, settings: Settings) -> dg.FreshnessPolicy | None:
    """Scores are looked at every morning where the schedule runs: it runs the open month, and late data reach it too.

    Dagster looks at the latest run of any month; that the source fell silent is for the alerts to say.
    """
    if table.name != "scores.customers" or not settings.automation.enabled:
        return None
    return dg.FreshnessPolicy.cron(deadline_cron=_MORNING, lower_bound_delta=timedelta(hours=23))


def _declare_checks(spec: StepSpec, partitions: dg.MonthlyPartitionsDefinition) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name,
                asset=table.key,
                description=_describe_check(table, name),
                partitions_def=partitions,
                blocking=name not in table.advice,
            )
            for table in spec.tables
            for name in ("schema", *table.rules, *table.advice)
        ]


def _describe_check(table: Table, name: str) -> str:
    if name in table.rules:
        comment = load_sql(table.rules[name]).partition("\nSELECT")[0].partition("\nWITH")[0]
        return " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
    if name in table.advice:
        return "A warning: it keeps nothing from being published."
    return "Types, missing values, ranges, keys, and what must hold within a row."
