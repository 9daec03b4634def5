"""Contracts of the behavioural cohorts of lenses 3 to 5: customers by a column of theirs, not by acquisition.

Belongs here: what one row must satisfy. Does not belong here: totals over rows (SQL rules of the stage).
"""

import polars as pl

from clv_pipeline.clv.lenses.values import MEASURES
from clv_pipeline.schemas import MONTH, Money, Table, require_key, require_rows
from clv_pipeline.schemas.lenses import GRAINS, margin_is_profit, product_is_spend
from clv_pipeline.schemas.lenses.lens3_value import STATISTIC, STATISTICS
from clv_pipeline.schemas.lenses.lens5 import Shares
from clv_pipeline.validation import pa

_LABEL = "value of the column that [periods] cohort_by names; 'unknown' without one, 'other' beyond the twelve largest"


class Lens3BehaviourAge(Table):
    """One row per as_of, grain, behavioural cohort and age, counted from each customer's own acquisition."""

    as_of: str = pa.Field(str_matches=MONTH)
    grain: str = pa.Field(isin=GRAINS)
    cohort: str = pa.Field(str_length={"min_value": 1}, description=_LABEL)
    age: int = pa.Field(ge=0)
    complete: bool
    cohort_size: int = pa.Field(ge=1, description="customers of the cohort who could be active at that age")
    active: int = pa.Field(ge=0)
    pct_active: float = pa.Field(in_range=(0, 1))
    orders: int = pa.Field(ge=0)
    spend: Money
    profit: Money
    aof: float = pa.Field(ge=1, nullable=True)
    aov: float = pa.Field(nullable=True)
    margin: float = pa.Field(nullable=True)
    profit_per_active: float = pa.Field(nullable=True)
    profit_per_acquired: float
    cumulative_profit_per_acquired: float
    customers_with_second: int = pa.Field(ge=0, description="of these customers, how many had ordered twice by then")
    pct_second_order: float = pa.Field(in_range=(0, 1))

    has_key = require_key("as_of", "grain", "cohort", "age")
    product_is_spend = require_rows(
        "cohort_size x pct_active x aof x aov is not spend",
        product_is_spend("", pl.col("cohort_size") * pl.col("pct_active")),
    )
    margin_is_profit = require_rows("spend x margin is not profit", margin_is_profit())


class Lens3BehaviourStatistics(Table):
    """One row per as_of, behavioural cohort, measure to date and statistic of it over the cohort's customers."""

    as_of: str = pa.Field(str_matches=MONTH)
    cohort: str = pa.Field(str_length={"min_value": 1}, description=_LABEL)
    measure: str = pa.Field(isin=tuple(MEASURES))
    statistic: str = pa.Field(isin=STATISTICS, description=STATISTIC)
    value: float

    has_key = require_key("as_of", "cohort", "measure", "statistic")


class Lens5BehaviourCalendar(Shares):
    """One row per as_of, grain, behavioural cohort and calendar period since the data start."""

    cohort: str = pa.Field(str_length={"min_value": 1}, description=_LABEL)
