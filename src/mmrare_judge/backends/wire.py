"""The way to an endpoint, as `Exchange` sees it: `Wire`, and the `Payload` that goes over it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from mmrare_judge.backends.base import Request
from mmrare_judge.backends.payload import WireMode


@dataclass(frozen=True)
class Payload:
    """One chat completion to be asked for.

    Attributes:
        body: Model, messages and sampling parameters.
        structure: JSON text of the object that asks for structure, as `structure` writes it.
        endpoint: Address of an endpoint of one's own; ``None`` for the provider's.
        seconds: How long it may take.
    """

    body: Mapping[str, Any]
    structure: str
    endpoint: str | None
    seconds: float

    def whole(self) -> dict[str, Any]:
        """Body and structure in one; parsed anew, since litellm's adapters edit what they get."""
        return {**self.body, **json.loads(self.structure)}


@dataclass(frozen=True)
class Price:
    """The most a token may cost, in US dollars.

    Attributes:
        prompt: One token of the prompt.
        reply: One token of the reply.
    """

    prompt: float
    reply: float


class Wire(Protocol):
    """Carries payloads to a model, and knows what can be known about it beforehand.

    What `complete` and `auto_mode` raise is put into our words by `faults.as_fault`.
    """

    def auto_mode(self, request: Request) -> WireMode:
        """How structure is asked for where that is left to us."""
        ...

    async def complete(self, payload: Payload) -> Any:
        """One attempt, never repeated in here; the response looks like the openai SDK's."""
        ...

    def cost(self, response: Any) -> float | None:
        """What a response cost in US dollars; ``None`` where nobody knows."""
        ...

    def price(self, model: str) -> Price | None:
        """What tokens of a model cost; ``None`` where nobody knows."""
        ...

    def key_names(self, model: str) -> tuple[str, ...]:
        """Environment variables that a key for this model could be set in."""
        ...

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        ...


def plain(key: SecretStr | None) -> str | None:
    """A key as it goes over the wire."""
    return None if key is None else key.get_secret_value()
