"""One customer from rows that say from when to when they hold: what was so at each moment, merged from what held then.

Belongs here: versions that a source keeps itself. Does not belong here: precedence among rows (`merging.py`), or a
history that is kept from landing to landing (`clv/history.py`).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from clv_pipeline.clv.customers.identities import CONFLICTS
from clv_pipeline.clv.customers.merging import ACQUIRED, merge_customers

_ALWAYS, _NEVER = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)
# Whose ends are inclusive, leaves out a day, or a second, before the next version.
_NO_GAP = timedelta(days=1)


def merge_versions(
    rows: pl.DataFrame, attributes: Sequence[str], precedence: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The versions of each customer, and one row for each value that another row of the same time contradicts.

    `rows` are as `merge_customers` takes them, with valid_from (null: as long as anybody knows) and valid_to (the first
    moment that it holds no longer; null: still). At each moment a customer is what `merge_customers` makes of the rows
    that hold then, where the beginning of a row stands for an updated_at that is missing. A row ends at the latest when
    the next of its identifier, in the same source and system, begins; a gap of up to a day before that is none.

    Returns versions (customer_id, acquisition_ts, attributes, valid_from, valid_to; sorted, no two in a row alike) and
    conflicts (as CONFLICTS).
    """
    acquired, conflicts = merge_customers(rows, [], precedence)
    held = settle_ends(rows).filter(pl.col("valid_from") < pl.col("valid_to"))
    spans = _list_spans(held).with_columns(pl.int_range(pl.len()).cast(pl.String).alias("span"))
    begun = pl.when(pl.col("valid_from") > _ALWAYS).then("valid_from")
    said = (
        held.join(spans, on="customer_id", maintain_order="left")
        .filter(pl.col("valid_from") <= pl.col("begin"), pl.col("begin") < pl.col("valid_to"))
        .with_columns(
            pl.col("span").alias("customer_id"),
            pl.coalesce("updated_at", begun).alias("updated_at"),
            pl.lit(None, pl.Datetime("us")).alias(ACQUIRED),
        )
    )
    merged, contradicted = merge_customers(said, attributes, precedence)
    of_spans = merged.drop(ACQUIRED).rename({"customer_id": "span"}).join(spans, on="span")
    versions = _join_alike(of_spans.drop("span"), attributes).join(acquired, on="customer_id")
    names = spans.select(pl.col("span").alias("customer_id"), pl.col("customer_id").alias("named"))
    contradicted = contradicted.join(names, on="customer_id", maintain_order="left")
    contradicted = contradicted.with_columns(pl.col("named").alias("customer_id")).select(CONFLICTS.names())
    order = ["customer_id", ACQUIRED, *attributes, "valid_from", "valid_to"]
    found = pl.concat([conflicts, contradicted]).unique(maintain_order=True)
    return versions.select(order), found.sort("customer_id", "field", "source_id", "source", "row_number")


def settle_ends(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with valid_from and valid_to filled: by the beginning and the end of time, and by what comes next."""
    system = ["source_system"] if "source_system" in rows.columns else []
    of_one = ["source_id", "source", *system]
    filled = rows.with_columns(
        pl.col("valid_from").fill_null(_ALWAYS), pl.min_horizontal(pl.col("valid_to").fill_null(_NEVER), _NEVER)
    )
    begins = filled.select(*of_one, "valid_from").unique().sort("valid_from")
    begins = begins.with_columns(pl.col("valid_from").shift(-1).over(of_one).alias("next"))
    end, following = pl.col("valid_to"), pl.col("next")
    is_followed = following.is_not_null() & (end + _NO_GAP >= following) & (end > pl.col("valid_from"))
    return (
        filled.join(begins, on=[*of_one, "valid_from"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.when(is_followed).then(following).otherwise(end).alias("valid_to"))
        .drop("next")
    )


def select_current(rows: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Those of `rows`, with valid_from and valid_to, that hold at `moment`; a row that is_bad may hold always."""
    good = settle_ends(rows.filter(~pl.col("is_bad")))
    current = good.filter(pl.col("valid_from") <= moment, pl.col("valid_to") > moment)
    return pl.concat([current, rows.filter("is_bad")])


def _list_spans(held: pl.DataFrame) -> pl.DataFrame:
    """customer_id, begin, end: the times between which nothing begins or ends."""
    cuts = pl.concat([held.select("customer_id", pl.col(name).alias("begin")) for name in ("valid_from", "valid_to")])
    spans = cuts.unique().sort("customer_id", "begin")
    return spans.with_columns(pl.col("begin").shift(-1).over("customer_id").alias("end")).drop_nulls("end")


def _join_alike(spans: pl.DataFrame, attributes: Sequence[str]) -> pl.DataFrame:
    """`spans` with those in a row that say the same joined, as valid_from and valid_to."""
    ordered = spans.sort("customer_id", "begin")
    before = pl.col("end").shift(1).over("customer_id")
    changes = [pl.col(name).ne_missing(pl.col(name).shift(1).over("customer_id")) for name in attributes]
    is_new = pl.any_horizontal(pl.col("begin").ne_missing(before), *changes)
    return (
        ordered.with_columns(is_new.cum_sum().alias("version"))
        .group_by("customer_id", "version", maintain_order=True)
        .agg(pl.col(*attributes).first() if attributes else [], pl.col("begin").first(), pl.col("end").last())
        .with_columns(
            pl.when(pl.col("begin") > _ALWAYS).then("begin").alias("valid_from"),
            pl.when(pl.col("end") < _NEVER).then("end").alias("valid_to"),
        )
        .drop("version", "begin", "end")
    )
