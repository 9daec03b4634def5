"""Stage 4: the five lenses of the customer-base audit, as known at the end of an as-of month.

Belongs here: which SQL or function makes which lens table. Does not belong here: its arithmetic (`sql/4_lenses/`,
`clv/lenses`).
"""

from clv_pipeline.pictures import draw_calendar_profit, draw_cohort_activity
from clv_pipeline.schemas.lenses import lens3, lens3_value, lens4, lens5
from clv_pipeline.stages.behaviours import ADVICE, BEHAVIOURS, advise_on_customers
from clv_pipeline.stages.cohorts import BASES, COHORT_INPUTS, COHORT_TABLES, compute_cohorts, prepare_cohorts
from clv_pipeline.stages.window_tables import LENS1, LENS2
from clv_pipeline.stages.windows import (
    RELATIONS,
    WINDOW_INPUTS,
    WINDOW_TABLES,
    choose_parameters,
    compute_windows,
    prepare_windows,
)
from clv_pipeline.steps import Content, Reach, Read, Step, StepSpec, Table

_LENS3 = (
    Table(
        "lenses.lens3_cohort_age",
        lens3.Lens3CohortAge,
        "Lenses 3 and 4: each cohort by age: share active, AOF, AOV, profit, and value per acquired customer.",
        advice=ADVICE,
        picture=draw_cohort_activity,
    ),
    Table(
        "lenses.lens3_second_purchase",
        lens3.Lens3SecondPurchase,
        "Lenses 3 and 4: what share of each cohort had placed a second order by each age, in periods and in days.",
        rules={"never_falls": "4_lenses/check_lens3_second_purchase"},
    ),
    Table(
        "lenses.lens3_weekly_sales",
        lens3.Lens3WeeklySales,
        "Lens 3: first and repeat orders of each cohort in each calendar week.",
        rules={"sums_to_orders": "4_lenses/check_lens3_weekly_sales"},
    ),
    Table(
        "lenses.lens3_interpurchase",
        lens3.Lens3Interpurchase,
        "Lens 3: weeks from the nth order of a customer to the next: mean and median, by cohort and for all.",
    ),
    Table(
        "lenses.lens3_interpurchase_bands",
        lens3.Lens3InterpurchaseBands,
        "Lens 3: how many customers waited how many weeks from their nth order to the next.",
    ),
    Table(
        "lenses.lens3_repeat_buying",
        lens3.Lens3RepeatBuying,
        "Lenses 3 and 5: repeat-buying rates: of those active in a period, the share active in the next; with all.",
    ),
    Table(
        "lenses.lens3_activity_patterns",
        lens3.Lens3ActivityPatterns,
        "Lens 3: in which years since acquisition a cohort's customers were active or bought again, and who never did.",
        rules={"sums_to_cohort": "4_lenses/check_lens3_activity_patterns"},
    ),
    Table(
        "lenses.lens3_value_statistics",
        lens3_value.Lens3ValueStatistics,
        "Lens 3: how profit, spend, orders, spend per order and margin to date differ within each cohort.",
    ),
    Table(
        "lenses.lens3_value_histogram",
        lens3_value.Lens3ValueHistogram,
        "Lens 3: customers of each cohort by profit, spend and orders to date, in bins that all cohorts share.",
    ),
    Table(
        "lenses.lens3_value_deciles",
        lens3_value.Lens3ValueDeciles,
        "Lens 3: ten groups of a cohort that brought equal profit to date, the best customers first.",
        rules={"sums_to_cohort": "4_lenses/check_lens3_value_deciles"},
    ),
    Table(
        "lenses.lens3_value_decile_activity",
        lens3_value.Lens3ValueDecileActivity,
        "Lens 3: what share of each value decile of a cohort was active in each year since acquisition.",
    ),
    Table(
        "lenses.lens3_rfm",
        lens3_value.Lens3Rfm,
        "Lens 3: customers of each cohort by last active period, number of orders and profit per order.",
        rules={"sums_to_cohort": "4_lenses/check_lens3_rfm"},
    ),
)
_LENS4 = (
    Table(
        "lenses.lens4_cohort_grid",
        lens4.Lens4CohortGrid,
        "Lens 4: every measure of each cohort by age and calendar period, for quarters, years and the chosen cohorts.",
        rules={"sums_to_customers": "4_lenses/check_lens4_cohort_grid"},
    ),
    Table(
        "lenses.lens4_comparison",
        lens4.Lens4Comparison,
        "Lens 4: each cohort against all earlier ones, at the same age and in the same calendar period.",
    ),
    Table(
        "lenses.lens4_trend",
        lens4.Lens4Trend,
        "Lens 4: whether the newer half of the cohorts differs from the older at equal age, with bootstrap intervals.",
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
    Table(
        "lenses.lens5_cohort_shares",
        lens5.Lens5CohortShares,
        "Lens 5: the C3 table for quarters, years and the chosen cohorts, with shares, AOF, AOV, margin and profit.",
    ),
    Table(
        "lenses.lens5_periods",
        lens5.Lens5Periods,
        "Lens 5: the whole base by calendar period: acquisitions, newest cohort, carry-over and repeat buying.",
        rules={"sums_cohorts": "4_lenses/check_lens5_periods"},
    ),
    Table(
        "lenses.lens5_windows",
        lens5.Lens5Windows,
        "Lens 5: the whole base by window of lenses 1 and 2, back to the data start.",
        rules={"equals_lenses_1_and_2": "4_lenses/check_lens5_windows"},
    ),
)
_TABLES = (*LENS1, *LENS2, *_LENS3, *_LENS4, *_LENS5, *BEHAVIOURS)
_IN_PYTHON = frozenset((*WINDOW_TABLES, *COHORT_TABLES))
# Tables of one query, by its $kind.
_KINDS = {
    "lenses.lens1_customer_deciles": ("lenses.lens1_deciles", "customer"),
    "lenses.lens1_value_deciles": ("lenses.lens1_deciles", "value"),
    "lenses.lens5_cohort_shares": ("lenses.lens5_shares", "acquisition"),
    "lenses.lens5_behaviour_calendar": ("lenses.lens5_shares", "behaviour"),
}
_SELECTS = {
    table.name: f"4_{_KINDS.get(table.name, (table.name,))[0].replace('.', '/')}"
    for table in _TABLES
    if table.name not in _IN_PYTHON
}


def compute_lenses(step: Step) -> dict[str, Content]:
    """Fixes acquisition dates, cohorts and windows once, then takes every lens over them."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    prepare_windows(step, step.settings)
    prepare_cohorts(step, step.settings)
    advise_on_customers(step, "lenses.lens3_cohort_age")
    chosen = choose_parameters(step.settings) | {"cohort_by": step.settings.periods.cohort_by}
    kinds = {name: kind for name, (_, kind) in _KINDS.items()}
    selected = {name: step.select(query, kind=kinds.get(name), **chosen) for name, query in _SELECTS.items()}
    computed = (compute(step, step.settings, step.period) for compute in (compute_windows, compute_cohorts))
    return selected | {name: frame for frames in computed for name, frame in frames.items()}


LENSES = StepSpec(
    name="lenses",
    stage="lenses",
    tables=_TABLES,
    reads=(
        Read("marts.customer_periods", Reach.HISTORY),
        Read("marts.orders", Reach.HISTORY),
        Read("marts.first_orders", Reach.HISTORY),
        Read("landing.customers", Reach.KNOWN),
    ),
    compute=compute_lenses,
    sql=(
        "2_marts/customers",
        "4_lenses/first_order_attributes",
        "4_lenses/valid_customers",
        "4_lenses/base_customers",
        *(f"4_lenses/{name}" for name in (*RELATIONS, *WINDOW_INPUTS, *BASES, *COHORT_INPUTS)),
        *_SELECTS.values(),
    ),
    knobs=("periods.", "lenses.", "value.cutoff_step", "source.columns"),
    code=("customers/attributes", "clv/lenses", "stages/behaviours", "stages/cohorts", "stages/windows"),
    kinds=frozenset({"duckdb", "python", "parquet"}),
)
