"""`LLMBackend`: any model litellm knows. The one module that knows litellm.

What is particular about litellm, and dealt with here:

- Its import takes seconds, asks the network for prices, loads any ``.env`` file it finds and prints
  advice. Two environment variables keep it from that; they are set for the import only.
- A connection that is reset under a request makes its HTTP handler send that request again, unseen
  and uncounted. Our session reports the reset in a form that it hands on.
- It works for milliseconds before a request is on the wire. An event loop does that for all
  requests at once, so that none is sent before the last is ready; `PreparationLimit` lets few in.
- It logs in a task of its own, which it drops, still waiting, when the next call comes from another
  event loop. Python would tell our users about that.
- It keeps HTTP clients by the id of their event loop, and ids are used again. When a loop shuts
  down, the clients of that loop are closed and forgotten.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import os
import sys
import warnings
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mmrare_judge.backends.base import (
    JudgeSpec,
    Payload,
    Price,
    Request,
    WireMode,
    is_self_hosted,
    plain_key,
)
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.direct import Sessions
from mmrare_judge.backends.limits import Limiter
from mmrare_judge.backends.replies import (
    Completion,
    EndpointError,
    as_completion,
    completion,
)
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.errors import TransportError

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientSession


class LLMBackend(ChatBackend):
    """A judge's model behind litellm.

    Mode ``auto`` is ``json_schema`` for endpoints of one's own and for models whose provider
    holds replies to a schema, else ``json``: plain text works with every model, since the messages
    describe the format in words. It is never ``tools``, which litellm serves least well.

    Args:
        spec: The judge's model and settings.
        limiter: What every attempt has to pass; by default nothing.
        backoff: How to wait between repeats.
    """

    def __init__(
        self, spec: JudgeSpec, *, limiter: Limiter | None = None, backoff: Backoff | None = None
    ) -> None:
        super().__init__(spec, limiter=limiter, backoff=backoff)
        self._key = plain_key(spec.api_key)

    def auto_mode(self, request: Request) -> WireMode:
        """A schema where it will be heeded, else plain JSON."""
        # It raises what it raises about a model whose provider it does not know.
        litellm().get_llm_provider(model=request.model, api_base=request.endpoint)
        own = request.endpoint is not None or is_self_hosted(request.model)
        return "json_schema" if own or supports_schema(request.model) else "json"

    async def post(self, payload: Payload) -> Completion:
        """One attempt, without any repeats of litellm's or of the SDKs'.

        What an OpenAI-compatible endpoint sent is read by ourselves, as the direct backend does:
        litellm drops error codes, and cannot read all that is valid. Other endpoints' replies are
        read by litellm.
        """
        received: list[HttpResponse] = []
        _received.set(received)
        try:
            async with _preparation.held():
                response = await self._ask_litellm(payload)
            _keep_logging_quiet()
        except Exception:
            if not received:
                raise
            told = completion(*received[-1])
            told.cost = _cost_of(payload.body["model"], told)
            return told
        told = _openai_shaped(received) or as_completion(
            response.model_dump(warnings=False) if response is not None else {}
        )
        known = getattr(response, "_hidden_params", {}).get("response_cost")
        told.cost = _cost_of(payload.body["model"], told) if known is None else float(known)
        return told

    async def _ask_litellm(self, payload: Payload) -> Any:
        asked = payload.whole()
        session = await sessions.get()
        if asked.get("stream"):
            _stream_over(session, payload)
        response = await litellm().acompletion(
            **asked,
            api_base=payload.endpoint,
            api_key=self._key,
            timeout=payload.seconds,
            max_retries=0,
            num_retries=0,
            shared_session=session,
            # With tools, 1.106 imports an optional package unless told to leave that path out.
            **({"_skip_mcp_handler": True} if "tools" in asked else {}),
        )
        if not asked.get("stream"):
            return response
        return litellm().stream_chunk_builder([chunk async for chunk in response])

    def price(self, model: str) -> Price | None:
        """What litellm's price list says; self-hosted models stand in it as free, wrongly."""
        prices = None if is_self_hosted(model) else highest_prices(model)
        return None if prices is None else Price(*prices)

    def key_names(self, model: str) -> tuple[str, ...]:
        """The variables litellm misses, else the one it would read."""
        missing = tuple(litellm().validate_environment(model=model)["missing_keys"])
        return missing or (f"{model.partition('/')[0].upper()}_API_KEY",)

    async def aclose(self) -> None:
        """Close the running loop's connections; a loop that shuts down does so by itself."""
        await sessions.aclose()


class PreparationLimit:
    """Limits how many requests are prepared at a time; each event loop has its own limit.

    With 64 requests that take 3 ms each to prepare, an event loop works on all of them in turns,
    and the first is sent with the last, after 0.2 s. Their replies come all at once as well, and
    so it goes on: with a latency of 2 s a tenth of the time is lost. Under a limit the first is
    sent after a few milliseconds, and they stay apart.

    Args:
        width: Requests that are prepared at a time.
        longest: Seconds after which a request is taken to be on the wire, where nothing tells.
    """

    def __init__(self, width: int, *, longest: float = 0.05) -> None:
        self._width = width
        self._longest = longest
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            WeakKeyDictionary()
        )
        self._release: ContextVar[Callable[[], None] | None] = ContextVar("release", default=None)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold one of the places until `release` is called, or for a moment."""
        loop = asyncio.get_running_loop()
        slots = self._slots.setdefault(loop, asyncio.Semaphore(self._width))
        await slots.acquire()
        held = [slots]

        def release() -> None:
            if held:
                held.pop().release()

        self._release.set(release)
        timer = loop.call_later(self._longest, release)
        try:
            yield
        finally:
            timer.cancel()
            release()

    def release(self) -> None:
        """What is sent in this context is ready, and the next may be prepared."""
        release = self._release.get()
        if release is not None:
            release()


_FOR_THE_IMPORT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price list that is installed, not a download
    "LITELLM_MODE": "PRODUCTION",  # anything but DEV: no load_dotenv()
}


@cache
def litellm() -> Any:
    """The litellm module, imported on the first call."""
    with _environment(_FOR_THE_IMPORT), warnings.catch_warnings():
        # What dependencies of litellm have to say about their own imports is not for our users.
        warnings.simplefilter("ignore")
        # By name, since the type checker would otherwise read all of litellm, minutes of it.
        module: Any = importlib.import_module("litellm")
        module.ModelResponse()  # builds pydantic models that warn about themselves
    # It serialises replies whose shape it does not know, and the warning would show their text.
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)
    module.suppress_debug_info = True
    module.telemetry = False
    if "LITELLM_LOG" not in os.environ:
        # Its warnings go to stderr, one a call for a finish reason that it does not know.
        logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return module


def _stream_over(session: ClientSession, payload: Payload) -> None:
    # litellm hands no session on where it streams, but takes a client that is in its cache.
    model, address = payload.body["model"], payload.endpoint
    _, provider, _, _ = litellm().get_llm_provider(model=model, api_base=address)
    clients = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    clients.get_async_httpx_client(
        llm_provider=litellm().LlmProviders(provider),
        params={"ssl_verify": None},
        shared_session=session,
    )


def _keep_logging_quiet() -> None:
    module = sys.modules.get("litellm.litellm_core_utils.logging_worker")
    task = getattr(getattr(module, "GLOBAL_LOGGING_WORKER", None), "_worker_task", None)
    if task is not None:
        task._log_destroy_pending = False


def supports_schema(model: str) -> bool:
    """Whether the provider of a model holds replies to a JSON schema."""
    return bool(litellm().supports_response_schema(model=model))


@cache
def highest_prices(model: str) -> tuple[float, float] | None:
    """The most a token of the prompt and of the reply may cost, whatever the prompt's length.

    ``None`` where litellm does not know the model. Prices of service tiers that have to be asked
    for are left out.
    """
    listed = _model_info(model)
    if listed is None:
        return None
    return _highest(listed, "input_cost_per_token"), _highest(listed, "output_cost_per_")


def usual_prices(model: str) -> tuple[float, float] | None:
    """What a token of the prompt and of the reply costs where nothing makes it dearer or cheaper.

    ``None`` where litellm does not know the model.
    """
    listed = _model_info(model)
    if listed is None:
        return None
    prompt, reply = (listed.get(f"{way}_cost_per_token") for way in ("input", "output"))
    return float(prompt or 0.0), float(reply or 0.0)


def _model_info(model: str) -> Mapping[str, Any] | None:
    try:
        listed: Mapping[str, Any] = litellm().get_model_info(model)
    except Exception:  # its kind differs from version to version
        return None
    return listed


def _highest(listed: Mapping[str, Any], kind: str) -> float:
    return max(
        (
            float(price)
            for name, price in listed.items()
            if name.startswith(kind) and "token" in name and price and "priority" not in name
        ),
        default=0.0,
    )


HttpResponse = tuple[int, Mapping[str, str], bytes]
"""Status, headers and body of a response."""

_received: ContextVar[list[HttpResponse] | None] = ContextVar("received", default=None)
"""The responses of the call that goes on in this context, as they came over the wire."""


async def _watched(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Note a response, and report a lost connection in a form that litellm does not repeat."""
    from aiohttp import ClientOSError, ServerDisconnectedError, StreamReader
    from aiohttp.base_protocol import BaseProtocol

    _preparation.release()
    try:
        response = await handler(request)
    except ClientOSError as error:
        raise ServerDisconnectedError(f"Connection error: {error}") from error
    received = _received.get()
    if received is not None:
        body = await response.read()
        loop = asyncio.get_running_loop()
        # litellm reads it once more, from here.
        response.content = StreamReader(BaseProtocol(loop), len(body) + 1, loop=loop)
        response.content.feed_data(body)
        response.content.feed_eof()
        plain = _decoded(body, response.headers.get("Content-Encoding", ""))
        if plain is not None:
            received.append((response.status, response.headers, plain))
    return response


def _decoded(body: bytes, encoding: str) -> bytes | None:
    """A body that may be compressed, since litellm decompresses by itself; ``None`` if unknown."""
    if encoding in ("", "identity"):
        return body
    try:
        return zlib.decompress(body, wbits=47) if encoding in ("gzip", "deflate") else None
    except zlib.error:
        return None


def _openai_shaped(received: list[HttpResponse]) -> Completion | None:
    """The last response, if it is a chat completion in OpenAI's form."""
    try:
        told = completion(*received[-1]) if received else None
    except (EndpointError, TransportError):
        return None
    return told if told is not None and told.choices else None


def _cost_of(model: str, told: Completion) -> float | None:
    """The cost of a reply that litellm has not reckoned; ``None`` where it has no price."""
    prices = None if is_self_hosted(model) else usual_prices(model)
    if prices is None:
        return None
    return told.usage.prompt_tokens * prices[0] + told.usage.completion_tokens * prices[1]


async def _forget_clients() -> None:
    cache = litellm().in_memory_llm_clients_cache
    suffix = f"-{id(asyncio.get_running_loop())}"
    for key in [key for key in cache.cache_dict if key.endswith(suffix)]:
        client = cache.cache_dict.get(key)
        cache.delete_cache(key)
        close = getattr(client, "aclose", None) or getattr(client, "close", None)
        if inspect.iscoroutinefunction(close):
            with suppress(Exception):  # of a client that is thrown away
                await close()


sessions = Sessions(middlewares=(_watched,), closed=_forget_clients)
_preparation = PreparationLimit(2)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
