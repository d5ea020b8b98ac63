"""What a judge is asked and what it says: `Questions`, `Answers`, and the `Answerer` between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from mmrare_judge.backends.base import Meter, Reply, Request, Usage
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
    """What a rubric asks about a prediction for an item.

    Attributes:
        sample: Index among independent repeats.
    """

    rubric: Rubric
    item: Item
    prediction: str
    sample: int = 0

    @cached_property
    def all(self) -> tuple[Question, ...]:
        """Every question, in the rubric's order."""
        return tuple(
            question
            for criterion in self.rubric.criteria
            for question in _questions(criterion, criterion.elements(self.item))
        )


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
    """What a judge says on one question, its quotes not yet looked up.

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
    """What a judge answered at one attempt.

    Attributes:
        answers: By question key; empty where there is a ``failure``.
        failure: Why there is no answer.
        usage: What it cost.
        saved: What the replies from the cache cost when they were bought.
        cached: Nothing had to be bought.
        requests: Hashes of the requests, for a judge with a model.
        replies: The replies that were read, one for each request that was answered.
        made_by: What the signature says of these very answers: reported model, mode, sampling.
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
    """Answers questions: a language model, or the embedded judge."""

    def requests(
        self, questions: Questions, open_questions: Mapping[str, str] | None = None
    ) -> tuple[Request, ...]:
        """What a model would be sent; nothing where there is no model.

        Args:
            questions: What to judge.
            open_questions: For a second look: the keys to judge again, and why.
        """
        ...

    async def answer(
        self,
        questions: Questions,
        requests: tuple[Request, ...],
        *,
        deadline: float,
        meter: Meter | None = None,
        again: bool = False,
    ) -> Answers:
        """Answer the questions; what cannot be had is a ``failure``.

        Args:
            questions: What to judge.
            requests: What `requests` made of them.
            deadline: Time of the event loop's clock at which the prediction is given up.
            meter: What is spent on the prediction is counted here as well.
            again: Whether this is a second look.
        """
        ...
