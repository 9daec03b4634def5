"""Stage 1: deliveries are landed, and become the current state of every line, month by month.

Belongs here: which SQL makes which table. Does not belong here: landing (`landing.py`) or the meaning of a column.
"""

import warnings
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from clv_pipeline.contracts import Audit
from clv_pipeline.customers.landing import land_customers, list_problems
from clv_pipeline.events import report_check, report_landed
from clv_pipeline.lake import Lake
from clv_pipeline.landing import Load, land_transactions
from clv_pipeline.ledger import UNDATED
from clv_pipeline.mapping import expose_parsed, parse_parameters
from clv_pipeline.privacy.guard import LOCK
from clv_pipeline.retries import retry_what_passes
from clv_pipeline.schemas.transactions import Lines, Quarantine
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql, quote_name, quote_paths
from clv_pipeline.state import IDENTITIES, State
from clv_pipeline.steps import Content, Reach, Read, Step, StepSpec, Table

_NOTHING_LANDED = """
    SELECT '' AS batch_id, '' AS source, 0::BIGINT AS row_number, now()::TIMESTAMP AS loaded_at, 0::BIGINT AS seq,
        NULL::VARCHAR AS malformed WHERE FALSE"""
_QUERIES = ("parsed", "lines", "merged", "lines_by_content", "lines_by_id", "quarantine", "fates")
LANDING = dg.AssetKey(["landing", "lines"])
CUSTOMERS = dg.AssetKey(["landing", "customers"])
_READABLE = "files_are_readable"
_SHOWN_PROBLEMS = 20


def build_landing(
    settings: Settings, partitions: dg.MonthlyPartitionsDefinition, owner: str
) -> list[dg.AssetsDefinition]:
    """The assets that land what was delivered.

    A run of `landing/lines` for any month lands every new file, and reports each month whose rows changed: so that of
    the transactions only those months look stale.
    """

    lines = dg.AssetSpec(
        LANDING,
        partitions_def=partitions,
        group_name="transactions",
        kinds={"duckdb", "parquet"},
        owners=[owner],
        description=(
            "The append-only log of every delivered row: what arrived, from which file, when. "
            "A run for any one month lands all new and changed files, whatever months they hold."
        ),
    )

    @dg.multi_asset(
        name="landing__lines",
        specs=[lines],
        check_specs=[_declare_check(partitions)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def landing(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[Any]:
        with retry_what_passes():
            load = land_transactions(lake, settings)
            publish_undated(lake, settings)
            if settings.customers.merges:  # it decides whose the rows of a month are
                land_customers(lake, settings)
        for bad in load.bad_files:
            context.log.error("%s", bad)
        yield from report_landed(context, LANDING, State(lake, settings), _describe_load(load))
        problems = [str(bad) for bad in load.bad_files]
        summary = "; ".join(problems) or "every new file could be read"
        audit = Audit(_READABLE, passed=not problems, summary=summary, blocking=False)
        yield from report_check(context, LANDING, audit, {"bad files": problems})

    @dg.asset(
        key=CUSTOMERS,
        group_name="transactions",
        kinds={"duckdb", "parquet"},
        owners=[owner],
        # Who may be shown is said of the customers who are landed.
        deps=[LANDING] if settings.customers.is_used else [],
        description="The customer files as last delivered: who was acquired when; empty without one.",
    )
    def customers(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult:
        rows = land_customers(lake, settings)
        stamp = lake.read_stamp("landing.customers", "all")
        version = dg.DataVersion(stamp.content) if stamp else None
        problems = list_problems(lake)
        for problem in problems[:_SHOWN_PROBLEMS]:
            context.log.warning("%s", problem)
        metadata = {"dagster/row_count": rows, "cells in quarantine": len(problems)}
        return dg.MaterializeResult(metadata=metadata, data_version=version)

    return [landing, customers]


def _declare_check(partitions: dg.MonthlyPartitionsDefinition) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        about = "Every new or changed file could be read; those that could not are left out until they are mended."
        return dg.AssetCheckSpec(_READABLE, asset=LANDING, description=about, partitions_def=partitions)


def _describe_load(load: Load) -> dict[str, Any]:
    return {
        "new rows": load.rows,
        "new batches": load.batches,
        "unchanged files": load.unchanged_files,
        "empty files": ", ".join(load.empty_files) or "none",
        "months delivered": ", ".join(load.months) or "none",
    }


def publish_undated(lake: Lake, settings: Settings) -> None:
    """Publishes the rejected rows that no month can be told for."""
    table = "transactions.quarantine"
    with lake.hold(LOCK, shared=True), lake.hold("transactions.undated"):
        state = State(lake, settings)
        inputs = TRANSACTIONS.code_version(settings) + state.fingerprints.get(UNDATED, "")
        before = lake.read_stamp(table, UNDATED)
        if before and before.inputs == inputs:
            return
        with lake.connect() as con:
            step = Step(con, lake, settings, state, [UNDATED])
            judge_lines(step)
            staged = lake.stage(con, table, [UNDATED], load_sql("1_transactions/quarantine"))[UNDATED]
            fates = [fate for month in _count_fates(step).values() for fate in month]
            lake.publish(con, staged, inputs=inputs, code="", facts={"fates": fates})


def judge_lines(step: Step) -> None:
    """Makes `transactions.judged`: each landed row of the months with its fate."""
    keyed = "line_id" in step.settings.source.columns
    landed_lines = step.lake.root / "landing" / "lines"
    loads = step.state.ledger.loads_of(step.periods, step.settings)
    files = [file for period, load in loads for file in (landed_lines / f"period={period}").glob(f"{load}_*.parquet")]
    live = step.state.ledger.live(step.settings).select("batch_id", "seq")
    step.con.register("live_batch", live.to_arrow(compat_level=pl.CompatLevel.oldest()))
    rows = f"read_parquet({quote_paths(files)}, union_by_name = true, hive_partitioning = false)"
    landed = f"SELECT l.* FROM {rows} l SEMI JOIN live_batch USING (batch_id)" if files else _NOTHING_LANDED
    step.con.execute(f"CREATE OR REPLACE VIEW landed AS {landed}")
    expose_parsed(step.con, step.settings, "landed")
    if keyed:
        _expose_moves(step)
    query = "1_transactions/lines_by_id" if keyed else "1_transactions/lines_by_content"
    step.con.execute("CREATE SCHEMA IF NOT EXISTS transactions")
    judged = bind(load_sql(query), **parse_parameters(step.settings))
    step.con.execute(f"CREATE OR REPLACE TABLE transactions.judged AS {judged}")


def _expose_moves(step: Step) -> None:
    loads = step.state.ledger.loads
    files = [f for f in (step.lake.root / "landing" / "moves").glob("*.parquet") if f.name.partition("_")[0] in loads]
    step.con.execute("CREATE SCHEMA IF NOT EXISTS landing")
    if files:
        step.con.execute(f"CREATE OR REPLACE VIEW landing.moves AS SELECT * FROM read_parquet({quote_paths(files)})")
    else:
        step.con.execute("""
            CREATE OR REPLACE VIEW landing.moves AS
            SELECT NULL::VARCHAR AS batch_id, NULL::VARCHAR AS line_id, NULL::VARCHAR AS period,
                NULL::TIMESTAMPTZ AS updated_at, NULL::BIGINT AS seq, NULL::BIGINT AS row_number,
                NULL::VARCHAR AS content, NULL::BOOLEAN AS conflict WHERE FALSE""")


def compute_transactions(step: Step) -> dict[str, Content]:
    """Judges the landed rows of the months and splits them into lines and quarantine."""
    judge_lines(step)
    extras = step.settings.source.extra_columns
    unpacked = "".join(f", extra.{quote_name(name)} AS {quote_name(name)}" for name in extras)
    fates = _count_fates(step)
    for period in step.periods:
        kept = next((fate for fate in fates.get(period, []) if fate["fate"] == "kept"), {})
        days = {name: kept.get(name) for name in ("first_day", "last_day")}
        step.record("transactions.lines", {**days, "fates": fates.get(period, [])}, period)
    return {
        "transactions.lines": f"SELECT * EXCLUDE (extra){unpacked} FROM ({_select_lines(step)})",
        "transactions.quarantine": load_sql("1_transactions/quarantine"),
    }


def _select_lines(step: Step) -> str:
    """The lines that count, under the names of the customers whose they are."""
    lines = load_sql("1_transactions/lines")
    if not step.settings.customers.merges or not step.lake.published(IDENTITIES):
        return lines
    step.lake.expose(step.con, IDENTITIES)
    step.con.execute(f"CREATE OR REPLACE VIEW transactions.unmerged AS {lines}")
    return load_sql("1_transactions/merged")


def _count_fates(step: Step) -> dict[str | None, list[dict[str, Any]]]:
    """The rows of `fates.sql` by month, ready to be kept as facts."""
    fates: dict[str | None, list[dict[str, Any]]] = {}
    for row in step.frame(load_sql("1_transactions/fates")).iter_rows(named=True):
        period = row.pop("period")
        fates.setdefault(period, []).append(
            {name: value if isinstance(value, int | None) else str(value) for name, value in row.items()}
        )
    return fates


TRANSACTIONS = StepSpec(
    name="lines",
    stage="transactions",
    tables=(
        Table(
            "transactions.lines",
            Lines,
            "Every order line of the month in its current state: corrected, without what was deleted or repeated.",
            rules={"reconciles_with_landing": "1_transactions/check_landing"},
        ),
        Table(
            "transactions.quarantine",
            Quarantine,
            "Rows of the month that cannot be used, each with its reason and text, to be mended at the source.",
        ),
    ),
    reads=(Read("landing.lines", Reach.LANDED),),
    compute=compute_transactions,
    sql=tuple(f"1_transactions/{name}" for name in _QUERIES),
    knobs=("source.", "returns.", "periods.start"),
    code=("mapping",),
    kinds=frozenset({"duckdb", "parquet"}),
)
