"""A scripted OpenAI-compatible server on 127.0.0.1, in a thread with an event loop of its own.

A test says what the server does, request by request, and reads afterwards what was asked::

    def test_something(server: ScriptedServer) -> None:
        server.script(rate_limited(retry_after=1), chat("{}"))
        ...  # two requests to server.url
        assert server.requests[0].body["temperature"] == 0

The steps of a script are used up in the order of arrival. After the last one, and without any,
`ScriptedServer.otherwise` decides: a reply that satisfies the schema the request carries
(`filled`), unless a test sets another step. A step may look at the request, so one step can serve
any number of concurrent requests::

    server.otherwise = lambda request: chat("no") if "case 7" in request.text else filled()

Steps: `filled`, `chat`, `tool_call`, `refused`, `error`, `rate_limited`, `error_in_200`, `raw`,
`reset`, `cut_off`, `hang`, `drip`, `zipped`, `redirected`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from aiohttp import web

Json = Any
Fill = Callable[["Received"], Json]

USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
"""What every completion says it cost, unless told otherwise."""


@dataclass(frozen=True)
class Received:
    """One request, as it arrived.

    Attributes:
        path: Its path, ``/v1/chat/completions``.
        headers: Its headers, names in lower case.
        body: Its JSON body.
        connection: The client's port: equal for requests over one connection.
    """

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Json]
    connection: int = 0

    @property
    def messages(self) -> list[Mapping[str, Json]]:
        """The chat."""
        return list(self.body["messages"])

    @property
    def text(self) -> str:
        """All the chat's text in one piece, to look for something in it."""
        return "\n".join(str(message.get("content") or "") for message in self.messages)

    @property
    def tool(self) -> Mapping[str, Json] | None:
        """The function the request wants called, if it has one."""
        tools = self.body.get("tools")
        return dict(tools[0]["function"]) if tools else None

    @property
    def schema(self) -> Mapping[str, Json] | None:
        """The JSON schema the request carries, in its response format or its tool."""
        if self.tool is not None:
            return dict(self.tool["parameters"])
        response_format = self.body.get("response_format") or {}
        schema: Mapping[str, Json] | None = response_format.get("json_schema", {}).get("schema")
        return schema


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire.

    Attributes:
        body: The bytes of the body.
        status: The HTTP status.
        headers: Headers beside the content type.
        content_type: The body's media type.
        manner: ``send`` it; ``reset`` the connection instead; ``cut`` the connection in the middle
            of the body; ``hang`` for ``seconds`` and then send it; ``drip`` it a byte at a time,
            over ``seconds`` in all.
        seconds: See ``manner``.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    manner: Literal["send", "reset", "cut", "hang", "drip"] = "send"
    seconds: float = 0.0


Step = Answer | Callable[[Received], "Step"]
"""An answer, or something that makes one from the request."""


def completion(
    message: Mapping[str, Json],
    *,
    finish: str = "stop",
    model: str = "scripted-1",
    usage: Mapping[str, int] | None = USAGE,
    logprobs: Json = None,
) -> Answer:
    """A chat completion around one message."""
    body = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **message}}
            | ({} if logprobs is None else {"logprobs": logprobs})
        ],
    }
    return Answer(json.dumps(body | ({"usage": dict(usage)} if usage else {})).encode())


def chat(content: str | None, *, finish: str = "stop", model: str = "scripted-1") -> Answer:
    """An ordinary reply with this text; ``finish`` may be ``length`` or ``content_filter``."""
    return completion({"content": content}, finish=finish, model=model)


def tool_call(*arguments: str, name: str = "grade", finish: str = "tool_calls") -> Answer:
    """A reply that calls a function, once for each of the argument texts."""
    calls = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": text}}
        for n, text in enumerate(arguments)
    ]
    return completion({"content": None, "tool_calls": calls}, finish=finish)


def refused(reason: str) -> Answer:
    """A reply whose ``refusal`` field is set."""
    return completion({"content": None, "refusal": reason})


def filled(fill: Fill | None = None) -> Step:
    """A right reply, in the form that was asked for: as a tool call or as JSON text.

    Args:
        fill: Makes the reply from the request; by default `example` of the request's schema.
    """

    def step(request: Received) -> Answer:
        value = fill(request) if fill else example(request.schema or {})
        text = value if isinstance(value, str) else json.dumps(value)
        return tool_call(text, name=request.tool["name"]) if request.tool else chat(text)

    return step


def error(
    status: int,
    message: str = "scripted error",
    *,
    code: str | None = None,
    kind: str = "server_error",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """An HTTP error with an OpenAI error object."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Answer(json.dumps(body).encode(), status=status, headers=headers or {})


def rate_limited(retry_after: float | str | None = None) -> Answer:
    """HTTP 429, with a ``Retry-After`` of seconds or an HTTP date if one is given."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return error(429, "Rate limit reached", code="rate_limit_exceeded", headers=headers)


def error_in_200(message: str, code: int | str | None = None) -> Answer:
    """An error object in an answer whose status says that all is well."""
    return replace(error(200, message, code=None if code is None else str(code)), status=200)


def raw(body: bytes, *, status: int = 200, content_type: str = "application/json") -> Answer:
    """Any bytes at all."""
    return Answer(body, status=status, content_type=content_type)


def reset() -> Answer:
    """The connection is reset without an answer."""
    return Answer(manner="reset")


def cut_off(answer: Answer) -> Answer:
    """The first half of that answer, and then the connection is closed."""
    return replace(answer, manner="cut")


def hang(seconds: float = 60.0, answer: Answer | None = None) -> Answer:
    """Nothing happens for that long, and then that answer comes."""
    return replace(answer or error(504, "hung"), manner="hang", seconds=seconds)


def drip(answer: Answer, seconds: float = 60.0) -> Answer:
    """That answer byte by byte, so slowly that it takes this long."""
    return replace(answer, manner="drip", seconds=seconds)


def zipped(answer: Answer) -> Answer:
    """That answer, compressed with gzip."""
    headers = {**answer.headers, "Content-Encoding": "gzip"}
    return replace(answer, body=gzip.compress(answer.body), headers=headers)


def redirected(target: str, status: int = 307) -> Answer:
    """A redirect to another address."""
    return Answer(status=status, headers={"Location": target})


def example(schema: Mapping[str, Json], root: Mapping[str, Json] | None = None) -> Json:
    """A small value that satisfies a schema as pydantic writes them: first choices, empty lists."""
    root = schema if root is None else root
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return example(root["$defs"][name], root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], root)
    if schema.get("type", "object") == "object":
        properties: Mapping[str, Json] = schema.get("properties", {})
        return {name: example(part, root) for name, part in properties.items()}
    plain: dict[str, Json] = {"array": [], "string": "text", "integer": 0, "number": 0}
    return plain.get(str(schema.get("type")))


class ScriptedServer:
    """The server; start it with `running`, or take the fixture ``server``.

    Attributes:
        url: What to give as ``api_base``.
        requests: Everything that arrived, in order.
        otherwise: What happens when the script is used up.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self.url = ""
        self.requests: list[Received] = []
        self.otherwise: Step = filled()
        self._steps: deque[Step] = deque()
        self._loop = asyncio.new_event_loop()

    def script(self, *steps: Step) -> None:
        """Append steps to the script."""
        self._steps.extend(steps)

    @property
    def bodies(self) -> Sequence[Mapping[str, Json]]:
        """The bodies of the requests."""
        return [request.body for request in self.requests]

    @contextmanager
    def running(self) -> Iterator[ScriptedServer]:
        """Serve until the block is left; what still hangs then is cut off."""
        thread = threading.Thread(target=self._loop.run_forever, name="scripted-server")
        thread.start()
        runner = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _start(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_post("/{path:.*}", self._serve)
        runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True
        )
        await runner.setup()
        await web.TCPSite(runner, self._host, 0).start()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"http://{host}:{runner.addresses[0][1]}/v1"
        return runner

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport.get_extra_info("peername") if request.transport else (None, 0)
        received = Received(request.path, headers, await request.json(), peer[1])
        self.requests.append(received)
        step = self._steps.popleft() if self._steps else self.otherwise
        while not isinstance(step, Answer):
            step = step(received)
        return await _send(request, step)


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.manner == "reset":
        _reset(request)
    if answer.manner == "hang":
        await asyncio.sleep(answer.seconds)
    headers = {**answer.headers, "Content-Type": answer.content_type}
    if answer.manner == "cut":
        return await _cut(request, answer, headers)
    if answer.manner == "drip":
        return await _drip(request, answer, headers)
    return web.Response(body=answer.body, status=answer.status, headers=headers)


def _reset(request: web.Request) -> None:
    transport = request.transport
    assert transport is not None
    # Linger of zero seconds: closing sends RST instead of FIN.
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _cut(
    request: web.Request, answer: Answer, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(headers))
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def _drip(
    request: web.Request, answer: Answer, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(headers))
    response.content_length = len(answer.body)
    await response.prepare(request)
    for index in range(len(answer.body)):
        await response.write(answer.body[index : index + 1])
        await asyncio.sleep(answer.seconds / len(answer.body))
    return response


def judging(level: str, *quotes: str) -> Callable[[Received], Step]:
    """For `ScriptedServer.otherwise`: every question of a rubric answered alike."""

    def answered(request: Received) -> Step:
        keys = dict((request.schema or {}).get("properties", {}))
        verdict = {"reasoning": "r", "quotes": list(quotes), "level": level}
        return chat(json.dumps(dict.fromkeys(keys, verdict)))

    return answered
