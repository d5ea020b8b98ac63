"""What is litellm's own: modes, prices, keys and names it knows, and how it is imported."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from mmrare_judge.backends import litellm as litellm_door
from mmrare_judge.backends.base import JudgeSpec, Meter, Mode
from mmrare_judge.backends.litellm import LLMBackend
from mmrare_judge.errors import ConfigError
from support.asking import TEXT, Ask, good, graded, request_for
from support.server import chat, completion, error


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("hosted_vllm/anything", "json_schema"),
        ("ollama/qwen3:8b", "json_schema"),
        ("openai/gpt-5-mini", "json_schema"),
        ("openai/gpt-4", "json"),
    ],
)
def test_the_automatic_mode_is_a_schema_where_it_is_supported_and_else_plain_json(
    model: str, mode: Mode
) -> None:
    """OpenAI's own documentation: structured outputs came with gpt-4o, gpt-4 has none."""
    request = request_for(JudgeSpec(model=model))
    assert LLMBackend(JudgeSpec(model=model)).mode(request) == mode


def test_a_model_that_litellm_knows_to_take_no_temperature_gets_none(ask: Ask) -> None:
    asked = ask(good, model="openai/gpt-5-mini")
    assert "temperature" not in asked.seen[0].body
    assert asked.reply is not None
    assert asked.reply.sampling == {}
    # Listed at 0.25 and 2 dollars a million tokens: 1000 * 0.25e-6 + 200 * 2e-6.
    assert asked.meter.usage.cost == pytest.approx(0.00065)


def test_a_set_temperature_that_is_not_taken_is_for_the_caller_to_mend(ask: Ask) -> None:
    asked = ask(model="openai/gpt-5-mini", temperature=0.3)
    assert isinstance(asked.fault, ConfigError)
    assert "temperature" in str(asked.fault)
    assert asked.seen == []


def test_a_missing_key_names_the_variable_to_set(ask: Ask) -> None:
    asked = ask(model="openai/gpt-5-mini", api_key=None)
    assert isinstance(asked.fault, ConfigError)
    assert "there is no key for openai/gpt-5-mini" in str(asked.fault)
    assert "OPENAI_API_KEY" in str(asked.fault)
    assert asked.seen == []


@pytest.mark.parametrize("model", ["judge", "nosuchprovider/judge"])
def test_a_model_without_a_known_provider_says_how_to_write_one(model: str) -> None:
    spec = JudgeSpec(model=model)
    with pytest.raises(ConfigError, match=r"provider/model.*openai/gpt-5-mini"):
        asyncio.run(LLMBackend(spec).complete(request_for(spec), Meter()))


def test_the_cost_of_every_attempt_is_counted(ask: Ask) -> None:
    asked = ask(error(500), chat("{}"), good, model="openai/gpt-5-mini")
    # Two completions of 1000 and 200 tokens at 0.25 and 2 dollars a million.
    assert asked.meter.usage.cost == pytest.approx(2 * 0.00065)


@pytest.mark.parametrize("model", ["hosted_vllm/judge", "openai/nobody-has-priced-this"])
def test_a_model_without_a_known_price_costs_none_and_not_zero(ask: Ask, model: str) -> None:
    assert ask(good, model=model).meter.usage.cost is None


def test_a_reply_without_a_token_count_has_no_cost(ask: Ask) -> None:
    asked = ask(completion({"content": TEXT}, usage=None), model="openai/gpt-5-mini")
    assert graded(asked)
    assert asked.meter.usage.cost is None


def test_litellm_comes_in_late_quietly_and_alone(tmp_path: Path) -> None:
    """In a fresh process, with warnings as errors, the network cut and a stray .env about."""
    (tmp_path / ".env").write_text("STRAY_VARIABLE=clinical\n")
    script = """
        import os, socket, sys

        def cut(*args, **kwargs):
            raise SystemExit(f"network access: {args}")

        before = dict(os.environ)
        import mmrare_judge.backends.litellm
        assert not {"litellm", "instructor", "openai", "tenacity", "aiohttp"} & sys.modules.keys()
        socket.getaddrinfo = socket.create_connection = socket.socket.connect = cut
        socket.socket.connect_ex = cut
        from mmrare_judge.backends import litellm as litellm_door
        module = litellm_door.litellm()
        assert module.suppress_debug_info and not module.telemetry
        assert dict(os.environ) == before, os.environ.keys() ^ before.keys()
        assert not (module.callbacks or module.success_callback or module.failure_callback)
        assert module.disable_aiohttp_transport is False
        assert litellm_door.supports_schema("openai/gpt-5-mini")
    """
    source = Path(litellm_door.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
