"""Model card: which version the scores are made from, why, and everything its card says.

Belongs here: laying the card out. Does not belong here: what it says (`clv/models/card.py`).
"""

from collections.abc import Mapping

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Note, Section
from clv_pipeline.report.facts import ReportData

_USE, _CARD = "model-use", "model-card"
_QUESTION = "Which version are the scores made from, and why?"


def build_use(data: ReportData) -> Section | None:
    """The version in use and why; None before any is."""
    promotions = data.table("models.promotions")
    if promotions.is_empty():
        return None
    return Section(_USE, "Version in use", [Note(describe_use(promotions.row(-1, named=True)))], _QUESTION)


def build_card(data: ReportData) -> Section | None:
    """The card of the version in use, chapter by chapter, folded; None where it is in no table, but in its folder."""
    card = data.table("models.cards")
    if card.is_empty():
        return None
    blocks = [
        Note(texts["text"].to_list(), heading=str(chapter))
        for (chapter,), texts in card.sort("line").group_by("chapter", maintain_order=True)
    ]
    return Section(_CARD, f"Model card of {card['version'][0]}", blocks, folded=True)


def describe_use(promotion: Mapping[str, str | None]) -> list[str]:
    """Which version is in use, why, and what was in use before."""
    version, challenger, before = (promotion[name] for name in ("version", "challenger", "champion_before"))
    sentences = [f"The scores of {n.month(str(promotion['as_of']))} are made from {version}: {promotion['reason']}"]
    if version != challenger:
        sentences.append(f"The fit of this month, {challenger}, is not in use; tables of fit on this page show it.")
    if before and before != version:
        sentences.append(f"In use before: {before}.")
    return sentences
