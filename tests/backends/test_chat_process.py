"""Chat backends in a process: concurrent, cancelled, on event loops that come and go."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge.backends import direct as openai_compatible
from mmrare_judge.backends import litellm as litellm_door
from mmrare_judge.backends.base import Message, Meter
from support.asking import BACKENDS, GOOD, TEXT, Way, every_way, good, request_for, spec_for
from support.paths import TESTS
from support.server import Received, ScriptedServer, Step, error, filled, hang

SESSIONS = {"litellm": litellm_door.sessions, "direct": openai_compatible.sessions}


@every_way
def test_what_a_cancelled_request_sent_is_counted(server: ScriptedServer, way: Way) -> None:
    server.otherwise = hang(30)
    spec = spec_for(server, **way)
    meter = Meter()

    async def cancel() -> None:
        task = asyncio.create_task(BACKENDS[spec.backend](spec).complete(request_for(spec), meter))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert meter.usage.calls == 1


@every_way
async def test_concurrent_requests_each_get_their_own_reply(
    server: ScriptedServer, way: Way
) -> None:
    def fill(request: Received) -> Mapping[str, Any]:
        return json.loads(TEXT.replace("named", request.messages[0]["content"]))  # type: ignore[no-any-return]

    server.otherwise = filled(fill)
    spec = spec_for(server, **way)
    backend = BACKENDS[spec.backend](spec)

    async def one(number: int) -> str:
        message: Message = {"role": "user", "content": f"case {number}"}
        own = replace(request_for(spec), messages=(message,))
        return (await backend.complete(own, Meter())).text

    texts = await asyncio.gather(*(one(number) for number in range(50)))
    names = [json.loads(text)["agents"]["reasoning"] for text in texts]
    assert names == [f"case {number}" for number in range(50)]
    assert len(server.requests) == 50


@every_way
async def test_requests_that_find_out_together_about_the_temperature_all_succeed(
    server: ScriptedServer, way: Way
) -> None:
    def step(request: Received) -> Step:
        refusal = error(400, "'temperature' is not supported with this model")
        return refusal if "temperature" in request.body else good

    server.otherwise = step
    spec, meter = spec_for(server, **way), Meter()
    backend = BACKENDS[spec.backend](spec)
    await asyncio.gather(*(backend.complete(request_for(spec), meter) for _ in range(20)))
    assert meter.usage.calls == len(server.requests)
    assert 21 <= len(server.requests) <= 40


@every_way
def test_event_loops_come_and_go_without_leaving_anything_open(
    server: ScriptedServer, way: Way
) -> None:
    server.otherwise = good
    spec = spec_for(server, **way)
    backend = BACKENDS[spec.backend](spec)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            asyncio.run(backend.complete(request_for(spec), Meter()))
            assert len(SESSIONS[spec.backend]) == 0
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert len(server.requests) == 5


@every_way
async def test_connections_can_be_closed_while_the_loop_goes_on(
    server: ScriptedServer, way: Way
) -> None:
    server.otherwise = good
    spec = spec_for(server, **way)
    backend = BACKENDS[spec.backend](spec)
    await backend.complete(request_for(spec), Meter())
    await backend.aclose()
    await backend.aclose()
    assert len(SESSIONS[spec.backend]) == 0
    assert json.loads((await backend.complete(request_for(spec), Meter())).text) == GOOD


def test_a_process_that_ends_with_open_connections_says_nothing(server: ScriptedServer) -> None:
    """Synchronous calls leave a loop running in a daemon thread, which is cut off at the end."""
    script = f"""if True:
        from support.asking import BACKENDS, request_for
        from mmrare_judge.backends.base import Meter
        from mmrare_judge.judging.judge import run_sync
        from mmrare_judge.backends.base import JudgeSpec

        for way in BACKENDS:
            spec = JudgeSpec(model="hosted_vllm/judge", backend=way, api_base={server.url!r})
            run_sync(BACKENDS[way](spec).complete(request_for(spec), Meter()))
    """
    server.otherwise = good
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(server.requests) == 2


def test_calls_from_one_loop_and_then_from_another_say_nothing(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The logging task that litellm starts on the first loop is dropped by the second."""
    code = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from support.makers import make_item
from mmrare_judge import Prediction, Run, grade
options = dict(judge="openai/judge", api_base={server.url!r}, api_key="x", cache="off")
grade("Prednisone 40 mg.", make_item(), **options)
run = Run({str(tmp_path)!r}, **options)
run.grade([(Prediction(item_id=make_item().id, text="Prednisone 50 mg."), make_item())])
grade("Prednisone 60 mg.", make_item(), **options)
"""
    server.otherwise = filled()
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert len(server.requests) >= 3
