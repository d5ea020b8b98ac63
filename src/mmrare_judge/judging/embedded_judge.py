"""The judge without a model: deterministic rules over words. A baseline, not a clinical score."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmrare_judge.backends.base import EMBEDDED, Meter, Request
from mmrare_judge.judging.questions import Answer, Answers, Question, Questions
from mmrare_judge.level2 import rules
from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.rules import Degree, Finding, RuleInput, quotes_of
from mmrare_judge.level2.terms import Terms
from mmrare_judge.rubric.model import Criterion, EmbeddedRule, Level

RULES: Mapping[EmbeddedRule, Callable[[RuleInput, Criterion], Finding]] = {
    "coverage": rules.coverage,
    "doses_and_routes": rules.doses_and_routes,
    "violations": rules.violations,
    "exact_diagnosis": rules.exact_diagnosis,
    "relation": rules.relation,
    "follow_up": rules.follow_up,
    "test_specificity": rules.specific_tests,
    "conditional_logic": rules.conditional_logic,
    "quantitative_criteria": rules.quantitative_criteria,
}
"""The rule behind each name that a criterion can give under ``embedded``."""

FORM_RULES = frozenset(
    ("follow_up", "test_specificity", "conditional_logic", "quantitative_criteria")
)
"""Rules that read form, whose credit depends on the prediction being about the case at all."""

OFF_TOPIC = "Less than half of the reference is stated, so form is not credited."
NO_RULE = "Needs clinical reasoning, which the embedded judge does not have."


class EmbeddedJudge:
    """Answers what words and reference lists can tell, and abstains from the rest.

    Args:
        terms: Names that mean the same; those of the package by default.
    """

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms if terms is not None else Terms.default()

    def requests(
        self, questions: Questions, open_questions: Mapping[str, str] | None = None
    ) -> tuple[Request, ...]:
        """Nothing: no model is asked."""
        return ()

    async def answer(
        self,
        questions: Questions,
        requests: tuple[Request, ...] = (),
        *,
        deadline: float = 0.0,
        meter: Meter | None = None,
        again: bool = False,
    ) -> Answers:
        """Answer the questions; a second look sees the same as the first."""
        made_by = {"judge": EMBEDDED, "terms": self.terms.hash}
        return Answers(answers=self.judge(questions), made_by=made_by)

    def judge(self, questions: Questions) -> dict[str, Answer]:
        """Answer the questions, by key."""
        case = RuleInput(
            read_document(questions.prediction, self.terms), questions.item, self.terms
        )
        return {question.key: _answer_to(question, case) for question in questions.all}


def _answer_to(question: Question, case: RuleInput) -> Answer:
    rule = question.criterion.embedded
    if rule is None:
        return Answer(level=None, reasoning=NO_RULE)
    if question.element is not None:
        finding = _element(question.element, question.criterion, case)
    else:
        finding = RULES[rule](case, question.criterion)
    answer = _as_answer(finding, question.levels)
    credited = answer.level not in (None, next(iter(question.levels)))
    if rule in FORM_RULES and credited and not case.on_topic:
        return Answer(level=None, reasoning=f"{answer.reasoning} {OFF_TOPIC}", quotes=answer.quotes)
    return answer


def _element(element: str, criterion: Criterion, case: RuleInput) -> Finding:
    """One element on its own: stated or not; of ``must_not``, recommended or advised against."""
    if criterion.for_each != "must_not":
        match = case.match(element)
        negated = " It is mentioned, but negated." if match.negated else ""
        if match.found:
            return Finding("full", "Stated.", quotes_of([match]))
        return Finding("none", f"Not found in the words of the reference.{negated}")
    match = case.match_prohibited(element)
    if match.found:
        return Finding("none", "Recommended, and must not be.", quotes_of([match]))
    if match.negated:
        return Finding("full", "Advised against.", quotes_of([match]))
    return Finding(None, "Not mentioned in so many words; it may be meant by others.")


def _as_answer(finding: Finding, levels: Mapping[str, Level]) -> Answer:
    if finding.degree is None:
        return Answer(level=None, reasoning=finding.reasoning, quotes=finding.quotes)
    label = _label(finding.degree, levels)
    if levels[label].quote and not finding.quotes:
        return Answer(None, f"{finding.reasoning} There is nothing to quote for it.")
    return Answer(level=label, reasoning=finding.reasoning, quotes=finding.quotes)


def _label(degree: Degree, levels: Mapping[str, Level]) -> str:
    """The best label, the worst, or the middle one; of two labels, partly is the worst."""
    labels = list(levels)
    if degree == "full":
        return labels[-1]
    return labels[len(labels) // 2] if degree == "partial" and len(labels) > 2 else labels[0]
