"""Verdicts from a judge's answers, and the score from verdicts; nothing is invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from mmrare_judge.judging.evidence import LookedUp, Sources, look_up
from mmrare_judge.judging.grade import FOUND, Status, Verdict
from mmrare_judge.judging.questions import Answer, Question, Questions
from mmrare_judge.rubric.model import Criterion, PerElement, Rubric

_VERDICTS = TypeAdapter(dict[str, Verdict])  # one after another take half as long again
_GRAVEST_FIRST: tuple[Status, ...] = ("unscored", "unverified", "abstained")


def verdicts_of(
    questions: Questions, answers: Mapping[str, Answer], sources: Sources
) -> dict[str, Verdict]:
    """The verdict on every question, by its key.

    A question without an answer is ``unscored``. A level that needs a quote, and has none that
    stands in the prediction, is ``unverified``: not credited, with the level under ``claimed``.
    """
    return _VERDICTS.validate_python(
        {q.key: _verdict(q, answers.get(q.key), sources) for q in questions.all}
    )


def _verdict(question: Question, answer: Answer | None, sources: Sources) -> dict[str, Any]:
    verdict: dict[str, Any] = {"criterion": question.criterion.id, "element": question.element}
    if answer is None:
        return verdict | {"status": "unscored"}
    evidence = look_up(answer.quotes, question, sources)
    verdict["reasoning"] = answer.reasoning
    verdict["confidence"] = answer.confidence
    verdict["evidence"] = evidence
    return verdict | _decision(question, answer.level, evidence)


def _decision(question: Question, label: str | None, evidence: list[LookedUp]) -> dict[str, Any]:
    if label is None:
        return {"status": "abstained"}
    level = question.levels[label]
    if level.quote and not any(found["match"] in FOUND for found in evidence):
        return {"status": "unverified", "claimed": label}
    return {"status": "judged", "level": label, "points": float(level.points)}


def open_questions(questions: Questions, verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """The questions to ask again, each with the reason in words for the judge."""
    return {
        key: f'level "{verdict.claimed}" needs a quote from the response. {_quote_faults(verdict)}'
        for key, verdict in verdicts.items()
        if verdict.status == "unverified"
    }


def _quote_faults(verdict: Verdict) -> str:
    if not verdict.evidence:
        return "None was given."
    return " ".join(
        f'"{evidence.quote}" stands in the {evidence.source}, not in the response.'
        if evidence.source
        else f'"{evidence.quote}" does not stand in the response.'
        for evidence in verdict.evidence
    )


def by_criterion(questions: Questions, verdicts: Mapping[str, Verdict]) -> tuple[Verdict, ...]:
    """One verdict a criterion, in the rubric's order; per-element verdicts are summed up."""
    return tuple(
        _verdict_on(criterion, questions, verdicts) for criterion in questions.rubric.criteria
    )


def _verdict_on(
    criterion: Criterion, questions: Questions, verdicts: Mapping[str, Verdict]
) -> Verdict:
    if criterion.element is None or not criterion.elements(questions.item):
        return verdicts[criterion.id]
    elements = tuple(verdicts[q.key] for q in questions.all if q.criterion is criterion)
    return _sum_up(criterion, criterion.element, elements)


def _sum_up(
    criterion: Criterion, per_element: PerElement, elements: tuple[Verdict, ...]
) -> Verdict:
    """Derive a criterion's level from its elements.

    Where elements were not judged, the level is derived with all of them worst and with all of
    them best. Only if both give the same level does it stand.
    """
    stated = sum(1 for verdict in elements if verdict.points == 1)
    unjudged = [verdict.status for verdict in elements if verdict.status != "judged"]
    worst = _derive(per_element, Fraction(stated, len(elements)))
    best = _derive(per_element, Fraction(stated + len(unjudged), len(elements)))
    common = {
        "criterion": criterion.id,
        "elements": elements,
        "reasoning": f"{stated} of {len(elements)} elements stated"
        + (f", {len(unjudged)} not judged" if unjudged else ""),
    }
    if worst != best:
        status = next(status for status in _GRAVEST_FIRST if status in unjudged)
        return Verdict.model_validate(common | {"status": status})
    points = float(criterion.levels[worst].points)
    return Verdict.model_validate(common | {"status": "judged", "level": worst, "points": points})


def _derive(per_element: PerElement, share: Fraction) -> str:
    return next(threshold.level for threshold in per_element.derive if threshold.met(share))


def empty_verdicts(questions: Questions) -> tuple[Verdict, ...]:
    """The verdicts on a blank prediction: the worst level of everything, by rule."""
    return tuple(
        Verdict(
            criterion=criterion.id,
            status="judged",
            level=min(criterion.levels, key=lambda label: criterion.levels[label].points),
            points=0.0,
            reasoning="The prediction is blank.",
        )
        for criterion in questions.rubric.criteria
    )


# --- From verdicts to a score: exact fractions until the last step

Shares = Mapping[str, Fraction]
"""Criterion id to points as a share of the best level's points, 0 to 1."""


@dataclass(frozen=True)
class Scored:
    """The score of a set of verdicts; all numbers from 0 to 1.

    Attributes:
        score: The score, if every criterion was judged.
        partial_score: The score over what was judged; ``None`` if nothing was, or if the
            deciding criterion of a cascade was not.
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

    Cascade: the same where the deciding criterion (``gate``) has its best level, otherwise that
    mean times the rubric's ``unmet_factor``. With MMRareBench's weights 3, 1, 1 and factor 1/2 this
    is its (3 + category + specific) / 5 and (category + specific) / 10 (arXiv:2604.10755).

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
        A number from 0 to 1; ``None`` if no criterion has a share, or the deciding criterion of
        a cascade has none.

    >>> from mmrare_judge.rubric.model import load_rubric
    >>> score_shares(load_rubric("treatment"), {"safety": Fraction(1), "follow_up": Fraction(1, 2)})
    Fraction(3, 4)
    """
    deciding = rubric.scoring.gate
    if not shares or (deciding is not None and deciding not in shares):
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
