"""Keeps the history of customers' attributes: each version of a customer with the time from and to which it held.

Belongs here: slowly changing dimensions of type 2, frames in and frames out. Does not belong here: where customers come
from (`customers/landing.py` of the package), or which version an as-of month sees (`customers/attributes.py`).
"""

from datetime import datetime

import polars as pl

KEYS = ("customer_id", "acquisition_ts")
VALIDITY = {"valid_from": pl.Datetime("us"), "valid_to": pl.Datetime("us")}


def keep_history(before: pl.DataFrame | None, now: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """The versions known `before`, and new ones where customers are otherwise `now` than their last version says.

    `now` has one row a customer: customer_id, acquisition_ts and attributes as text. The result has the same columns
    with valid_from (null: as long as anybody knows) and valid_to (null: still), in the business time zone; `before` is
    an earlier result. Whoever is no longer named keeps its versions, the last closed. A column that comes later is
    taken to have been so all along, and acquisition_ts is no attribute: the latest counts for every version.
    """
    empty = now.clear().with_columns(pl.lit(None, kind).alias(name) for name, kind in VALIDITY.items())
    before = empty if before is None else before
    attributes = [name for name in now.columns if name not in KEYS]
    compared = [name for name in attributes if name in before.columns]
    versions = _fill_columns(before, now, [name for name in attributes if name not in compared])
    is_current = pl.col("valid_to").is_null()
    current = versions.filter(is_current)
    same = now.join(current, on=["customer_id", *compared], how="semi", nulls_equal=True).select("customer_id")
    known = now.join(versions, on="customer_id", how="semi").select("customer_id", pl.lit(moment).alias("valid_from"))
    parts = [
        versions.filter(~is_current),
        current.join(same, on="customer_id", how="semi"),
        current.join(same, on="customer_id", how="anti").with_columns(pl.lit(moment).alias("valid_to")),
        now.join(same, on="customer_id", how="anti").join(known, on="customer_id", how="left"),
    ]
    return order_versions(pl.concat([empty, *parts], how="diagonal_relaxed").cast(empty.schema))


def order_versions(versions: pl.DataFrame) -> pl.DataFrame:
    """Versions by customer and time, each customer with one acquisition date: the earliest that is given."""
    dated = versions.with_columns(pl.col("acquisition_ts").min().over("customer_id"))
    return dated.sort("customer_id", "valid_from", nulls_last=False)


def _fill_columns(before: pl.DataFrame, now: pl.DataFrame, new: list[str]) -> pl.DataFrame:
    """`before` with the columns `new` and the acquisition dates of `now`."""
    latest = now.select("customer_id", pl.col("acquisition_ts").alias("latest"), *new)
    joined = before.join(latest, on="customer_id", how="left")
    return joined.with_columns(pl.coalesce("latest", "acquisition_ts").alias("acquisition_ts")).drop("latest")
