"""The pieces the report is made of: pages of sections of cards, figures, tables and notes.

Belongs here: their shape, free of wording and of HTML. Does not belong here: what they contain (`pages.py`,
`sections/`) and how they look (`templates/`).
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
    def is_drawable(self) -> bool:
        """Whether there is anything to draw; if not, only the sentence is shown, never a chart without marks."""
        return any(self.spec["datasets"].values())

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
    """Plain sentences, under a heading or not; `caution` marks what a reader must know before comparing."""

    sentences: Sequence[str]
    caution: bool = False
    heading: str = ""
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Picker:
    """A choice of cohort that every chart of the page with a parameter `cohort` follows."""

    cohorts: Sequence[str]
    kind: ClassVar[str] = "picker"


@dataclass(frozen=True)
class MonthLink:
    """An as-of month; `href` is empty where its page has not been built."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True)
class MonthIndex:
    """As-of months by year, the latest year first."""

    years: Sequence[tuple[str, Sequence[MonthLink]]]
    kind: ClassVar[str] = "index"


@dataclass(frozen=True)
class Lamp:
    """A traffic light: its colour, what it is about, the finding, where it is green, and what to do if it is not."""

    level: str
    title: str
    sentence: str
    threshold: str
    fix: str


@dataclass(frozen=True)
class Lamps:
    """Traffic lights below each other."""

    lamps: Sequence[Lamp]
    kind: ClassVar[str] = "lamps"


Block = Cards | Figure | FigureGrid | Note | Table | Picker | MonthIndex | Lamps


@dataclass(frozen=True)
class Section:
    """A part of a page: blocks that belong together; `question` where it is narrower than the page's.

    `folded` is for details: only the title shows until a reader opens it.
    """

    id: str
    title: str
    blocks: Sequence[Block]
    question: str = ""
    folded: bool = False

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures, those in grids included."""
        for block in self.blocks:
            if isinstance(block, Figure):
                yield block
            if isinstance(block, FigureGrid):
                yield from block.figures

    @property
    def texts(self) -> Iterator[str]:
        """Everything a reader reads in it, numbers apart."""
        yield from (self.title, self.question)
        for block in self.blocks:
            match block:
                case Note():
                    yield from block.sentences
                case Cards():
                    yield from (f"{card.label} {card.detail}" for card in block.cards)
                case Lamps():
                    yield from (f"{lamp.title} {lamp.sentence} {lamp.fix}" for lamp in block.lamps)
                case Table():
                    yield from (block.title, block.note, *(header.label for header in block.headers))
                case _:
                    pass
        yield from (f"{figure.title} {figure.sentence} {figure.note}" for figure in self.figures)


@dataclass(frozen=True)
class NextStep:
    """What to look at next, and the page where it is."""

    text: str
    page: str


@dataclass(frozen=True)
class Page:
    """A tab of the report: the question it answers, the sections that answer it, and what to look at next."""

    id: str
    tab: str
    title: str
    question: str
    sections: Sequence[Section]
    next_steps: Sequence[NextStep] = ()

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures of its sections."""
        for section in self.sections:
            yield from section.figures

    @property
    def terms(self) -> list[tuple[str, str]]:
        """The defined terms this page uses, with their definitions."""
        own = [self.title, self.question, *(step.text for step in self.next_steps)]
        return find_terms([*own, *(text for section in self.sections for text in section.texts)])


def empty_section(id: str, title: str, sentence: str) -> Section:
    """A section that has nothing to show and says why."""
    return Section(id, title, [Note([sentence])])
