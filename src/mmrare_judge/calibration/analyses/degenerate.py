"""Degenerate judges, named in plain words: what good-looking numbers can hide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from mmrare_judge.calibration.statistics.ratings import Ints
from mmrare_judge.judging.grade import Grade

ONE_LEVEL = 0.95
"""A judge that gives one level this often judges hardly anything, unless clinicians do so too."""

MORE_VARIED = 2
"""Clinicians have to give the other levels more than this many times as often as the judge."""

HIGH_AGREEMENT, NO_KAPPA = 0.8, 0.2
"""Percent agreement at or above the one with a kappa below the other: agreement by prevalence."""

QUOTES_LOST = 0.5
"""Share of quotes that cannot be found above which the judge's evidence is not worth much."""

FEW_VERDICTS = 0.5
"""Share of units with a verdict below which the judge leaves most of the work to others."""

LEAST = 10
"""Units, or quotes, below which nothing is said."""

LEAST_RARE = 5
"""Clinicians' labels beside the most frequent one below which nobody can tell whether a judge tells
the levels apart."""


def peculiarities(
    name: str, judge: Ints, clinicians: Ints, levels: tuple[str, ...], kappa: float | None
) -> tuple[str, ...]:
    """What is wrong with a judge on one criterion, in sentences; none if nothing is.

    Args:
        name: The criterion.
        judge: The judge's levels as indices; -1 where it gave none.
        clinicians: The clinicians' levels taken together; -1 where there is none.
        levels: The names of the levels.
        kappa: The judge's kappa with the clinicians, for agreement without kappa.

    >>> judge, gold = np.ones(40, dtype=int), np.array([1] * 30 + [0] * 10)
    >>> for sentence in peculiarities("dose", judge, gold, ("NO", "YES"), 0.0):
    ...     print(sentence)
    dose: it gives 'YES' in 40 of 40 verdicts, clinicians in 30.
    dose: it agrees with clinicians on 30 of 40; always answering 'YES' would agree on 30.
    """
    has_gold = clinicians >= 0
    both = has_gold & (judge >= 0)
    mine, theirs = judge[both], clinicians[both]
    found = [_few_verdicts(name, int(both.sum()), int(has_gold.sum()))]
    if len(mine) >= LEAST and len(mine) - int(np.bincount(theirs).max()) >= LEAST_RARE:
        found += [
            _one_level(name, mine, theirs, levels),
            _no_better(name, mine, theirs, levels, kappa),
            _by_prevalence(name, mine, theirs, kappa),
        ]
    return tuple(filter(None, found))


def quote_peculiarities(grades: Iterable[Grade]) -> tuple[str, ...]:
    """What is wrong with a judge's quotes; nothing where it is sound, or gave hardly any.

    >>> quote_peculiarities([])
    ()
    """
    matches = Counter(
        evidence.match
        for grade in grades
        for verdict in grade.verdicts
        for one in (verdict, *verdict.elements)
        for evidence in one.evidence
    )
    total = matches.total()
    lost = matches["not_found"] + matches["wrong_source"]
    if total < LEAST or lost / total <= QUOTES_LOST:
        return ()
    return (
        f"{lost} of {total} quotes do not stand in the prediction; {matches['wrong_source']} of "
        "them stand in the reference, the criterion or the question instead.",
    )


def _few_verdicts(name: str, given: int, wanted: int) -> str:
    if wanted < LEAST or given / wanted >= FEW_VERDICTS:
        return ""
    return f"{name}: it gives a verdict on {given} of {wanted} units that clinicians decided."


def _one_level(name: str, judge: Ints, clinicians: Ints, levels: tuple[str, ...]) -> str:
    level = int(np.bincount(judge).argmax())
    mine, theirs = int((judge == level).sum()), int((clinicians == level).sum())
    varied = len(judge) - theirs > MORE_VARIED * (len(judge) - mine)
    if mine / len(judge) < ONE_LEVEL or not varied or theirs / len(judge) >= ONE_LEVEL:
        return ""
    return f"{name}: it gives {levels[level]!r} in {mine} of {len(judge)} verdicts, " + (
        f"clinicians in {theirs}."
    )


def _no_better(
    name: str, judge: Ints, clinicians: Ints, levels: tuple[str, ...], kappa: float | None
) -> str:
    """Where one level is rare, answering the other is hard to beat: a judge with kappa may err."""
    if kappa is not None and kappa >= NO_KAPPA:
        return ""
    counts = np.bincount(clinicians)
    right, constant = int((judge == clinicians).sum()), int(counts.max())
    if right > constant:
        return ""
    return (
        f"{name}: it agrees with clinicians on {right} of {len(judge)}; always answering "
        f"{levels[int(counts.argmax())]!r} would agree on {constant}."
    )


def _by_prevalence(name: str, judge: Ints, clinicians: Ints, kappa: float | None) -> str:
    agreement = float((judge == clinicians).mean())
    if kappa is None or agreement < HIGH_AGREEMENT or kappa >= NO_KAPPA:
        return ""
    return (
        f"{name}: {agreement:.0%} agreement with a kappa of {kappa:.2f}: it agrees because one "
        "level is common, not because it tells the levels apart."
    )
