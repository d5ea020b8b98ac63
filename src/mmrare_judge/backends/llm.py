"""`LLMBackend`: any model litellm knows."""

from __future__ import annotations

from typing import Any

from mmrare_judge.backends import litellm_door
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.payload import WireMode, is_self_hosted
from mmrare_judge.backends.wire import Payload, Price, plain
from mmrare_judge.gate import Gate
from mmrare_judge.retry import Backoff
from mmrare_judge.spec import JudgeSpec


class LLMBackend(ChatBackend):
    """A judge's model behind litellm.

    Mode ``auto`` is ``json_schema`` for endpoints of one's own and for models whose provider
    holds replies to a schema, else ``json``: plain text works with every model, since the messages
    describe the format in words. It is never ``tools``, which litellm serves least well.

    Args:
        spec: The judge's model and settings.
        gate: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.
    """

    def __init__(
        self, spec: JudgeSpec, *, gate: Gate | None = None, backoff: Backoff | None = None
    ) -> None:
        super().__init__(spec, LiteLLMWire(spec), gate=gate, backoff=backoff)


class LiteLLMWire:
    """A way through litellm."""

    def __init__(self, spec: JudgeSpec) -> None:
        self._key = plain(spec.api_key)

    def auto_mode(self, request: Request) -> WireMode:
        """A schema where it will be heeded, else plain JSON."""
        litellm_door.check_provider(request.model, request.endpoint)
        own = request.endpoint is not None or is_self_hosted(request.model)
        return "json_schema" if own or litellm_door.supports_schema(request.model) else "json"

    async def complete(self, payload: Payload) -> Any:
        """One attempt."""
        return await litellm_door.complete(
            {
                **payload.whole(),
                "api_base": payload.endpoint,
                "api_key": self._key,
                "timeout": payload.seconds,
            }
        )

    def cost(self, response: Any) -> float | None:
        """What litellm's price list says."""
        return litellm_door.cost(response)

    def price(self, model: str) -> Price | None:
        """What litellm's price list says; self-hosted models stand in it as free, wrongly."""
        prices = None if is_self_hosted(model) else litellm_door.highest_prices(model)
        return None if prices is None else Price(*prices)

    def key_names(self, model: str) -> tuple[str, ...]:
        """The variables litellm misses, else the one it would read."""
        return litellm_door.missing_keys(model) or (f"{model.partition('/')[0].upper()}_API_KEY",)

    async def aclose(self) -> None:
        """Close the running loop's connections."""
        await litellm_door.aclose()
