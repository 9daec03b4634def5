"""Stage 4: the five lenses of the customer-base audit, as known at the end of an as-of month.

Belongs here: which SQL or function makes which lens table. Does not belong here: its arithmetic (`sql/4_lenses/`,
`clv/lenses`).
"""

import polars as pl

from clv_pipeline.clv.lenses.windows import WINDOW_TABLES, take_windows
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
from clv_pipeline.schemas.lenses import lens1, lens1_rfm, lens2, lens2_moves, lens3, lens5
from clv_pipeline.settings import Settings
from clv_pipeline.sql import Literal
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


# Per customer and window, or sums of them: made once, read by the tables of lenses 1 and 2.
WINDOW_RELATIONS = (
    "windows",
    "window_customers",
    "window_headlines",
    "ranked_customers",
    "deciles",
    "decile_cutoffs",
    "decile_moves",
)
_WINDOW_FRAMES = ("active_customers", "recency_frequency")
_IN_PYTHON = frozenset(f"lenses.{name}" for name in WINDOW_TABLES)
_IN_SQL = tuple(table.name for table in _TABLES if table.name not in _IN_PYTHON)


def compute_lenses(step: Step) -> dict[str, Content]:
    """Fixes acquisition dates, cohorts and windows once, then takes every lens over them."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    chosen = choose_parameters(step.settings)
    for name in WINDOW_RELATIONS:
        step.materialize(f"lenses.{name}", step.select(f"4_lenses/{name}", **chosen))
    frames = take_windows(
        {number: step.frame(step.select("4_lenses/active_customers", window_number=number)) for number in (1, 2)},
        step.frame("SELECT * FROM lenses.window_headlines"),
        step.frame(step.select("4_lenses/recency_frequency")),
    )
    dated = {
        f"lenses.{name}": frame.select(pl.lit(step.period).alias("as_of"), pl.all()) for name, frame in frames.items()
    }
    return {name: step.select(f"4_{name.replace('.', '/')}", **chosen) for name in _IN_SQL} | dated


def choose_parameters(settings: Settings) -> dict[str, Literal]:
    """The parameters of the lens queries besides those of every step."""
    return {
        "cutoff_cents": int(settings.value.cutoff_step * 100),
        "has_costs": bool({"unit_cost", "line_cost"} & settings.source.columns.keys()),
    }


LENSES = StepSpec(
    name="lenses",
    stage="lenses",
    tables=_TABLES,
    reads=(Read("marts.customer_periods", Reach.HISTORY), Read("landing.customers", Reach.WHOLE)),
    compute=compute_lenses,
    sql=(
        "2_marts/customers",
        *(f"4_lenses/{name}" for name in (*WINDOW_RELATIONS, *_WINDOW_FRAMES)),
        *(f"4_{name.replace('.', '/')}" for name in _IN_SQL),
    ),
    knobs=("periods.window", "periods.cohort", "periods.start", "value.cutoff_step", "source.columns"),
    code=("clv/lenses",),
    kinds=frozenset({"duckdb", "python", "parquet"}),
)
