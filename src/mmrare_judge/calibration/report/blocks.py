"""What a report is made of, without markup: texts and numbers, blocks, and what was found.

`Findings` is what a study hands over; `sections.report_of` makes a `Report` of blocks from it;
`render` writes that down. Every text here is plain: whoever renders a report escapes all of it.
Only `Figure.svg` is markup, and that is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.analyses.ceiling import Ceiling
from mmrare_judge.calibration.analyses.confidence import (
    BrierScore,
    ReliabilityBin,
    RiskCoverage,
    Threshold,
)
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.analyses.noninferiority import NonInferiority
from mmrare_judge.calibration.analyses.recalibration import Recalibration
from mmrare_judge.calibration.statistics.coefficients import Confusion
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.proportions import HomogeneityTest

# --- texts and numbers

# Controls, marks that reorder a line, byte order marks, non-characters and lone surrogates.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\ufeff\ufffe\uffff\ud800-\udfff]"
)
_NEWLINES = re.compile("\r\n|[\r\u0085\u2028\u2029]")

NONE = "–"
"""What stands where there is no number; the reason stands beside it."""


def shown_value(text: str) -> str:
    r"""The text with every character that acts instead of showing replaced by its name.

    A mark that turns the reading direction round could make a prediction read as its opposite.

    >>> shown_value("dose\x00 \u202eup")
    'dose[U+0000] [U+202E]up'
    """
    return _HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]", _NEWLINES.sub("\n", text))


def one_line(text: str, width: int | None = None) -> str:
    """The text `shown_value` on one line, cut with an ellipsis where it is longer than ``width``.

    >>> one_line("one two  three", 8)
    'one two…'
    """
    folded = " ".join(shown_value(text).split())
    if width is None or len(folded) <= width:
        return folded
    return folded[: width - 1].rstrip() + "…"


def number(value: float | None, digits: int = 3) -> str:
    """A number with a fixed count of decimals.

    >>> number(0.5), number(None), number(-0.0001)
    ('0.500', '–', '0.000')
    """
    if value is None:
        return NONE
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def signed(value: float | None, digits: int = 3) -> str:
    """A number with its sign; zero has none.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.250', '-0.250', '0.000')
    """
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and float(text) else text


def percent(share: float | None, digits: int = 1) -> str:
    """A share in percent.

    >>> percent(0.125), percent(None)
    ('12.5 %', '–')
    """
    return NONE if share is None else f"{number(100 * share, digits)} %"


def p_value(value: float | None) -> str:
    """A p-value; a small one as a bound.

    >>> p_value(0.0312), p_value(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def count(value: float) -> str:
    """A count; with decimals only where weights made it uneven.

    >>> count(12.0), count(12.25)
    ('12', '12.2')
    """
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def ends(estimate: Estimate, digits: int = 3) -> str:
    """The interval in words.

    >>> ends(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    '–'
    """
    interval = estimate.interval
    if interval is None:
        return NONE
    return f"{number(interval.low, digits)} to {number(interval.high, digits)}"


def with_ends(estimate: Estimate, digits: int = 3) -> str:
    """Value and interval for a sentence.

    >>> with_ends(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    '0.500 (no interval)'
    """
    if estimate.value is None:
        return "no value"
    inside = ends(estimate, digits) if estimate.interval else "no interval"
    return f"{number(estimate.value, digits)} ({inside})"


# --- blocks

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
        large: Whether it needs a row of its own.
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
class Quote:
    """Somebody's words."""

    who: str
    text: str


@dataclass(frozen=True)
class CaseBlock:
    """One unit, told in full: what was said of it, and in which words."""

    kind: ClassVar[str] = "case"
    title: str
    facts: tuple[tuple[str, str], ...]
    quotes: tuple[Quote, ...]


@dataclass(frozen=True)
class Fold:
    """Blocks that are folded away under a title, until a reader of the page opens them."""

    kind: ClassVar[str] = "fold"
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """What is to be said of one thing: a few facts beside each other, and blocks below them."""

    kind: ClassVar[str] = "card"
    title: str
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]


Block = Paragraph | Bullets | Table | Figure | CaseBlock | Fold | Card


def figures_in(blocks: Iterable[Block]) -> Iterator[Figure]:
    """All figures among these blocks, those in cards and folds too."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, Fold | Card):
            yield from figures_in(block.blocks)


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
        keys: The three numbers behind it.
        sections: Everything else.
        would_change: What would change the verdict.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    tone: Tone
    verdict: tuple[str, ...]
    keys: tuple[Key, ...]
    sections: tuple[Section, ...]
    would_change: tuple[str, ...] = ()


# --- findings: what a study hands over

Kind = Literal["quality", "safety", "overall"]

NOT_STUDIED = "this was no part of the study"


@dataclass(frozen=True)
class AgreementLimits:
    """The mean difference and the limits between which 95 % of differences lie."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class CriterionFindings:
    """What was found about one criterion; ``None`` or empty where there is nothing to tell.

    Attributes:
        name: The criterion.
        judge: The judge with clinicians, by the study's main statistic.
        clinicians: Clinicians among themselves, by the same.
        statistics: All agreement statistics by name.
        ceiling: Judge and clinicians by every rule.
        confusion: Which level met which.
        homogeneity: Whether both use the levels equally often.
        points: Mean and difference of judge and clinicians, a pair a unit.
        limits: Mean difference and limits of agreement.
        non_inferiority: The test against the margin given beforehand.
        alternative: The alternative annotator test.
        human: The clinicians' agreement among themselves, by every statistic that suits them.
        kind: ``quality`` or ``safety``; ``overall`` for what was put together from criteria.
        coverage: Share of the units with gold on which the judge gave a verdict.
        title: What the criterion is called, where its name is an id.
    """

    name: str
    judge: Estimate
    clinicians: Estimate | None = None
    statistics: Mapping[str, Estimate] = field(default_factory=dict)
    ceiling: Ceiling | None = None
    confusion: Confusion | None = None
    homogeneity: HomogeneityTest | None = None
    points: tuple[tuple[float, float], ...] = ()
    limits: AgreementLimits | None = None
    non_inferiority: NonInferiority | None = None
    alternative: AltTest | None = None
    human: Mapping[str, Estimate] = field(default_factory=dict)
    kind: Kind = "quality"
    coverage: float | None = None
    title: str = ""


def title_of(one: CriterionFindings) -> str:
    """What a criterion is called: its title, or its id as words.

    >>> found = Estimate(name="kappa", value=None, n=0, clusters=0)
    >>> title_of(CriterionFindings("drug_dose_route", found))
    'Drug dose route'
    """
    words = one.name.replace("_", " ")
    return one.title or words[:1].upper() + words[1:]


@dataclass(frozen=True)
class ConfidenceFindings:
    """What was found about the judge's confidence; ``missing`` says why there is nothing."""

    bins: tuple[ReliabilityBin, ...] = ()
    brier: BrierScore | None = None
    scores: tuple[tuple[str, Estimate], ...] = ()
    curve: RiskCoverage = field(default_factory=RiskCoverage)
    threshold: Threshold | None = None
    recalibration: Recalibration | None = None
    missing: str = NOT_STUDIED


@dataclass(frozen=True)
class BiasFindings:
    """One family of comparisons: groups of one kind, or slopes."""

    title: str
    caption: str
    groups: tuple[GroupBias, ...] = ()
    missing: str = NOT_STUDIED


@dataclass(frozen=True)
class Findings:
    """Everything a report tells.

    Attributes:
        title: Its title.
        facts: What the study is about.
        tone: Whether the verdict speaks for the judge.
        verdict: The verdict in plain sentences.
        keys: A few numbers at a glance.
        statistic: Name of the main statistic.
        criteria: By criterion.
        no_ceiling: Why there is no human ceiling, where there is none.
        remarks: What is peculiar about this judge, in sentences.
        bias: Families of comparisons.
        confidence: The judge's confidence.
        corrected: Scores by what they are scores of.
        not_corrected: Why there are none.
        harm: Missed harm and false alarms, by criterion.
        others: More estimates by name, such as test-retest.
        cases: Where judge and clinicians disagree most.
        no_cases: Why there are none.
        design: How the study was made.
        caveats: What to beware of.
        would_change: What would change the verdict; worked out of the tests if left out.
        checklist: What a reviewer asks of such a study, and what is stated.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    tone: Tone
    verdict: tuple[str, ...]
    statistic: str
    criteria: tuple[CriterionFindings, ...]
    keys: tuple[Key, ...] = ()
    no_ceiling: str = ""
    remarks: tuple[str, ...] = ()
    bias: tuple[BiasFindings, ...] = ()
    confidence: ConfidenceFindings = field(default_factory=ConfidenceFindings)
    corrected: Mapping[str, CorrectedScore] = field(default_factory=dict)
    not_corrected: str = NOT_STUDIED
    harm: tuple[tuple[tuple[str, str], Estimate], ...] = ()
    others: tuple[tuple[str, Estimate], ...] = ()
    cases: tuple[CaseBlock, ...] = ()
    no_cases: str = "judge and clinicians never disagree"
    design: tuple[tuple[str, str], ...] = ()
    caveats: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    checklist: tuple[tuple[str, str], ...] = ()

    def titled(self, name: str) -> str:
        """What a criterion of that name is called; another name stays as it is."""
        return next((title_of(one) for one in self.criteria if one.name == name), name)
