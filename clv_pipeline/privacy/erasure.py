"""Takes forgotten people out of the lake: landing, every table, and what was made to be read.

Belongs here: the order of an erasure, and the rewriting of files. Does not belong here: tombstones and how a row loses
its person (`guard.py`), where people are (`people.py`), Dagster's own files (`traces.py`).

A file keeps its stamp: nothing becomes stale, so that the totals of the past stay as they were published. What is wiped
follows from the tombstones alone, so that an erasure which was cut off goes on without anybody's id. Landing comes
last: until then it knows who is to be looked for elsewhere.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl

from clv_pipeline.alerts.log import AlertLog
from clv_pipeline.customers.id_map import list_identifiers
from clv_pipeline.customers.landing import CONFLICTED, REFUSED
from clv_pipeline.lake import Lake, read_stamp, rename_durably
from clv_pipeline.ledger import Ledger
from clv_pipeline.mapping import list_source_columns
from clv_pipeline.moments import tell_time
from clv_pipeline.privacy.guard import (
    LOCK,
    MALFORMED,
    Guard,
    PrivacyError,
    add_tombstones,
    name_in_landing,
    require_guard,
)
from clv_pipeline.privacy.log import FORGET, Act, keep_act
from clv_pipeline.privacy.people import LANDED, QUARANTINED, Place, find_files, keep_ids, list_ids, list_places
from clv_pipeline.privacy.traces import compile_clearing
from clv_pipeline.settings import Settings
from clv_pipeline.sql import quote_literal, quote_name

# Whoever is alone with the lake holds these, in the order in which runs take them.
_LOCKS = (LOCK, "report", "landing", "landing.customers", "door")
# Rows that count for the company without their customer; of every other table they are taken out.
_KEPT_ROWS = ("transactions.lines", "marts.orders")
# Clears text elsewhere than in the lake of the texts given: ids, order ids.
Clear = Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Erasure:
    """What an erasure did: `known` of the people asked for had data, `rows` in `files` lost them."""

    asked: int
    known: int
    rows: int
    files: int
    pages: tuple[str, ...]


@contextmanager
def be_alone(lake: Lake) -> Iterator[None]:
    """Waits until no step works on the lake, and keeps any from beginning."""
    lake.prepare()
    with ExitStack() as locks:
        for name in _LOCKS:
            locks.enter_context(lake.hold(name))
        yield


def erase(lake: Lake, settings: Settings, customers: Sequence[str], clear: Clear) -> Erasure:
    """Keeps tombstones of `customers`, as the source calls them, under all identifiers, and wipes who has one.

    The report and `clv.duckdb` are gone afterwards; `pages` are the months of the pages to build again. Raises
    PrivacyError when somebody is still found in the end.
    """
    with be_alone(lake), lake.connect() as con:
        guard = require_guard(lake, settings, has_data=not Ledger.read(lake).batches.is_empty())
        stored = list_identifiers(lake, [guard.name_stored(one) for one in customers])
        began = tell_time()
        guard = add_tombstones(lake, guard, stored)
        places = list_places(con, lake, settings)
        people = guard.find_forgotten(list_ids(con, places))
        keep_ids(con, people)
        texts = [*customers, *people, *_list_orders(con, places)]
        clear(texts)
        _clear_alerts(lake, texts)
        pages = tuple(sorted(page.stem for page in (lake.home / "report").glob("*-*.html")))
        _remove_report(lake)
        _remove_judgements(lake)
        remove_copies(lake)
        eraser = _Eraser(con, lake, settings, guard, people)
        wiped = [eraser.wipe(place) for place in list_places(con, lake, settings)]
        if guard.find_forgotten(list_ids(con, list_places(con, lake, settings))):
            raise PrivacyError(
                "somebody forgotten is still in the lake; run `clv forget` again, and tell the developers"
            )
        rows, files = (sum(counted) for counted in zip((0, 0), *wiped, strict=True))
        keep_act(lake, Act(FORGET, began, len(stored), rows, files))
    return Erasure(len(stored), len(set(people) & set(stored)), rows, files, pages)


def _list_orders(con: duckdb.DuckDBPyConnection, places: Sequence[Place]) -> list[str]:
    """The ids of orders and lines of the table `person`, which metadata may show."""
    named = [(place, "order_id") for place in places if place.table in _KEPT_ROWS]
    named += [(place, "line_id") for place in places if place.table == "transactions.lines"]
    each = [
        f"SELECT {column} AS name FROM {place.relation} WHERE {place.customer} IN (SELECT id FROM person)"
        for place, column in named
    ]
    found = con.execute(f"SELECT DISTINCT name FROM ({' UNION '.join(each)})").fetchall() if each else []
    return [name for (name,) in found if name]


def _clear_alerts(lake: Lake, texts: Sequence[str]) -> None:
    """Takes `texts` out of what alerts said: of a failed contract they name an order."""
    log = AlertLog.read(lake)
    said = log.rows["what"].map_elements(compile_clearing(texts), return_dtype=pl.String, skip_nulls=True)
    if not said.equals(log.rows["what"]):
        AlertLog(log.rows.with_columns(said.alias("what"))).write(lake)


def _remove_judgements(lake: Lake) -> None:
    """Removes what is said of rows about customers, wherever it names somebody: the next landing says it anew."""
    for table in (CONFLICTED, REFUSED):
        lake.path(table, "all").unlink(missing_ok=True)


def remove_copies(lake: Lake) -> None:
    """Removes what holds rows beside the tables: old doors, failed rows, what dead writers left."""
    (lake.home / "clv.duckdb").unlink(missing_ok=True)
    for folder in (lake.root / ".door", lake.root / ".failed"):
        if folder.exists():
            shutil.rmtree(folder)
    for left in (lake.root / ".staging").glob("*"):
        if not left.name.startswith("spill-"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        elif _is_dead(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
        else:
            shutil.rmtree(left / "pinned", ignore_errors=True)


def _remove_report(lake: Lake) -> None:
    for made_from in lake.root.glob(".report*"):
        made_from.unlink()
    if (folder := lake.home / "report").exists():
        shutil.rmtree(folder)


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@dataclass(frozen=True)
class _Eraser:
    """Takes `people` (stored ids, also the table `person` of `con`) out of one table after another."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    settings: Settings
    guard: Guard
    people: Sequence[str]

    def wipe(self, place: Place) -> tuple[int, int]:
        """Takes them out of a table; returns the rows and files that this changed."""
        found = find_files(self.con, place)
        text = {LANDED: "malformed", QUARANTINED: "reason"}.get(place.table)
        if place.table == LANDED:
            self._wipe_moves(place)
        if text is not None:
            found = dict.fromkeys(self._find_malformed(place, text), 0) | found
        for file in found:
            rewrite(self.con, self.lake, file, self._select_without(replace(place, files=(file,))))
        return sum(found.values()), len(found)

    def _find_malformed(self, place: Place, column: str) -> list[Path]:
        """The files with text of a line that could not be taken apart, and so may name anybody."""
        query = f"SELECT DISTINCT clv_file FROM {place.relation} WHERE {column} LIKE '{MALFORMED}: %'"
        return [Path(file) for (file,) in self.con.execute(query).fetchall()]

    def _select_without(self, place: Place) -> str:
        rows = f"SELECT * EXCLUDE (clv_file) FROM {place.relation}"
        is_gone = f"COALESCE({place.customer} IN (SELECT id FROM person), FALSE)"
        if place.table == LANDED:
            self.con.execute(
                f"CREATE OR REPLACE VIEW landed_file AS SELECT * REPLACE ({_cut('malformed')}) FROM ({rows})"
            )
            columns = list_source_columns(self.con, "landed_file")
            return self.guard.redact(self.con, "FROM landed_file", self.settings, columns, self.people)
        if place.table == QUARANTINED:
            return f"SELECT * REPLACE (IF({is_gone}, '{{}}', raw) AS raw, {_cut('reason')}) FROM ({rows})"
        if place.table in _KEPT_ROWS:
            return self._select_anonymous(rows)
        return f"SELECT * FROM ({rows}) WHERE NOT {is_gone}"

    def _select_anonymous(self, rows: str) -> str:
        """Lines or orders as they would be made of the landed rows that have lost their customer."""
        theirs = f"SELECT customer_id, order_id FROM ({rows}) SEMI JOIN person ON id = customer_id"
        self.guard.keep_orders(self.con, self.settings, theirs)
        columns = {name for name, *_ in self.con.execute(f"DESCRIBE {rows}").fetchall()}
        changed = ["IF(o.id IS NULL, r.customer_id, NULL) AS customer_id", "COALESCE(o.token, r.order_id) AS order_id"]
        if "line_id" in columns:
            token = self.guard.rename_line("r.line_id")
            if "line_id" not in self.settings.source.columns:
                token = "CONCAT(o.token, SUBSTR(r.line_id, LENGTH(r.order_id) + 1))"
            changed.append(f"IF(o.id IS NULL, r.line_id, {token}) AS line_id")
        extras = [name for name in self.settings.source.extra_columns if name in columns]
        changed += [f"IF(o.id IS NULL, r.{quote_name(name)}, NULL) AS {quote_name(name)}" for name in extras]
        return f"""
            SELECT r.* REPLACE ({", ".join(changed)})
            FROM ({rows}) r LEFT JOIN forgotten_order o ON o.id = r.customer_id AND o.order_id = r.order_id"""

    def _wipe_moves(self, landed: Place) -> None:
        """Renames in landing/moves the lines whose id names their customer, as landing is about to rename them."""
        files = sorted((self.lake.root / "landing" / "moves").glob("*.parquet"))
        if not files or not self.people:
            return
        line, order = (f"TRIM({quote_name(name_in_landing(self.settings, name))})" for name in ("line_id", "order_id"))
        owned = f"FROM {landed.relation} WHERE {landed.customer} IN (SELECT id FROM person)"
        self.guard.keep_orders(self.con, self.settings, f"SELECT {landed.customer}, {order} {owned}")
        self.con.execute(f"""
            CREATE OR REPLACE TEMP TABLE renamed_line AS
            SELECT DISTINCT r.line_id, {self.guard.rename_line("r.line_id")} AS token
            FROM (SELECT {landed.customer} AS id, {order} AS order_id, {line} AS line_id {owned}) r
            JOIN forgotten_order o USING (id, order_id)""")
        for file in files:
            renamed = "SELECT r.* REPLACE (COALESCE(t.token, r.line_id) AS line_id)"
            rows = f"read_parquet({quote_literal(str(file))}) r LEFT JOIN renamed_line t USING (line_id)"
            rewrite(self.con, self.lake, file, f"{renamed} FROM {rows}")


def _cut(column: str) -> str:
    return f"IF({column} LIKE '{MALFORMED}: %', '{MALFORMED}', {column}) AS {column}"


def rewrite(con: duckdb.DuckDBPyConnection, lake: Lake, file: Path, query: str) -> None:
    """Puts the rows of `query` into the place of a file of the lake in one rename; its stamp stays, but for the count.

    What is made from the table goes by the content that the stamp names, and so does not become stale.
    """
    staging = lake.staging_file("erased", "all")
    stamp = read_stamp(file)
    if stamp is not None:
        rows = con.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
        stamp = replace(stamp, rows=int(rows))
    lake.copy(con, query, staging, stamp)
    rename_durably(staging, file)
