"""Model card: which version the scores are made from, why, and everything its card says.

Belongs here: laying the card out. Does not belong here: what it says (`clv/models/card.py`).
"""

import polars as pl

from clv_pipeline.report import numbers as n
from clv_pipeline.report.blocks import Block, Note, Section
from clv_pipeline.report.facts import ReportData

_ID, _TITLE, _QUESTION = (
    "model-card",
    "Model card",
    "Which model are the scores made from, and what should I know of it?",
)


def build_section(data: ReportData) -> Section | None:
    """The version in use and its card, chapter by chapter; None before any version is in use."""
    promotions = data.table("models.promotions")
    if promotions.is_empty():
        return None
    blocks: list[Block] = [Note(describe_use(promotions.row(-1, named=True)))]
    card = data.table("models.cards")
    if card.is_empty():
        blocks.append(Note(["Its card is in the folder models, under its name."]))
        return Section(_ID, _TITLE, blocks, _QUESTION)
    for chapter in card["chapter"].unique(maintain_order=True):
        texts = card.filter(pl.col("chapter") == chapter).sort("line")["text"].to_list()
        blocks.append(Note([f"{chapter}.", *texts]))
    return Section(_ID, _TITLE, blocks, _QUESTION)


def describe_use(promotion: dict[str, str | None]) -> list[str]:
    """Which version is in use, why, and what was in use before."""
    version, challenger, before = (promotion[name] for name in ("version", "challenger", "champion_before"))
    sentences = [f"The scores of {n.month(str(promotion['as_of']))} are made from {version}: {promotion['reason']}"]
    if version != challenger:
        sentences.append(f"The fit of this month, {challenger}, is not in use; tables of fit on this page show it.")
    if before and before != version:
        sentences.append(f"In use before: {before}.")
    return sentences
