"""Segments: customers grouped by how recently and how often they bought."""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Figure, Section, empty_section
from clv_pipeline.report.charts.windows import draw_pairs
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.tables import amounts, build_table, capitalize, counts, label, shares

_ID, _TITLE, _QUESTION = "segments", "Segments", "Which RFM segments do customers and spend fall into?"


def build_section(data: ReportData) -> Section:
    """Customers and spend by RFM segment."""
    segments = data.table("rfm.segments")
    if segments.is_empty() or not segments["customers"].sum():
        return empty_section(_ID, _TITLE, "No customer has an order yet.")
    spend = segments["spend"].sum()
    segments = segments.with_columns(
        segment=capitalize("segment"),
        share_customers=pl.col("customers") / segments["customers"].sum(),
        share_spend=pl.col("spend") / spend if spend > 0 else pl.lit(None, pl.Float64),
    ).sort("spend", "segment", descending=[True, False])
    table = build_table(
        "segments-table",
        "RFM segments",
        segments,
        [
            label("segment", "Segment"),
            counts("customers", "Customers"),
            shares("share_customers", "Customers, share"),
            amounts("spend", "Spend to date", data.facts.currency),
            shares("share_spend", "Spend, share"),
        ],
        csv=data.exact("rfm.segments"),
        csv_name=f"rfm_segments_{data.facts.as_of}.csv",
        note="All customers with an order up to the as-of date, with all their spend.",
    )
    blocks: list[Block] = [table]
    if segments.height > 1 and spend > 0:
        series = [("share_customers", "Customers"), ("share_spend", "Spend to date")]
        spec = draw_pairs(segments, "segment", series, "Share", segments["segment"].to_list())
        blocks.insert(0, Figure("chart-segments", "Customers and spend by segment", describe_segments(segments), spec))
    return Section(_ID, _TITLE, blocks, _QUESTION)


def describe_segments(segments: pl.DataFrame) -> str:
    """The segment with most spend and the one with most customers; `segments` is sorted by spend, largest first."""
    richest = segments.row(0, named=True)
    largest = segments.sort("customers", descending=True).row(0, named=True)
    text = (
        f"“{richest['segment']}” holds {n.share(richest['share_customers'])} of the customers and "
        f"{n.share(richest['share_spend'])} of the spend to date"
    )
    if largest["segment"] == richest["segment"]:
        return f"{text}, the most of both."
    return (
        f"{text}; the largest segment, “{largest['segment']}”, holds {n.share(largest['share_customers'])} and "
        f"{n.share(largest['share_spend'])}."
    )
