"""Contracts of the lens tables, one file a lens: keys, ranges, and the identities that hold on one row.

Belongs here: what one row of a lens must satisfy. Does not belong here: totals over rows (the bridge, the deciles).
A ratio is null where its denominator is zero, so a product of ratios is compared only where all of them exist.
"""

import polars as pl

CALENDAR_PERIOD = r"^\d{4}(-(0[1-9]|1[0-2])|Q[1-4])?$"
GRAINS = ("month", "quarter", "year")
# Lens 5 looks back from a period, lens 3 ahead.
AGAIN = "of those active in the period before, how many were active in this one"
REPEAT_RATE = "of those active in the period before, the share active in this one"


def equal(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Equal but for the rounding of floats; null where either is null."""
    return (left - right).abs() <= 1e-6 + 1e-9 * right.abs()


def to_float(column: str) -> pl.Expr:
    """A money column as a float."""
    return pl.col(column).cast(pl.Float64)


def product_is_spend(suffix: str, customers: pl.Expr) -> pl.Expr:
    """customers x AOF x AOV = spend, for the columns that end in `suffix`."""
    return equal(customers * pl.col(f"aof{suffix}") * pl.col(f"aov{suffix}"), to_float(f"spend{suffix}"))


def margin_is_profit(suffix: str = "") -> pl.Expr:
    """spend x margin = profit, for the columns that end in `suffix`."""
    return equal(to_float(f"spend{suffix}") * pl.col(f"margin{suffix}"), to_float(f"profit{suffix}"))
