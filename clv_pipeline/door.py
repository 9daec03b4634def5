"""`<home>/clv.duckdb`: the views that people and tools query, rebuilt beside and renamed into place.

Belongs here: which views exist and how they read the lake. Does not belong here: publishing partitions (`lake.py`).
"""

from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.lake import Lake, rename_durably
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.settings import Settings
from clv_pipeline.sql import bind, load_sql, quote_literal, quote_name
from clv_pipeline.state import LINES, State

_SCHEMAS = ("landing", "transactions", "marts", "rfm", "lenses", "models", "scores", "drift")
_DERIVED = ("customers", "customer_quarters", "customer_years")


def rebuild_door(lake: Lake, settings: Settings) -> Path:
    """Rebuilds `clv.duckdb`; whoever has the old file open keeps reading it, undisturbed."""
    target = lake.home / "clv.duckdb"
    with lake.hold("door"):
        staging = lake.root / ".staging" / f"door-{target.name}"
        staging.unlink(missing_ok=True)
        with duckdb.connect(str(staging)) as con:
            _create_views(con, lake, settings)
        rename_durably(staging, target)
    return target


def _create_views(con: duckdb.DuckDBPyConnection, lake: Lake, settings: Settings) -> None:
    state = State(lake, settings)
    for schema in _SCHEMAS:
        con.execute(f"CREATE SCHEMA {schema}")
    tables = ["landing.batches", "landing.customers"]
    tables += [table.name for step in (*MONTH_STEPS, *AS_OF_STEPS) for table in step.tables]
    for table in tables:
        if lake.published(table):
            schema, name = table.split(".")
            files = quote_literal(str(lake.root / schema / name / "*=*" / "part.parquet"))
            _create_view(
                con, table, f"SELECT * FROM read_parquet({files}, union_by_name = true, hive_partitioning = false)"
            )
    if state.ledger.batches.height:
        _create_landing_view(con, lake)
    if lake.published("marts.customer_periods") and lake.published("landing.customers") and state.periods:
        cohort_months, start = settings.periods.cohort_months, state.periods[0]
        for name in _DERIVED:
            query = bind(load_sql(f"2_marts/{name}"), cohort_months=cohort_months, data_start=start)
            _create_view(con, f"marts.{name}", query)
    if existing := lake.published("scores.customers"):
        latest = quote_literal(max(existing))
        _create_view(con, "scores.current", f"SELECT * FROM scores.customers WHERE as_of = {latest}")
    reconciliation = reconcile(state).to_arrow(compat_level=pl.CompatLevel.oldest())
    con.register("reconciliation", reconciliation)
    con.execute("CREATE TABLE transactions.reconciliation AS SELECT * FROM reconciliation")


def _create_landing_view(con: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    folder = lake.root / "landing" / "lines"
    if any(folder.glob("period=*/*.parquet")):
        files = quote_literal(str(folder / "period=*" / "*.parquet"))
        query = (
            f"SELECT l.* FROM read_parquet({files}, union_by_name = true, hive_partitioning = false) l"
            " SEMI JOIN landing.batches USING (batch_id)"
        )
        _create_view(con, "landing.lines", query)


def _create_view(con: duckdb.DuckDBPyConnection, table: str, query: str) -> None:
    schema, name = table.split(".")
    con.execute(f"CREATE VIEW {quote_name(schema)}.{quote_name(name)} AS {query}")


def reconcile(state: State) -> pl.DataFrame:
    """Every delivered row with its fate, by number and amount: item, lines, amount; `delivered` is the sum of the rest."""
    delivered = state.ledger.touched_months()
    items: dict[str, tuple[int, Decimal]] = {}

    def add(item: str, lines: int, amount: Decimal) -> None:
        before = items.get(item, (0, Decimal(0)))
        items[item] = (before[0] + lines, before[1] + amount)

    total = (int(delivered["rows"].sum() or 0), Decimal(delivered["amount"].sum() or 0))
    aside = {"lines without a customer": (0, Decimal(0)), "return lines": (0, Decimal(0))}
    for table in (LINES, "transactions.quarantine"):
        for stamp in state.stamps(table).values():
            for fate in stamp.facts.get("fates") or []:
                add(fate["fate"], fate["lines"], Decimal(fate["amount"]))
                if fate["fate"] == "kept":
                    for item, prefix in (("lines without a customer", "without_customer"), ("return lines", "return")):
                        lines, amount = (
                            (fate["lines_without_customer"], fate["amount_without_customer"])
                            if prefix == "without_customer"
                            else (fate["return_lines"], fate["return_amount"])
                        )
                        aside[item] = (aside[item][0] + lines, aside[item][1] + Decimal(amount))
    counted = (sum(lines for lines, _ in items.values()), sum((amount for _, amount in items.values()), Decimal(0)))
    replaced = (total[0] - counted[0], total[1] - counted[1])
    rows = [
        ("delivered", *total),
        *((name, *items[name]) for name in sorted(items)),
        ("replaced by a later delivery", *replaced),
        *((f"kept: {name}", *value) for name, value in aside.items()),
    ]
    schema = {"item": pl.String, "lines": pl.Int64, "amount": pl.Decimal(18, 2)}
    return pl.DataFrame(rows, schema=schema, orient="row")
