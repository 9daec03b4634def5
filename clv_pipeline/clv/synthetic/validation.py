"""Whether what was generated is what the scenario says: contracts of the frames, and figures against expectation.

Belongs here: the rules, as pandera models, and the tolerance. Does not belong here: what is counted (`tally.py`). The
figures hold the orders that came out against those that the customers' own rates let expect, so that a mistake anywhere
between the two shows.
"""

import math

import polars as pl

from clv_pipeline.clv.synthetic.blocks import Block
from clv_pipeline.clv.synthetic.scenario import Scenario
from clv_pipeline.schemas import Money, Table, require_key, require_rows
from clv_pipeline.validation import SchemaErrors, pa

# Standard deviations: chance alone goes beyond them once in two million figures.
_TOLERATED = 5.0


class ValidationError(ValueError):
    """What was generated is not what the scenario says; the message is one line."""


class LinesFile(Table):
    """The lines as they are delivered, with what is known of their customer."""

    line_id: int = pa.Field(ge=1, unique=True)
    order_id: int = pa.Field(ge=1)
    customer_id: str = pa.Field(nullable=True)
    ordered_at: pl.Datetime
    product_id: str
    quantity: int
    unit_price: Money = pa.Field(nullable=True, ge=0)
    line_total: Money
    line_cost: Money
    is_return: bool
    acquisition_ts: pl.Datetime = pa.Field(nullable=True)

    amounts = require_rows(
        "a line bought has a negative amount or cost, or no item",
        pl.col("is_return") | ((pl.col("line_total") >= 0) & (pl.col("line_cost") >= 0) & (pl.col("quantity") >= 1)),
    )
    taken_back = require_rows(
        "a line taken back adds an amount",
        ~pl.col("is_return") | ((pl.col("line_total") <= 0) & (pl.col("line_cost") <= 0) & (pl.col("quantity") <= 0)),
    )
    acquired_first = require_rows("ordered before acquired", pl.col("acquisition_ts") <= pl.col("ordered_at"))


class Truth(Table):
    """One row per customer: rates, dropout, and what the horizon brings."""

    customer_id: str = pa.Field(unique=True)
    city: str
    channel: str
    acquisition_ts: pl.Datetime
    first_order: pl.Datetime = pa.Field(nullable=True)
    orders_per_week: float = pa.Field(ge=0, lt=math.inf)
    dropout_per_week: float = pa.Field(ge=0, lt=math.inf)
    dropout_ts: pl.Datetime = pa.Field(nullable=True)
    is_alive: bool = pa.Field(nullable=True)
    past_orders: int = pa.Field(ge=0)
    future_orders: float = pa.Field(ge=0, lt=math.inf)
    future_purchases: float = pa.Field(ge=0, lt=math.inf)
    future_spend: float
    future_profit: float
    expected_orders: float = pa.Field(ge=0, lt=math.inf, nullable=True)
    expected_purchases: float = pa.Field(ge=0, lt=math.inf, nullable=True)
    expected_spend: float = pa.Field(ge=0, lt=math.inf, nullable=True)
    expected_profit: float = pa.Field(gt=-math.inf, lt=math.inf, nullable=True)

    acquired_first = require_rows("ordered before acquired", pl.col("acquisition_ts") <= pl.col("first_order"))
    stayed = require_rows("left before the first order", pl.col("first_order") <= pl.col("dropout_ts"))
    gone = require_rows("ordered after dropout", pl.col("is_alive") | (pl.col("future_orders") == 0))
    days = require_rows("more days than orders", pl.col("future_purchases") <= pl.col("future_orders"))


class Launched(Table):
    """Customers beside the launch of their city."""

    customer_id: str
    acquisition_ts: pl.Datetime
    launch: pl.Datetime
    launched_first = require_rows("acquired before the launch", pl.col("launch") <= pl.col("acquisition_ts"))


class Figures(Table):
    """One row per check and subject: what was counted, what was to be expected, and how far apart they may be."""

    check: str
    subject: str
    observed: float = pa.Field(ge=0)
    expected: float = pa.Field(ge=0)
    without: float = pa.Field(ge=0, nullable=True, description="expected orders were there no promotion")
    tolerance: float = pa.Field(ge=0)

    key = require_key("check", "subject")
    within = require_rows(
        "observed is not as expected", (pl.col("observed") - pl.col("expected")).abs() <= pl.col("tolerance")
    )
    signal = require_rows(
        "a promotion of this size should show, and does not",
        (pl.col("expected") - pl.col("without") <= pl.col("tolerance")) | (pl.col("observed") > pl.col("without")),
    )


class Validation:
    """Checks block by block, and figures over all of them at the end."""

    def __init__(self, scenario: Scenario) -> None:
        self._launches = pl.DataFrame(
            {
                "city": [city.name for city in scenario.cities],
                "launch": [max(city.launch or scenario.start, scenario.start) for city in scenario.cities],
            }
        ).with_columns(pl.col("launch").cast(pl.Datetime("us")))
        self._tallies: list[pl.DataFrame] = []

    def check_block(self, block: Block) -> None:
        """Raises ValidationError for rows that break a rule."""
        acquired = block.customers.select("customer_id", "acquisition_ts")
        known = block.lines.join(acquired, on="customer_id", how="left", maintain_order="left")
        _validate(known, LinesFile, "lines")
        _validate(block.truth, Truth, "truth")
        launched = block.customers.join(self._launches, on="city").select("customer_id", "acquisition_ts", "launch")
        _validate(launched, Launched, "customers")
        self._tallies.append(block.tally)

    def check_figures(self) -> pl.DataFrame:
        """The figures of all blocks (see Figures); raises ValidationError where one is not as expected."""
        summed = (
            pl.concat(self._tallies)
            .group_by("check", "subject", maintain_order=True)
            .agg(
                pl.col("observed", "expected", "variance").sum(),
                pl.when(pl.col("without").is_not_null().all()).then(pl.col("without").sum()).first(),
            )
        )
        figures = summed.select(
            "check",
            "subject",
            "observed",
            "expected",
            "without",
            (_TOLERATED * pl.col("variance").sqrt() + 1).alias("tolerance"),
        )
        _validate(figures, Figures, "figures")
        return figures


def _validate(frame: pl.DataFrame, contract: type[pa.DataFrameModel], what: str) -> None:
    try:
        contract.validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        first = cases.row(0, named=True)
        index = first.get("index")
        row = f"; first: {frame.row(int(index), named=True)}" if index is not None else ""
        broken = ", ".join(cases["check"].unique(maintain_order=True))
        raise ValidationError(f"{what}: {broken} ({cases.height:,} cases){row}") from None
