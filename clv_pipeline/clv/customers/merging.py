"""One customer from the rows that describe it, and what these rows disagree about.

Belongs here: precedence among rows. Does not belong here: which identifiers are one customer (`identities.py`), or who
may be shown (`visibility.py`).
"""

from collections.abc import Sequence

import polars as pl

from clv_pipeline.clv.customers.identities import CONFLICTS

ACQUIRED = "acquisition_ts"
_EARLIEST, _PRECEDENCE, _NEWEST, _LATER = "earliest", "precedence", "newest", "later row"
_SAID_BY = ("rank", "updated_at", "place")


def merge_customers(
    rows: pl.DataFrame, attributes: Sequence[str], precedence: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per customer, and one for each value that another row of the customer contradicts.

    `rows` have customer_id, source_id, source, row_number, acquisition_ts, updated_at (either may be null) and
    `attributes` as text. The earliest acquisition counts. Of an attribute, the value from the first system in
    `precedence` (by source_system, else by file) counts, then the newest by updated_at, then that of the later row, in
    the order of files by name; an empty value says nothing.

    Returns customers (customer_id, acquisition_ts, attributes; sorted) and conflicts (as CONFLICTS).
    """
    rank = _rank(rows, precedence).alias("rank")
    ranked = rows.with_columns(rank).sort("source", "row_number").with_row_index("place")
    best_first = ranked.sort(*_SAID_BY, descending=[False, True, True], nulls_last=True)
    customers = (
        best_first.group_by("customer_id")
        .agg(pl.col(ACQUIRED).min(), *(pl.col(name).drop_nulls().first() for name in attributes))
        .sort("customer_id")
    )
    several = best_first.filter(pl.len().over("customer_id") > 1)
    found = [_compare(several, name) for name in (ACQUIRED, *attributes)]
    conflicts = pl.concat(found) if several.height else pl.DataFrame(schema=CONFLICTS)
    return customers, conflicts.sort("customer_id", "field", "source_id", "source", "row_number")


def _rank(rows: pl.DataFrame, precedence: Sequence[str]) -> pl.Expr:
    """The place in `precedence` of the system that a row comes from; those not named come last."""
    named = pl.col("source_system") if "source_system" in rows.columns else pl.lit(None, pl.String)
    file = pl.col("source").str.split("/").list.last()
    by_file = (pl.col("source"), file, file.str.replace(r"\..*$", ""))
    # A row that names its system is of no other, whatever its file is called.
    system = pl.coalesce(named, *(pl.when(name.is_in(list(precedence))).then(name) for name in by_file))
    order = pl.DataFrame({"system": list(precedence)}, schema={"system": pl.String})["system"]
    return system.replace_strict(order, pl.Series(range(len(order)), dtype=pl.Int64), default=len(order))


def _compare(several: pl.DataFrame, field: str) -> pl.DataFrame:
    """The values of `field` that are not the one kept; `several` has the best row of a customer first."""
    said = several.filter(pl.col(field).is_not_null())
    earliest = pl.col(field) == pl.col(field).min()
    first = (earliest if field == ACQUIRED else pl.int_range(pl.len()) == 0).over("customer_id")
    columns = ["customer_id", pl.col(field).alias("kept"), *(pl.col(name).alias(f"kept_{name}") for name in _SAID_BY)]
    kept = said.filter(first).unique("customer_id", keep="first", maintain_order=True).select(*columns)
    others = (
        said.join(kept, on="customer_id", maintain_order="left")
        .filter(pl.col(field) != pl.col("kept"))
        .unique(["customer_id", "source_id", field], keep="first", maintain_order=True)
    )
    by_precedence = pl.when(pl.col("kept_rank") < pl.col("rank")).then(pl.lit(_PRECEDENCE))
    newest = by_precedence.when(pl.col("kept_updated_at").ne_missing(pl.col("updated_at"))).then(pl.lit(_NEWEST))
    rule = pl.lit(_EARLIEST) if field == ACQUIRED else newest.otherwise(pl.lit(_LATER))
    named = others.with_columns(
        pl.lit("attribute").alias("kind"),
        pl.lit(field).alias("field"),
        pl.col(field).alias("other"),
        rule.alias("rule"),
    )
    return named.select(pl.col(name).cast(dtype) for name, dtype in CONFLICTS.items())
