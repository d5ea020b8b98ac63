"""A judge's drafts made into verdicts: quotes looked up, elements summed up, nothing invented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from pydantic import TypeAdapter

from mmrare_judge.evidence import LookedUp, Sources, look_up
from mmrare_judge.grade import FOUND, Status, Verdict
from mmrare_judge.rubric.model import Criterion, Level, PerElement
from mmrare_judge.task import Draft, Question, Task

_VERDICTS = TypeAdapter(dict[str, Verdict])  # one after another take half as long again
_GRAVEST_FIRST: tuple[Status, ...] = ("unscored", "unverified", "abstained")


def settle(task: Task, drafts: Mapping[str, Draft], sources: Sources) -> dict[str, Verdict]:
    """The verdict on every question, by its key.

    A question without a draft is ``unscored``. A level that needs a quote, and has none that stands
    in the prediction, is not credited: ``unverified``, with the level kept under ``claimed``.
    """
    return _VERDICTS.validate_python(
        {q.key: _verdict(q, drafts.get(q.key), sources) for q in task.questions}
    )


def _verdict(question: Question, draft: Draft | None, sources: Sources) -> dict[str, Any]:
    verdict: dict[str, Any] = {"criterion": question.criterion.id, "element": question.element}
    if draft is None:
        return verdict | {"status": "unscored"}
    evidence = look_up(draft.quotes, question, sources)
    verdict["reasoning"] = draft.reasoning
    verdict["confidence"] = draft.confidence
    verdict["evidence"] = evidence
    return verdict | _decision(question, draft.level, evidence)


def _decision(question: Question, label: str | None, evidence: list[LookedUp]) -> dict[str, Any]:
    if label is None:
        return {"status": "abstained"}
    level = question.levels[label]
    if level.quote and not any(found["match"] in FOUND for found in evidence):
        return {"status": "unverified", "claimed": label}
    return {"status": "judged", "level": label, "points": float(level.points)}


def doubts(task: Task, verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    """Which questions deserve a second look, with the reason in words for the judge."""
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


def by_criterion(task: Task, verdicts: Mapping[str, Verdict]) -> tuple[Verdict, ...]:
    """One verdict a criterion, in the rubric's order; per-element verdicts are summed up."""
    return tuple(_criterion_verdicts(task, verdicts))


def _criterion_verdicts(task: Task, verdicts: Mapping[str, Verdict]) -> Iterator[Verdict]:
    for criterion in task.rubric.criteria:
        if criterion.element is None or not criterion.elements(task.item):
            yield verdicts[criterion.id]
        else:
            keys = [q.key for q in task.questions if q.criterion is criterion]
            yield _sum_up(criterion, criterion.element, tuple(verdicts[key] for key in keys))


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


def empty_verdicts(task: Task) -> tuple[Verdict, ...]:
    """The verdicts on a blank prediction: the worst level of everything, by rule."""
    return tuple(
        Verdict(
            criterion=criterion.id,
            status="judged",
            level=_worst(criterion.levels),
            points=0.0,
            reasoning="The prediction is blank.",
        )
        for criterion in task.rubric.criteria
    )


def _worst(levels: Mapping[str, Level]) -> str:
    return min(levels, key=lambda label: levels[label].points)
