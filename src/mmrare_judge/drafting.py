"""A reply made into drafts, with how sure the model was where its log probabilities tell."""

from __future__ import annotations

from collections.abc import Iterator

from mmrare_judge.backends.base import Reply, Request, TokenRecord
from mmrare_judge.backends.replies import token_text
from mmrare_judge.label_confidence import label_confidences
from mmrare_judge.label_tokens import Token
from mmrare_judge.schema import drafts, shape_of
from mmrare_judge.task import Draft


def drafts_of(request: Request, reply: Reply) -> dict[str, Draft]:
    """The answers of a reply, by question key.

    Raises:
        ValidationError: The reply does not satisfy the request's reply model.
    """
    answers = drafts(request.reply_model.model_validate_json(reply.text))
    if reply.logprobs is None:
        return answers
    tokens = list(_tokens(reply.logprobs))
    found = label_confidences(reply.text, tokens, shape_of(request.reply_model))
    return {key: draft._replace(confidence=found[key]) for key, draft in answers.items()}


def _tokens(records: tuple[TokenRecord, ...]) -> Iterator[Token]:
    for text, logprob, top in records:
        yield Token(token_text(text), logprob, tuple((token_text(t), p) for t, p in top))
