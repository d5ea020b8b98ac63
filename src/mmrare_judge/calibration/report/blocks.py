"""What a report is made of: sections of paragraphs, tables, figures and cases, without markup.

Every text here is plain: whoever renders a report escapes all of it. Only `Figure.svg` is markup,
and that is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

REMARK = "remark"
"""The head of a column of remarks."""

SHORT = 14
"""Rows of a table that is not torn apart between two printed pages."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table: words on the left, numbers, and remarks on the right.

    Attributes:
        caption: What it shows.
        head: The columns' names.
        rows: The cells, as many a row as there are columns.
        words: How many columns from the left are words.
        remarks: How many columns from the right are words too.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    remarks: int = 0

    def __post_init__(self) -> None:
        """Refuse a row that does not fit its head."""
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"a row of {len(row)} cells under {len(self.head)} columns")

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers."""
        last = len(self.head) - self.remarks
        return tuple(self.words <= place < last for place in range(len(self.head)))

    @property
    def remarked(self) -> bool:
        """Whether the last column holds remarks: sentences, for which a cell is too narrow."""
        return self.remarks > 0 and self.head[-1] == REMARK

    @property
    def short(self) -> bool:
        """Whether it is short enough to stand on one printed page with its head."""
        return len(self.rows) <= SHORT


@dataclass(frozen=True)
class Figure:
    """A plot, or why there is none, with its numbers.

    Attributes:
        name: Its identifier on the page.
        title: What it shows.
        caption: How to read it.
        svg: The plot; empty where there is none.
        missing: Why there is none.
        table: Its numbers.
        large: Whether it needs a row of its own in a gallery.
    """

    kind: ClassVar[str] = "figure"
    name: str
    title: str
    caption: str
    svg: str = ""
    missing: str = ""
    table: Table | None = None
    large: bool = False


@dataclass(frozen=True)
class Gallery:
    """Small figures beside each other."""

    kind: ClassVar[str] = "gallery"
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Quote:
    """Somebody's words."""

    who: str
    text: str


@dataclass(frozen=True)
class Case:
    """One unit, told in full: what was said of it, and in which words."""

    kind: ClassVar[str] = "case"
    title: str
    facts: tuple[tuple[str, str], ...]
    quotes: tuple[Quote, ...]


Block = Paragraph | Bullets | Table | Figure | Gallery | Case


@dataclass(frozen=True)
class Section:
    """A part of the report under its own heading."""

    name: str
    title: str
    blocks: tuple[Block, ...]


Tone = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class Key:
    """One number at the head of the report, in large type, with what it means."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: Its title.
        facts: What it is about: judge, gold, date.
        tone: Whether the verdict speaks for the judge, against it, or leaves it open.
        verdict: The verdict in plain sentences, the most important one first.
        keys: A few numbers at a glance.
        sections: Everything else.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    tone: Tone
    verdict: tuple[str, ...]
    keys: tuple[Key, ...]
    sections: tuple[Section, ...]
