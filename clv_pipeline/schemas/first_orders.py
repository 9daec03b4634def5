"""Contract of the first orders of a month.

Belongs here: what one row must satisfy. Does not belong here: the other marts (`marts.py`).
"""

from clv_pipeline.schemas import MONTH, Table, require_key
from clv_pipeline.validation import pa


class FirstOrders(Table):
    """One row per customer, month and wanted column: its value on the customer's first order of the month."""

    period: str = pa.Field(str_matches=MONTH)
    customer_id: str
    attribute: str = pa.Field(description="a column of the transactions that cohorts or filters ask for")
    value: str = pa.Field(nullable=True, description="its value on the first order of the month")

    has_key = require_key("period", "customer_id", "attribute")
