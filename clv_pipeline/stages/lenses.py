"""Stage 4: the five lenses of the customer-base audit, as known at the end of an as-of month.

Belongs here: which SQL or function makes which lens table. Does not belong here: its arithmetic (`sql/4_lenses/`,
`clv/lenses`).
"""

from clv_pipeline.pictures import (
    draw_bridge,
    draw_calendar_profit,
    draw_changes,
    draw_cohort_activity,
    draw_common_deciles,
    draw_concentration,
    draw_groups,
    draw_profit_deciles,
    draw_profit_histogram,
    draw_recency,
    draw_spend_by_orders,
    draw_up_down,
    draw_value_deciles,
)
from clv_pipeline.schemas.lenses import lens1, lens1_rfm, lens2, lens2_moves, lens3, lens3_value, lens4, lens5
from clv_pipeline.stages.behaviours import ADVICE, BEHAVIOURS, advise_on_customers
from clv_pipeline.stages.cohorts import BASES, COHORT_INPUTS, COHORT_TABLES, compute_cohorts, prepare_cohorts
from clv_pipeline.stages.windows import (
    RELATIONS,
    WINDOW_INPUTS,
    WINDOW_TABLES,
    choose_parameters,
    compute_windows,
    prepare_windows,
)
from clv_pipeline.steps import Content, Reach, Read, Step, StepSpec, Table

_LENS1 = (
    Table(
        "lenses.lens1_headline",
        lens1.Lens1Headline,
        "Lens 1: how many customers bought in the window, how often, for how much and at what profit.",
    ),
    Table(
        "lenses.lens1_statistics",
        lens1.Lens1Statistics,
        "Lens 1: mean, median, percentiles of spend, profit, orders, spend per order and margin over customers.",
        rules={"means_are_of_headline": "4_lenses/check_lens1_statistics"},
    ),
    Table(
        "lenses.lens1_histograms",
        lens1.Lens1Histograms,
        "Lens 1: how many customers lie in each bin of spend, profit, orders, spend per order and margin.",
        rules={"counts_every_customer": "4_lenses/check_lens1_histograms"},
        picture=draw_profit_histogram,
    ),
    Table(
        "lenses.lens1_spend_by_orders",
        lens1.Lens1SpendByOrders,
        "Lens 1: is the frequent buyer also the bigger spender; spend per order by number of orders.",
        rules={"sums_to_headline": "4_lenses/check_lens1_spend_by_orders"},
        picture=draw_spend_by_orders,
    ),
    Table(
        "lenses.lens1_customer_deciles",
        lens1.Lens1CustomerDeciles,
        "Lens 1: how different customers are; ten equal groups by profit and what each of them brings.",
        rules={"sums_to_headline": "4_lenses/check_lens1_deciles"},
        picture=draw_profit_deciles,
    ),
    Table(
        "lenses.lens1_value_deciles",
        lens1.Lens1ValueDeciles,
        "Lens 1: how few customers bring each tenth of the profit, best first, and the thresholds between them.",
        rules={"sums_to_headline": "4_lenses/check_lens1_value_deciles"},
        picture=draw_value_deciles,
    ),
    Table(
        "lenses.lens1_concentration",
        lens1.Lens1Concentration,
        "Lens 1: what the top 1% to 50% of customers bring of profit and spend, and how few bring half.",
        picture=draw_concentration,
    ),
    Table(
        "lenses.lens1_rfm",
        lens1_rfm.Lens1Rfm,
        "Lens 1: customers by when they last ordered in the window (R) and how often (F).",
        rules={"sums_to_headline": "4_lenses/check_lens1_rfm"},
        picture=draw_recency,
    ),
    Table(
        "lenses.lens1_rfm_monetary",
        lens1_rfm.Lens1RfmMonetary,
        "Lens 1: customers by profit per order (M), in bands.",
        rules={"sums_to_headline": "4_lenses/check_lens1_rfm_monetary"},
    ),
)
_LENS2 = (
    Table(
        "lenses.lens2_headline",
        lens2.Lens2Headline,
        "Lens 2: the headline of the latest window and of the one before it.",
        rules={"is_lens1": "4_lenses/check_lens2_headline"},
    ),
    Table(
        "lenses.lens2_changes",
        lens2.Lens2Changes,
        "Lens 2: what changed in each measure of the headline, and by what share.",
        picture=draw_changes,
    ),
    Table(
        "lenses.lens2_histograms",
        lens2.Lens2Histograms,
        "Lens 2: the histograms of both windows, on the same bins.",
        rules={"counts_every_customer": "4_lenses/check_lens2_histograms"},
    ),
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
    Table(
        "lenses.lens2_common_deciles",
        lens2_moves.Lens2CommonDeciles,
        "Lens 2: the customers of both windows by profit, on the cut-offs of the latest window's customer deciles.",
        rules={"sums_to_headline": "4_lenses/check_lens2_common_deciles"},
        picture=draw_common_deciles,
    ),
    Table(
        "lenses.lens2_migration",
        lens2_moves.Lens2Migration,
        "Lens 2: from which of those deciles to which the customers moved, or came, or did not return.",
        rules={"margins_are_groups": "4_lenses/check_lens2_migration"},
    ),
    Table(
        "lenses.lens2_up_down",
        lens2_moves.Lens2UpDown,
        "Lens 2: who bought in both windows, by whether profit, orders, spend per order and margin went up.",
        rules={"sums_to_both": "4_lenses/check_lens2_up_down"},
        picture=draw_up_down,
    ),
)
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
        "Lens 3: in which years since acquisition a cohort's customers were active (YNY), and who never came back.",
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
_TABLES = (*_LENS1, *_LENS2, *_LENS3, *_LENS4, *_LENS5, *BEHAVIOURS)
_IN_PYTHON = frozenset((*WINDOW_TABLES, *COHORT_TABLES))
_SELECTS = {table.name: f"4_{table.name.replace('.', '/')}" for table in _TABLES if table.name not in _IN_PYTHON}


def compute_lenses(step: Step) -> dict[str, Content]:
    """Fixes acquisition dates, cohorts and windows once, then takes every lens over them."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    prepare_windows(step, step.settings)
    prepare_cohorts(step, step.settings)
    advise_on_customers(step, "lenses.lens3_cohort_age")
    chosen = choose_parameters(step.settings) | {"cohort_by": step.settings.periods.cohort_by}
    selected = {name: step.select(query, **chosen) for name, query in _SELECTS.items()}
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
        Read("landing.customers", Reach.WHOLE),
    ),
    compute=compute_lenses,
    sql=(
        "2_marts/customers",
        "4_lenses/first_order_attributes",
        "4_lenses/base_customers",
        *(f"4_lenses/{name}" for name in (*RELATIONS, *WINDOW_INPUTS, *BASES, *COHORT_INPUTS)),
        *_SELECTS.values(),
    ),
    knobs=("periods.", "lenses.", "value.cutoff_step", "source.columns"),
    code=("attributes", "clv/lenses", "stages/behaviours", "stages/cohorts", "stages/windows"),
    kinds=frozenset({"duckdb", "python", "parquet"}),
)
