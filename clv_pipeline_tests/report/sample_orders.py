"""Orders to make report tables of: CDNOW, a company that acquires all the time, and a tiny one."""

from datetime import date
from importlib.metadata import files

import polars as pl


def read_cdnow() -> pl.DataFrame:
    """The 69,659 purchases of CDNOW: customer_id, day, spend, quantity."""
    path = next(file for file in files("lifetimes") or [] if file.name == "CDNOW_master.txt").locate()
    text = path.read_text(encoding="utf-8")  # pyright: ignore[reportAttributeAccessIssue]
    rows = [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]
    customer, day, units, spend = zip(*rows, strict=True)
    return pl.DataFrame({"customer_id": customer, "day": day, "spend": spend, "quantity": units}).with_columns(
        pl.col("day").str.to_date("%Y%m%d"), pl.col("spend").cast(pl.Float64), pl.col("quantity").cast(pl.Int64)
    )


def spread_cohorts(orders: pl.DataFrame, quarters: int) -> pl.DataFrame:
    """The same customers, each moved by 0 to `quarters` - 1 quarters: a company that acquires all the time."""
    offset = pl.col("customer_id").cast(pl.Int64) % quarters * 3
    return orders.with_columns(day=pl.col("day").dt.offset_by(pl.format("{}mo", offset)))


def make_tiny(customers: int) -> pl.DataFrame:
    """Customer i of a tiny company buys for 10 x i, i % 4 times, 40 days apart."""
    rows = [
        (f"c{i:02d}", date.fromordinal(date(2023, 1, 5).toordinal() + 9 * i + 40 * k), 10.0 * i, 1)
        for i in range(1, customers + 1)
        for k in range(max(1, i % 4))
    ]
    return pl.DataFrame(rows, schema=["customer_id", "day", "spend", "quantity"], orient="row")
