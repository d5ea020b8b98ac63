"""The shape of a reply: a pydantic model with one field for each question."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model
from pydantic_core import PydanticCustomError

from mmrare_judge.judging.questions import Answer, Question

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
