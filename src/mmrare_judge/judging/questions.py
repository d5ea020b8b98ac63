"""What a judge is asked and what it says: `Questions`, `Answers`, and the `Answerer` between.

The reply model, a pydantic model with one field a question, is the form that answers have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, Literal, NamedTuple, Protocol, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticCustomError

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


# --- the reply model

CANNOT_DETERMINE = "cannot_determine"
"""What a judge answers where the material does not allow a decision."""

MAX_REASONING = 1200
MAX_QUOTE = 400
MAX_QUOTES = 5

_Reasoning = Annotated[str, StringConstraints(max_length=MAX_REASONING)]
_Quote = Annotated[str, StringConstraints(max_length=MAX_QUOTE)]

Shape = tuple[tuple[str, tuple[str, ...]], ...]
"""Key and level labels of every question: all that the reply model depends on."""


class ReplyModel(BaseModel):
    """Base of all reply models: one field a question, nothing missing, nothing twice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate JSON text, and refuse keys that are given twice.

        Raises:
            ValidationError: The reply does not match the schema.
        """
        reply = super().model_validate_json(json_data, **options)
        doubled = ", ".join(_doubled_keys(json_data))
        if doubled:
            fault = PydanticCustomError("doubled", "given twice: {keys}", {"keys": doubled})
            raise ValidationError.from_exception_data(
                cls.__name__, [{"type": fault, "loc": (), "input": doubled}]
            )
        return reply


def _doubled_keys(text: str | bytes | bytearray) -> list[str]:
    doubled: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) < len(pairs):
            names = [name for name, _ in pairs]
            doubled.extend(sorted({name for name in names if names.count(name) > 1}))

    json.loads(text, object_pairs_hook=note)
    return doubled


def shape(questions: tuple[Question, ...]) -> Shape:
    """The shape of the reply to these questions."""
    return tuple((question.key, tuple(question.levels)) for question in questions)


def shape_of(model: type[BaseModel]) -> Shape:
    """The shape that `reply_model` made a model from.

    >>> wanted = (("dose", ("NO", "YES")),)
    >>> shape_of(reply_model(wanted)) == wanted
    True
    """
    return tuple(
        (key, tuple(_labels(field.annotation))) for key, field in model.model_fields.items()
    )


def _labels(answer: Any) -> Iterator[str]:
    labels = get_args(answer.model_fields["level"].annotation)
    return (label for label in labels if label != CANNOT_DETERMINE)


@cache
def reply_model(wanted: Shape) -> type[ReplyModel]:
    """The model of a reply: one field a question, reasoning and quotes before the level.

    String lengths are capped, so that a reply cannot run into its token limit unnoticed.

    >>> model = reply_model((("dose", ("NO", "YES")),))
    >>> list(model.model_json_schema()["$defs"]["Verdict_NO_YES"]["properties"])
    ['reasoning', 'quotes', 'level']
    """
    fields: dict[str, Any] = {key: (_answer_model(labels), ...) for key, labels in wanted}
    return create_model("Grading", __base__=ReplyModel, **fields)


@cache
def _answer_model(labels: tuple[str, ...]) -> type[BaseModel]:
    level = Literal[(*labels, CANNOT_DETERMINE)]  # type: ignore[valid-type]  # built from the rubric
    return create_model(
        "Verdict_" + "_".join(labels),
        __config__=ConfigDict(frozen=True, extra="forbid"),
        reasoning=(_Reasoning, ...),
        quotes=(Annotated[list[_Quote], Field(max_length=MAX_QUOTES)], ...),
        level=(level, ...),
    )


@cache
def reply_schema(wanted: Shape) -> Mapping[str, Any]:
    """JSON schema of `reply_model`."""
    return reply_model(wanted).model_json_schema()


def longest_reply(wanted: Shape) -> int:
    """Upper bound of a valid reply's length in characters, before JSON escapes.

    One verdict is at most 50 characters of frame, 5 times 4 around quotes, 1200 of reasoning,
    5 times 400 of quotes, 16 of level, and its key; 2 braces surround them all.

    >>> longest_reply((("dose", ("NO", "YES")),))
    3292
    """
    frame = '"": {"reasoning": "", "quotes": [], "level": ""}, ' + '"", ' * MAX_QUOTES
    fixed = len(frame) + MAX_REASONING + MAX_QUOTE * MAX_QUOTES + len(CANNOT_DETERMINE)
    return len("{}") + sum(fixed + len(key) for key, _ in wanted)


def answers_in(reply: BaseModel) -> dict[str, Answer]:
    """The answers of a validated reply, by question key."""
    # Not `vars(reply)`: instructor hangs the raw response on it.
    return {key: _answer_to(getattr(reply, key)) for key in type(reply).model_fields}


def _answer_to(answer: Any) -> Answer:
    level = None if answer.level == CANNOT_DETERMINE else answer.level
    return Answer(level, answer.reasoning, tuple(answer.quotes))
