"""Accounts for every delivered row: what became of it, by number and amount.

Belongs here: adding up the ledger and the stamps of the transactions. Does not belong here: deciding a row's fate
(`sql/1_transactions/`).
"""

from typing import Any

import polars as pl

from clv_pipeline.state import LINES, State

_ITEM = pl.Schema({"item": pl.String, "lines": pl.Int64, "amount": pl.Decimal(18, 2)})
_FATES = {
    "fate": pl.String,
    "lines": pl.Int64,
    "amount": pl.String,
    "lines_without_customer": pl.Int64,
    "amount_without_customer": pl.String,
    "return_lines": pl.Int64,
    "return_amount": pl.String,
}


def reconcile(state: State) -> pl.DataFrame:
    """item, lines, amount: `delivered`, then every fate (together they are what was delivered), then parts of `kept`.

    Rejected rows count with the amount that could be read; a known line delivered again unchanged is not landed again
    and counts without one.
    """
    fates = _read_fates(state)
    landed = state.ledger.touched_months()
    lines = _total(state.ledger.batches, "rows")
    landed_lines, landed_amount = _total(landed, "rows"), _total(landed, "amount")
    by_fate = fates.group_by("fate").agg(pl.col("lines").sum(), pl.col("amount").sum()).rename({"fate": "item"})
    kept = fates.filter(pl.col("fate") == "kept")
    return pl.concat(
        [
            _item("delivered", lines, landed_amount),
            by_fate.select(pl.col(name).cast(dtype) for name, dtype in _ITEM.items()).sort("item"),
            _item("known and delivered again", lines - landed_lines, 0),
            _item(
                "replaced by a later delivery",
                landed_lines - _total(by_fate, "lines"),
                landed_amount - _total(by_fate, "amount"),
            ),
            _item(
                "kept, without a customer",
                _total(kept, "lines_without_customer"),
                _total(kept, "amount_without_customer"),
            ),
            _item("kept, returns", _total(kept, "return_lines"), _total(kept, "return_amount")),
        ]
    )


def _total(frame: pl.DataFrame, column: str) -> Any:
    return frame[column].sum()


def _read_fates(state: State) -> pl.DataFrame:
    rows = [
        fate
        for table in (LINES, "transactions.quarantine")
        for stamp in state.stamps(table).values()
        for fate in stamp.facts.get("fates") or []
    ]
    return pl.DataFrame(rows, schema=_FATES).with_columns(pl.col("^.*amount.*$").cast(pl.Decimal(18, 2)))


def _item(name: str, lines: Any, amount: Any) -> pl.DataFrame:
    return pl.DataFrame({"item": [name], "lines": [lines], "amount": [amount]}).cast(_ITEM)
