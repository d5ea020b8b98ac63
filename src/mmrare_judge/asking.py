"""What a language model is asked about a task: the requests, complete and ready to be hashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from mmrare_judge.backends.base import JudgeSpec, Request
from mmrare_judge.prompt import messages
from mmrare_judge.schema import longest_reply, reply_model, reply_schema, shape
from mmrare_judge.task import Question, Task

_MIN_MAX_TOKENS = 8192
_TOP_LOGPROBS = 20  # the most that OpenAI and vLLM give
_CHARS_PER_TOKEN = 2  # on the safe side for English, where a token is about four characters


def make_request(
    spec: JudgeSpec,
    task: Task,
    asked: tuple[Question, ...],
    doubts: Mapping[str, str] | None = None,
) -> Request:
    """The request for some questions of a task, complete and ready to be hashed."""
    wanted = shape(asked)
    return Request(
        model=spec.model,
        messages=messages(task, asked, doubts),
        sampling=_sampling(spec, longest_reply(wanted)),
        schema=reply_schema(wanted),
        mode=spec.mode,
        endpoint=spec.api_base,
        sample=task.sample,
        reply_model=reply_model(wanted),
    )


def requests_for(
    spec: JudgeSpec, task: Task, doubts: Mapping[str, str] | None = None
) -> tuple[Request, ...]:
    """The requests for a task's questions, all in one or so many in each as the spec says.

    Args:
        spec: The judge.
        task: What to judge.
        doubts: For a second look: the keys to judge again, and why.
    """
    asked = task.questions
    if doubts is not None:
        asked = tuple(question for question in asked if question.key in doubts)
    return tuple(
        make_request(spec, task, part, doubts) for part in _parts(asked, spec.criteria_per_call)
    )


def _parts(asked: tuple[Question, ...], size: int | None) -> Iterator[tuple[Question, ...]]:
    """Questions of ``size`` criteria at a time; the elements of a criterion stay together."""
    if size is None:
        yield asked
        return
    criteria = list(dict.fromkeys(question.criterion.id for question in asked))
    for start in range(0, len(criteria), size):
        chosen = criteria[start : start + size]
        yield tuple(question for question in asked if question.criterion.id in chosen)


def _sampling(spec: JudgeSpec, longest: int) -> dict[str, JsonValue]:
    chosen: dict[str, JsonValue] = {
        "temperature": spec.temperature,
        "top_p": spec.top_p,
        "seed": spec.seed,
        "max_tokens": spec.max_tokens or max(_MIN_MAX_TOKENS, longest // _CHARS_PER_TOKEN),
    }
    if spec.confidence == "logprobs":
        chosen |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
    return {k: v for k, v in chosen.items() if v is not None} | dict(spec.extra)
