"""Grades and gold labels for studies: a truth, clinicians and a judge who miss it at times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.judge import scales_of
from mmrare_judge.calibration.gold.labels import Gold, gold_from
from mmrare_judge.judging.grade import Bounds, Grade, Unscored, Verdict
from mmrare_judge.judging.grading import score_verdicts
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Signature
from mmrare_judge.rubric.model import Rubric, parse_rubric
from support.makers import RUBRIC

SMALL = parse_rubric(RUBRIC)
CRITERIA = ("quality", "safe")
CLINICIANS = ("Dr A", "Dr B", "Dr C")

Levels = Mapping[str, str | None]


def signature(rubric: Rubric = SMALL, /, **changes: Any) -> Signature:
    """How a grade was made."""
    fields: dict[str, Any] = {
        "judge": "openai/judge", "reported_model": "judge-1", "mode": "json_schema",
        "rubric": rubric.id, "rubric_version": rubric.version, "rubric_hash": rubric.hash,
        "prompt_hash": "sha256-c1:00", "package": "0.1.0",
    }  # fmt: skip
    return Signature(**fields | changes)


def graded(
    item: str,
    levels: Levels,
    *,
    system: str = "m",
    rubric: Rubric = SMALL,
    sample: int = 0,
    confidence: float | None = None,
    made: Signature | None = None,
    **changes: Any,
) -> Grade:
    """A grade with these levels; ``None`` is an abstention."""
    verdicts = tuple(
        Verdict(criterion=name, status="abstained")
        if level is None
        else Verdict(
            criterion=name, status="judged", level=level, confidence=confidence,
            points=float(rubric.criterion(name).levels[level].points),
        )
        for name, level in levels.items()
    )  # fmt: skip
    scored = score_verdicts(rubric, verdicts)
    fields: dict[str, Any] = {
        "item_id": item, "system": system, "track": rubric.track,
        "score": None if scored.score is None else float(scored.score),
        "partial_score": None if scored.partial_score is None else float(scored.partial_score),
        "coverage": float(scored.coverage),
        "bounds": Bounds(worst=float(scored.worst), best=float(scored.best)),
        "verdicts": verdicts, "level2": Level2(), "key": f"{item}/{system}/{sample}",
        "sample": sample, "signature": made or signature(rubric),
    }  # fmt: skip
    return Grade(**fields | changes)


def unscored(item: str, *, rubric: Rubric = SMALL) -> Grade:
    """A grade that could not be had."""
    verdicts = tuple(Verdict(criterion=one.id, status="unscored") for one in rubric.criteria)
    reason = Unscored(kind="timeout", message="no answer in time")
    return graded(item, {}, rubric=rubric).model_copy(
        update={"verdicts": verdicts, "unscored": reason, "coverage": 0.0}
    )


def gold_of(
    rows: Iterable[tuple[str, str, str, str]],
    *,
    rubric: Rubric = SMALL,
    system: str = "m",
    cases: Mapping[str, str] | None = None,
) -> Gold:
    """Gold from rows of item, criterion, rater, label."""
    labels = [
        GoldLabel(item, system, criterion, rater, label, (cases or {}).get(item, item))
        for item, criterion, rater, label in rows
    ]
    return gold_from(labels, scales_of(rubric))


class World:
    """A truth about items, clinicians who label some of them, and a judge who grades all.

    Args:
        graded: Items that are graded.
        labelled: Items, the first ones, that clinicians label.
        clinicians_err: How often each clinician errs.
        judge_errs: How often the judge errs: for a truth of NO, and for one of YES.
        seed: Of the draws.
        clinicians: Who labels.
    """

    def __init__(
        self,
        *,
        graded: int = 200,
        labelled: int = 120,
        clinicians_err: float = 0.1,
        judge_errs: tuple[float, float] = (0.1, 0.1),
        seed: int = 0,
        clinicians: Sequence[str] = CLINICIANS,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.truth = rng.random((graded, 2)) < (0.5, 0.7)
        wrong = np.where(self.truth, judge_errs[1], judge_errs[0])
        self.judge = self.truth ^ (rng.random((graded, 2)) < wrong)
        self.clinicians = {
            name: self.truth[:labelled] ^ (rng.random((labelled, 2)) < clinicians_err)
            for name in clinicians
        }
        self.systems = ["a" if n % 2 else "b" for n in range(graded)]

    def grades(self, **changes: Any) -> list[Grade]:
        """The judge's grades."""
        return [
            graded(f"i{n}", _levels(row), system=self.systems[n], **changes)
            for n, row in enumerate(self.judge)
        ]

    def gold(self) -> Gold:
        """The clinicians' labels."""
        labels = [
            GoldLabel(f"i{n}", self.systems[n], name, who, level, f"i{n}")
            for who, rows in self.clinicians.items()
            for n, row in enumerate(rows)
            for name, level in _levels(row).items()
        ]
        return gold_from(labels, scales_of(SMALL))

    def mean_score(self) -> float:
        """The true mean score: ``(3 quality + 1 safe) / 4``."""
        return float((self.truth @ np.array([3, 1]) / 4).mean())


def _levels(row: np.ndarray) -> dict[str, str]:
    return {name: "YES" if met else "NO" for name, met in zip(CRITERIA, row, strict=True)}
