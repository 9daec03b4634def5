"""Lands what is known of customers: who is who, what is said of them, who may not be shown, and what contradicts.

Belongs here: which tables are published together, and when. Does not belong here: reading what is said
(`described.py`, `id_map.py`), the rules (`clv/customers/`), cohorts (`sql/2_marts/customers.sql`).

Where identifiers are merged or people hidden, each table says for every month what of it concerns the customers who are
first seen then: so a merge or a withdrawn consent restates just what it touches.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import duckdb
import polars as pl

from clv_pipeline.clv.customers import (
    CONFLICTS,
    find_hidden,
    merge_customers,
    merge_versions,
    resolve_identities,
    select_current,
)
from clv_pipeline.clv.customers.visibility import settle_flag
from clv_pipeline.clv.history import keep_history
from clv_pipeline.customers.described import read_described
from clv_pipeline.customers.id_map import (
    describe_id_map,
    digest_by_month,
    index_identifiers,
    land_id_map,
    read_statements,
)
from clv_pipeline.customers.rows import PROBLEMS, THEIRS, describe_problem
from clv_pipeline.customers.tables import TableRows, Tables, read_tables
from clv_pipeline.lake import Lake
from clv_pipeline.ledger import Ledger
from clv_pipeline.moments import tell_business_time
from clv_pipeline.privacy.guard import LOCK, Guard, open_guard, read_tombstones
from clv_pipeline.settings import Settings
from clv_pipeline.sources import list_files
from clv_pipeline.state import HIDDEN, IDENTITIES, KNOWN, LANDED_UP_TO, MONTHS

TABLE = "landing.customers"
CONFLICTED, REFUSED = "landing.customer_conflicts", "landing.customer_quarantine"
# In the order of publication: with the last one, all have been published.
DESCRIPTIONS = {
    REFUSED: "Cells of customer files and map of identifiers that cannot be used, with place, reason and fix.",
    CONFLICTED: "What customer files and map of identifiers contradict each other about, what counts, and why.",
    IDENTITIES: "The identifiers that are another customer's, each with the customer it belongs to.",
    HIDDEN: "Customers with lines who may not be shown, and why: they are in company totals, and in no list.",
    TABLE: "One row per customer of the customer files as they are today, identifiers merged.",
}


@dataclass(frozen=True)
class _People:
    """What the files say: a table each, with what is to be remembered of it."""

    tables: Mapping[str, pl.DataFrame]
    facts: Mapping[str, dict[str, Any]]


_NOBODY = _People(
    {
        REFUSED: pl.DataFrame(schema=PROBLEMS),
        CONFLICTED: pl.DataFrame(schema=CONFLICTS),
        IDENTITIES: pl.DataFrame(schema={"source_id": pl.String, "customer_id": pl.String}),
        HIDDEN: pl.DataFrame(schema={"customer_id": pl.String, "reason": pl.String}),
        TABLE: pl.DataFrame(schema={"customer_id": pl.String, "acquisition_ts": pl.Datetime("us")}),
    },
    {},
)


def land_customers(lake: Lake, settings: Settings) -> int:
    """Publishes what customer files and map of identifiers say, where that changed; returns the number of customers.

    Needs the lines landed before. Raises SettingsError, naming the file, for one that cannot be read, and what
    `read_tables` raises.
    """
    lake.prepare()
    with lake.hold(LOCK, shared=True), lake.hold(TABLE):
        guard = open_guard(lake, settings, has_data=not Ledger.read(lake).batches.is_empty())
        tables = read_tables(lake, settings, guard)
        inputs = describe_inputs(lake, settings, tables)
        before = lake.read_stamp(TABLE, "all")
        # A time in the future is none tomorrow, so rejected rows are judged again.
        if before and before.inputs == inputs and not before.facts.get("rejected"):
            return before.rows
        land_id_map(lake, settings, guard, tables.id_map)
        with lake.connect() as con:
            con.execute("CREATE SCHEMA landing")
            guard.encrypt_spill(con)
            people = _gather(lake, settings, con, guard, tables.customers) if settings.customers.is_used else _NOBODY
            for table in DESCRIPTIONS:
                _publish(lake, con, table, people, inputs)
        return people.tables[TABLE]["customer_id"].n_unique()


def describe_inputs(lake: Lake, settings: Settings, tables: Tables) -> str:
    """A hash of everything that the tables of customers are made from; `tables` are those of a database."""
    customers = settings.customers
    files = list_files(settings, customers.path) if customers.path else []
    parts: list[object] = [
        customers.model_dump_json(),
        [settings.source.business_timezone, settings.source.encoding],
        [*settings.attributes, *settings.known_attributes],
        sorted((file.name, file.size, file.mtime_ns) for file in files),
        describe_id_map(settings),
        *([table.name, table.content] for table in (tables.customers, tables.id_map) if table),
        Ledger.read(lake).next_seq if customers.is_used else None,
        read_tombstones(lake).height,
    ]
    return sha256(json.dumps(parts).encode()).hexdigest()[:16]


def list_problems(lake: Lake) -> list[str]:
    """The rows of customer files and map that cannot be used, each in one line with its fix."""
    if not lake.path(REFUSED, "all").exists():
        return []
    return [describe_problem(row) for row in lake.read(REFUSED, "all").iter_rows(named=True)]


def _publish(lake: Lake, con: duckdb.DuckDBPyConnection, table: str, people: _People, inputs: str) -> None:
    facts, before = people.facts.get(table, {}), lake.read_stamp(table, "all")
    if before is None and people is _NOBODY and table != TABLE:
        return  # that there is no file is all there is to publish
    staged = lake.stage(con, table, ["all"], people.tables[table])["all"]
    now = (staged.content, inputs, json.dumps(facts))
    if before is None or (before.content, before.inputs, json.dumps(before.facts)) != now:
        lake.publish(con, staged, inputs=inputs, code="", facts=facts)


def _gather(
    lake: Lake, settings: Settings, con: duckdb.DuckDBPyConnection, guard: Guard, table: TableRows | None
) -> _People:
    said, bad_statements = read_statements(lake, settings, con)
    identities, conflicts = resolve_identities(said)
    found = read_described(lake, settings, con, guard=guard, table=table, identities=identities)
    good = found.rows.filter(~pl.col("is_bad"))
    precedence, is_dated = settings.customers.precedence, settings.customers.history == "source"
    merge = merge_versions if is_dated else merge_customers
    customers, contradictions = merge(good, found.attributes, precedence)
    contradictions = contradictions.with_columns(pl.col("field").str.strip_prefix(THEIRS))
    now = select_current(found.rows, tell_business_time(settings)) if is_dated else found.rows
    flags = {name: settle_flag(now, name) for name in found.flags}
    for settled in flags.values():
        customers = customers.join(settled, on="customer_id", how="left", maintain_order="left")
    customers = customers.rename({name: name.removeprefix(THEIRS) for name in found.attributes})
    problems = pl.concat([found.problems, bad_statements])
    tables = {
        REFUSED: problems,
        CONFLICTED: pl.concat([conflicts, contradictions]),
        IDENTITIES: identities,
        TABLE: _add_history(lake, settings, customers),
    }
    remember = {TABLE: {"rejected": problems.height}}
    if not settings.customers.merges and not flags:
        return _People(tables | {HIDDEN: find_hidden(pl.Series([], dtype=pl.String), None, None)}, remember)
    return _follow_months(lake, settings, con, tables, flags)


def _add_history(lake: Lake, settings: Settings, customers: pl.DataFrame) -> pl.DataFrame:
    """`customers` as they are now and were before; as they are now where landings are to keep no history."""
    if settings.customers.history is not True:
        return customers
    landed = lake.read(TABLE, "all") if lake.read_stamp(TABLE, "all") else None
    before = landed if landed is not None and "valid_to" in landed.columns else None
    return keep_history(before, customers, tell_business_time(settings))


def _follow_months(
    lake: Lake,
    settings: Settings,
    con: duckdb.DuckDBPyConnection,
    tables: dict[str, pl.DataFrame],
    flags: Mapping[str, pl.DataFrame],
) -> _People:
    """The tables and who is hidden among the customers with lines, with what concerns which month."""
    ledger = Ledger.read(lake)
    index_identifiers(lake, settings, ledger, con)
    _register(con, "identities", tables[IDENTITIES])
    # A closed month keeps the names it has: there somebody who was merged later is still called otherwise.
    con.execute("""
        CREATE TABLE landing.first_seen AS
        SELECT COALESCE(i.customer_id, k.source_id) AS customer_id, NULL AS person, min(k.period) AS period
        FROM landing.known AS k LEFT JOIN identities AS i ON k.source_id = i.source_id GROUP BY ALL
        UNION ALL
        SELECT i.source_id, i.customer_id, min(k.period)
        FROM landing.known AS k JOIN identities AS i ON k.source_id = i.source_id WHERE k.is_closed GROUP BY ALL""")
    customers = settings.customers
    known = con.sql("SELECT customer_id, person FROM landing.first_seen").pl()
    hidden = find_hidden(known["customer_id"], flags.get(customers.visible), flags.get(customers.consent))
    called = known.drop_nulls("person").rename({"customer_id": "name", "person": "customer_id"})
    others = hidden.join(called, on="customer_id").select(pl.col("name").alias("customer_id"), "reason")
    of_persons = hidden.join(called, left_on="customer_id", right_on="name", how="anti")
    tables[HIDDEN] = pl.concat([of_persons, others]).sort("customer_id")
    of_months = "SELECT k.period, i.* FROM landing.known AS k JOIN identities AS i USING (source_id)"
    facts = {
        TABLE: {"rejected": tables[REFUSED].height, KNOWN: _digest(con, tables[TABLE])},
        HIDDEN: {LANDED_UP_TO: ledger.next_seq, KNOWN: _digest(con, tables[HIDDEN])},
        IDENTITIES: {MONTHS: digest_by_month(con, of_months)},
    }
    return _People(tables, facts)


def _digest(con: duckdb.DuckDBPyConnection, customers: pl.DataFrame) -> Mapping[str, str]:
    """A fingerprint of the rows of `customers` by the month in which their customer is first seen."""
    _register(con, "followed", customers)
    seen = "SELECT s.period, f.* FROM followed AS f JOIN landing.first_seen AS s USING (customer_id)"
    return digest_by_month(con, seen)


def _register(con: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    con.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
