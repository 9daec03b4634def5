"""What a step is: its tables, what it reads, everything its result depends on.

Belongs here: the vocabulary of `stages/` and the staleness of one month. Does not belong here: running a step
(`execution.py`), showing it to Dagster (`assets.py`), what a table holds (`stages/`, `sql/`, `clv/`).
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import duckdb
import polars as pl

from clv_pipeline.contracts import Audit
from clv_pipeline.lake import Lake
from clv_pipeline.periods import shift_period
from clv_pipeline.settings import Settings
from clv_pipeline.sql import Literal as SqlLiteral
from clv_pipeline.sql import bind, load_sql
from clv_pipeline.state import State
from clv_pipeline.validation import pa

ONLY_STALE_TAG = "clv/only_stale"
Content = str | pl.DataFrame


class Reach(Enum):
    """Which months of a table a step reads for its own month P."""

    LANDED = "the landed rows of P"
    SAME = "P"
    HISTORY = "every month up to P"
    ENDED = "every month up to P that has ended"
    FITTED = "every month up to the one that a fit for P is made at the end of"
    FITTED_AS_OF = "P where a fit for P is made at its end, else nothing"
    COMPARED = "P, and the earlier months it is compared with where they exist"
    KNOWN = "what an unpartitioned table says of the customers who are seen up to P"
    UP_TO = "the published months up to P"
    BEFORE = "the latest published month before P"
    ALERTS = "of the latest published month before P only what asks for a refit"
    COSTS = "of the published months up to P only whether any line of a customer has a cost"


_HISTORIES: Mapping[Reach, Callable[[State, str], str]] = {
    Reach.HISTORY: lambda _, period: period,
    Reach.ENDED: State.last_ended,
    Reach.FITTED: State.fit_month,
}
_RAW = ("landing.lines", "transactions.lines", "transactions.quarantine")
# The fact of an as-of month of drift.checks that names the alerts which ask for a refit.
REFIT_FOR = "asks for a refit"


@dataclass(frozen=True)
class Read:
    """A table that a step reads."""

    table: str
    reach: Reach


@dataclass(frozen=True)
class Table:
    """A table that a step publishes.

    `rules` are SELECTs (by name) that return the rows which break a rule and so keep the month from being published;
    `advice` names checks that the step reports with `Step.advise` and that keep nothing from being published;
    `picture` draws what is in a month, as Markdown.
    """

    name: str
    schema: type[pa.DataFrameModel]
    description: str
    rules: Mapping[str, str] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    picture: Callable[[pl.DataFrame], str] | None = None

    @property
    def key(self) -> dg.AssetKey:
        """The asset key: schema and table name."""
        return dg.AssetKey(self.name.split("."))


@dataclass
class Step:
    """What the function of a step gets: a connection that sees only what the step may see, and parameters."""

    con: duckdb.DuckDBPyConnection
    lake: Lake
    settings: Settings
    state: State
    periods: Sequence[str]
    facts: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    advices: dict[str, list[Audit]] = field(default_factory=dict)

    @property
    def period(self) -> str:
        """The as-of month; months of data may come several at a time, so their steps use `periods`."""
        return self.periods[-1]

    def record(self, table: str, facts: dict[str, Any], period: str | None = None) -> None:
        """Keeps facts with the published month of a table."""
        self.facts[table, period or self.period] = facts

    def advise(self, table: str, check: str, summary: str, *, passed: bool) -> None:
        """Reports a check that keeps nothing from being published."""
        self.advices.setdefault(table, []).append(Audit(check, passed, summary, blocking=False))

    @property
    def parameters(self) -> dict[str, SqlLiteral]:
        """The parameters that every SELECT of the marts, RFM and lenses may use."""
        periods = self.settings.periods
        return {
            "as_of": self.period,
            "as_of_end": self.state.as_of_end(self.period),
            "data_start": self.state.data_start,
            "margin": self.settings.value.margin,
            "window_months": periods.window_months,
            "cohort_months": periods.cohort_months,
        }

    def select(self, name: str, **more: SqlLiteral) -> str:
        """The SELECT `sql/<name>.sql` with its parameters bound."""
        return bind(load_sql(name), **self.parameters, **more)

    def frame(self, query: str) -> pl.DataFrame:
        """The result of a SELECT."""
        return self.con.sql(query).pl()

    def materialize(self, table: str, query: str) -> None:
        """Keeps the result of `query` under `table` for the queries that follow."""
        schema, name = table.split(".")
        self.con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE OR REPLACE TABLE {schema}.{name} AS {query}")


@dataclass(frozen=True)
class StepSpec:
    """A step: its tables, what it reads, and everything its result depends on."""

    name: str
    stage: str
    tables: tuple[Table, ...]
    reads: tuple[Read, ...]
    compute: Callable[[Step], Content | Mapping[str, Content]]
    sql: tuple[str, ...]
    knobs: tuple[str, ...]
    code: tuple[str, ...]
    kinds: frozenset[str]
    one_at_a_time: bool = False
    # What of an open month the result depends on: its days so far, nothing, or nothing unless no month has ended.
    sees: Literal["days", "ended", "fitted"] = "days"
    # Asks the process for fits (`fitting.py`) for what `compute` will want of it.
    ask_ahead: Callable[[Step], None] | None = None

    @property
    def is_as_of(self) -> bool:
        """Whether partitions are as-of months rather than months of data."""
        return self.stage not in ("transactions", "marts")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its tables."""
        return tuple(table.name for table in self.tables)

    @cached_property
    def _sources(self) -> str:
        package = Path(__file__).parent
        files = [
            path for name in self.code for path in sorted((package / name).rglob("*.py")) or [package / f"{name}.py"]
        ]
        rules = [rule for table in self.tables for rule in table.rules.values()]
        texts = [inspect.getsource(self.compute), *(load_sql(name) for name in (*self.sql, *rules))]
        return "\n".join([*texts, *(path.read_text(encoding="utf-8") for path in files)])

    def code_version(self, settings: Settings) -> str:
        """A hash of the SQL, the code and the settings that the result depends on."""
        dumped = settings.model_dump(mode="json")
        knobs = [dumped[section] if not key else dumped[section][key] for section, _, key in self._split_knobs()]
        return _hash(self._sources + json.dumps(knobs, sort_keys=True))

    def _split_knobs(self) -> Iterator[tuple[str, str, str]]:
        return (knob.partition(".") for knob in self.knobs)

    def inputs(self, state: State, period: str) -> str | None:
        """A hash of everything that `period` is made from; None while something required is missing."""
        parts: list[tuple[str, str, str]] = []
        for read in self.reads:
            found = list_inputs(read, state, period)
            if found is None:
                return None
            parts += found
        if not self.is_as_of:
            parts.append(("calendar", period, str(period in state.periods)))
        else:
            parts.append(("calendar", state.data_start, self._describe_calendar(state, period)))
        return _hash(repr(sorted(parts)))

    def _describe_calendar(self, state: State, period: str) -> str:
        if self.sees == "ended":
            # Where no month has ended that somebody ordered in, whether there is anybody to fit in this one.
            ended = state.last_ended(period)
            return ended if state.has_orders(ended) else f"{ended} {state.has_orders(period)}"
        return str(state.as_of_end(state.fit_month(period) if self.sees == "fitted" else period))

    def is_closed(self, state: State, period: str) -> bool:
        """Whether `period` cannot be run any more, as raw lines that it is made from were dropped."""
        return state.closed.holds(period) and any(read.table in _RAW for read in self.reads)

    def explain_staleness(self, state: State, period: str) -> str | None:
        """Why `period` has to be run; None when it is up to date, or closed."""
        return None if self.is_closed(state, period) else self.find_difference(state, period)

    def find_difference(self, state: State, period: str) -> str | None:
        """In what `period` differs from what it would be if it were run; None when in nothing."""
        stamps = [state.stamp(table.name, period) for table in self.tables]
        if any(stamp is None for stamp in stamps):
            return "not there yet"
        if any(stamp.code != self.code_version(state.settings) for stamp in stamps if stamp):
            return "settings or code changed"
        inputs = self.inputs(state, period)
        return "new data" if any(stamp.inputs != inputs for stamp in stamps if stamp) else None


def list_inputs(read: Read, state: State, period: str) -> list[tuple[str, str, str]] | None:
    """Table, month and content of everything that `read` means for `period`; None while a month is missing."""
    if read.reach is Reach.LANDED:
        return [("landing", period, state.fingerprints.get(period, ""))]
    if read.reach is Reach.SAME:
        stamp = state.stamp(read.table, period)
        return None if stamp is None else [(read.table, period, stamp.content)]
    stamps = state.stamps(read.table)
    if read.reach is Reach.KNOWN:
        return state.list_known(read.table, period)
    if read.reach in (Reach.UP_TO, Reach.BEFORE, Reach.ALERTS, Reach.COSTS):
        return _list_found(read, state, period)
    months = [] if read.reach is Reach.FITTED_AS_OF and state.fit_month(period) != period else [period]
    if read.reach in _HISTORIES:
        months = list_history(read, state, period)
    if any(month not in stamps for month in months):
        return None
    if read.reach is Reach.COMPARED:
        months += [month for month in compared_months(state, period) if month in stamps]
    return [(read.table, month, stamps[month].content) for month in months]


def _list_found(read: Read, state: State, period: str) -> list[tuple[str, str, str]]:
    if read.reach is Reach.COSTS:
        return [(read.table, period, str(state.has_costs(period)))]
    stamps = {month: state.stamps(read.table)[month] for month in reached_months(read, state, period)}
    if read.reach is Reach.ALERTS:
        asked = {month: stamp.facts.get(REFIT_FOR) for month, stamp in stamps.items()}
        return [(read.table, month, repr(what)) for month, what in asked.items() if what]
    return [(read.table, month, stamp.content) for month, stamp in stamps.items()]


def list_history(read: Read, state: State, period: str) -> list[str]:
    """The months that a read of reach HISTORY, ENDED or FITTED means for `period`."""
    last = _HISTORIES[read.reach](state, period)
    return [month for month in state.periods if month <= last]


def reached_months(read: Read, state: State, period: str) -> list[str]:
    """The published months that a read of reach UP_TO, BEFORE or ALERTS means for `period`; none is missed."""
    months = sorted(month for month in state.stamps(read.table) if month <= period)
    if read.reach is Reach.UP_TO:
        return months
    return [month for month in months if month < period][-1:]


def compared_months(state: State, period: str) -> list[str]:
    """The months before `period` that it is compared with."""
    return sorted(set(name_references(state, period).values()))


def name_references(state: State, period: str) -> dict[str, str]:
    """The earlier months that `period` is compared with, by why: whether they were run or not.

    The month before, the same month of the year before, the one whose data the model in use was fitted on, and the
    fixed reference (default: the first as-of month).
    """
    existing = sorted(state.stamps("rfm.customers"))
    used = state.stamp("models.in_use", period)
    found = {
        "previous": shift_period(period, -1),
        "same_period_last_year": shift_period(period, -12),
        "training": used.facts.get("fitted_as_of") if used else None,
        "fixed": state.settings.drift.reference or (existing[0] if existing else None),
    }
    return {kind: month for kind, month in found.items() if month and month < period}


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]
