"""Contract of the RFM table.

Belongs here: what one customer's recency, frequency, value and scores must satisfy. Does not belong here: the
distribution of scores or segments over customers.
"""

import polars as pl

from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.validation import pa

SEGMENTS = (
    "champions",
    "loyal",
    "potential loyalist",
    "new",
    "promising",
    "needs attention",
    "about to sleep",
    "at risk",
    "cannot lose",
    "hibernating",
    "lost",
)


class RfmCustomers(Table):
    """One row per customer with an order up to as_of; recency and T in weeks, scores 1 to 5 (best)."""

    as_of: str = pa.Field(str_matches=MONTH)
    customer_id: str
    frequency: int = pa.Field(ge=0)
    recency: float = pa.Field(ge=0)
    T: float = pa.Field(ge=0)
    monetary_value: float = pa.Field(ge=0, nullable=True)
    first_order: pl.Datetime
    last_order: pl.Datetime
    orders: int = pa.Field(ge=1)
    spend: Money
    profit: Money
    r_score: int = pa.Field(in_range=(1, 5))
    f_score: int = pa.Field(in_range=(1, 5))
    m_score: int = pa.Field(in_range=(1, 5))
    segment: str = pa.Field(isin=SEGMENTS)

    has_key = require_key("as_of", "customer_id")
    seen_by_as_of = require_rows("the last order is after the as-of day", pl.col("recency") <= pl.col("T"))
    days_have_orders = require_rows("more purchase days than orders", pl.col("frequency") < pl.col("orders"))
    repeats_take_time = require_rows(
        "recency must be 0 exactly when there is no repeat purchase day",
        (pl.col("frequency") == 0) == (pl.col("recency") == 0),
    )
    repeats_have_value = require_rows(
        "monetary_value must be there exactly when there is a repeat purchase day",
        (pl.col("frequency") > 0) == pl.col("monetary_value").is_not_null(),
    )
    in_order = require_rows("first_order is after last_order", pl.col("first_order") <= pl.col("last_order"))
