"""Stage 4, lenses 3 to 5: the relations that all cohort lenses share, and the lenses that need more than a SELECT.

Belongs here: in which order they are made, and names for their cohorts. Does not belong here: their arithmetic
(`sql/4_lenses/`, `clv/lenses/`), or the list of tables (`lenses.py`).
"""

import polars as pl

from clv_pipeline.clv.lenses.patterns import spell_patterns
from clv_pipeline.clv.lenses.trend import compare_newer
from clv_pipeline.clv.lenses.values import band_customers, choose_edges, count_bins, describe_values
from clv_pipeline.clv.lenses.waits import band_waits, describe_waits
from clv_pipeline.customers.attributes import prepare_attributes
from clv_pipeline.settings import Settings
from clv_pipeline.stages.queries import Queries, name_tables

# Made once, in this order; no table is published from them.
BASES = (
    "calendar",
    "members",
    "behaviours",
    "customer_months",
    "customer_cells",
    "numbered_orders",
    "cohorts",
    "cohort_cells",
    "behaviour_cells",
    "customer_values",
)
COHORT_INPUTS = ("activity_masks", "waits", "trend_sizes", "trend_sums")
COHORT_TABLES = tuple(
    f"lenses.{name}"
    for name in (
        "lens3_activity_patterns",
        "lens3_interpurchase",
        "lens3_interpurchase_bands",
        "lens3_value_statistics",
        "lens3_value_histogram",
        "lens3_rfm",
        "lens3_behaviour_statistics",
        "lens4_trend",
    )
)
_COHORT = ("months", "cohort_index")
_VALUES = "SELECT months, cohort_index, orders, spend, profit, last_active_index FROM lenses.customer_values"

# Every grain has the same customers.
_BEHAVIOUR_VALUES = """
    SELECT b.cohort, v.orders, v.spend, v.profit
    FROM lenses.customer_values AS v INNER JOIN lenses.behaviours AS b ON v.customer_no = b.customer_no
    WHERE v.months = 12"""


def prepare_cohorts(queries: Queries, settings: Settings) -> None:
    """Keeps what customers and cohorts did by calendar period of each grain, for the SELECTs of lenses 3 to 5."""
    prepare_attributes(queries, settings)
    for name in BASES:
        query = queries.select(f"4_lenses/{name}", cohort_by=settings.periods.cohort_by)
        queries.materialize(f"lenses.{name}", query)


def compute_cohorts(queries: Queries, settings: Settings, as_of: str) -> dict[str, pl.DataFrame]:
    """The tables of lenses 3 and 4 that are patterns, percentiles, bands or intervals, by name."""
    masks, waits, sizes, sums = (queries.frame(queries.select(f"4_lenses/{name}")) for name in COHORT_INPUTS)
    cohorts = queries.frame(
        "SELECT months, cohort_index, grain, cohort FROM lenses.cohorts WHERE cohort_index IS NOT NULL"
    )
    frames = {
        "lens3_activity_patterns": _spell(masks),
        **_time_orders(waits, cohorts),
        **_describe_values(queries, settings, cohorts),
        "lens3_behaviour_statistics": describe_values(queries.frame(_BEHAVIOUR_VALUES), ["cohort"]).sort(
            "cohort", maintain_order=True
        ),
        "lens4_trend": compare_newer(sizes, sums),
    }
    return name_tables(frames, as_of)


def _spell(masks: pl.DataFrame) -> pl.DataFrame:
    keys = ["grain", "cohort", "alignment", "years", "complete", "pattern", "repeat_pattern", "seen_again"]
    return spell_patterns(masks).select(*keys, "customers", "cohort_size", "share_customers")


def _time_orders(waits: pl.DataFrame, cohorts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Times between orders, by cohort and for all customers together, whose order numbers are known."""
    grains = cohorts.select("months", "grain").unique()
    by_cohort = waits.join(grains, how="cross").with_columns(
        cohort_index=pl.col("acquired_month") - pl.col("acquired_month") % pl.col("months")
    )
    named = by_cohort.join(cohorts.drop("grain"), on=_COHORT)
    everybody = by_cohort.with_columns(pl.lit(-1, pl.Int64).alias("cohort_index"), pl.lit("all").alias("cohort"))
    together = pl.concat([named.select(everybody.columns), everybody])
    keys = ["months", "cohort_index", "grain", "cohort", "from_order"]
    return {
        "lens3_interpurchase": describe_waits(together, keys).drop(_COHORT),
        "lens3_interpurchase_bands": band_waits(together, keys).drop(_COHORT),
    }


def _describe_values(queries: Queries, settings: Settings, cohorts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    values = queries.frame(_VALUES)
    calendar = queries.frame(
        "SELECT months, calendar_index AS last_active_index, calendar_period AS last_active FROM lenses.calendar"
    )
    # Every grain has the same customers: the years' give edges that hold for all.
    edges = settings.lenses.profit_bands or choose_edges(values.filter(pl.col("months") == 12))
    banded = band_customers(
        values, [*_COHORT, "last_active_index"], profit_edges=edges, order_starts=settings.lenses.order_bands
    )
    rfm = banded.join(calendar, on=["months", "last_active_index"], how="left")
    return {
        "lens3_value_statistics": _name(describe_values(values, _COHORT), cohorts),
        "lens3_value_histogram": _name(count_bins(values, _COHORT), cohorts),
        "lens3_rfm": _name(rfm, cohorts).select(
            "grain",
            "cohort",
            "last_active",
            "frequency",
            "orders_to",
            "profit_band",
            pl.col("lower").alias("profit_per_order_over"),
            pl.col("upper").alias("profit_per_order_to"),
            "customers",
            "share_customers",
            "orders",
            pl.col("spend", "profit").cast(pl.Decimal(18, 2)),
        ),
    }


def _name(table: pl.DataFrame, cohorts: pl.DataFrame) -> pl.DataFrame:
    """`table` with grain and cohort for their numbers, in the order it came in by cohort."""
    named = table.join(cohorts, on=_COHORT, how="inner", maintain_order="left").sort(_COHORT, maintain_order=True)
    return named.select("grain", "cohort", pl.exclude("grain", "cohort", *_COHORT))
