"""Who may be shown: what the rows of a person say of visibility and consent.

Belongs here: that decision. Does not belong here: what is left out of which table (`sql/`, docs/customers.md).
"""

import polars as pl

NOT_VISIBLE, REFUSED, MISSING = "not visible", "consent refused", "consent missing"
REASONS = (NOT_VISIBLE, REFUSED, MISSING)
_SCHEMA = pl.Schema({"customer_id": pl.String, "reason": pl.String})


def settle_flag(rows: pl.DataFrame, flag: str) -> pl.DataFrame:
    """The boolean `flag` of each customer of whom `rows` (customer_id, source_id, updated_at, is_bad, flag) say it.

    Of one identifier the newest row counts, of rows equally new a no; over the identifiers of a person again a no. Of a
    row that is_bad, otherwise not used, a no counts as well, whenever it was said.
    """
    said = rows.filter(pl.col(flag).is_not_null() & ~(pl.col("is_bad") & pl.col(flag)))
    latest = pl.col("updated_at").filter(~pl.col("is_bad")).max().over("source_id")
    newest = said.filter(pl.col("is_bad") | pl.col("updated_at").eq_missing(latest))
    return newest.group_by("customer_id").agg(pl.col(flag).all()).sort("customer_id")


def find_hidden(known: pl.Series, visible: pl.DataFrame | None, consent: pl.DataFrame | None) -> pl.DataFrame:
    """The customers who may not be shown, with the first reason that applies; sorted.

    `known` are the ids of all customers; `visible` and `consent` are customer_id and a boolean each, None where nobody
    is asked for it. Who says nothing of visibility is visible; who says nothing of consent has not given it.
    """
    people = pl.DataFrame({"customer_id": known}).unique()
    reasons: list[pl.Expr] = []
    for name, flags in (("visible", visible), ("consent", consent)):
        if flags is not None:
            people = people.join(flags.select("customer_id", pl.nth(1).alias(name)), on="customer_id", how="left")
    if visible is not None:
        reasons.append(pl.when(~pl.col("visible")).then(pl.lit(NOT_VISIBLE)))
    if consent is not None:
        reasons.append(pl.when(pl.col("consent").is_null()).then(pl.lit(MISSING)))
        reasons.append(pl.when(~pl.col("consent")).then(pl.lit(REFUSED)))
    if not reasons:
        return pl.DataFrame(schema=_SCHEMA)
    hidden = people.select("customer_id", pl.coalesce(reasons).alias("reason")).filter(pl.col("reason").is_not_null())
    return hidden.sort("customer_id")
