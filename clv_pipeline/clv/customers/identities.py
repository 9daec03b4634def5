"""Which identifiers are one customer: the map of identifiers, resolved.

Belongs here: chains, cycles and contradictions of the map. Does not belong here: what is said of a customer
(`merging.py`).
"""

import numpy as np
import polars as pl

CONFLICTS = pl.Schema(
    {
        "kind": pl.String,
        "customer_id": pl.String,
        "source_id": pl.String,
        "field": pl.String,
        "kept": pl.String,
        "other": pl.String,
        "rule": pl.String,
        "source": pl.String,
        "row_number": pl.Int64,
    }
)
_IDENTITIES = pl.Schema({"source_id": pl.String, "customer_id": pl.String})
_NEWEST, _SMALLEST, _CYCLE = "newest", "smallest id", "smallest id of the cycle"


def resolve_identities(statements: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The customer of each identifier that is another's, and the contradictions among the statements.

    A statement (source_id, customer_id, updated_at, source, row_number) says that an identifier is a customer. The
    answer depends on what is said, not on the order. Of two customers for one identifier the statement with the latest
    updated_at counts, else the smaller customer_id. A chain leads to the customer at its end; of a cycle, which has no
    end, the smallest id is the customer. That an identifier is itself says nothing.

    Returns identities (source_id, customer_id; one row per identifier, sorted) and conflicts (as CONFLICTS).
    """
    said = statements.filter(pl.col("source_id") != pl.col("customer_id"))
    if said.is_empty():
        return pl.DataFrame(schema=_IDENTITIES), pl.DataFrame(schema=CONFLICTS)
    # The first place of each statement; where it was made again, the latest time counts.
    distinct = (
        said.sort("source", "row_number")
        .group_by("source_id", "customer_id", maintain_order=True)
        .agg(pl.col("updated_at").max(), pl.col("source", "row_number").first())
        .sort("source_id", "updated_at", "customer_id", descending=[False, True, False], nulls_last=True)
    )
    chosen = distinct.unique("source_id", keep="first", maintain_order=True)
    identities = _follow(chosen)
    return identities, pl.concat([_list_refused(distinct, chosen, identities), _list_cycles(chosen, identities)])


def _follow(chosen: pl.DataFrame) -> pl.DataFrame:
    """Each identifier with the end of its chain."""
    ids = pl.concat([chosen["source_id"], chosen["customer_id"]]).unique().sort()
    place = pl.DataFrame({"id": ids}).with_row_index("place")
    follows = np.arange(ids.len())
    steps = chosen.select("source_id", "customer_id")
    for column in steps.columns:
        steps = steps.join(place.rename({"place": f"{column}_place", "id": column}), on=column, maintain_order="left")
    follows[steps["source_id_place"].to_numpy()] = steps["customer_id_place"].to_numpy()
    least = np.arange(ids.len())
    # Twice as far in each round: then everybody has arrived at an end or in a cycle, and gone all around that.
    for _ in range(ids.len().bit_length()):
        least = np.minimum(least, least[follows])
        follows = follows[follows]
    found = pl.DataFrame({"source_id": ids, "customer_id": ids.gather(least[follows])}, schema=_IDENTITIES)
    return found.filter(pl.col("source_id") != pl.col("customer_id"))


def _list_refused(distinct: pl.DataFrame, chosen: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    kept = chosen.select("source_id", pl.col("customer_id").alias("kept"), pl.col("updated_at").alias("kept_at"))
    refused = distinct.join(kept, on="source_id").filter(pl.col("customer_id") != pl.col("kept"))
    kept_at, said_at = pl.col("kept_at"), pl.col("updated_at")
    newer = (kept_at > said_at) | (kept_at.is_not_null() & said_at.is_null())
    found = refused.with_columns(
        pl.col("customer_id").alias("other"),
        pl.when(newer).then(pl.lit(_NEWEST)).otherwise(pl.lit(_SMALLEST)).alias("rule"),
    ).drop("customer_id")
    return _describe(found.join(identities, on="source_id", how="left"), "identity")


def _list_cycles(chosen: pl.DataFrame, identities: pl.DataFrame) -> pl.DataFrame:
    """The statement of each cycle that is not followed: that of its smallest id, which is the customer."""
    broken = chosen.join(identities, on="source_id", how="anti").with_columns(
        pl.col("customer_id").alias("other"),
        pl.col("source_id").alias("kept"),
        pl.col("source_id").alias("customer_id"),
        pl.lit(_CYCLE).alias("rule"),
    )
    return _describe(broken, "cycle")


def _describe(found: pl.DataFrame, kind: str) -> pl.DataFrame:
    named = found.with_columns(
        pl.lit(kind).alias("kind"),
        pl.lit("customer_id").alias("field"),
        # The end of a cycle is no other's identifier.
        pl.coalesce("customer_id", "source_id").alias("customer_id"),
    )
    return named.select(pl.col(name).cast(dtype) for name, dtype in CONFLICTS.items()).sort("source_id", "other")
