"""What came back: `Grade`, and the verdicts, evidence and usage it holds."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from math import fsum
from typing import Literal

from pydantic import Field, JsonValue

from mmrare_judge.backends.base import Usage
from mmrare_judge.certificate import UNCALIBRATED, Calibration
from mmrare_judge.data.items import Reference, Track
from mmrare_judge.errors import NoScoreError
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Record, Signature, Text

Source = Literal["prediction", "reference", "criterion", "item"]
Match = Literal["exact", "normalised", "approximate", "wrong_source", "not_found"]
FOUND: frozenset[Match] = frozenset({"exact", "normalised", "approximate"})
"""How a quote matches that stands where it had to stand."""

Status = Literal["judged", "abstained", "unverified", "unscored"]
UnscoredKind = Literal[
    "rate_limit",
    "server_error",
    "timeout",
    "connection",
    "format",
    "refusal",
    "content_filter",
    "truncated",
    "too_long",
    "no_answer",
    "refused_request",
]


class Evidence(Record):
    """A quote a judge gave, and where it was found.

    Attributes:
        quote: The quote as the judge gave it.
        match: ``exact``, ``normalised`` (equal after folding), ``approximate``, ``wrong_source``
            (only in the reference, the criterion's own text or the item) or ``not_found``.
        source: The text it was found in; ``None`` if in none.
        start: Offset of its first character in that text; ``None`` if not found.
        end: Offset behind its last character.
        similarity: 0 to 1; 1 for exact and normalised matches.
    """

    quote: Text
    match: Match
    source: Source | None = None
    start: int | None = None
    end: int | None = None
    similarity: float | None = None

    @property
    def found(self) -> bool:
        """Whether the quote stands where it had to stand."""
        return self.match in FOUND


class Verdict(Record):
    """The judge's decision on one criterion.

    Attributes:
        criterion: The criterion's id.
        status: ``judged``; ``abstained`` (the judge could not tell); ``unverified`` (the level
            needs a quote and none was found); ``unscored`` (no reply could be had).
        level: The level's label, as in the rubric; ``None`` unless judged.
        points: Points of that level; ``None`` unless judged.
        reasoning: What the judge wrote before it decided.
        evidence: Its quotes, looked up.
        confidence: 0 to 1, or ``None`` where it is not known.
        claimed: The level the judge gave without a quote that holds (``unverified`` only).
        element: For a per-element verdict, the element judged.
        elements: For a criterion with ``for_each``, the verdict on every element.
    """

    criterion: str
    status: Status
    level: str | None = None
    points: float | None = None
    reasoning: Text = ""
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = Field(default=None, ge=0, le=1)
    claimed: str | None = None
    element: Text | None = None
    elements: tuple[Verdict, ...] = ()


class Unscored(Record):
    """Why the judge could not be asked.

    Attributes:
        kind: What went wrong, in one word.
        message: What went wrong, in one sentence.
        raw: The reply as it was received, where one was.
    """

    kind: UnscoredKind
    message: Text
    raw: Text = ""


class Bounds(Record):
    """The score if everything not judged were worst, and if it were best."""

    worst: float = Field(ge=0, le=1)
    best: float = Field(ge=0, le=1)


class Disagreement(Record):
    """A criterion on which level 2 contradicts the judge.

    Attributes:
        criterion: The criterion's id.
        level: The level the judge gave.
        level2: What level 2 found, in words.
    """

    criterion: str
    level: str
    level2: Text


class Grade(Record):
    """One prediction, graded.

    Attributes:
        item_id: The item.
        system: The model that answered; empty if not known.
        track: The item's track.
        score: 0 to 1 when every criterion was judged, else ``None``.
        partial_score: The score over what was judged; ``None`` when nothing was.
        coverage: Share of the rubric's weight that was judged, 0 to 1.
        bounds: Worst and best case for what was not judged.
        verdicts: One a criterion, in the rubric's order.
        empty: The prediction was blank: scored 0 by rule, without a call.
        unscored: Why criteria could not be asked, all or some; their status is ``unscored``.
        level2: Deterministic verification beside the judge.
        disagreements: Criteria on which level 2 contradicts the judge.
        usage: What this grade cost; all zero when cached.
        saved: What the replies from the cache cost when they were bought.
        cached: All replies came from the cache.
        notes: What was done to the input, or is worth knowing, in sentences.
        key: Hash of item, prediction, system, rubric, judge and parameters; two grades with the
            same key were asked the same.
        sample: Index among independent repeats by the same judge.
        requests: Hashes of the requests whose replies were graded, second looks behind, to look
            the raw replies up.
        signature: How the grade was made.
        calibration: Whether that way of grading was studied against clinicians, by the certificate
            that was given.
        prediction: The prediction that was graded, where a run keeps texts; else ``None``.
        question: The item's question, likewise.
        reference: The item's reference, likewise.
    """

    item_id: Text
    system: Text = ""
    track: Track
    score: float | None = Field(default=None, ge=0, le=1)
    partial_score: float | None = Field(default=None, ge=0, le=1)
    coverage: float = Field(ge=0, le=1)
    bounds: Bounds
    verdicts: tuple[Verdict, ...]
    empty: bool = False
    unscored: Unscored | None = None
    level2: Level2
    disagreements: tuple[Disagreement, ...] = ()
    usage: Usage = Usage()
    saved: Usage = Usage()
    cached: bool = False
    notes: tuple[Text, ...] = ()
    key: str
    sample: int = Field(default=0, ge=0)
    requests: tuple[str, ...] = ()
    signature: Signature
    calibration: Calibration = UNCALIBRATED
    prediction: Text | None = None
    question: Text | None = None
    reference: Reference | None = None

    @property
    def asked(self) -> bool:
        """Whether the judge itself had a say: not a blank prediction, and an answer came."""
        return self.unscored is None and not self.empty

    @property
    def no_score(self) -> str:
        """Why there is no score, in a sentence; empty where there is one."""
        if self.score is not None:
            return ""
        if self.unscored is not None:
            return f"{self.unscored.kind}: {self.unscored.message}"
        left = ", ".join(f"{v.criterion} {v.status}" for v in self.verdicts if v.status != "judged")
        return f"not every criterion was judged: {left}"

    def require_score(self) -> float:
        """The score, where a number is needed and ``None`` would be taken for zero.

        Raises:
            NoScoreError: There is none; the message has the reason.
        """
        if self.score is None:
            worst, best = self.bounds.worst, self.bounds.best
            raise NoScoreError(
                f"item {self.item_id} has no score ({self.no_score}); it lies between {worst:.3g} "
                f"and {best:.3g}, and partial_score is over what was judged"
            )
        return self.score

    def to_row(self) -> dict[str, JsonValue]:
        """The grade as one flat row, for a table of grades."""
        return {
            **self._names(),
            "score": self.score,
            "partial_score": self.partial_score,
            "coverage": self.coverage,
            "worst": self.bounds.worst,
            "best": self.bounds.best,
            "no_score": self.no_score,
            "empty": self.empty,
            "calls": self.usage.calls,
            "cost": self.usage.cost,
            "key": self.key,
        }

    def to_rows(self) -> list[dict[str, JsonValue]]:
        """The grade as one flat row for each criterion, for a table of verdicts."""
        return [
            {
                **self._names(),
                "criterion": verdict.criterion,
                "status": verdict.status,
                "level": verdict.level,
                "points": verdict.points,
                "claimed": verdict.claimed,
                "confidence": verdict.confidence,
                "quotes": " | ".join(evidence.quote for evidence in verdict.evidence),
                "matches": " | ".join(evidence.match for evidence in verdict.evidence),
                "reasoning": verdict.reasoning,
                "key": self.key,
            }
            for verdict in self.verdicts
        ]

    def _repr_html_(self) -> str:
        """The verdicts as a table, for notebooks."""
        return table(self.to_rows())

    def _names(self) -> dict[str, JsonValue]:
        made = self.signature
        return {
            "item_id": self.item_id,
            "system": self.system,
            "track": self.track,
            "judge": made.judge,
            "rubric": f"{made.rubric} {made.rubric_version}",
            "sample": self.sample,
        }

    def verdict(self, criterion: str) -> Verdict:
        """The verdict on one criterion.

        Raises:
            KeyError: The rubric has no such criterion.
        """
        for verdict in self.verdicts:
            if verdict.criterion == criterion:
                return verdict
        known = ", ".join(verdict.criterion for verdict in self.verdicts)
        raise KeyError(f"no criterion {criterion!r}; this grade has {known}")


def table(rows: list[dict[str, JsonValue]]) -> str:
    """Rows as an HTML table, every cell as text.

    >>> table([{"score": None}])
    '<table><tr><th>score</th></tr><tr><td></td></tr></table>'
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in (rows[0] if rows else ()))
    lines = (
        "".join(f"<td>{escape('' if cell is None else str(cell))}</td>" for cell in row.values())
        for row in rows
    )
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


# --- many grades in one list, with the mean that says how much it speaks for


class MeanScore(Record):
    """The mean score of some grades.

    Attributes:
        value: Mean over the grades that have a score, blank predictions as 0; ``None`` if the
            judge gave none of them: blanks alone make no mean.
        scored: Grades with a score.
        n: All grades.
        coverage: Mean share of the rubric's weight that was judged, over all grades.
        bounds: The mean over all grades if what was not judged were worst, and if it were best.
    """

    value: float | None
    scored: int
    n: int
    coverage: float
    bounds: Bounds


class Grades(list[Grade]):
    """A list of grades."""

    def mean(self) -> MeanScore | None:
        """The mean score, never without what it speaks for; ``None`` of no grades."""
        if not self:
            return None
        scores = [grade.score for grade in self if grade.score is not None]
        blanks = sum(grade.empty for grade in self)
        return MeanScore(
            value=_mean(scores) if len(scores) > blanks else None,
            scored=len(scores),
            n=len(self),
            coverage=_mean(grade.coverage for grade in self),
            bounds=Bounds(
                worst=_mean(grade.bounds.worst for grade in self),
                best=_mean(grade.bounds.best for grade in self),
            ),
        )

    def to_rows(self) -> list[dict[str, JsonValue]]:
        """A flat row for each criterion of each grade."""
        return [row for grade in self for row in grade.to_rows()]

    def _repr_html_(self) -> str:
        """The grades as a table, for notebooks."""
        return table([grade.to_row() for grade in self])


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return fsum(known) / len(known)
