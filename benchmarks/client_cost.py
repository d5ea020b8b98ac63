"""What one graded item costs the client: CPU time, and items a second.

Seven clients send the same payloads (about 1,500 tokens) to a local server whose answers (about 300
tokens) differ in a number only::

    python benchmarks/client_cost.py                  # the table of docs/speed.md, three minutes
    python benchmarks/client_cost.py --rounds 1 --only aiohttp grade-direct

- ``aiohttp``: an aiohttp session, the answer and the grading in it parsed as JSON; the floor.
- ``litellm``: ``litellm.acompletion(response_format=model)`` with a pydantic model, and the reply
  validated with it: what one would write.
- ``litellm-prepared``: the same with the model's schema made ready beforehand, which litellm else
  does for each call; what is sent is the same.
- ``instructor``: instructor over litellm, the common way to structured output.
- ``backend-direct``: our backend for such servers alone: a request sent, its reply validated.
- ``grade-litellm``: `Judge.agrade` through litellm: prompt, request hash, quotes looked up,
  level 2, score and signature included.
- ``grade-direct``: the same, straight to the server.

The first five are handed payloads made beforehand. CPU time is that of the client's process, in
milliseconds an item, without imports and a warm-up, after which ``gc.freeze()`` spares each client
alike the collections that scan all of litellm, which come at random. Each client runs in a process
of its own, all of them in turns, ``--rounds`` times; a figure is the median. Compare rows of one
run only. Exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice, product
from statistics import median
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr

from bench_server import answer, serving
from embedded_speed import pairs
from mmrare_judge import Item, Judge, Limits
from mmrare_judge.backends.base import JudgeSpec, Meter, Request
from mmrare_judge.backends.direct import DirectBackend
from mmrare_judge.judging.prompt import make_request
from mmrare_judge.judging.questions import Questions
from mmrare_judge.rubric.model import load_rubric

WARM_UP = 40
MODEL = "openai/bench"
DIRECT_AT_MOST, LITELLM_AT_MOST, LITELLM_PLUS = 3.0, 1.15, 1.0
"""The targets: times aiohttp, times litellm, milliseconds above litellm."""


class Job(NamedTuple):
    """One item to grade: as `Judge` takes it, and as the other clients send it."""

    plan: str
    item: Item
    request: Request
    body: dict[str, Any]

    @property
    def reply_model(self) -> type[BaseModel]:
        """What the reply is validated by."""
        return self.request.reply_model


Call = Callable[[Job], Awaitable[object]]
"""Sends one job's request and reads the answer."""

Measured = dict[str, float]


def jobs() -> Iterator[Job]:
    """Messages, sampling and schema as `Judge` sends them, without end."""
    return (_job(plan, item) for plan, item in pairs())


def _job(plan: str, item: Item) -> Job:
    questions = Questions(load_rubric("treatment"), item, plan)
    request = make_request(JudgeSpec(model=MODEL), questions, questions.all)
    schema = {"name": "grading", "schema": request.schema, "strict": True}
    body = {
        "messages": [dict(message) for message in request.messages],
        "max_tokens": request.sampling["max_tokens"],
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }
    return Job(plan, item, request, body)


async def bare_aiohttp(url: str) -> Call:
    """The floor: post, and parse what comes back."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def call(job: Job) -> object:
        sent = {"model": "bench", **job.body}
        async with session.post(f"{url}/chat/completions", json=sent) as response:
            response.raise_for_status()
            answered = await response.json()
            return json.loads(answered["choices"][0]["message"]["content"])

    return call


async def bare_litellm(url: str) -> Call:
    """What one would write without us."""
    return _through_litellm(url, lambda job: job.body | {"response_format": job.reply_model})


async def prepared_litellm(url: str) -> Call:
    """The least that litellm can be given to do."""
    return _through_litellm(url, lambda job: job.body)


def _through_litellm(url: str, body: Callable[[Job], dict[str, Any]]) -> Call:
    litellm = _litellm()

    async def call(job: Job) -> object:
        response = await litellm.acompletion(model=MODEL, api_base=url, api_key="x", **body(job))
        return job.reply_model.model_validate_json(response.choices[0].message.content)

    return call


async def through_instructor(url: str) -> Call:
    """The common way to structured output."""
    litellm = _litellm()
    import instructor  # noqa: TID251  what we are compared with

    client: Any = instructor.from_litellm(litellm.acompletion, mode=instructor.Mode.JSON_SCHEMA)

    async def call(job: Job) -> object:
        body = {name: value for name, value in job.body.items() if name != "response_format"}
        return await client.chat.completions.create(
            model=MODEL, api_base=url, api_key="x", response_model=job.reply_model, **body
        )

    return call


def _litellm() -> Any:
    from mmrare_judge.backends import litellm as litellm_door

    return litellm_door.litellm()


async def backend_alone(url: str) -> Call:
    """Our backend, without prompt, hash, evidence, level 2 and score."""
    spec = JudgeSpec(model=MODEL, api_base=url, api_key=SecretStr("x"))
    backend = DirectBackend(spec, limiter=Limits(concurrency=1024).limiter())

    async def call(job: Job) -> object:
        return await backend.complete(replace(job.request, endpoint=url), Meter())

    return call


async def through_judge(url: str, backend: Any) -> Call:
    """The library itself, with the limits of a run."""
    judge = Judge(
        MODEL,
        api_base=url,
        api_key="x",
        backend=backend,
        cache="off",
        verify_reask=0,
        limits=Limits(concurrency=1024),
    )

    async def call(job: Job) -> object:
        grade = await judge.agrade(job.plan, job.item)
        assert grade.coverage == 1.0, grade.unscored
        return grade

    return call


CLIENTS: dict[str, Callable[[str], Awaitable[Call]]] = {
    "aiohttp": bare_aiohttp,
    "litellm": bare_litellm,
    "litellm-prepared": prepared_litellm,
    "instructor": through_instructor,
    "backend-direct": backend_alone,
    "grade-litellm": lambda url: through_judge(url, "litellm"),
    "grade-direct": lambda url: through_judge(url, "direct"),
}


async def measure(client: str, url: str, items: int, concurrency: int) -> Measured:
    """CPU milliseconds an item and items a second of one client."""
    call = await CLIENTS[client](url)
    waiting = list(islice(jobs(), WARM_UP + items))
    await work_off(call, waiting[:WARM_UP], concurrency)
    gc.collect()
    gc.freeze()
    cpu, wall = time.process_time(), time.perf_counter()
    await work_off(call, waiting[WARM_UP:], concurrency)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu / items * 1000, "rate": items / wall}


async def work_off(call: Call, waiting: Iterable[Job], concurrency: int) -> None:
    """Send jobs, so many at a time."""
    stream = iter(waiting)

    async def work() -> None:
        for job in stream:
            await call(job)

    await asyncio.gather(*(work() for _ in range(concurrency)))


def in_process(client: str, conditions: list[tuple[str, int, int]]) -> list[Measured]:
    """`measure` under each condition (address, items, concurrency), in a process of its own."""
    command = [sys.executable, __file__, "--one", client, json.dumps(conditions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    measured: list[Measured] = json.loads(done.stdout.splitlines()[-1])
    return measured


def table(options: argparse.Namespace) -> bool:
    """Measure every client under every condition, and print a table a condition."""
    named = list(product(options.latency, options.concurrency))
    rounds: dict[str, list[list[Measured]]] = {client: [] for client in options.only}
    with ExitStack() as stack:
        urls = {latency: stack.enter_context(serving(latency)) for latency in options.latency}
        conditions = [(urls[latency], options.items, many) for latency, many in named]
        for _ in range(options.rounds):
            for client, runs in rounds.items():
                runs.append(in_process(client, conditions))
    met = True
    for number, (latency, concurrency) in enumerate(named):
        rows = {
            client: {name: median(run[number][name] for run in runs) for name in ("cpu", "rate")}
            for client, runs in rounds.items()
        }
        print(f"\nlatency {latency * 1000:.0f} ms, concurrency {concurrency}\n")
        met = _print_rows(rows) and met
    return met


def _print_rows(rows: dict[str, Measured]) -> bool:
    print("| client | CPU ms/item | to aiohttp | to litellm | items/s |\n|---|---|---|---|---|")
    for client, row in rows.items():
        ratios = " | ".join(_ratio(row, rows.get(base)) for base in ("aiohttp", "litellm"))
        print(f"| {client} | {row['cpu']:.2f} | {ratios} | {row['rate']:.0f} |")
    cpu = {client: row["cpu"] for client, row in rows.items()}
    met = True
    if {"litellm", "grade-litellm"} <= cpu.keys():
        above = cpu["grade-litellm"] - cpu["litellm"]
        met = above <= LITELLM_PLUS and above <= (LITELLM_AT_MOST - 1) * cpu["litellm"]
        print(f"grade-litellm is {above:.2f} ms above litellm")
    if {"litellm-prepared", "grade-litellm"} <= cpu.keys():
        above = cpu["grade-litellm"] - cpu["litellm-prepared"]
        print(f"grade-litellm is {above:.2f} ms above litellm-prepared")
    if {"aiohttp", "backend-direct"} <= cpu.keys():
        met = met and cpu["backend-direct"] <= DIRECT_AT_MOST * cpu["aiohttp"]
    return met


def _ratio(row: Measured, base: Measured | None) -> str:
    return "-" if base is None else f"{row['cpu'] / base['cpu']:.2f}"


async def _one(client: str, conditions: list[tuple[str, int, int]]) -> list[Measured]:
    return [await measure(client, *condition) for condition in conditions]


def main() -> int:
    """Read the options; ``--one`` is how a measurement runs in a process of its own."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(asyncio.run(_one(sys.argv[2], json.loads(sys.argv[3])))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 0.05])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--only", nargs="+", default=list(CLIENTS), choices=list(CLIENTS))
    return 0 if table(parser.parse_args()) else 1


if __name__ == "__main__":
    assert json.loads(answer())
    sys.exit(main())
