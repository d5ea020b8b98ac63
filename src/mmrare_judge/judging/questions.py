"""What is judged in one go: `Questions`, its `Question` list, and the `Answers` that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from mmrare_judge.backends.base import Meter, Reply, Usage
from mmrare_judge.data.items import Item
from mmrare_judge.judging.grade import Unscored
from mmrare_judge.records import by_identity
from mmrare_judge.rubric.model import Criterion, Level, Rubric


@dataclass(frozen=True)
class Question:
    """One thing to decide: a whole criterion, or one element of a criterion with ``for_each``.

    Attributes:
        key: The criterion's id; for an element ``id__n``, n counting from 1.
        criterion: The criterion it belongs to.
        text: What is asked.
        levels: The levels to choose from, worst first.
        element: The element, for a per-element question.
    """

    key: str
    criterion: Criterion
    text: str
    levels: Mapping[str, Level]
    element: str | None = None


@dataclass(frozen=True)
class Questions:
    """A prediction to be judged by a rubric against an item.

    Attributes:
        rubric: The rubric.
        item: The item.
        prediction: The text.
        sample: Index among independent repeats.
    """

    rubric: Rubric
    item: Item
    prediction: str
    sample: int = 0

    @cached_property
    def all(self) -> tuple[Question, ...]:
        """Everything there is to decide, in the rubric's order."""
        whole = _whole(self.rubric)
        if whole is not None:
            return whole
        asked: list[Question] = []
        for criterion in self.rubric.criteria:
            asked += _questions(criterion, criterion.elements(self.item))
        return tuple(asked)


@by_identity
def _whole(rubric: Rubric) -> tuple[Question, ...] | None:
    """The questions of a rubric that asks nothing element by element: the same for all items."""
    if any(criterion.for_each for criterion in rubric.criteria):
        return None
    return tuple(question for c in rubric.criteria for question in _questions(c, ()))


@by_identity
def _questions(criterion: Criterion, elements: tuple[str, ...]) -> tuple[Question, ...]:
    if criterion.element is None or not elements:
        return (Question(criterion.id, criterion, criterion.question, criterion.levels),)
    return tuple(
        Question(
            key=f"{criterion.id}__{number}",
            criterion=criterion,
            text=criterion.element.question.replace("{element}", element),
            levels=criterion.element.levels,
            element=element,
        )
        for number, element in enumerate(elements, start=1)
    )


class Answer(NamedTuple):
    """A judge's answer to one question, its quotes not yet looked up.

    Attributes:
        level: The label, or ``None`` where the judge cannot determine it.
        reasoning: Why.
        quotes: What it quotes.
        confidence: 0 to 1, where known.
    """

    level: str | None
    reasoning: str = ""
    quotes: tuple[str, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True)
class Answers:
    """What a judge answered to the questions.

    Attributes:
        drafts: One a question, by its key; empty when there is a ``failure``.
        failure: Why there is no answer.
        usage: What it cost.
        saved: What the replies from the cache cost when they were bought.
        cached: Nothing had to be bought.
        requests: Hashes of the requests, for a judge with a model.
        replies: The replies that were read, one a request that was answered.
        made_by: What the signature has to say of this very answer: reported model, mode, sampling.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    failure: Unscored | None = None
    usage: Usage = field(default_factory=Usage)
    saved: Usage = field(default_factory=Usage)
    cached: bool = False
    requests: tuple[str, ...] = ()
    replies: tuple[Reply, ...] = ()
    made_by: Mapping[str, JsonValue] = field(default_factory=dict)


class Answerer(Protocol):
    """Something that can judge the questions: a language model, or the embedded judge."""

    async def answer(
        self,
        questions: Questions,
        *,
        open_questions: Mapping[str, str] | None = None,
        deadline: float | None = None,
        meter: Meter | None = None,
    ) -> Answers:
        """Answer the questions.

        Args:
            questions: What to judge.
            doubts: For a second look: keys of questions with what was wrong with the first
                answer. Only these are answered then.
            deadline: Time of the event loop's clock at which the prediction is given up.
        """
        ...
