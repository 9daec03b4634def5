"""Stage 5, first: whether an as-of month is due to be fitted, and what it takes over from the one before if not.

Belongs here: what is known when that is decided, and carrying tables over. Does not belong here: the rule
(`clv/models/refit.py`), the fit (`models.py`), the choice between fits (`champion.py`).

A fit sees months that have ended: one of half a month would be replaced every day, and what an open month is scored
with would change with it. So on most days there is neither a fit nor a backtest.
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.models.refit import Refit, decide_refit
from clv_pipeline.periods import month_index
from clv_pipeline.schemas.models import Refits
from clv_pipeline.sql import bind, load_sql
from clv_pipeline.steps import REFIT_FOR, Reach, Read, Step, Table, reached_months

REFITS, _DRIFT = "models.refits", "drift.checks"
REFITS_TABLE = Table(REFITS, Refits, "Whether the models were due to be fitted in this month, and why.")
# What the decision reads, beside how far the data go.
REFIT_READS = (Read(REFITS, Reach.BEFORE), Read(_DRIFT, Reach.ALERTS))


def find_refit(step: Step) -> Refit:
    """Whether the as-of month is due to be fitted, from the month before it and how far the data go."""
    last = _read_last_fit(step)
    age = month_index(step.state.fit_month(step.period)) - month_index(last) if last else None
    return decide_refit(age, every=step.settings.models.refit, alerts=_list_alerts(step))


def tabulate_refit(step: Step, refit: Refit) -> pl.DataFrame:
    """The row of models.refits."""
    month = step.state.fit_month(step.period)
    row = {
        "as_of": step.period,
        "due": refit.due,
        "trigger": refit.trigger,
        "reason": refit.reason,
        "fitted_as_of": (month if step.state.has_orders(month) else None) if refit.due else _read_last_fit(step),
    }
    step.record(REFITS, {name: row[name] for name in ("due", "trigger", "reason")})
    return pl.DataFrame([row], schema_overrides={"fitted_as_of": pl.String})


def carry_over(step: Step, tables: Sequence[Table]) -> dict[str, pl.DataFrame] | None:
    """The rows of `tables` as published for the as-of month before, with their facts; None where there is none.

    Nor is there where an earlier version of the pipeline made them, without a column of today.
    """
    if not (before := reached_months(Read(tables[0].name, Reach.BEFORE), step.state, step.period)):
        return None
    frames = {table.name: step.lake.read(table.name, before[0]) for table in tables}
    if any(set(table.schema.empty().columns) - set(frames[table.name].columns) for table in tables):
        return None
    for table in tables:
        stamp = step.state.stamp(table.name, before[0])
        step.record(table.name, dict(stamp.facts) if stamp else {})
    as_of = pl.lit(step.period).alias("as_of")
    return {name: frame.with_columns(as_of) for name, frame in frames.items()}


def know_customers(step: Step) -> pl.DataFrame:
    """The customers that a fit for the as-of month sees, as known at the end of the month it is made at."""
    month = step.state.fit_month(step.period)
    rfm = "rfm.customers"
    if month != step.period:
        rfm = f"({bind(load_sql('3_rfm/customers'), as_of=month, as_of_end=step.state.as_of_end(month))})"
    columns = 'customer_id, frequency, recency, "T", monetary_value, spend, orders'
    return step.frame(f"SELECT {columns} FROM {rfm} AS k ORDER BY customer_id")


def _read_last_fit(step: Step) -> str | None:
    before = reached_months(REFIT_READS[0], step.state, step.period)
    return step.lake.read(REFITS, before[0])["fitted_as_of"].item() if before else None


def _list_alerts(step: Step) -> list[str]:
    before = reached_months(REFIT_READS[1], step.state, step.period)
    stamp = step.state.stamp(_DRIFT, before[0]) if before else None
    return list(stamp.facts.get(REFIT_FOR, ())) if stamp else []
