"""An OpenAI-compatible server that answers fast and always alike, to measure clients against.

It reads HTTP/1.1 with just enough care for the clients here, waits the latency it was told, and
sends one ready-made completion. Run in a process of its own, see `serving`::

    python benchmarks/bench_server.py 0.05      # seconds of latency; prints its port
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

REASONING = (
    "The response names the measure that the reference asks for and gives it in the same order, "
    "but the dose and the route are left open, and so the meaning of the higher level is not "
    "satisfied completely; the lower level holds."
)
LEVELS = {"safety": "YES"}  # the other level of this criterion would have to quote
QUOTES = {
    "specific_treatments": ["Start prednisone 1 mg/kg by mouth every day"],
    "follow_up": ["Follow up in", "blood glucose and blood pressure, then every 2 weeks"],
}  # each stands in all plans of `embedded_speed.predictions`
NUMBER = b"No. 0000000"
"""What is replaced in each answer, so that no two are alike."""
CRITERIA = (
    "specific_treatments",
    "drug_dose_route",
    "safety",
    "follow_up",
    "pathophysiology",
    "implementable",
)


def answer() -> str:
    """A reply of about 300 tokens that satisfies the schema of the rubric ``treatment``."""
    verdicts = {
        name: {
            "reasoning": f"{REASONING} {NUMBER.decode()}",
            "quotes": QUOTES.get(name, []),
            "level": LEVELS.get(name, "NO"),
        }
        for name in CRITERIA
    }
    return json.dumps(verdicts)


def completion() -> bytes:
    """The whole HTTP answer."""
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answer()},
                }
            ],
            "usage": {"prompt_tokens": 1500, "completion_tokens": 300, "total_tokens": 1800},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


_numbers = count()


class Answering(asyncio.Protocol):
    """One connection: waits for a whole request, then answers after the latency."""

    def __init__(self, latency: float, reply: bytes) -> None:
        self._latency, self._reply = latency, reply
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._received += data
        while (length := self._complete()) is not None:
            del self._received[:length]
            asyncio.get_running_loop().call_later(self._latency, self._send)

    def _complete(self) -> int | None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        whole = end + 4 + length
        return whole if len(self._received) >= whole else None

    def _send(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._reply.replace(NUMBER, b"No. %07d" % next(_numbers)))


@contextmanager
def serving(latency: float) -> Iterator[str]:
    """The address of a server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(latency)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.communicate()


async def main(latency: float) -> None:
    """Serve until killed."""
    reply = completion()
    server = await asyncio.get_running_loop().create_server(
        lambda: Answering(latency, reply), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
