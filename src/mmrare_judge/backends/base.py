"""What a judge's model is asked, and what it answers: `Request`, `Reply`, `Backend`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, TypedDict

from pydantic import BaseModel, JsonValue

from mmrare_judge.records import ByIdentity, Record, canonical_json, canonical_string, text_hash
from mmrare_judge.spec import Mode
from mmrare_judge.usage import Usage

TokenText = str | tuple[int, ...]
"""A token's text, or its bytes where they are a part of a character."""

TokenRecord = tuple[TokenText, float, tuple[tuple[TokenText, float], ...]]
"""A token, its log probability, and the likeliest tokens in its place with theirs."""

FinishReason = Literal["complete", "truncated", "refusal", "content_filter"]


class Message(TypedDict):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """Everything that can change the answer, and the model that validates it.

    Attributes:
        model: The model's name as litellm writes it.
        messages: The chat, fixed text first.
        sampling: Sampling parameters, as they were set by the user.
        schema: JSON schema of the reply.
        mode: How structure is asked for; ``auto`` leaves it to the backend.
        endpoint: Address of an endpoint of one's own; ``None`` for the provider's.
        sample: Index among independent repeats of the same request.
        reply_model: The pydantic model a reply must satisfy; its schema is ``schema``.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Mapping[str, JsonValue]
    schema: Mapping[str, JsonValue]
    mode: Mode = "auto"
    endpoint: str | None = None
    sample: int = 0
    reply_model: type[BaseModel] = field(default=BaseModel, compare=False, repr=False)

    @cached_property
    def hash(self) -> str:
        """Tagged hash of everything but ``reply_model``, which ``schema`` stands for."""
        # Nearly all of it is messages, which have a quick way, and the schema, which is the same
        # object for many requests and is written once.
        said = ",".join(
            f'{{"content":{_written(message)},"role":"{message["role"]}"}}'
            for message in self.messages
        )
        asked = {
            "mode": self.mode,
            "model": self.model,
            "sample": self.sample,
            "sampling": dict(self.sampling),
        }
        return text_hash(
            f'{{"endpoint":{canonical_json(self.endpoint)},"messages":[{said}],'
            f'{canonical_json(asked)[1:-1]},"schema":{_schema_text(self.schema)}}}'
        )


def _written(message: Message) -> str:
    text = message["content"]
    return _fixed_text(text) if message["role"] == "system" else canonical_string(text)


_fixed_text = ByIdentity(canonical_string)
_schema_text = ByIdentity[[Mapping[str, JsonValue]], str](canonical_json)


class Reply(Record):
    """A raw reply, as it is cached.

    Attributes:
        text: The content as it was received: the JSON text, or a tool call's arguments.
        finish: Whether it is complete, and if not, why.
        model: The model as the endpoint named it.
        mode: How structure was asked for in the end.
        sampling: The sampling parameters that were sent in the end.
        usage: What it cost when it was bought, every attempt counted.
        logprobs: The tokens the endpoint wrote, ``text`` and what was stripped around it, where
            log probabilities were asked for and given.
    """

    text: str
    finish: FinishReason = "complete"
    model: str | None = None
    mode: Literal["json_schema", "json", "tools"] | None = None
    sampling: Mapping[str, JsonValue] = {}
    usage: Usage = Usage()
    logprobs: tuple[TokenRecord, ...] | None = None


class Meter:
    """Adds up what is spent, attempt by attempt, so that a failure does not hide it."""

    def __init__(self) -> None:
        self.usage = Usage()

    def add(self, usage: Usage) -> None:
        """Count one more attempt."""
        self.usage = self.usage + usage


class Backend(Protocol):
    """Something that can complete a `Request`."""

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return a reply whose ``text`` satisfies ``request.reply_model``.

        Every attempt is counted in ``meter``, also when this raises.

        Raises:
            TransportError: The wire failed more often than the retries allow.
            FormatError: No reply had the asked-for structure.
            RefusalError: The model declined.
            ContentFilterError: The provider withheld the answer.
            TruncatedError: The reply ran into its token limit.
            ConfigError: The request can never work: key, model name, parameter.
            BudgetError: Another attempt would pass the budget.
        """
        ...
