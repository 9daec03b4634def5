"""The pieces a page is made of: sections of cards, figures, tables and notes.

Belongs here: their shape, free of wording and of HTML. Does not belong here: what they contain (`sections/`) and how
they look (`templates/`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from clv_pipeline.report.glossary import find_terms
from clv_pipeline.report.tables import Table

Spec = dict[str, Any]


@dataclass(frozen=True)
class Card:
    """One headline number; `detail` says how it compares."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Cards:
    """A row of headline numbers."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite chart, the sentence that says what it answers, and the text that stands in for the picture."""

    id: str
    title: str
    sentence: str
    spec: Spec
    note: str = ""
    kind: ClassVar[str] = "figure"

    @property
    def alt(self) -> str:
        """What a reader who does not see the picture is told."""
        return f"Chart: {self.title}. {self.sentence}"


@dataclass(frozen=True)
class FigureGrid:
    """Figures side by side where there is room."""

    figures: Sequence[Figure]
    kind: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Note:
    """Plain sentences; `caution` marks what a reader must know before comparing."""

    sentences: Sequence[str]
    caution: bool = False
    kind: ClassVar[str] = "note"


Block = Cards | Figure | FigureGrid | Note | Table


@dataclass(frozen=True)
class Section:
    """A part of the page: the question it answers and the blocks that answer it."""

    id: str
    title: str
    question: str
    blocks: Sequence[Block]

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures, those in grids included."""
        for block in self.blocks:
            if isinstance(block, Figure):
                yield block
            if isinstance(block, FigureGrid):
                yield from block.figures

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The defined terms this section uses, with their definitions."""
        texts = [self.question]
        for block in self.blocks:
            match block:
                case Note():
                    texts += block.sentences
                case Cards():
                    texts += [f"{card.label} {card.detail}" for card in block.cards]
                case Table():
                    texts += [block.title, block.note, *(header.label for header in block.headers)]
                case _:
                    pass
        texts += [f"{figure.title} {figure.sentence} {figure.note}" for figure in self.figures]
        return find_terms(texts)


def empty_section(id: str, title: str, question: str, sentence: str) -> Section:
    """A section that has nothing to show and says why."""
    return Section(id, title, question, [Note([sentence])])
