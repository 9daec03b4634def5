"""Runs the SELECTs as the runner does: all months at once for the marts, those up to the as-of for the rest.

Belongs here: an in-memory DuckDB over given lines, and random lines for property tests. Does not belong here:
expectations.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Self, cast

import duckdb
import polars as pl
from hypothesis import strategies as st

from clv_pipeline.contracts import audit_query, audit_schema
from clv_pipeline.settings import Settings, Value
from clv_pipeline.settings.periods import Lenses
from clv_pipeline.settings.source import REQUIRED_COLUMNS, Source
from clv_pipeline.sql import Literal, bind, load_sql
from clv_pipeline.stages.cohorts import prepare_cohorts
from clv_pipeline.stages.lenses import LENSES, compute_lenses
from clv_pipeline.stages.windows import choose_parameters, prepare_windows
from clv_pipeline.steps import Step
from clv_pipeline_tests.scenario import MARGIN, PERIODS, Line, frame_of, make_line

Order = tuple[str, str, str, str]

_SOURCE = Source(columns={name: name for name in (*REQUIRED_COLUMNS, "line_total", "line_cost")})
_NO_CUSTOMER_FILE = pl.DataFrame(schema={"customer_id": pl.String(), "acquisition_ts": pl.Datetime("us")})


@dataclass(frozen=True)
class Marts:
    """The monthly marts of some lines, ready for questions as of a month."""

    con: duckdb.DuckDBPyConnection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.con.close()

    def select(self, query: str) -> pl.DataFrame:
        """The answer to plain SQL over the built tables."""
        return self.con.sql(query).pl()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The same as tuples."""
        return self.select(query).rows()

    def as_of(
        self,
        as_of: str,
        as_of_end: date,
        *,
        window_months: int = 3,
        cohort_months: int = 1,
        cutoff_step: str = "0.01",
        profit_cutoffs: tuple[float, ...] = (),
    ) -> "AsOf":
        """Exposes the months up to `as_of` only, with marts.customers and what lenses 1 and 2 read."""
        parameters: dict[str, Literal] = {
            "as_of": as_of,
            "as_of_end": as_of_end,
            "window_months": window_months,
            "cohort_months": cohort_months,
            "data_start": PERIODS[0],
        }
        for table in ("customer_periods", "orders"):
            query = f"SELECT * FROM built.{table} WHERE period <= '{as_of}'"
            self.con.execute(f"CREATE OR REPLACE VIEW marts.{table} AS {query}")
        value, lenses = Value(cutoff_step=Decimal(cutoff_step)), Lenses(profit_cutoffs=profit_cutoffs)
        now = AsOf(self.con, parameters, Settings(value=value, source=_SOURCE, lenses=lenses))
        now.prepare()
        return now


@dataclass(frozen=True)
class AsOf:
    """One as-of month over the marts."""

    con: duckdb.DuckDBPyConnection
    parameters: dict[str, Literal]
    settings: Settings

    def run(self, name: str, **more: Literal) -> pl.DataFrame:
        """The rows of `sql/<name>.sql`."""
        return self.frame(self.select(name, **more))

    def prepare(self) -> None:
        """Keeps what the tables of all lenses share."""
        self.materialize("marts.customers", self.select("2_marts/customers"))
        prepare_windows(self, self.settings)
        prepare_cohorts(self, self.settings)

    def select(self, name: str, **more: Literal) -> str:
        """The SELECT `sql/<name>.sql` with its parameters bound."""
        return bind(load_sql(name), **self.parameters, **(choose_parameters(self.settings) | more))

    def frame(self, query: str) -> pl.DataFrame:
        """The result of a SELECT."""
        return self.con.sql(query).pl()

    def materialize(self, table: str, query: str) -> None:
        """Keeps the result of a SELECT as a table."""
        self.con.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def take_lenses(self) -> dict[str, pl.DataFrame]:
        """Every table of the lenses as the runner makes it; each fits its schema and breaks none of its rules."""
        step = _Step(self.con, *cast(Any, (None, self.settings, None)), periods=[str(self.parameters["as_of"])])
        step.given = self.parameters
        for name, content in compute_lenses(step).items():
            given_frame = self.con.sql(content).pl() if isinstance(content, str) else content
            self.con.register("given_frame", given_frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
            relation = f"staged_{name.replace('.', '_')}"
            self.con.execute(f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT * FROM given_frame")
        frames = {name: self.con.sql(f"FROM staged_{name.replace('.', '_')}").pl() for name in LENSES.names}
        for table in LENSES.tables:
            audits = [audit_schema(frames[table.name], table.schema)]
            audits += [audit_query(self.con, check, self.select(query)) for check, query in table.rules.items()]
            failed = [(table.name, audit) for audit in audits if not audit.passed]
            assert failed == [], failed
        return {name.removeprefix("lenses."): frame for name, frame in frames.items()}


class _Step(Step):
    """A step without a lake, whose parameters are given."""

    given: dict[str, Literal]

    @property
    def parameters(self) -> dict[str, Literal]:
        return self.given


def build_marts(lines: pl.DataFrame, customer_file: pl.DataFrame = _NO_CUSTOMER_FILE) -> Marts:
    """orders, customer_periods and periods of every scenario month, in the schema `built`."""
    con = duckdb.connect()
    for schema in ("transactions", "landing", "marts", "lenses", "built"):
        con.execute(f"CREATE SCHEMA {schema}")
    con.register("given_lines", lines)
    con.register("given_customers", customer_file)
    con.execute("CREATE TABLE built.lines AS SELECT * FROM given_lines")
    con.execute("CREATE TABLE landing.customers AS SELECT * FROM given_customers")
    con.execute(f"CREATE TABLE landing.hidden_customers AS {load_sql('1_transactions/nobody')}")
    months = " UNION ALL ".join(f"SELECT '{period}' AS period" for period in PERIODS)
    con.execute(f"CREATE VIEW transactions.lines AS FROM built.lines; CREATE TABLE marts.months AS {months}")
    for table in ("orders", "customer_periods", "periods"):
        con.execute(f"CREATE TABLE built.{table} AS {bind(load_sql(f'2_marts/{table}'), margin=MARGIN)}")
        con.execute(f"CREATE OR REPLACE VIEW marts.{table} AS FROM built.{table}")
    return Marts(con)


def build_orders(orders: list[Order], as_of: str, as_of_end: date, *, data_start: str, cohort_months: int = 3) -> AsOf:
    """One as-of month over the orders up to it, each (customer, day, spend, profit); the lens window is a year."""
    con = duckdb.connect()
    for schema in ("landing", "marts", "lenses"):
        con.execute(f"CREATE SCHEMA {schema}")
    con.register("given_customers", _NO_CUSTOMER_FILE)
    con.execute("CREATE TABLE landing.customers AS SELECT * FROM given_customers")
    con.execute(f"CREATE TABLE landing.hidden_customers AS {load_sql('1_transactions/nobody')}")
    con.execute(
        "CREATE TABLE marts.orders (order_id VARCHAR, period VARCHAR, customer_id VARCHAR, order_ts TIMESTAMP,"
        " spend DECIMAL(18, 2), profit DECIMAL(18, 2))"
    )
    rows = [(f"o{number}", day[:7], who, day, *money) for number, (who, day, *money) in enumerate(orders)]
    con.executemany("INSERT INTO marts.orders VALUES (?, ?, ?, ?, ?, ?)", [row for row in rows if row[1] <= as_of])
    con.execute(
        "CREATE TABLE marts.customer_periods AS SELECT period, customer_id, count(*) AS orders,"
        " CAST(sum(spend) AS DECIMAL(18, 2)) AS spend, CAST(sum(profit) AS DECIMAL(18, 2)) AS profit,"
        " min(order_ts) AS first_order, max(order_ts) AS last_order FROM marts.orders GROUP BY ALL"
    )
    now = AsOf(
        con,
        {
            "as_of": as_of,
            "as_of_end": as_of_end,
            "window_months": 12,
            "cohort_months": cohort_months,
            "data_start": data_start,
        },
        Settings(source=_SOURCE),
    )
    now.prepare()
    return now


@st.composite
def random_lines(draw: st.DrawFn) -> pl.DataFrame:
    """Up to 40 lines of few customers and orders, so that returns often meet their order."""
    lines = draw(st.lists(_random_line(), min_size=1, max_size=40))
    return frame_of([{**line, "line_id": str(number)} for number, line in enumerate(lines)])


@st.composite
def _random_line(draw: st.DrawFn) -> Line:
    is_return = draw(st.integers(0, 3)) == 0
    cents = draw(st.integers(1 if is_return else 0, 3000))
    sign = -1 if is_return else 1
    cost = draw(st.none() | st.integers(0, 4000))
    day = datetime(1997, draw(st.sampled_from([1, 2, 3, 4, 6])), draw(st.integers(1, 28)), draw(st.integers(0, 23)))
    return make_line(
        customer_id=draw(st.sampled_from(["a", "b", "c", "d", "e", None])),
        order_id=draw(st.sampled_from(["o1", "o2", "o3", "o4"])),
        order_ts=day.isoformat(),
        line_total=str(Decimal(sign * cents) / 100),
        product_id=draw(st.sampled_from(["P1", "P2", None])),
        quantity=sign * draw(st.integers(1, 3)),
        cost=None if cost is None else str(Decimal(sign * cost) / 100),
    )
