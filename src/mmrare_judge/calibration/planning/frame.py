"""What could be labelled: every graded unit, with what the judge made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmrare_judge.calibration.gold.labels import Unit
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.study.inputs import grades_of_judge
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade, Verdict
from mmrare_judge.rubric.model import Rubric

UNSTATED = 0.8
"""How often a verdict without a stated confidence is taken to be right."""

DOUBTFUL = 0.5
"""The same where the judge could not decide, or level 2 contradicts it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that could be labelled.

    Attributes:
        unit: Item, system and criterion.
        cluster: The case.
        level: The judge's level; ``None`` where it did not decide.
        confidence: Its confidence, 0 to 1; ``None`` where it is not known.
        stratum: A further group that has to be represented, such as a rare-disease category.
    """

    unit: Unit
    cluster: str
    level: str | None
    confidence: float | None = None
    stratum: str = ""


def candidates_of(
    grades: Iterable[Grade],
    *,
    judge: str | None = None,
    rubric: Rubric | None = None,
    clusters: Mapping[str, str] | None = None,
    strata: Mapping[str, str] | None = None,
) -> tuple[Candidate, ...]:
    """All units that one judge graded; of several samples, the first.

    A blank prediction is scored by rule and nothing is to be learnt from it, but the corrected
    score speaks of it too: it stays in.

    Args:
        grades: The grades.
        judge: The judge, where the grades are those of several.
        rubric: The rubric; may be left out for a built-in one.
        clusters: The case of each item; the item itself where it is left out.
        strata: By item, a group that has to be represented.

    Raises:
        InputError: There is no grade, or several judges or rubrics without a choice.
        RubricError: The rubric is not the one that the grades were made by.
    """
    chosen = grades_of_judge(grades, judge=judge, rubric=rubric).first
    cases, groups = clusters or {}, strata or {}
    return tuple(
        Candidate(
            unit=(item, system, verdict.criterion),
            cluster=cases.get(item, item),
            level=verdict.level,
            confidence=_confidence(verdict, grade),
            stratum=groups.get(item, ""),
        )
        for (item, system), grade in chosen.items()
        for verdict in grade.verdicts
    )


def _confidence(verdict: Verdict, grade: Grade) -> float | None:
    contradicted = any(one.criterion == verdict.criterion for one in grade.disagreements)
    return DOUBTFUL if contradicted else verdict.confidence


def doubts(candidates: Sequence[Candidate]) -> Floats:
    """The variance of whether the judge is right, ``c (1 - c)`` with its confidence c.

    Below one half, and where it did not decide, it is that of one half.

    >>> unit = ("1", "m", "safe")
    >>> doubts([Candidate(unit, "1", "YES", 0.9), Candidate(unit, "1", None)]).round(2).tolist()
    [0.09, 0.25]
    """
    stated = [UNSTATED if one.confidence is None else one.confidence for one in candidates]
    decided = [one.level is not None for one in candidates]
    sure = np.where(decided, np.maximum(stated, DOUBTFUL), DOUBTFUL)
    return np.asarray(sure * (1 - sure), dtype=np.float64)


def commonness(candidates: Sequence[Candidate]) -> Floats:
    """How many units of the same criterion got the same level from the judge.

    >>> levels = ["YES", "YES", "NO"]
    >>> commonness([Candidate(("1", "m", "safe"), "1", level) for level in levels]).tolist()
    [2.0, 2.0, 1.0]
    """
    kinds = [(one.unit[2], one.level) for one in candidates]
    counts = Counter(kinds)
    return np.array([counts[kind] for kind in kinds], dtype=np.float64)


def check_candidates(candidates: Sequence[Candidate]) -> None:
    """Refuse an empty frame, a unit that is there twice, and a confidence that is none.

    Raises:
        InputError: It is one of those.

    >>> check_candidates([Candidate(("1", "m", "safe"), "1", "YES")])
    """
    if not candidates:
        raise InputError("there is nothing to label", remedy="Grade first: `mmrare-judge grade`")
    unit, times = Counter(one.unit for one in candidates).most_common(1)[0]
    if times > 1:
        raise InputError(f"{' / '.join(unit)} is there {times} times", remedy="Name a unit once")
    for one in candidates:
        if one.confidence is not None and not 0 <= one.confidence <= 1:
            name = " / ".join(one.unit)
            raise InputError(f"confidence {one.confidence:g} of {name} must lie from 0 to 1")
