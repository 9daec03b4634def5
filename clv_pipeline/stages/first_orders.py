"""Stage 2: what each customer's first order of a month was like, where cohorts or filters ask for it.

Belongs here: which columns of the lines are kept. Does not belong here: which order is the first
(`sql/2_marts/first_orders.sql`), or what customers are grouped by (`customers/attributes.py`).
"""

from clv_pipeline.customers.attributes import list_line_attributes
from clv_pipeline.schemas.first_orders import FirstOrders
from clv_pipeline.sql import quote_literal, quote_name
from clv_pipeline.steps import Reach, Read, Step, StepSpec, Table

_NONE = """
    SELECT CAST(NULL AS VARCHAR) AS period, CAST(NULL AS VARCHAR) AS customer_id, CAST(NULL AS VARCHAR) AS attribute,
        CAST(NULL AS VARCHAR) AS value WHERE FALSE"""


def compute_first_orders(step: Step) -> str:
    """Keeps the wanted columns of first orders; without any, an empty month that costs nothing."""
    wanted = list_line_attributes(step.settings)
    if not wanted:
        return _NONE
    # Text without blanks around it, as in the customer file; an empty cell says nothing.
    columns = (
        f"SELECT period, customer_id, order_id, line_id, {quote_literal(name)} AS attribute,"
        f" NULLIF(TRIM(CAST({quote_name(name)} AS VARCHAR)), '') AS value"
        " FROM transactions.lines WHERE NOT is_return"
        for name in wanted
    )
    step.materialize("marts.line_attributes", " UNION ALL ".join(columns))
    return step.select("2_marts/first_orders")


FIRST_ORDERS = StepSpec(
    name="first_orders",
    stage="marts",
    tables=(
        Table(
            "marts.first_orders",
            FirstOrders,
            "What customers' first orders of the month were like, for cohort_by, only and covariates; else empty.",
        ),
    ),
    reads=(Read("transactions.lines", Reach.SAME), Read("marts.orders", Reach.SAME)),
    compute=compute_first_orders,
    sql=("2_marts/first_orders",),
    knobs=("periods.cohort_by", "periods.only", "models.covariates", "source.columns"),
    code=("customers/attributes",),
    kinds=frozenset({"duckdb", "parquet"}),
)
