"""Asking a backend one thing: a small reply model, a request for it, and what became of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from mmrare_judge.backends.base import JudgeSpec, Meter, Mode, Reply, Request
from mmrare_judge.backends.chat import ChatBackend
from mmrare_judge.backends.direct import DirectBackend
from mmrare_judge.backends.limits import Limiter
from mmrare_judge.backends.litellm import LLMBackend
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.errors import MMRareJudgeError
from mmrare_judge.judging.questions import ReplyModel
from support.server import Received, ScriptedServer, Step, error, filled

KEY = "sk-scripted-0123456789"
MODES: tuple[Mode, ...] = ("json_schema", "json", "tools")
Way = Mapping[str, Any]

LITELLM: Way = {"backend": "litellm", "model": "hosted_vllm/judge"}  # its own HTTP handler
LITELLM_OPENAI: Way = {"backend": "litellm", "model": "openai/judge"}  # the openai SDK below it
DIRECT: Way = {"backend": "direct", "model": "hosted_vllm/judge"}

BACKENDS: Mapping[str, Callable[..., ChatBackend]] = {
    "litellm": LLMBackend,
    "direct": DirectBackend,
}

every_way = pytest.mark.parametrize(
    "way",
    [
        pytest.param(LITELLM, id="litellm"),
        pytest.param(LITELLM_OPENAI, id="litellm-openai"),
        pytest.param(DIRECT, id="direct"),
    ],
)
"""For tests of what must be the same on every way to a model."""

both = pytest.mark.parametrize(
    "way", [pytest.param(LITELLM, id="litellm"), pytest.param(DIRECT, id="direct")]
)
"""For tests of what the backends share by construction."""


class Verdict(BaseModel):
    """A verdict with the fields and the caps that rubric replies have."""

    model_config = ConfigDict(extra="forbid")

    reasoning: str = Field(max_length=60)
    quotes: list[str] = Field(max_length=3)
    level: Literal["NO", "YES", "cannot_determine"]


class Grading(ReplyModel):
    """A reply to a rubric of two criteria."""

    agents: Verdict
    doses: Verdict


GOOD = {
    "agents": {"reasoning": "named", "quotes": ["prednisone"], "level": "YES"},
    "doses": {"reasoning": "none given", "quotes": [], "level": "NO"},
}
TEXT = json.dumps(GOOD)
OTHER = TEXT.replace('"YES"', '"NO"')
WRONG_ENUM = TEXT.replace('"YES"', '"MOSTLY"')
MISSING = json.dumps({"agents": GOOD["agents"]})
DOUBLED = f'{{"agents": {json.dumps(GOOD["doses"])}, {TEXT[1:]}'
TOO_LONG = TEXT.replace("none given", "x" * 61)
MALFORMED = TEXT.replace(":", "", 1)

good = filled(lambda _: GOOD)


def saying(text: str) -> Step:
    """That text, as content or as the tool's arguments, whichever was asked for."""
    return filled(lambda _: text)


@dataclass
class Asked:
    """A finished request: what came back, what was counted, what the server saw, the waits."""

    reply: Reply | None
    fault: MMRareJudgeError | None
    meter: Meter
    seen: list[Received]
    waits: list[float] = field(default_factory=list)


Ask = Callable[..., Asked]


def ask(
    server: ScriptedServer,
    *steps: Step,
    using: ChatBackend | None = None,
    limiter: Limiter | None = None,
    **settings: Any,
) -> Asked:
    """Ask the server once, following a script; check that every request it saw was counted."""
    server.script(*steps)
    server.otherwise = error(418, "the script is used up")
    before = len(server.requests)
    asked = Asked(None, None, Meter(), [])
    spec = spec_for(server, **settings)
    backend = using or BACKENDS[spec.backend](spec, limiter=limiter, backoff=noting(asked.waits))
    try:
        asked.reply = asyncio.run(backend.complete(request_for(spec), asked.meter))
    except MMRareJudgeError as fault:
        asked.fault = fault
    asked.seen = server.requests[before:]
    assert asked.meter.usage.calls == len(asked.seen)
    return asked


def spec_for(server: ScriptedServer, **settings: Any) -> JudgeSpec:
    """A judge at the server's address."""
    options = {**LITELLM, "api_base": server.url, "api_key": KEY, "timeout": 5.0}
    return JudgeSpec(**(options | settings))


def noting(waits: list[float]) -> Backoff:
    """A backoff that notes how long it would have waited."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return Backoff(sleep=sleep)


def request_for(spec: JudgeSpec) -> Request:
    """The request for a `Grading`."""
    names = ("temperature", "top_p", "seed", "max_tokens")
    sampling = {name: value for name in names if (value := getattr(spec, name)) is not None}
    return Request(
        model=spec.model,
        messages=(
            {"role": "system", "content": "You grade treatment plans. Answer in JSON."},
            {"role": "user", "content": "The plan: prednisone."},
        ),
        sampling=sampling | dict(spec.extra),
        schema=Grading.model_json_schema(),
        mode=spec.mode,
        endpoint=spec.api_base,
        reply_model=Grading,
    )


def graded(asked: Asked) -> bool:
    """Whether the reply is the good one."""
    return asked.reply is not None and json.loads(asked.reply.text) == GOOD
