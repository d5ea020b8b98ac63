"""One entry of a reply cache: a reply, its request's hash, and where it was kept the request."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from mmrare_judge.backends.base import Reply, Request
from mmrare_judge.backends.faults import redact
from mmrare_judge.records import Record, canonical_json, content_hash

REQUEST = "request:"
"""What stands before a hash in the key of a request; a reply's key is the hash alone."""

RequestHash = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+:[0-9a-f]{64}$")]


class Entry(Record):
    """A reply and what it answers.

    Attributes:
        hash: The request's hash, under which the reply is kept.
        request: What was hashed; ``None`` where it was not kept.
        reply: The reply.
    """

    hash: RequestHash
    request: Mapping[str, JsonValue] | None = None
    reply: Reply

    @model_validator(mode="after")
    def _request_belongs_to_its_hash(self) -> Self:
        if self.request is not None and content_hash(self.request) != self.hash:
            raise ValueError("the request does not hash to the key it is kept under")
        return self

    @property
    def model(self) -> str:
        """The model that was asked; where the request is not kept, as the endpoint named it."""
        asked = (self.request or {}).get("model")
        return asked if isinstance(asked, str) else self.reply.model or "unknown"


def request_content(request: Request) -> dict[str, Any]:
    """What a request's hash is taken of.

    >>> request = Request(model="m", messages=(), sampling={}, schema={})
    >>> content_hash(request_content(request)) == request.hash
    True
    """
    content = {f.name: getattr(request, f.name) for f in fields(request)}
    del content["reply_model"]  # the schema stands for it
    return content | {"messages": list(request.messages), "sampling": dict(request.sampling)}


def shows_secret(endpoint: object, sampling: object) -> bool:
    """Whether a key or password may stand in an address or in parameters.

    >>> shows_secret("http://me:secret@gpu1:8000/v1", {})
    True
    >>> shows_secret("http://gpu1:8000/v1", {"temperature": 0, "max_tokens": 9000})
    False
    """
    address = urlsplit(endpoint if isinstance(endpoint, str) else "")
    text = canonical_json(sampling)
    return "@" in address.netloc or bool(address.query) or redact(text) != text


def pack(value: object) -> bytes:
    """A value as canonical JSON, compressed."""
    # A lone surrogate becomes its JSON escape, as it does in the hash.
    return deflated(canonical_json(value).encode("utf-8", "backslashreplace"))


def deflated(content: bytes) -> bytes:
    """Content compressed quickly, for `inflated`."""
    return zlib.compress(content, level=1)


def unpack_reply(stored: bytes) -> Reply:
    """A stored reply.

    Raises:
        ValueError: It is not what `pack` makes of a reply.
    """
    return Reply.model_validate_json(inflated(stored))


def unpack_request(stored: bytes) -> Any:
    """A stored request, not yet checked against its hash.

    Raises:
        ValueError: It is not what `pack` makes.
    """
    return json.loads(inflated(stored))


def inflated(stored: object) -> bytes:
    """What was stored, decompressed.

    Raises:
        ValueError: It is not what `deflated` makes.
    """
    if type(stored) is not bytes:
        raise ValueError(f"it holds {type(stored).__name__} instead of bytes")
    try:
        return zlib.decompress(stored)
    except zlib.error as error:
        raise ValueError(f"it cannot be decompressed: {error}") from error


def in_short(error: Exception) -> str:
    """What is wrong with an entry, in one line and without its content.

    >>> try:
    ...     Reply.model_validate({"text": 5})
    ... except ValueError as error:
    ...     in_short(error)
    'text: Input should be a valid string'
    """
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    return f"{place}: {what}" if place else what
