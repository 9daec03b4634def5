"""A dozen customers whose every number can be worked by hand: half a year of lines, 1997-01 to 1997-06.

Belongs here: the lines and the customer file, small enough to check on paper. Does not belong here: expected results,
which stand as literals in the tests. May 1997 has no line at all. The margin without a known cost is 0.30.

    once            one order of 10.00 (3.00 profit) in January; the customer file dates it later, which is not believed
    two_a_day       two orders on one day of January (10.00 and 20.00), one in February (10.00)
    steady          10.00 on the 15th of every month but May
    gap             20.00 in January, 40.00 in June
    part_return     50.00 in February, of which 10.00 comes back on the same order; 40.00 stay
    full_return     25.05 in February, all of it returned: no order; 15.00 in March is the first order
    late_return     50.00 in March, 20.00 of it returned in April, where that order is unknown
    unknown_return  25.00 in February, and 5.00 returned of an order nobody knows; 10.00 in June
    repeated_line   two identical lines of 10.00 and a line of 5.00 without a product in one order of March
    known_cost      40.00 that cost 30.00 and 0.05 of unknown cost (0.015, so 0.02) in January; 60.00 that cost 45.00 in
                    April
    loss_maker      sold below cost: 20.00 for 50.00 in January, 10.00 for 30.00 in June
    known_before    100.00 in January, 50.00 in June; the customer file knows it since 1996
    gift            an order of 0.00 in April; the customer file knows it since February
    only_returns    8.00 returned in March, never an order
    (nobody)        an order of 9.99 in January, 4.00 returned in April, without a customer
    never_ordered   is in the customer file only
"""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

import polars as pl

LINES_SCHEMA: dict[str, pl.DataType] = {
    "period": pl.String(),
    "order_id": pl.String(),
    "line_id": pl.String(),
    "customer_id": pl.String(),
    "order_ts": pl.Datetime("us"),
    "product_id": pl.String(),
    "quantity": pl.Decimal(18, 3),
    "unit_price": pl.Decimal(18, 4),
    "line_total": pl.Decimal(18, 2),
    "line_cost": pl.Decimal(18, 2),
    "is_return": pl.Boolean(),
}

MARGIN = Decimal("0.30")
PERIODS = ("1997-01", "1997-02", "1997-03", "1997-04", "1997-05", "1997-06")


class Line(TypedDict):
    """One row of transactions.lines."""

    period: str
    order_id: str
    line_id: str
    customer_id: str | None
    order_ts: datetime
    product_id: str | None
    quantity: Decimal
    unit_price: Decimal | None
    line_total: Decimal
    line_cost: Decimal | None
    is_return: bool


def make_line(
    customer_id: str | None,
    order_id: str,
    order_ts: str,
    line_total: str,
    product_id: str | None = "P1",
    *,
    quantity: int = 1,
    cost: str | None = None,
    line_id: str = "1",
) -> Line:
    """A line of `line_total`; a negative quantity makes it a return."""
    total = Decimal(line_total)
    return Line(
        period=order_ts[:7],
        order_id=order_id,
        line_id=line_id,
        customer_id=customer_id,
        order_ts=datetime.fromisoformat(order_ts),
        product_id=product_id,
        quantity=Decimal(quantity),
        unit_price=(total / quantity).quantize(Decimal("0.0001")),
        line_total=total,
        line_cost=None if cost is None else Decimal(cost),
        is_return=quantity < 0,
    )


_LINES: list[Line] = [
    make_line("once", "once-1", "1997-01-05T10:00", "10.00"),
    make_line("two_a_day", "two-1", "1997-01-10T09:00", "10.00"),
    make_line("two_a_day", "two-2", "1997-01-10T15:00", "20.00", "P2", quantity=2),
    make_line("two_a_day", "two-3", "1997-02-10T12:00", "10.00"),
    make_line("steady", "steady-1", "1997-01-15T12:00", "10.00"),
    make_line("steady", "steady-2", "1997-02-15T12:00", "10.00"),
    make_line("steady", "steady-3", "1997-03-15T12:00", "10.00"),
    make_line("steady", "steady-4", "1997-04-15T12:00", "10.00"),
    make_line("steady", "steady-6", "1997-06-15T12:00", "10.00"),
    make_line("gap", "gap-1", "1997-01-20T12:00", "20.00"),
    make_line("gap", "gap-2", "1997-06-20T12:00", "40.00"),
    make_line("part_return", "part-1", "1997-02-03T12:00", "30.00", quantity=3, line_id="1"),
    make_line("part_return", "part-1", "1997-02-03T12:00", "20.00", "P2", line_id="2"),
    make_line("part_return", "part-1", "1997-02-08T12:00", "-10.00", quantity=-1, line_id="3"),
    make_line("full_return", "full-1", "1997-02-04T12:00", "25.05", line_id="1"),
    make_line("full_return", "full-1", "1997-02-06T12:00", "-25.05", quantity=-1, line_id="2"),
    make_line("full_return", "full-2", "1997-03-04T12:00", "15.00"),
    make_line("late_return", "late-1", "1997-03-07T12:00", "50.00", "P2", line_id="1"),
    make_line("late_return", "late-1", "1997-04-02T12:00", "-20.00", "P2", quantity=-1, line_id="2"),
    make_line("unknown_return", "unknown-1", "1997-02-11T12:00", "25.00", quantity=2),
    make_line("unknown_return", "unknown-x", "1997-02-20T12:00", "-5.00", quantity=-1),
    make_line("unknown_return", "unknown-2", "1997-06-11T12:00", "10.00"),
    make_line("repeated_line", "repeated-1", "1997-03-09T12:00", "10.00", "P3", line_id="1"),
    make_line("repeated_line", "repeated-1", "1997-03-09T12:00", "10.00", "P3", line_id="2"),
    make_line("repeated_line", "repeated-1", "1997-03-09T12:00", "5.00", product_id=None, line_id="3"),
    make_line("known_cost", "cost-1", "1997-01-25T12:00", "40.00", cost="30.00", line_id="1"),
    make_line("known_cost", "cost-1", "1997-01-25T12:00", "0.05", "P2", line_id="2"),
    make_line("known_cost", "cost-2", "1997-04-25T12:00", "60.00", cost="45.00"),
    make_line("loss_maker", "loss-1", "1997-01-28T12:00", "20.00", cost="50.00"),
    make_line("loss_maker", "loss-2", "1997-06-28T12:00", "10.00", cost="30.00"),
    make_line("known_before", "before-1", "1997-01-02T12:00", "100.00"),
    make_line("known_before", "before-2", "1997-06-02T12:00", "50.00"),
    make_line("gift", "gift-1", "1997-04-14T12:00", "0.00", "P4"),
    make_line("only_returns", "returns-x", "1997-03-30T12:00", "-8.00", quantity=-1),
    make_line(None, "nobody-1", "1997-01-30T12:00", "9.99"),
    make_line(None, "nobody-x", "1997-04-03T12:00", "-4.00", quantity=-1),
]


def scenario_lines() -> pl.DataFrame:
    """The lines of all customers, in the shape of transactions.lines."""
    return frame_of(_LINES)


def scenario_customer_file() -> pl.DataFrame:
    """The customer file, in the shape of landing.customers; a null date says nothing."""
    return pl.DataFrame(
        {
            "customer_id": ["once", "known_before", "gift", "gap", "never_ordered"],
            "acquisition_ts": [
                datetime(1997, 3, 1),
                datetime(1996, 11, 15),
                datetime(1997, 2, 1),
                None,
                datetime(1997, 1, 1),
            ],
        },
        schema={"customer_id": pl.String(), "acquisition_ts": pl.Datetime("us")},
    )


def frame_of(lines: list[Line]) -> pl.DataFrame:
    """`lines` as a frame in the shape of transactions.lines."""
    return pl.DataFrame(lines, schema=LINES_SCHEMA, orient="row")
