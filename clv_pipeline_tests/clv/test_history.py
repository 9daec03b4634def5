"""Versions of customers: what begins, what ends, and what is no change."""

from datetime import datetime

import polars as pl

from clv_pipeline.clv.history import keep_history

JAN, FEB, MAR = (datetime(2024, month, 10, 12) for month in (1, 2, 3))
Version = tuple[str, str | None, datetime | None, datetime | None]


def make_customers(**tiers: str | None) -> pl.DataFrame:
    rows = {"customer_id": list(tiers), "acquisition_ts": [JAN] * len(tiers), "tier": list(tiers.values())}
    schema = {"customer_id": pl.String, "acquisition_ts": pl.Datetime("us"), "tier": pl.String}
    return pl.DataFrame(rows, schema=schema)


def list_versions(history: pl.DataFrame) -> list[Version]:
    return history.select("customer_id", "tier", "valid_from", "valid_to").rows()


def test_a_change_ends_a_version_and_begins_the_next() -> None:
    first = keep_history(None, make_customers(ann="gold", bob=None), JAN)
    assert list_versions(first) == [("ann", "gold", None, None), ("bob", None, None, None)]
    second = keep_history(first, make_customers(ann="iron", bob=None), FEB)
    assert keep_history(second, make_customers(ann="iron", bob=None), MAR).equals(second)
    third = keep_history(second, make_customers(ann="gold", bob="gold", cyd="gold"), MAR)
    assert list_versions(third) == [
        ("ann", "gold", None, FEB),
        ("ann", "iron", FEB, MAR),
        ("ann", "gold", MAR, None),
        ("bob", None, None, MAR),
        ("bob", "gold", MAR, None),
        ("cyd", "gold", None, None),
    ]


def test_who_is_no_longer_named_keeps_the_past_and_may_come_back() -> None:
    gone = keep_history(keep_history(None, make_customers(ann="gold"), JAN), make_customers(bob="iron"), FEB)
    assert list_versions(gone) == [("ann", "gold", None, FEB), ("bob", "iron", None, None)]
    back = keep_history(gone, make_customers(ann="gold", bob="iron"), MAR)
    assert list_versions(back)[:2] == [("ann", "gold", None, FEB), ("ann", "gold", MAR, None)]


def test_a_new_column_and_another_acquisition_date_are_no_change() -> None:
    known = keep_history(None, make_customers(ann="gold"), JAN)
    wider = make_customers(ann="gold").with_columns(pl.lit("web").alias("channel"), acquisition_ts=pl.lit(FEB))
    history = keep_history(known, wider, MAR)
    assert history.select("channel", "acquisition_ts", "valid_from").rows() == [("web", FEB, None)]
