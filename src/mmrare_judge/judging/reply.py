"""What a language model's reply says of the questions, or why there is none, as an `Answers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from mmrare_judge.backends.base import JudgeSpec, Reply, Request, TokenRecord, Usage
from mmrare_judge.backends.replies import token_text
from mmrare_judge.errors import (
    BackendError,
    ContentFilterError,
    FormatError,
    RefusalError,
    ReplyError,
    TransportError,
    TruncatedError,
)
from mmrare_judge.judging.confidence import Token, label_confidences
from mmrare_judge.judging.grade import Unscored, UnscoredKind
from mmrare_judge.judging.questions import Answer, Answers
from mmrare_judge.judging.reply_model import answers_in, shape_of

# FOLDED drafting: A reply made into drafts, with how sure the model was where its log probabilities tell.


def answers_of(request: Request, reply: Reply) -> dict[str, Answer]:
    """The answers of a reply, by question key.

    Raises:
        ValidationError: The reply does not satisfy the request's reply model.
    """
    answers = answers_in(request.reply_model.model_validate_json(reply.text))
    if reply.logprobs is None:
        return answers
    tokens = list(_tokens(reply.logprobs))
    found = label_confidences(reply.text, tokens, shape_of(request.reply_model))
    return {key: draft._replace(confidence=found[key]) for key, draft in answers.items()}


def _tokens(records: tuple[TokenRecord, ...]) -> Iterator[Token]:
    for text, logprob, top in records:
        yield Token(token_text(text), logprob, tuple((token_text(t), p) for t, p in top))


_REPLY_FAULTS: Mapping[type[ReplyError], UnscoredKind] = {
    FormatError: "format",
    RefusalError: "refusal",
    ContentFilterError: "content_filter",
    TruncatedError: "truncated",
}


def assessment(
    spec: JudgeSpec,
    request: Request,
    reply: Reply,
    *,
    usage: Usage | None = None,
    cached: bool = False,
) -> Answers:
    """What a reply says, or why it says nothing.

    Args:
        spec: The judge.
        request: What was asked.
        reply: The reply; one that is kept may be a refusal.
        usage: What it cost now; nothing if it came from the cache.
        cached: Whether it came from the cache.

    Raises:
        ValidationError: It is no grading.
    """
    failure, answers = None, {}
    if reply.finish == "complete":
        answers = answers_of(request, reply)
    else:
        failure = Unscored(kind=reply.finish, message="kept from an earlier call", raw=reply.text)
    return Answers(
        answers=answers,
        failure=failure,
        usage=usage or Usage(),
        saved=reply.usage if cached else Usage(),
        cached=cached,
        requests=(request.hash,),
        replies=(reply,),
        made_by={
            "reported_model": reply.model,
            "mode": reply.mode,
            "sampling": _sampling_said(spec, reply),
        },
    )


def merged(parts: list[Answers]) -> Answers:
    """The answers to several requests about one questions, as one."""
    failure = next((part.failure for part in parts if part.failure), None)
    answered = next((part for part in parts if part.failure is None), parts[0])
    return Answers(
        answers={key: draft for part in parts for key, draft in part.answers.items()},
        failure=failure,
        usage=sum((part.usage for part in parts), Usage()),
        saved=sum((part.saved for part in parts), Usage()),
        cached=all(part.cached for part in parts),
        requests=tuple(hash for part in parts for hash in part.requests),
        replies=tuple(reply for part in parts for reply in part.replies),
        made_by=answered.made_by,
    )


def failure_of(error: BackendError) -> Unscored:
    """Why there is no reply.

    Raises:
        BackendError: It is the error of no single reply, such as a wrong key.
    """
    if isinstance(error, TransportError):
        return Unscored.model_validate({"kind": error.kind, "message": str(error)})
    kind = reply_fault(error)
    if kind is None:
        raise error
    return Unscored(kind=kind, message=str(error), raw=getattr(error, "raw", ""))


def reply_fault(error: BackendError) -> UnscoredKind | None:
    """What was wrong with the reply itself; ``None`` where it was something else."""
    return next((kind for fault, kind in _REPLY_FAULTS.items() if isinstance(error, fault)), None)


def _limit_is_set(spec: JudgeSpec) -> bool:
    return spec.max_tokens is not None or "max_tokens" in spec.extra


def _sampling_said(spec: JudgeSpec, reply: Reply) -> dict[str, JsonValue]:
    """What the signature says of the sampling: a limit that follows from the item is left out."""
    left_out = () if _limit_is_set(spec) else ("max_tokens",)
    return {name: value for name, value in reply.sampling.items() if name not in left_out}
