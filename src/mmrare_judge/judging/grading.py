"""From answers to verdicts, from verdicts to a score, and all of it to a `Grade`.

Nothing is invented: what was not answered, or is not backed by a quote that stands in the
prediction, has no points. The grade adds level 2, disagreements, key and signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

from pydantic import JsonValue, TypeAdapter

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import EMBEDDED, JudgeSpec, Usage
from mmrare_judge.backends.faults import public_endpoint
from mmrare_judge.certificate import NOT_ASKED, UNCALIBRATED, Certificate
from mmrare_judge.data.items import LIST_FIELDS, Item
from mmrare_judge.judging.evidence import APPROXIMATE, LookedUp, Sources, look_up
from mmrare_judge.judging.grade import FOUND, Bounds, Disagreement, Grade, Status, Unscored, Verdict
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.judging.questions import Answer, Answers, Question, Questions
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.verify import Level2, verify
from mmrare_judge.records import Signature, by_identity, content_hash, parts_hash, today
from mmrare_judge.rubric.model import Criterion, EmbeddedRule, PerElement, Rubric

# --- answers to verdicts, verdicts to a score

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


@dataclass(frozen=True)
class Grading:
    """A prediction on its way to a grade.

    Attributes:
        questions: What is judged.
        spec: The judge.
        terms: The tables level 2 reads.
        settings: `settings_hash` of judge, rubric and terms.
        system: The model that answered.
        notes: What was done to the input.
        missing: Where no answer was recorded, what stands in its place.
        certificate: What is known of the judge's agreement with clinicians.
    """

    questions: Questions
    spec: JudgeSpec
    terms: Terms
    settings: str
    system: str = ""
    notes: tuple[str, ...] = ()
    missing: str = ""
    certificate: Certificate | None = None

    @cached_property
    def key(self) -> str:
        """Hash of all that the grade depends on and that we decide: see `Grade.key`."""
        questions = self.questions
        texts = [questions.prediction, self.system, str(questions.sample)]
        if self.missing:
            texts.append(self.missing)
        item = _judged_part(questions.item)
        parts = (self.settings.encode(), item, *(text.encode() for text in texts))
        return f"{_KEY_TAG}:{parts_hash(parts)}"


_KEY_TAG = "sha256-k1"  # algorithm, and the version of what goes into the key and how
_JUDGED_FIELDS = {"id", "track", "question", "context", "reference"}


@by_identity
def _judged_part(item: Item) -> bytes:
    return item.model_dump_json(include=_JUDGED_FIELDS).encode()


def settings_hash(spec: JudgeSpec, rubric: Rubric, terms: Terms) -> str:
    """Hash of everything but the texts that a grade depends on."""
    fixed = None if spec.model == EMBEDDED else PROMPT_HASH
    return content_hash([spec.decisive(), rubric.hash, terms.hash, fixed])


def finish(grading: Grading, attempts: Sequence[Answers], verdicts: Mapping[str, Verdict]) -> Grade:
    """The grade of answered questions.

    Args:
        grading: What was graded.
        attempts: What the judge answered: first to everything, then to what was asked again.
        verdicts: The verdict on every question.
    """
    first, *again = attempts
    level2 = verify(grading.questions.prediction, grading.questions.item, terms=grading.terms)
    return _grade(
        grading,
        by_criterion(grading.questions, verdicts),
        level2,
        unscored=first.failure,
        usage=sum((_second_look(attempt.usage) for attempt in again), first.usage),
        saved=sum((attempt.saved for attempt in again), first.saved),
        cached=all(attempt.cached for attempt in attempts),
        requests=tuple(request for attempt in attempts for request in attempt.requests),
        **_made(grading, first),
    )


def _made(grading: Grading, attempt: Answers) -> dict[str, Any]:
    """How the grade was made, and whether that was studied against clinicians."""
    signature, certificate = signature_of(grading, attempt.made_by), grading.certificate
    if certificate is None or attempt.failure is not None:
        return {"signature": signature}
    return {"signature": signature, "calibration": certificate.check(signature, today())}


def calibrated_now(grading: Grading, grade: Grade) -> Grade:
    """A grade that was made earlier, as it stands with today's date and the given certificate."""
    if grading.certificate is None:
        return grade
    check = grading.certificate.check(grade.signature, today())
    return grade.model_copy(update={"calibration": check})


def _second_look(usage: Usage) -> Usage:
    return usage.as_extra() + Usage(reasks=min(1, usage.calls))


def blank_grade(grading: Grading) -> Grade:
    """The grade of a blank prediction: 0 by rule, without a call."""
    level2 = verify("", grading.questions.item, terms=grading.terms)
    return _grade(grading, empty_verdicts(grading.questions), level2, empty=True)


def unscored_grade(grading: Grading, reason: Unscored) -> Grade:
    """The grade of a prediction that is not judged at all; level 2 is left out as well."""
    verdicts = tuple(
        Verdict(criterion=criterion.id, status="unscored")
        for criterion in grading.questions.rubric.criteria
    )
    return _grade(grading, verdicts, Level2(), unscored=reason)


def _grade(grading: Grading, verdicts: tuple[Verdict, ...], level2: Level2, **more: Any) -> Grade:
    questions = grading.questions
    scored = score_verdicts(questions.rubric, verdicts)
    if "signature" not in more:
        more["signature"] = signature_of(grading, {})
    unasked = UNCALIBRATED if grading.certificate is None else NOT_ASKED
    return Grade(
        **{"calibration": unasked, **more},
        item_id=questions.item.id,
        key=grading.key,
        sample=questions.sample,
        system=grading.system,
        track=questions.item.track,
        score=None if scored.score is None else float(scored.score),
        partial_score=None if scored.partial_score is None else float(scored.partial_score),
        coverage=float(scored.coverage),
        bounds=Bounds(worst=float(scored.worst), best=float(scored.best)),
        verdicts=verdicts,
        level2=level2,
        disagreements=tuple(_disagreements(questions.rubric, verdicts, level2)),
        notes=grading.notes,
    )


_public_endpoint = lru_cache(maxsize=64)(public_endpoint)


def signature_of(grading: Grading, made_by: Mapping[str, JsonValue]) -> Signature:
    """How a grading is made.

    Args:
        grading: The grading.
        made_by: What only the judge's answer can tell: reported model, mode, sampling.
    """
    rubric, spec = grading.questions.rubric, grading.spec
    policy: dict[str, JsonValue] = {
        "terms": grading.terms.hash,
        "max_prediction_chars": spec.max_prediction_chars,
    }
    asked: dict[str, Any] = {}
    if spec.model != EMBEDDED:
        policy |= {"reask": spec.reask, "verify_reask": spec.verify_reask}
        policy |= {"approximate_quote": APPROXIMATE, "criteria_per_call": spec.criteria_per_call}
        policy |= {"confidence": spec.confidence, "backend": spec.backend}
        asked = {"prompt_hash": PROMPT_HASH, "endpoint": _public_endpoint(spec.api_base), **made_by}
    return Signature(
        judge=spec.model,
        rubric=rubric.id,
        rubric_version=rubric.version,
        rubric_hash=rubric.hash,
        policy=policy,
        package=__version__,
        **asked,
    )


# --- Where the judge and level 2 contradict each other: a reason to look, never a correction

_Check = Callable[[Criterion, float, Level2], str | None]
"""What level 2 says against a criterion's share of its best points, if it does."""


def _disagreements(
    rubric: Rubric, verdicts: tuple[Verdict, ...], level2: Level2
) -> Iterator[Disagreement]:
    """Judged criteria on which level 2 says the opposite.

    The criterion's ``embedded`` rule tells which of level 2's results speaks to it: coverage of a
    list, violations, the relation, or the token F1 of a diagnosis. Only flat contradictions count:
    the best level where level 2 found nothing, or the worst where it found everything.
    """
    checked = _checked(rubric)
    for verdict in verdicts:
        if verdict.criterion not in checked or verdict.points is None or verdict.level is None:
            continue
        criterion, most, check = checked[verdict.criterion]
        says = check(criterion, verdict.points / most, level2)
        if says:
            yield Disagreement(criterion=criterion.id, level=verdict.level, level2=says)


@by_identity
def _checked(rubric: Rubric) -> dict[str, tuple[Criterion, float, _Check]]:
    """The criteria that level 2 speaks to, with the points of their best level."""
    return {
        criterion.id: (criterion, float(criterion.max_points), _CHECKS[criterion.embedded])
        for criterion in rubric.criteria
        if criterion.embedded in _CHECKS
    }


def _coverage(criterion: Criterion, share: float, level2: Level2) -> str | None:
    wanted = criterion.for_each or next((n for n in criterion.needs if n in LIST_FIELDS), None)
    covered = next((entry for entry in level2.lists if entry.field == wanted), None)
    if covered is None or covered.coverage is None:
        return None
    found = sum(1 for element in covered.elements if element.found)
    if (share == 1 and found == 0) or (share == 0 and found == len(covered.elements)):
        return f"{found} of {len(covered.elements)} {wanted} elements found"
    return None


def _violations(criterion: Criterion, share: float, level2: Level2) -> str | None:
    if share < 1 or not level2.violations:
        return None
    return "recommended although listed as must-not: " + "; ".join(
        violation.element for violation in level2.violations
    )


def _relation(criterion: Criterion, share: float, level2: Level2) -> str | None:
    found, expected = level2.relation_found, level2.relation_expected
    if found is None or (found == expected) == (share == 1):
        return None
    return f"relation found: {found}, expected: {expected}"


def _diagnosis(criterion: Criterion, share: float, level2: Level2) -> str | None:
    if level2.token_f1 is None or level2.token_f1 not in (0.0, 1.0) or level2.token_f1 == share:
        return None
    return f"token F1 {level2.token_f1:.0f}"


_CHECKS: dict[EmbeddedRule | None, _Check] = {
    "coverage": _coverage,
    "violations": _violations,
    "relation": _relation,
    "exact_diagnosis": _diagnosis,
}
