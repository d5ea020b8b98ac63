"""From verdicts to a `Grade`: score, level 2, disagreements, key and signature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from pydantic import JsonValue

from mmrare_judge._version import __version__
from mmrare_judge.backends.base import EMBEDDED, JudgeSpec, Usage
from mmrare_judge.backends.faults import public_endpoint
from mmrare_judge.certificate import NOT_ASKED, UNCALIBRATED, Certificate
from mmrare_judge.data.items import LIST_FIELDS, Item
from mmrare_judge.judging.evidence import APPROXIMATE
from mmrare_judge.judging.grade import Bounds, Disagreement, Grade, Unscored, Verdict
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.judging.questions import Answers, Questions
from mmrare_judge.judging.verdicts import by_criterion, empty_verdicts, score_verdicts
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.verify import Level2, verify
from mmrare_judge.records import Signature, by_identity, content_hash, parts_hash, today
from mmrare_judge.rubric.model import Criterion, EmbeddedRule, Rubric


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
