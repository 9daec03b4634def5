"""Stage 4: the five lenses of the customer-base audit, as known at the end of an as-of month.

Belongs here: which SQL makes which lens table. Does not belong here: its arithmetic (`sql/4_lenses/`).
"""

from clv_pipeline.pictures import (
    draw_bridge,
    draw_calendar_profit,
    draw_cohort_activity,
    draw_groups,
    draw_profit_deciles,
)
from clv_pipeline.schemas.lenses import lens1, lens2, lens3, lens5
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_LENS1 = (
    Table(
        "lenses.lens1_headline",
        lens1.Lens1Headline,
        "Lens 1: how many customers bought in the window, how often, for how much and at what profit.",
    ),
    Table(
        "lenses.lens1_customer_deciles",
        lens1.Lens1CustomerDeciles,
        "Lens 1: how different customers are; ten equal groups by profit and what each of them brings.",
        rules={"sums_to_headline": "4_lenses/check_lens1_deciles"},
        picture=draw_profit_deciles,
    ),
)
_LENS2 = (
    Table(
        "lenses.lens2_groups",
        lens2.Lens2Groups,
        "Lens 2: who bought in both windows, in the first only, and who came (new or returning) in the second.",
        rules={"sums_to_headline": "4_lenses/check_lens2_groups"},
        picture=draw_groups,
    ),
    Table(
        "lenses.lens2_bridge",
        lens2.Lens2Bridge,
        "Lens 2: how profit moved from one window to the next, group by group.",
        rules={"adds_up": "4_lenses/check_lens2_bridge"},
        picture=draw_bridge,
    ),
)
_LENS3 = (
    Table(
        "lenses.lens3_cohort_age",
        lens3.Lens3CohortAge,
        "Lenses 3 and 4: each cohort by age: share active, AOF, AOV, profit, and value per acquired customer.",
        picture=draw_cohort_activity,
    ),
)
_LENS5 = (
    Table(
        "lenses.lens5_cohort_calendar",
        lens5.Lens5CohortCalendar,
        "Lens 5, the C3 table: active customers, spend and profit of each cohort in each calendar period.",
        rules={"sums_to_customers": "4_lenses/check_lens5"},
        picture=draw_calendar_profit,
    ),
)
_TABLES = (*_LENS1, *_LENS2, *_LENS3, *_LENS5)


def compute_lenses(step: Step) -> dict[str, str]:
    """Fixes acquisition dates and cohorts once, then takes every lens over them."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    return {table.name: step.select(f"4_{table.name.replace('.', '/')}") for table in _TABLES}


LENSES = StepSpec(
    name="lenses",
    stage="lenses",
    tables=_TABLES,
    reads=(Read("marts.customer_periods", Reach.HISTORY), Read("landing.customers", Reach.WHOLE)),
    compute=compute_lenses,
    sql=("2_marts/customers", *(f"4_{table.name.replace('.', '/')}" for table in _TABLES)),
    knobs=("periods.window", "periods.cohort", "periods.start"),
    code=(),
    kinds=frozenset({"duckdb", "parquet"}),
)
