"""`UnsentBackend`: prepares requests as they would go over the wire, and sends none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from mmrare_judge.backends.base import JudgeSpec, Meter, Payload, Price, Request, Wire, WireMode
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.limits import Need, need_of, prompt_tokens
from mmrare_judge.errors import TransportError


@dataclass(frozen=True)
class Unsent:
    """A request that would be sent.

    Attributes:
        hash: The request's hash.
        questions: How many verdicts it asks for.
        prompt_tokens: Tokens of the prompt, on the high side.
        most: The most that one attempt may take.
    """

    hash: str
    questions: int
    prompt_tokens: int
    most: Need


class UnsentBackend:
    """Tells what would be sent; every request ends as if the wire were down.

    Args:
        spec: The judge's model and settings.
        note: Called with every request.
    """

    def __init__(self, spec: JudgeSpec, note: Callable[[Unsent], None]) -> None:
        self._note = note
        self._wire = _DeadWire(_wire(spec))
        self._chat = ChatBackend(spec.model_copy(update={"retries": 0}), self._wire)

    async def complete(self, request: Request, meter: Meter) -> NoReturn:
        """Note a request.

        Raises:
            TransportError: Always.
            ConfigError: The request could never be sent: an unknown provider.
        """
        try:
            await self._chat.complete(request, Meter())
        except TransportError:
            self._note(self._unsent(request))
            raise
        raise AssertionError("a wire that sends nothing brought a reply")

    def usual_price(self, model: str) -> Price | None:
        """What tokens of a model cost where nothing makes them dearer; ``None`` if not known."""
        if self._wire.price(model) is None:
            return None
        from mmrare_judge.backends.litellm import usual_prices

        prices = usual_prices(model)
        return None if prices is None else Price(*prices)

    def _unsent(self, request: Request) -> Unsent:
        payload = self._wire.payload
        assert payload is not None
        most = need_of(payload, self._wire.price(request.model))
        questions = len(request.reply_model.model_fields)
        return Unsent(request.hash, questions, prompt_tokens(payload), most)


class _DeadWire:
    """A wire that knows all that another one knows, and carries nothing."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.payload: Payload | None = None

    def auto_mode(self, request: Request) -> WireMode:
        return self._wire.auto_mode(request)

    async def complete(self, payload: Payload) -> Any:
        self.payload = payload
        raise TransportError("nothing is sent", kind="connection")

    def cost(self, response: Any) -> float | None:
        return self._wire.cost(response)

    def price(self, model: str) -> Price | None:
        return self._wire.price(model)

    def key_names(self, model: str) -> tuple[str, ...]:
        return self._wire.key_names(model)

    async def aclose(self) -> None:
        await self._wire.aclose()


def _wire(spec: JudgeSpec) -> Wire:
    if spec.backend == "direct":
        from mmrare_judge.backends.direct import DirectWire

        return DirectWire(spec)
    from mmrare_judge.backends.litellm import LiteLLMWire

    return LiteLLMWire(spec)
