"""Stage 6, lens 5: what the next windows hold, from the models in use in the as-of month.

Belongs here: which customers, windows and margin a projection uses. Does not belong here: the formulas
(`clv/lenses/projection.py`).
"""

import polars as pl

from clv_pipeline.clv.lenses.projection import plan_growth, project_cohorts
from clv_pipeline.customers.attributes import prepare_attributes
from clv_pipeline.periods import shift_period
from clv_pipeline.schemas.lenses.lens5_projection import Lens5GrowthPlan, Lens5Projection
from clv_pipeline.stages.scores import add_covariates, find_margin, know_recalibration
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_PROJECTION, _PLAN = "lenses.lens5_projection", "lenses.lens5_growth_plan"
# Of the customers whom lenses 3 to 5 see.
_SEEN = """
    FROM rfm.customers AS r INNER JOIN lenses.base_customers AS b ON r.customer_id = b.customer_id AND b.in_base"""
_CUSTOMERS = f"""
    SELECT r.customer_id, c.cohort, r.frequency, r.recency, r."T", r.monetary_value
    {_SEEN} INNER JOIN marts.customers AS c ON r.customer_id = c.customer_id"""
_WINDOWS = """
    SELECT window_start, acquired, profit, profit - profit_earlier AS profit_newest
    FROM lenses.lens5_windows ORDER BY windows_back"""


def compute_projection(step: Step) -> dict[str, pl.DataFrame]:
    """Projects every cohort over the next windows, and plans the first of them."""
    step.materialize("marts.customers", step.select("2_marts/customers"))
    prepare_attributes(step, step.settings)
    customers = step.frame(_CUSTOMERS)
    parameters = step.frame("SELECT model, parameter, estimate FROM models.in_use")
    if customers.is_empty() or parameters.is_empty():
        return {_PROJECTION: Lens5Projection.empty(), _PLAN: Lens5GrowthPlan.empty()}
    months = step.settings.periods.window_months
    projected = project_cohorts(
        add_covariates(step, customers, parameters),
        parameters,
        window_months=months,
        margin=find_margin(step, _SEEN),
        orders_per_purchase=step.frame(f"SELECT sum(r.orders) / sum(r.frequency + 1) AS ratio {_SEEN}").item(),
        recalibration=know_recalibration(step, parameters),
        paced_months=step.settings.value.horizon_months,
    )
    starts = {ahead: shift_period(step.period, 1 + (ahead - 1) * months) for ahead in projected["windows_ahead"]}
    ends = {ahead: shift_period(start, months - 1) for ahead, start in starts.items()}
    dated = projected.select(
        pl.lit(step.period).alias("as_of"),
        "cohort",
        "windows_ahead",
        pl.col("windows_ahead").replace_strict(starts).alias("window_start"),
        pl.col("windows_ahead").replace_strict(ends).alias("window_end"),
        pl.exclude("cohort", "windows_ahead"),
    )
    return {_PROJECTION: dated, _PLAN: _plan(step, projected)}


def _plan(step: Step, projected: pl.DataFrame) -> pl.DataFrame:
    windows = step.frame(_WINDOWS)
    # New customers are taken after the latest window that had any.
    grown = windows.filter(pl.col("acquired") > 0).head(1).to_dicts()
    model = grown[0] if grown else windows.row(0, named=True)
    plan = plan_growth(
        last_profit=float(windows["profit"][0]),
        expected_profit=projected.filter(cohort="all", windows_ahead=1)["expected_profit"].item(),
        profit_of_new=float(model["profit_newest"]),
        acquired=model["acquired"],
        most_acquired=max(windows["acquired"]),
        targets=step.settings.lenses.growth,
    )
    return plan.select(
        pl.lit(step.period).alias("as_of"),
        "growth",
        pl.lit(model["window_start"]).alias("acquired_window"),
        pl.exclude("growth"),
    )


PROJECTION = StepSpec(
    name="projection",
    stage="scores",
    tables=(
        Table(
            _PROJECTION,
            Lens5Projection,
            "Lens 5: what the existing customers of each cohort are expected to bring in the next windows.",
        ),
        Table(
            _PLAN,
            Lens5GrowthPlan,
            "Lens 5: how many new customers the next window needs for profit to grow, against the most ever acquired.",
        ),
    ),
    reads=(
        Read("rfm.customers", Reach.SAME),
        Read("models.in_use", Reach.SAME),
        Read("models.recalibration", Reach.SAME),
        Read("lenses.lens5_windows", Reach.SAME),
        Read("marts.customer_periods", Reach.HISTORY),
        Read("marts.customer_periods", Reach.COSTS),
        Read("marts.first_orders", Reach.HISTORY),
        Read("landing.customers", Reach.KNOWN),
    ),
    compute=compute_projection,
    sql=("2_marts/customers", "4_lenses/first_order_attributes", "4_lenses/valid_customers", "4_lenses/base_customers"),
    knobs=("value.margin", "value.horizon_months", "periods.", "lenses.growth", "source.columns"),
    code=(
        "customers/attributes",
        "clv/models",
        "clv/scores",
        "clv/lenses/projection",
        "stages/scores",
        "stages/projection",
    ),
    kinds=frozenset({"python", "parquet"}),
)
