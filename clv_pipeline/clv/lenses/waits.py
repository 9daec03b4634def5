"""Time between orders: from the nth order of a customer to the next.

Belongs here: mean, median and bands of waits that come as counts. Does not belong here: finding the waits (SQL).
"""

from collections.abc import Sequence

import polars as pl

# Upper ends in weeks; a wait of 0 days has a band of its own.
BAND_ENDS = (0, 1, 2, 4, 8, 13, 26, 52)


def describe_waits(waits: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """One row per `keys` from rows of days (null: no next order yet) and orders (how many were followed so).

    Gives orders, intervals (those followed by another), share_followed, and of the waits mean_weeks and median_weeks,
    null without any. The median is that of the single waits, as PERCENTILE.INC has it.
    """
    counted = _count(waits, keys).with_columns(
        intervals=pl.when(pl.col("days").is_null()).then(0).otherwise("orders"),
    )
    counted = counted.with_columns(seen=pl.col("intervals").cum_sum().over(keys))
    total = pl.col("intervals").sum()
    middle = [pl.col("days").filter(pl.col("seen") > (total - 1 + odd) // 2).first() for odd in (0, 1)]
    return counted.group_by(keys, maintain_order=True).agg(
        pl.col("orders").sum(),
        total.alias("intervals"),
        (total / pl.col("orders").sum()).alias("share_followed"),
        pl.when(total > 0).then((pl.col("days") * pl.col("intervals")).sum() / total / 7).alias("mean_weeks"),
        pl.when(total > 0).then((middle[0] + middle[1]) / 14).alias("median_weeks"),
    )


def band_waits(waits: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """One row per `keys` and band (lower_weeks, upper_weeks], empty ones too: intervals, and two shares.

    share_intervals is of the waits, null without any; share_of_orders of all orders, those without a next one too,
    and of the waits up to the end of the band. The first band is the same day (0 to 0), the last is open (upper_weeks
    null).
    """
    ends = [*map(float, BAND_ENDS), None]
    bands = pl.DataFrame(
        {"band": range(1, len(ends) + 1), "lower_weeks": [0.0, *ends[:-1]], "upper_weeks": ends},
        schema={"band": pl.Int64, "lower_weeks": pl.Float64, "upper_weeks": pl.Float64},
    )
    band = pl.sum_horizontal((pl.col("days") > 7 * end).cast(pl.Int64) for end in BAND_ENDS) + 1
    known = waits.filter(pl.col("days").is_not_null())
    counted = known.group_by(*keys, band.alias("band")).agg(pl.col("orders").sum().alias("intervals"))
    total = pl.col("intervals").sum().over(keys)
    return (
        waits.group_by(keys)
        .agg(pl.col("orders").sum())
        .join(bands, how="cross")
        .join(counted, on=[*keys, "band"], how="left", nulls_equal=True)
        .sort([*keys, "band"])
        .with_columns(pl.col("intervals").fill_null(0))
        .with_columns(
            share_intervals=pl.when(total > 0).then(pl.col("intervals") / total),
            share_of_orders=pl.col("intervals").cum_sum().over(keys) / pl.col("orders"),
        )
        .drop("orders")
    )


def _count(waits: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    return waits.group_by([*keys, "days"]).agg(pl.col("orders").sum()).sort([*keys, "days"], nulls_last=True)
