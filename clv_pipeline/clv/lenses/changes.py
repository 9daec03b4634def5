"""What changed in the headline from one window to the next.

Belongs here: differences of two headlines. Does not belong here: who caused them (the groups and the bridge, in SQL).
"""

import polars as pl

MEASURES = (
    "customers",
    "orders",
    "spend",
    "profit",
    "aof",
    "aov",
    "margin",
    "spend_per_customer",
    "profit_per_customer",
)


def compare_headlines(headlines: pl.DataFrame) -> pl.DataFrame:
    """measure, window_1, window_2, change, relative_change from the headlines of both windows (window_number 1 and 2).

    A change is null where a side is undefined, a relative one also unless window 1 is positive. The identity in
    changes: the product of 1 + relative_change over customers, aof, aov and margin is that of profit.
    """
    values = headlines.select("window_number", pl.col(MEASURES).cast(pl.Float64))
    sides = [
        values.filter(pl.col("window_number") == number).drop("window_number").transpose().to_series()
        for number in (1, 2)
    ]
    before, after = pl.col("window_1"), pl.col("window_2")
    return pl.DataFrame({"measure": MEASURES, "window_1": sides[0], "window_2": sides[1]}).with_columns(
        change=after - before,
        relative_change=pl.when(before > 0).then(after / before - 1),
    )
