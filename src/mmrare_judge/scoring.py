"""Verdicts made into a score; pure and exact until the last step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from mmrare_judge.grade import Verdict
from mmrare_judge.rubric.model import Criterion, Rubric

Shares = Mapping[str, Fraction]
"""Criterion id to points as a share of the best level's points, 0 to 1."""


@dataclass(frozen=True)
class Scored:
    """What a set of verdicts amounts to; all numbers from 0 to 1.

    Attributes:
        score: The score, if every criterion was judged.
        partial_score: The score over what was judged; ``None`` if nothing was, or if the gate of a
            cascade was not.
        coverage: Share of the weight that was judged.
        worst: The score if everything not judged had its worst level.
        best: The score if everything not judged had its best level.
    """

    score: Fraction | None
    partial_score: Fraction | None
    coverage: Fraction
    worst: Fraction
    best: Fraction


def score_verdicts(rubric: Rubric, verdicts: tuple[Verdict, ...]) -> Scored:
    """Score verdicts by the rubric's rule.

    Weighted mean, with weights w, points p and best points m, over the criteria judged::

        score = sum(w * p / m) / sum(w)

    Cascade: the same where the gate has its best level, otherwise that mean times the rubric's
    ``unmet_factor``. With MMRareBench's weights 3, 1, 1 and factor 1/2 this is its
    (3 + category + specific) / 5 and (category + specific) / 10 (arXiv:2604.10755).

    Args:
        rubric: The rubric.
        verdicts: One a criterion; a criterion without a verdict counts as not judged.
    """
    judged = tuple((v.criterion, v.level) for v in verdicts if v.status == "judged")
    return _scored(rubric, judged)


@lru_cache(maxsize=4096)
def _scored(rubric: Rubric, levels: tuple[tuple[str, str | None], ...]) -> Scored:
    """Score the levels of what was judged; exact arithmetic is slow, and the same levels recur."""
    shares = {criterion: _share(rubric, criterion, level) for criterion, level in levels}
    missing = [criterion.id for criterion in rubric.criteria if criterion.id not in shares]
    judged = sum((c.weight for c in rubric.criteria if c.id in shares), Fraction(0))
    partial = score_shares(rubric, shares)
    return Scored(
        score=None if missing else partial,
        partial_score=partial,
        coverage=judged / rubric.total_weight,
        worst=_full(rubric, {**shares, **dict.fromkeys(missing, Fraction(0))}),
        best=_full(rubric, {**shares, **dict.fromkeys(missing, Fraction(1))}),
    )


def _share(rubric: Rubric, id: str, level: str | None) -> Fraction:
    criterion = rubric.criterion(id)
    if level is None:
        raise ValueError(f"criterion {id!r} is judged and has no level")
    return criterion.levels[level].points / criterion.max_points


def score_shares(rubric: Rubric, shares: Shares) -> Fraction | None:
    """The score over the criteria that have a share.

    Returns:
        A number from 0 to 1; ``None`` if no criterion has a share, or the gate of a cascade has
        none.

    >>> from mmrare_judge.rubric.load import load_rubric
    >>> score_shares(load_rubric("treatment"), {"safety": Fraction(1), "follow_up": Fraction(1, 2)})
    Fraction(3, 4)
    """
    gate = rubric.scoring.gate
    if not shares or (gate is not None and gate not in shares):
        return None
    return _full(rubric, shares)


def _full(rubric: Rubric, shares: Shares) -> Fraction:
    return _weighted_mean(rubric.criteria, shares) * _cascade_factor(rubric, shares)


def _weighted_mean(criteria: tuple[Criterion, ...], shares: Shares) -> Fraction:
    judged = [criterion for criterion in criteria if criterion.id in shares]
    total = sum((criterion.weight for criterion in judged), Fraction(0))
    return sum((c.weight * shares[c.id] for c in judged), Fraction(0)) / total


def _cascade_factor(rubric: Rubric, shares: Shares) -> Fraction:
    scoring = rubric.scoring
    if scoring.gate is None or scoring.unmet_factor is None or shares[scoring.gate] == 1:
        return Fraction(1)
    return scoring.unmet_factor
