"""The guard at the door of landing: gives customer ids their pseudonyms, and lets nobody back in who was forgotten.

Belongs here: what a home remembers of its key, tombstones, how a person's row is written without the person. Does not
belong here: the key (`key.py`), erasing what was landed before (`erasure.py`).

A tombstone is a keyed hash of the id that the lake knew. A row of a forgotten person stays as a line without a
customer, so that the company's totals stay right: its order gets a name that leads nowhere, every column that the
pipeline has no use for is emptied. The same is done to rows that were landed before and to those that come again, so
that a redelivery still counts once.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from clv_pipeline.lake import Lake, rename_durably
from clv_pipeline.moments import tell_time
from clv_pipeline.privacy.key import Key, read_key
from clv_pipeline.settings import Settings
from clv_pipeline.sources import Protect, stored_name
from clv_pipeline.sql import quote_literal, quote_name
from clv_pipeline.whole_tables import read_whole, write_whole

FORGOTTEN = "landing.forgotten"
LOCK = "privacy"
MALFORMED = "malformed line"
_TOMBSTONES = pl.Schema({"tombstone": pl.String, "requested_at": pl.Datetime("us")})
# What a line without a customer still needs; every other column is emptied.
_KEPT = (
    *("order_ts", "product_id", "quantity", "unit_price", "line_total", "unit_cost", "line_cost"),
    *("is_return", "updated_at", "is_deleted"),
)
# The columns that say as well as an order id that a line is a return.
_SIGNS = ("is_return", "quantity", "line_total")


class PrivacyError(RuntimeError):
    """A person cannot be protected as asked for; the message is one line, without an id, and says the fix."""


@dataclass(frozen=True)
class Guard:
    """The key of a home, whether its ids are pseudonyms, and the tombstones of those who were forgotten."""

    key: Key | None = None
    pseudonyms: bool = False
    tombstones: frozenset[str] = frozenset()

    @property
    def is_active(self) -> bool:
        """Whether anything has to be kept out or replaced."""
        return self.key is not None

    def name_stored(self, customer_id: str) -> str:
        """What the lake calls the customer whom the source calls so."""
        if not self.pseudonyms or self.key is None:
            return customer_id.strip()
        return self.key.hash("customer_id", customer_id.strip())

    def bury(self, stored_id: str) -> str:
        """The tombstone of a customer, by the id that the lake knows."""
        if self.key is None:
            raise PrivacyError("without a key there are no tombstones")
        return self.key.hash("tombstone", stored_id)

    def find_forgotten(self, stored_ids: Iterable[str]) -> list[str]:
        """Those of the ids whose tombstone stands."""
        return [one for one in stored_ids if self.bury(one) in self.tombstones] if self.tombstones else []

    def encrypt_spill(self, con: duckdb.DuckDBPyConnection) -> None:
        """Has what DuckDB writes to its temporary files encrypted where ids must not reach a disk."""
        if self.pseudonyms:
            # Of DuckDB's two crypto modules the wheel has one, whose random numbers it calls unsafe; its key ends with
            # the connection, and without it the ids would lie there as they are.
            con.execute("SET force_mbedtls_unsafe = 'true'; SET temp_file_encryption = true")

    def protect_people(self, con: duckdb.DuckDBPyConnection, query: str, ids: Sequence[str]) -> str:
        """Rows of `query` with the columns `ids` as the lake may have them; those of forgotten people are gone."""
        if self.key is None:
            return query
        for name in map(quote_name, ids):
            stored = {one: self.name_stored(one) for one in _list_ids(con, query, name)}
            gone = set(self.find_forgotten(stored.values()))
            rows = [(one, known, known in gone) for one, known in stored.items()]
            schema = {"id": pl.String, "stored": pl.String, "gone": pl.Boolean}
            table = _keep_frame(con, f"people_{name}", pl.DataFrame(rows, schema, orient="row"))
            query = f"""
                SELECT r.* REPLACE (p.stored AS {name}) FROM ({query}) r LEFT JOIN {table} p ON TRIM(r.{name}) = p.id
                WHERE p.gone IS NOT TRUE"""
        return _hide_malformed(query)

    def bind(self, con: duckdb.DuckDBPyConnection, settings: Settings) -> Protect:
        """`protect_rows` of one connection."""

        def protect(query: str, columns: Sequence[str]) -> str:
            return self.protect_rows(con, query, settings, columns)

        return protect

    def protect_rows(
        self, con: duckdb.DuckDBPyConnection, query: str, settings: Settings, columns: Sequence[str]
    ) -> str:
        """The delivered rows of `query`, which has the stored names `columns` of the source, as they may be landed."""
        if self.key is None:
            return query
        customer = quote_name(name_in_landing(settings, "customer_id"))
        if self.pseudonyms:
            names = self.key.pseudonymise(_list_ids(con, query, customer))
            _keep_names(con, "pseudonym", ("id", "stored"), list(names.items()))
            query = f"""
                SELECT r.* REPLACE (p.stored AS {customer})
                FROM ({query}) r LEFT JOIN pseudonym p ON TRIM(r.{customer}) = p.id"""
        query = _hide_malformed(query)
        named = _list_ids(con, query, customer) if self.tombstones else []
        return self.redact(con, query, settings, columns, self.find_forgotten(named))

    def redact(
        self,
        con: duckdb.DuckDBPyConnection,
        query: str,
        settings: Settings,
        columns: Sequence[str],
        forgotten: Sequence[str],
    ) -> str:
        """The landed rows of `query`, those of the `forgotten` (stored ids) as lines without a customer."""
        if not forgotten or self.key is None:
            return query
        ours = {name_in_landing(settings, name): name for name in settings.source.columns}
        customer, order = (quote_name(name_in_landing(settings, name)) for name in ("customer_id", "order_id"))
        _keep_names(con, "forgotten", ("id",), [(one,) for one in forgotten])
        self.keep_orders(
            con, settings, f"SELECT f.id, TRIM({order}) FROM ({query}) r JOIN forgotten f ON TRIM(r.{customer}) = f.id"
        )
        changed = [
            f"IF(f.id IS NULL, r.{quote_name(name)}, {self._redact_column(settings, ours.get(name), name)})"
            f" AS {quote_name(name)}"
            for name in columns
        ]
        return f"""
            SELECT r.* REPLACE ({", ".join(changed)})
            FROM ({query}) r
            LEFT JOIN forgotten f ON TRIM(r.{customer}) = f.id
            LEFT JOIN forgotten_order o ON o.id = f.id AND o.order_id = TRIM(r.{order})"""

    def keep_orders(self, con: duckdb.DuckDBPyConnection, settings: Settings, query: str) -> None:
        """Makes of the customers and orders of `query` the table `forgotten_order` (id, order_id, token).

        The token stands for the order from then on. Without another column that shows a return, what marks one in the
        id stays.
        """
        assert self.key is not None
        orders = con.execute(f"SELECT DISTINCT * FROM ({query})").fetchall()
        named = [(one, name, self.key.hash("order_id", one, name)) for one, name in orders if name]
        _keep_names(con, "forgotten_order", ("id", "order_id", "token"), named)
        pattern = settings.returns.order_id_pattern
        if pattern and _find_sign(settings) is None:
            con.execute(
                f"UPDATE forgotten_order SET token = CONCAT(REGEXP_EXTRACT(order_id, {quote_literal(pattern)}), token)"
            )

    @staticmethod
    def rename_line(line: str) -> str:
        """The SQL of a line's id without its customer, where a row `o` of `forgotten_order` is at hand.

        It stays as it is unless it names the customer: corrections and deletions are told by it.
        """
        return f"IF(CONTAINS({line}, o.id), MD5(CONCAT(o.token, {line})), {line})"

    def _redact_column(self, settings: Settings, ours: str | None, name: str) -> str:
        column = f"r.{quote_name(name)}"
        sign, pattern = _find_sign(settings), settings.returns.order_id_pattern
        if ours == "order_id":
            return "o.token"
        if ours == "line_id":
            return self.rename_line(f"TRIM({column})")
        if ours == sign and pattern:
            marked = "'true'" if sign == "is_return" else f"CONCAT('-', LTRIM(TRIM({column}), '+-'))"
            return f"IF(REGEXP_MATCHES(o.order_id, {quote_literal(pattern)}), {marked}, {column})"
        return column if ours in _KEPT else "NULL"


def open_guard(lake: Lake, settings: Settings, *, has_data: bool) -> Guard:
    """The guard of a home; one that does nothing where no key was ever needed.

    Raises PrivacyError when the key, or whether ids are pseudonyms, is not what the home was begun with, and
    SettingsError when the key is missing.
    """
    wanted = settings.privacy.pseudonyms
    known = _read_known(lake)
    if known is None and not wanted:
        return Guard()
    before = known["pseudonyms"] if known else not has_data
    if before != wanted:
        raise PrivacyError(
            f"privacy.pseudonyms was {str(before).lower()} when data were landed and is {str(wanted).lower()} now;"
            " restore it, or load the source files again into a new home"
        )
    guard = Guard(read_key(settings), wanted)
    _check_key(guard, known)
    if known is None:
        remember_key(lake, guard)
    return Guard(guard.key, wanted, frozenset(read_tombstones(lake)["tombstone"]))


def require_guard(lake: Lake, settings: Settings, *, has_data: bool) -> Guard:
    """The guard of a home in which somebody is to be forgotten, which needs a key from now on."""
    guard = open_guard(lake, settings, has_data=has_data)
    if guard.is_active:
        return guard
    guard = Guard(read_key(settings))
    remember_key(lake, guard)
    return guard


def remember_key(lake: Lake, guard: Guard) -> None:
    """Keeps the fingerprint of the key in home, by which another key is told from it."""
    assert guard.key is not None
    lake.prepare()
    staging = lake.staging_file("key", "all")
    staging.write_text(json.dumps({"pseudonyms": guard.pseudonyms, "key": guard.key.fingerprint}) + "\n")
    rename_durably(staging, lake.root / "privacy.json")


def read_tombstones(lake: Lake) -> pl.DataFrame:
    """tombstone, requested_at: one row a forgotten person."""
    return read_whole(lake, FORGOTTEN, _TOMBSTONES)


def add_tombstones(lake: Lake, guard: Guard, stored_ids: Sequence[str]) -> Guard:
    """Keeps tombstones; from here on nothing that is landed names these people. Returns the guard that knows them."""
    known = read_tombstones(lake)
    now = tell_time()
    new = [(stone, now) for stone in sorted({guard.bury(one) for one in stored_ids} - set(known["tombstone"]))]
    rows = pl.concat([known, pl.DataFrame(new, schema=_TOMBSTONES, orient="row")])
    write_whole(lake, FORGOTTEN, rows)
    return Guard(guard.key, guard.pseudonyms, frozenset(rows["tombstone"]))


def name_in_landing(settings: Settings, ours: str) -> str:
    """What the landing log calls the source's column that is mapped to `ours`."""
    return stored_name(settings.source.columns[ours])


def _find_sign(settings: Settings) -> str | None:
    """The mapped column that can say that a line is a return, once its order id no longer does."""
    return next((sign for sign in _SIGNS if sign in settings.source.columns), None)


def _hide_malformed(query: str) -> str:
    """The rows of `query` without the text of a line that cannot be taken apart: it may name anybody."""
    return f"SELECT * REPLACE (IF(malformed IS NULL, NULL, {quote_literal(MALFORMED)}) AS malformed) FROM ({query})"


def _list_ids(con: duckdb.DuckDBPyConnection, query: str, customer: str) -> list[str]:
    found = con.execute(f"SELECT DISTINCT TRIM({customer}) FROM ({query}) WHERE TRIM({customer}) <> ''").fetchall()
    return [one for (one,) in found]


def _keep_names(
    con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    _keep_frame(con, table, pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row"))


def _keep_frame(con: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> str:
    con.register("named", frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(table)} AS FROM named")
    con.unregister("named")
    return quote_name(table)


def _read_known(lake: Lake) -> dict[str, str | bool] | None:
    file = lake.root / "privacy.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _check_key(guard: Guard, known: dict[str, str | bool] | None) -> None:
    assert guard.key is not None
    if known is not None and known["key"] != guard.key.fingerprint:
        raise PrivacyError(
            f"the privacy key is not the one this home was begun with (fingerprint {known['key']}, now"
            f" {guard.key.fingerprint}); restore it; to rotate it, load the source files into a new home:"
            " docs/privacy.md"
        )
