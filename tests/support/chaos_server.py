"""An OpenAI-compatible server in a process of its own, fast, and failing by plan.

What it does to the ``n``-th attempt at an item is a function of the two (`fault`), and so is the
right answer (`right`): a test can work both out for itself. Predictions say which item they are of:
``Plan 17.``::

    with ChaosServer(FAULTS).running() as server:
        ...  # requests to server.url
        assert server.log()["served"]["17"] == ["reset", "right"]

`tests/server.py` is the server for single requests, scripted one by one.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from typing import Any
from urllib.request import urlopen

FAULTS: Mapping[str, int] = {
    "rate_limit": 5,
    "rate_limit_wait": 4,
    "status_500": 50,
    "status_502": 45,
    "reset": 45,
    "cut": 25,
    "not_json": 20,
    "error_in_200": 22,
    "hang": 1,
    "drip": 1,
    "broken_json": 14,
    "wrong_level": 14,
    "missing": 14,
    "empty": 14,
    "length": 13,
    "refusal": 13,
}
"""Faults, and how many of a thousand attempts meet them: 300 in all."""

KINDS: Mapping[str, str] = {
    "rate_limit": "rate_limit",
    "rate_limit_wait": "rate_limit",
    "status_500": "server_error",
    "status_502": "server_error",
    "reset": "connection",
    "cut": "connection",
    "not_json": "server_error",
    "error_in_200": "server_error",
    "hang": "timeout",
    "drip": "timeout",
    "broken_json": "format",
    "wrong_level": "format",
    "missing": "format",
    "empty": "format",
    "length": "truncated",
    "refusal": "refusal",
}
"""What a grade that ends in a fault gives as its reason."""


def fault(item: int, attempt: int, faults: Mapping[str, int]) -> str | None:
    """What happens to an attempt at an item, both counted from 0; ``None`` if it goes well."""
    draw = zlib.crc32(f"{item}/{attempt}".encode()) % 1000
    bounds = accumulate(faults.values())
    return next((name for name, bound in zip(faults, bounds, strict=True) if draw < bound), None)


def right(item: int) -> dict[str, str]:
    """The right levels of an item, by criterion of the small rubric in ``makers.py``."""
    return {"quality": "YES" if item % 3 else "NO", "safe": "YES" if item % 5 else "NO"}


def tokens(item: int) -> tuple[int, int]:
    """Tokens of the prompt and of the reply, as the server counts them."""
    return 400 + item % 7, 40 + item % 5


class ChaosServer:
    """The server, as a test sees it.

    Args:
        faults: Which faults, and how many of a thousand attempts meet each.
        latency: Seconds before an answer.

    Attributes:
        url: What to give as ``api_base``.
    """

    def __init__(self, faults: Mapping[str, int] | None = None, *, latency: float = 0.0) -> None:
        self._options = json.dumps({"faults": dict(faults or {}), "latency": latency})
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[ChaosServer]:
        """Serve until the block is left."""
        command = [sys.executable, __file__, self._options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                self.url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
                yield self
            finally:
                process.kill()

    def log(self) -> dict[str, Any]:
        """What was served: by item its faults, ``"right"`` for none; tokens; answers still due."""
        with urlopen(f"{self.url}/log") as answer:
            log: dict[str, Any] = json.load(answer)
        return log

    def calm(self) -> None:
        """No more faults from now on."""
        with urlopen(f"{self.url}/calm"):
            pass

    def calls(self) -> int:
        """How many requests have arrived."""
        return sum(len(served) for served in self.log()["served"].values())


class _Log:
    def __init__(self, faults: Mapping[str, int], latency: float) -> None:
        self.faults, self.latency = faults, latency
        self.served: dict[int, list[str]] = {}
        self.prompt_tokens = self.completion_tokens = self.due = 0

    def next_fault(self, item: int) -> str | None:
        served = self.served.setdefault(item, [])
        name = fault(item, len(served), self.faults)
        served.append(name or "right")
        return name

    def content(self) -> bytes:
        counts = {name: vars(self)[name] for name in ("prompt_tokens", "completion_tokens", "due")}
        return json.dumps({"served": self.served, **counts}).encode()


class _Connection(asyncio.Protocol):
    """One connection: requests one after another, each whole before it is looked at."""

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._out = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not end or (length and len(body) < int(length[1])):
            return
        self._data = b""
        if head.startswith(b"GET"):
            if b"/calm " in head:
                self._log.faults = {}
            self._send(self._log.content())
        else:
            self._serve(body)

    def _serve(self, body: bytes) -> None:
        found = re.search(rb"Plan (\d+)\.", body)
        assert found is not None
        item = int(found[1])
        name = self._log.next_fault(item)
        self._log.due += 1
        if self._log.latency:
            asyncio.get_running_loop().call_later(self._log.latency, self._answer, item, name)
        else:
            self._answer(item, name)

    def _answer(self, item: int, name: str | None) -> None:
        self._log.due -= 1
        if self._out.is_closing():
            return
        manner = _MANNERS.get(name or "")
        if manner is not None:
            manner(self, item)
        else:
            self._complete(item, name)

    def _complete(self, item: int, name: str | None) -> None:
        prompt, reply = tokens(item)
        self._log.prompt_tokens += prompt
        self._log.completion_tokens += reply
        self._send(_completion(item, name))

    def _send(self, body: bytes, *, status: str = "200 OK", headers: str = "") -> None:
        self._out.write(_head(len(body), status, headers) + body)

    def _refuse(self, status: str, headers: str = "") -> None:
        body = json.dumps({"error": {"message": "on purpose", "code": status[:3]}}).encode()
        self._send(body, status=status, headers=headers)

    def _reset(self) -> None:
        # Linger of zero seconds: closing sends RST instead of FIN.
        connection = self._out.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._out.abort()

    def _cut(self, item: int) -> None:
        body = _completion(item, None)
        self._out.write(_head(len(body)) + body[: len(body) // 2])
        self._out.close()

    def _drip(self, body: bytes) -> None:
        """A byte now, and the others one after another: it takes more than half a minute."""
        if body and not self._out.is_closing():
            self._out.write(body[:1])
            asyncio.get_running_loop().call_later(0.1, self._drip, body[1:])

    def start_drip(self, item: int) -> None:
        body = _completion(item, None)
        self._out.write(_head(len(body)))
        self._drip(body)


_MANNERS: Mapping[str, Callable[[_Connection, int], None]] = {
    "rate_limit": lambda to, item: to._refuse("429 Too Many Requests"),
    "rate_limit_wait": lambda to, item: to._refuse("429 Busy", "Retry-After: 0.02\r\n"),
    "status_500": lambda to, item: to._refuse("500 Internal Server Error"),
    "status_502": lambda to, item: to._send(b"<html>Bad gateway</html>", status="502 Bad Gateway"),
    "not_json": lambda to, item: to._send(b'{"choices": [{"index": 0, "mess'),
    "error_in_200": lambda to, item: to._send(b'{"error": {"message": "down", "code": 503}}'),
    "reset": lambda to, item: to._reset(),
    "cut": _Connection._cut,
    "hang": lambda to, item: None,
    "drip": _Connection.start_drip,
}
"""Faults of the wire; those of the reply are completions."""


def _head(length: int, status: str = "200 OK", headers: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def _completion(item: int, name: str | None) -> bytes:
    prompt, reply = tokens(item)
    message: dict[str, Any] = {"role": "assistant", "content": _content(item, name)}
    if name == "refusal":
        message["refusal"] = "I will not."
    finish = "length" if name == "length" else "stop"
    body = {
        "id": "chatcmpl-chaos",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "chaos-1",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": reply,
            "total_tokens": prompt + reply,
        },
    }
    return json.dumps(body).encode()


def _content(item: int, name: str | None) -> str | None:
    if name in ("empty", "refusal"):
        return "" if name == "empty" else None
    grading = {
        criterion: {"reasoning": "So it is.", "quotes": [f"Plan {item}."], "level": level}
        for criterion, level in right(item).items()
    }
    if name == "missing":
        del grading["safe"]
    if name == "wrong_level":
        grading["quality"]["level"] = "PERHAPS"
    text = json.dumps(grading)
    return text[: len(text) // 2] if name in ("broken_json", "length") else text


async def _main() -> None:
    log = _Log(**json.loads(sys.argv[1]))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(log), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
