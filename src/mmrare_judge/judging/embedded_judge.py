"""The embedded judge: no model, no network, deterministic. A baseline, not a clinical score."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mmrare_judge.backends.base import EMBEDDED
from mmrare_judge.judging.questions import Assessment, Draft, Question, Task
from mmrare_judge.level2 import rules
from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.rules import RuleInput, Degree, Finding, quotes_of
from mmrare_judge.level2.terms import Terms
from mmrare_judge.rubric.model import Criterion, EmbeddedRule, Level

AnswerRule = Callable[[RuleInput, Criterion], Finding]

RULES: Mapping[EmbeddedRule, AnswerRule] = {
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
    """Judges what can be judged from words and reference lists, and abstains from the rest.

    Args:
        terms: Names that mean the same; those of the package by default.
    """

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms if terms is not None else Terms.default()

    async def assess(
        self,
        task: Task,
        *,
        doubts: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Assessment:
        """Answer the task's questions; a second look sees the same as the first."""
        drafts = self.judge(task)
        if doubts is not None:
            drafts = {key: draft for key, draft in drafts.items() if key in doubts}
        return Assessment(drafts=drafts, made_by={"judge": EMBEDDED, "terms": self.terms.hash})

    def judge(self, task: Task) -> dict[str, Draft]:
        """Answer the task's questions, by key."""
        case = RuleInput(read_document(task.prediction, self.terms), task.item, self.terms)
        return {question.key: _draft(question, case) for question in task.questions}


def _draft(question: Question, case: RuleInput) -> Draft:
    rule = question.criterion.embedded
    if rule is None:
        return Draft(level=None, reasoning=NO_RULE)
    if question.element is not None:
        finding = _element(question.element, question.criterion, case)
    else:
        finding = RULES[rule](case, question.criterion)
    draft = _as_draft(finding, question.levels)
    credited = draft.level not in (None, next(iter(question.levels)))
    if rule in FORM_RULES and credited and not case.on_topic:
        return Draft(level=None, reasoning=f"{draft.reasoning} {OFF_TOPIC}", quotes=draft.quotes)
    return draft


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


def _as_draft(finding: Finding, levels: Mapping[str, Level]) -> Draft:
    if finding.degree is None:
        return Draft(level=None, reasoning=finding.reasoning, quotes=finding.quotes)
    label = _label(finding.degree, levels)
    if levels[label].quote and not finding.quotes:
        return Draft(level=None, reasoning=f"{finding.reasoning} There is nothing to quote for it.")
    return Draft(level=label, reasoning=finding.reasoning, quotes=finding.quotes)


def _label(degree: Degree, levels: Mapping[str, Level]) -> str:
    """The best label, the worst, or the middle one; of two labels, partly is the worst."""
    labels = list(levels)
    if degree == "full":
        return labels[-1]
    return labels[len(labels) // 2] if degree == "partial" and len(labels) > 2 else labels[0]
