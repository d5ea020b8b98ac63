"""What one graded item costs the client: CPU time, items a second, peak memory.

Five clients send the same payload (about 1,500 tokens; answers of about 300) to a local server
that answers alike to all, each client in a process of its own, one after another::

    python benchmarks/client_cost.py                    # the table of the README
    python benchmarks/client_cost.py --items 500 --latency 2 --concurrency 64 --only grade-direct

- ``aiohttp``: bare aiohttp, the answer parsed as JSON; the floor.
- ``litellm``: ``litellm.acompletion(response_format=schema)``, the reply validated with pydantic.
- ``instructor``: instructor over litellm, the common way to structured output.
- ``grade-litellm``: `Judge.agrade` through litellm: prompt, evidence, level 2 and score included.
- ``grade-direct``: the same, straight to the server.

CPU time is that of the client's process, in milliseconds an item, without imports and without a
warm-up of 20 items. Compare rows of one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

from bench_server import answer, serving
from embedded_speed import ITEM, predictions
from mmrare_judge import Judge
from mmrare_judge.gate import AdaptiveGate
from mmrare_judge.llm_judge import make_request
from mmrare_judge.rubric import load_rubric
from mmrare_judge.spec import JudgeSpec
from mmrare_judge.task import Task

WARM_UP = 20
MODEL = "openai/bench"

Call = Callable[[str], Awaitable[None]]
"""Sends one prediction's request and reads the answer."""


def payload(plan: str) -> tuple[dict[str, Any], type[Any]]:
    """Messages, sampling and schema as `Judge` sends them, and the reply model."""
    task = Task(load_rubric("treatment"), ITEM, plan)
    request = make_request(JudgeSpec(model=MODEL), task, task.questions)
    schema = {"name": "grading", "schema": dict(request.schema), "strict": True}
    body = {
        "messages": [dict(message) for message in request.messages],
        "max_tokens": request.sampling["max_tokens"],
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    return body, request.reply_model


def bare_aiohttp(url: str) -> Call:
    """The floor: post, and parse the answer as JSON."""
    from mmrare_judge.backends.sessions import Sessions

    sessions = Sessions()
    body, _ = payload("")

    async def call(plan: str) -> None:
        session = await sessions.get()
        sent = {**body, "model": "bench", "user": plan}
        async with session.post(f"{url}/chat/completions", json=sent) as response:
            json.loads((await response.json())["choices"][0]["message"]["content"])

    return call


def bare_litellm(url: str) -> Call:
    """What one would write without us: litellm, and pydantic on the reply."""
    litellm = _litellm()

    async def call(plan: str) -> None:
        body, model = payload(plan)
        response = await litellm.acompletion(model=MODEL, api_base=url, api_key="x", **body)
        model.model_validate_json(response.choices[0].message.content)

    return call


def through_instructor(url: str) -> Call:
    """The common way to structured output."""
    litellm = _litellm()
    import instructor  # noqa: TID251  what we are compared with

    client = instructor.from_litellm(litellm.acompletion, mode=instructor.Mode.JSON_SCHEMA)

    async def call(plan: str) -> None:
        body, model = payload(plan)
        del body["response_format"]
        await client.chat.completions.create(
            model=MODEL, api_base=url, api_key="x", response_model=model, **body
        )

    return call


def _litellm() -> Any:
    from mmrare_judge.backends import litellm_door

    return litellm_door.litellm()


def through_judge(url: str, backend: str) -> Call:
    """The library itself."""
    judge = Judge(
        MODEL,
        api_base=url,
        api_key="x",
        backend=backend,  # type: ignore[arg-type]  # one of the two names
        cache="off",
        verify_reask=0,
        gate=AdaptiveGate(1024, start=1024),
    )

    async def call(plan: str) -> None:
        grade = await judge.agrade(plan, ITEM)
        assert grade.coverage == 1.0, grade.unscored

    return call


CLIENTS: dict[str, Callable[[str], Call]] = {
    "aiohttp": bare_aiohttp,
    "litellm": bare_litellm,
    "instructor": through_instructor,
    "grade-litellm": lambda url: through_judge(url, "litellm"),
    "grade-direct": lambda url: through_judge(url, "direct"),
}


async def measure(client: str, url: str, items: int, concurrency: int) -> dict[str, float]:
    """CPU milliseconds an item, items a second and peak megabytes of one client."""
    call = CLIENTS[client](url)
    plans = iter(predictions(items + WARM_UP))
    await _all(call, [next(plans) for _ in range(WARM_UP)], concurrency)
    cpu, wall = time.process_time(), time.perf_counter()
    await _all(call, list(plans), concurrency)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": cpu / items * 1000, "rate": items / wall, "peak": peak}


async def _all(call: Call, plans: list[str], concurrency: int) -> None:
    waiting = iter(plans)

    async def work() -> None:
        for plan in waiting:
            await call(plan)

    await asyncio.gather(*(work() for _ in range(concurrency)))


def in_process(client: str, url: str, items: int, concurrency: int) -> dict[str, float]:
    """`measure` in a process of its own."""
    command = [sys.executable, __file__, "--one", client, url, str(items), str(concurrency)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def table(options: argparse.Namespace) -> None:
    """Measure every client under every condition, and print a table a condition."""
    for latency, concurrency in product(options.latency, options.concurrency):
        print(f"\nlatency {latency * 1000:.0f} ms, concurrency {concurrency}\n")
        print("| client | CPU ms/item | to aiohttp | to litellm | items/s | peak MB |")
        print("|---|---|---|---|---|---|")
        with serving(latency) as url:
            rows = {
                client: in_process(client, url, options.items, concurrency)
                for client in options.only
            }
        for client, row in rows.items():
            ratios = " | ".join(_ratio(row, rows.get(base)) for base in ("aiohttp", "litellm"))
            rest = f"{row['rate']:.0f} | {row['peak']:.0f}"
            print(f"| {client} | {row['cpu']:.2f} | {ratios} | {rest} |")


def _ratio(row: dict[str, float], base: dict[str, float] | None) -> str:
    return "-" if base is None else f"{row['cpu'] / base['cpu']:.2f}"


def main() -> None:
    """Read the options; ``--one`` is how a measurement runs in a process of its own."""
    if sys.argv[1:2] == ["--one"]:
        client, url, items, concurrency = sys.argv[2:]
        print(json.dumps(asyncio.run(measure(client, url, int(items), int(concurrency)))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.05])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--only", nargs="+", default=list(CLIENTS), choices=list(CLIENTS))
    table(parser.parse_args())


if __name__ == "__main__":
    assert json.loads(answer())
    main()
