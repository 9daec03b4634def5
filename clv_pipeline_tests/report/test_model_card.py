"""The report says which version the scores are made from, and shows its card."""

import polars as pl

from clv_pipeline.report.facts import ReportData
from clv_pipeline.report.sections.model_card import build_card, build_use, describe_use
from clv_pipeline_tests.report.sample import make_facts

PINNED = {
    "as_of": "2022-12",
    "challenger": "new",
    "champion_before": "old",
    "version": "old",
    "decision": "pinned",
    "reason": "Chosen by `clv promote`.",
}
CARD = pl.DataFrame(
    {"version": "old", "chapter": ["Limits", "Data", "Data"], "line": [3, 1, 2], "text": ["none", "first", "second"]}
)


def test_a_version_that_is_not_the_months_own_is_named_with_its_reason() -> None:
    assert describe_use(PINNED) == [
        "The scores of December 2022 are made from old: Chosen by `clv promote`.",
        "The fit of this month, new, is not in use; tables of fit on this page show it.",
    ]
    assert describe_use(PINNED | {"version": "new", "reason": "Better."})[1:] == ["In use before: old."]


def test_the_card_is_shown_chapter_by_chapter() -> None:
    data = ReportData({"models.promotions": pl.DataFrame([PINNED]), "models.cards": CARD}, make_facts("2022-12"))
    use, card = build_use(data), build_card(data)
    assert use
    assert card
    assert [(block.heading, block.sentences) for block in card.blocks] == [  # pyright: ignore[reportAttributeAccessIssue]
        ("Data", ["first", "second"]),
        ("Limits", ["none"]),
    ]
    empty = ReportData({}, make_facts("2022-12"))
    assert build_use(empty) is build_card(empty) is None
