"""An engine of your own: what to send to a model, and a grade out of what it sent back.

For a batch service, a queue, another language: whatever can call a model needs only these two.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mmrare_judge.backends.base import Message, Meter, Reply, Request
from mmrare_judge.backends.replies import read_completion
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import FormatError
from mmrare_judge.judging import prompt
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.judge import Judge, RubricLike
from mmrare_judge.records import problem_in


def messages(
    item: Any, prediction: str | Prediction, rubric: RubricLike = None
) -> tuple[Message, ...]:
    """The chat messages that ask a model to grade a prediction.

    Args:
        item: An `Item`, or a dict or table row that can be read as one.
        prediction: The text, or a `Prediction`.
        rubric: A rubric, its name or its file; by default the one of the item's track.

    Raises:
        InputError: The item or the prediction cannot be read.
        RubricError: The rubric does not fit the item.
    """
    judge = Judge("own-engine", rubric=rubric, cache="off", backend=_Given(""))
    return prompt.chat_of(judge.prepare(prediction, item).questions)


def read_reply(
    text: str,
    item: Any,
    prediction: str | Prediction,
    rubric: RubricLike = None,
    *,
    judge: str = "own-engine",
) -> Grade:
    """The grade of a model's reply to `messages`.

    Quotes are looked up and the score is computed as for any judge. A reply that does not match
    the schema is an unscored grade, never a zero; nothing is asked again.

    Args:
        text: The reply, as the model sent it.
        item: As for `messages`.
        prediction: As for `messages`.
        rubric: As for `messages`.
        judge: What the signature calls the model: say model and version.

    Raises:
        InputError: The item or the prediction cannot be read.
        RubricError: The rubric does not fit the item.
    """
    own = Judge(judge, rubric=rubric, cache="off", backend=_Given(text), reask=0, verify_reask=0)
    return own.grade(prediction, item)


class _Given:
    """A backend whose reply is there already."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(self, request: Request, meter: Meter) -> Reply:
        try:
            return Reply(text=read_completion(self._text, request.read))
        except ValidationError as error:
            raise FormatError(str(problem_in(error, show_value=False)), raw=self._text) from error
