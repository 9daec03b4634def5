"""A small company in a temporary folder: deliver files, refresh, read tables. Shared by the tests of the spine.

Runs steps without the orchestrator where only rows matter, so that a test of many histories stays fast.
"""

import shutil
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from clv_pipeline.customers.landing import land_customers
from clv_pipeline.door import rebuild_door
from clv_pipeline.execution import run_months
from clv_pipeline.lake import Lake
from clv_pipeline.landing import Load, land_transactions
from clv_pipeline.periods import list_periods
from clv_pipeline.pipeline import AS_OF_STEPS, MONTH_STEPS
from clv_pipeline.plan import PlannedRun, plan_as_of, plan_months
from clv_pipeline.settings import Settings, load_settings
from clv_pipeline.stages.transactions import publish_undated
from clv_pipeline.state import State
from clv_pipeline.steps import StepSpec

COLUMNS = ("order_id", "customer_id", "order_ts", "product_id", "quantity", "unit_price")
AUDIT_STEPS = tuple(step for step in AS_OF_STEPS if step.stage in {"rfm", "quality", "lenses"})
# Enough where lines, marts and what is stale matter, at a tenth of the cost.
RFM_STEPS = AUDIT_STEPS[:1]


class Warehouse:
    """One home with its `clv.toml` and its folder of deliveries."""

    def __init__(self, root: Path, *, more_columns: Sequence[str] = (), source: str = "", extra: str = "") -> None:
        self.root = root
        self.incoming = root / "incoming"
        self.incoming.mkdir(parents=True)
        columns = "\n".join(f'{name} = "{name}"' for name in (*COLUMNS, *more_columns))
        self.config = root / "clv.toml"
        self.config.write_text(
            f'home = "home"\n[source]\npath = "incoming/*"\n{source}[source.columns]\n{columns}\n{extra}'
        )
        self._open()

    def _open(self) -> None:
        self.settings: Settings = load_settings(self.config, {})
        self.lake = Lake(self.settings.home, self.settings.engine)

    def copy_to(self, root: Path) -> "Warehouse":
        """A company of its own that has got as far as this one; `clv.duckdb` has to be built there again."""
        shutil.copytree(self.root, root, symlinks=True)
        copied = copy(self)
        copied.root, copied.incoming, copied.config = root, root / self.incoming.name, root / self.config.name
        copied._open()
        shutil.rmtree(copied.lake.root / ".door", ignore_errors=True)
        (copied.settings.home / "clv.duckdb").unlink(missing_ok=True)
        return copied

    @property
    def state(self) -> State:
        """A fresh look at the lake."""
        return State(self.lake, self.settings)

    def deliver(self, name: str, rows: Sequence[Sequence[object]], columns: Sequence[str] = COLUMNS) -> Path:
        """Writes a CSV delivery, header first."""
        lines = [",".join(columns), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
        path = self.incoming / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def land(self) -> Load:
        """Lands what is new, as the landing asset does."""
        load = land_transactions(self.lake, self.settings)
        land_customers(self.lake, self.settings)
        publish_undated(self.lake, self.settings)
        return load

    def refresh(self, as_of: str | None = None, steps: Sequence[StepSpec] = AUDIT_STEPS) -> list[PlannedRun]:
        """Lands, then runs what the plan says; returns the planned runs."""
        self.land()
        plans = plan_months(MONTH_STEPS, self.state)
        self.execute(plans)
        state = self.state
        if state.last_loaded_day:
            later = plan_as_of(steps, state, [as_of or state.periods[-1]])
            self.execute(later)
            plans += later
        return plans

    def execute(self, plans: Sequence[PlannedRun]) -> None:
        """Runs planned months step by step; a failed audit is an error."""
        for plan in plans:
            for step in plan.steps:
                with self.lake.connect() as con:
                    state = self.state
                    months = list_periods(plan.first, plan.last)
                    for outcome in run_months(step, state, con, months, only_stale=True):
                        assert not outcome.failed, outcome.failed

    def query(self, sql: str) -> pl.DataFrame:
        """Reads through `clv.duckdb`, as an analyst does."""
        door = rebuild_door(self.lake, self.settings)
        with duckdb.connect(str(door), read_only=True) as con:
            return con.sql(sql).pl()

    def table(self, name: str) -> pl.DataFrame:
        """All rows of a published table, in an order that depends on nothing but the rows."""
        return self.tables([name])[name]

    def tables(self, names: Sequence[str], as_of: str | None = None) -> dict[str, pl.DataFrame]:
        """The same of several tables; with `as_of` only that month of those that have one."""
        found: dict[str, pl.DataFrame] = {}
        with duckdb.connect(str(rebuild_door(self.lake, self.settings)), read_only=True) as con:
            for name in names:
                frame = con.sql(f"SELECT * FROM {name} ORDER BY ALL").pl()
                dated = as_of is not None and "as_of" in frame.columns
                found[name] = frame.filter(pl.col("as_of") == as_of) if dated else frame
        return found


class TableShop(Warehouse):
    """A company whose lines are in a table of a database, with the key 'id' and the flag 'gone'."""

    def __init__(self, root: Path, connection: str, *, table: str = "shop.lines", more: str = "") -> None:
        keys = f'kind = "sql"\nconnection = "{connection}"\ntable = "{table}"\ncursor = "updated_at"\n{more}'
        super().__init__(root, source=keys, more_columns=("line_id", "is_deleted"))
        text = self.config.read_text().replace('"line_id"', '"id"').replace('"is_deleted"', '"gone"')
        self.config.write_text(text)
        self._open()

    def settle(self) -> None:
        """Lands what is new and brings the lines of every month up to date."""
        self.land()
        self.execute(plan_months(MONTH_STEPS[:1], self.state))

    def lines(self) -> list[tuple[Any, ...]]:
        """What the lake says is there."""
        return self.query("SELECT line_id, quantity, unit_price, period FROM transactions.lines ORDER BY ALL").rows()
