"""Lenses 1 and 2 over two adjacent windows: every table that is not plain sums, from frames of customers.

Belongs here: which function makes which table. Does not belong here: what they compute, or the as-of month.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from clv_pipeline.clv.lenses.changes import compare_headlines
from clv_pipeline.clv.lenses.concentration import measure_concentration
from clv_pipeline.clv.lenses.distributions import describe_distributions
from clv_pipeline.clv.lenses.histograms import count_histograms
from clv_pipeline.clv.lenses.orders import compare_by_orders
from clv_pipeline.clv.lenses.rfm import band_profit_per_order, cross_recency_frequency

WINDOW_TABLES = (
    "lens1_statistics",
    "lens1_histograms",
    "lens1_spend_by_orders",
    "lens1_concentration",
    "lens1_rfm",
    "lens1_rfm_monetary",
    "lens2_changes",
    "lens2_histograms",
)


def take_windows(
    windows: Mapping[int, pl.DataFrame],
    headlines: pl.DataFrame,
    recency_frequency: pl.DataFrame,
    *,
    histogram_edges: Mapping[str, Sequence[float]] | None = None,
    profit_bands: Sequence[float] = (),
) -> dict[str, pl.DataFrame]:
    """The tables named in WINDOW_TABLES, without their as_of.

    `windows` holds the customers of windows 1 and 2 (see `clv.lenses`), `headlines` the headline of both, and
    `recency_frequency` the sums of window 2 per last active month and number of orders. Bins and bands that are
    not given are chosen from the data.
    """
    customers = windows[2]
    histograms = count_histograms(windows, histogram_edges)
    latest = headlines.filter(pl.col("window_number") == 2).row(0, named=True)
    return {
        "lens1_statistics": describe_distributions(customers),
        "lens1_histograms": histograms.filter(pl.col("window_number") == 2).drop("window_number"),
        "lens1_spend_by_orders": compare_by_orders(customers),
        "lens1_concentration": measure_concentration(customers),
        "lens1_rfm": cross_recency_frequency(recency_frequency, latest["window_start"], latest["window_end"]),
        "lens1_rfm_monetary": band_profit_per_order(customers, profit_bands),
        "lens2_changes": compare_headlines(headlines),
        "lens2_histograms": histograms,
    }
