"""How far the figures can be trusted: what became of the delivered lines, drift, and whether there are scores.

Belongs here: the one sentence of the summary. Does not belong here: the tables behind it (`quality.py`, `drift.py`).
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.drift import name_checks

# Rows that were delivered and rightly count once or not at all, by what they are.
_SECOND_COPIES = ("duplicate", "known and delivered again")
_OLDER_VERSIONS = ("superseded", "replaced by a later delivery")
_WITHDRAWN = ("deletion", "deleted", "return dropped")


def describe_trust(data: ReportData) -> str:
    """What the checks say about the figures."""
    parts = []
    if sentence := describe_lines(data.table("transactions.reconciliation")):
        parts.append(sentence)
    drift = data.table("drift.checks")
    if not drift.is_empty():
        drift = name_checks(drift)
        found = int(drift["drifted"].sum())
        verb = "is" if found == 1 else "are"
        parts.append(f"{found} of {n.plural(drift.height, 'drift check')} {verb} beyond the threshold")
    if data.table("models.parameters").is_empty():
        parts.append("no model could be fitted, so there are no scores")
    elif data.table("scores.top").is_empty():
        parts.append("there are no scores for this month")
    return f"Trust: {'; '.join(parts)}." if parts else "There are no checks for this month."


def describe_lines(reconciliation: pl.DataFrame) -> str:
    """Which share of the lines that count is in the figures, and what the others are; '' without a delivery.

    Copies, older versions and withdrawn lines are no losses: they are named, and not part of the lines that count.
    """
    if reconciliation.is_empty():
        return ""
    found = dict(zip(reconciliation["item"].to_list(), reconciliation["lines"].to_list(), strict=True))
    kept, bad = found.get("kept"), found.get("quarantined") or 0
    if not found.get("delivered") or kept is None:
        return ""
    if bad:
        part = n.share(kept / (kept + bad))
        text = f"{part} of the lines that count are in these figures ({n.count(bad)} in quarantine)"
    else:
        lines = "the only line that counts is" if kept == 1 else f"all {n.count(kept)} lines that count are"
        text = f"{lines} in these figures, none is in quarantine"
    others = [
        n.plural(lines, *words)
        for items, words in (
            (_SECOND_COPIES, ("second copy", "second copies")),
            (_OLDER_VERSIONS, ("older version", "older versions")),
            (_WITHDRAWN, ("deleted line or dropped return", "deleted lines or dropped returns")),
        )
        if (lines := sum(found.get(item) or 0 for item in items))
    ]
    return f"{text}; delivered besides, and rightly left out: {n.join_words(others)}" if others else text
