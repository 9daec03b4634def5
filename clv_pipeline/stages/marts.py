"""Stage 2: lines become orders, orders become customer-months and the company's months.

Belongs here: which SQL makes which mart. Does not belong here: arithmetic (`sql/2_marts/`). Quarters, years and
customers are views over the customer-months (`door.py`), so that they can never disagree with them.
"""

from clv_pipeline.schemas.marts import CustomerPeriods, Orders, Periods
from clv_pipeline.sql import quote_literal
from clv_pipeline.state import COST_COUNT, ORDER_COUNT
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_KINDS = frozenset({"duckdb", "parquet"})


def compute_orders(step: Step) -> str:
    """Sums lines by order."""
    return step.select("2_marts/orders")


def compute_customer_periods(step: Step) -> str:
    """Sums orders, and returns that belong to none, by customer and month; counts orders and known costs by month."""
    counted = "SELECT period, COUNT(customer_id) AS orders FROM marts.orders GROUP BY period"
    orders = dict(step.frame(counted).iter_rows())
    seen = "FROM transactions.lines WHERE customer_id IS NOT NULL"
    known = f"SELECT period, COUNT(line_cost) AS costs {seen} GROUP BY period"
    costs = dict(step.frame(known).iter_rows())
    for period in step.periods:
        facts = {ORDER_COUNT: orders.get(period, 0), COST_COUNT: costs.get(period, 0)}
        step.record("marts.customer_periods", facts, period)
    return step.select("2_marts/customer_periods")


def compute_periods(step: Step) -> str:
    """Sums each month over the whole company; a month outside the data (its lines moved away) has no row."""
    months = [month for month in step.periods if month in step.state.periods]
    listed = " UNION ALL ".join(f"SELECT {quote_literal(month)} AS period" for month in months)
    step.materialize("marts.months", listed or "SELECT '' AS period WHERE FALSE")
    return step.select("2_marts/periods")


ORDERS = StepSpec(
    name="orders",
    stage="marts",
    tables=(
        Table("marts.orders", Orders, "Every order of the month: who bought when, for how much, and at what profit."),
    ),
    reads=(Read("transactions.lines", Reach.SAME),),
    compute=compute_orders,
    sql=("2_marts/orders",),
    knobs=("value.margin",),
    code=(),
    kinds=_KINDS,
)
CUSTOMER_PERIODS = StepSpec(
    name="customer_periods",
    stage="marts",
    tables=(
        Table(
            "marts.customer_periods",
            CustomerPeriods,
            "What each customer did in the month: orders, spend, profit and returns. The audit rests on it.",
            rules={"reconciles_with_lines": "2_marts/check_customer_periods"},
        ),
    ),
    reads=(Read("transactions.lines", Reach.SAME), Read("marts.orders", Reach.SAME)),
    compute=compute_customer_periods,
    sql=("2_marts/customer_periods",),
    knobs=("value.margin",),
    code=(),
    kinds=_KINDS,
)
PERIODS = StepSpec(
    name="periods",
    stage="marts",
    tables=(
        Table(
            "marts.periods",
            Periods,
            "The company's month in one row: lines, orders, customers, spend, profit, with and without a customer.",
            rules={"reconciles_with_customers": "2_marts/check_periods"},
        ),
    ),
    reads=(
        Read("transactions.lines", Reach.SAME),
        Read("marts.orders", Reach.SAME),
        Read("marts.customer_periods", Reach.SAME),
    ),
    compute=compute_periods,
    sql=("2_marts/periods",),
    knobs=("value.margin",),
    code=(),
    kinds=_KINDS,
)
