"""What is the direct backend's own: addresses, keys, names on the wire, and HTTP itself."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

import pytest
from pydantic import SecretStr

from mmrare_judge.backends.base import JudgeSpec, Meter, Reply
from mmrare_judge.backends.direct import DirectBackend, wire_name
from mmrare_judge.errors import ConfigError, RequestRefusedError, TransportError
from support.asking import DIRECT, GOOD, KEY, TEXT, Ask, good, graded, request_for, spec_for
from support.server import (
    ScriptedServer,
    chat,
    completion,
    error,
    error_in_200,
    raw,
    redirected,
    reset,
    zipped,
)


def answer_of(spec: JudgeSpec) -> Reply:
    return asyncio.run(DirectBackend(spec).complete(request_for(spec), Meter()))


# Addresses


def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigError, match="needs api_base"):
        DirectBackend(JudgeSpec(**DIRECT))


@pytest.mark.parametrize(
    "address",
    [
        "gpu1:8000/v1",
        "ftp://gpu1/v1",
        "http://",
        "http:///v1",
        "http://[::1/v1",
        "http://h:0/v1",
        "http://h:port/v1",
        "",
    ],
    ids=["no-scheme", "ftp", "nothing", "no-host", "bracket", "port-0", "word-port", "empty"],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(address: str) -> None:
    with pytest.raises(ConfigError, match="http://localhost:8000/v1"):
        DirectBackend(JudgeSpec(**DIRECT, api_base=address))


@pytest.mark.parametrize("ending", ["", "/", "?tenant=a%20b"], ids=["bare", "slash", "query"])
def test_the_path_of_chat_completions_is_put_behind_the_address(
    ask: Ask, server: ScriptedServer, ending: str
) -> None:
    asked = ask(good, **DIRECT, api_base=server.url + ending)
    assert graded(asked)
    assert asked.seen[0].path == "/v1/chat/completions"


def test_an_ipv6_address_is_one() -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
    with ScriptedServer("::1").running() as server:
        server.otherwise = good
        assert "[::1]" in server.url
        assert json.loads(answer_of(spec_for(server, **DIRECT)).text) == GOOD


# Keys


@pytest.mark.parametrize("model", ["hosted_vllm/judge", "openai/judge", "ollama/judge"])
def test_the_key_comes_from_the_variable_of_the_models_prefix(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv(f"{model.partition('/')[0].upper()}_API_KEY", "key-from-environment")
    asked = ask(good, backend="direct", model=model, api_key=None)
    assert asked.seen[0].headers["authorization"] == "Bearer key-from-environment"


def test_a_given_key_goes_before_the_environments(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "another-key")
    assert ask(good, **DIRECT).seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("model", ["hosted_vllm/judge", "judge", "my-lab/judge"])
def test_without_a_key_none_is_sent(ask: Ask, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    """A prefix that is no provider's is a part of the model's name, and names no variable."""
    monkeypatch.setenv("MY-LAB_API_KEY", "not-for-this")
    asked = ask(good, backend="direct", model=model, api_key=None)
    assert graded(asked)
    assert "authorization" not in asked.seen[0].headers


def test_a_refused_key_names_the_variable_to_set(ask: Ask) -> None:
    asked = ask(error(401, "who are you?"), **DIRECT, api_key=None)
    assert isinstance(asked.fault, ConfigError)
    assert "Set HOSTED_VLLM_API_KEY in the environment, or api_key" in str(asked.fault)


def test_a_password_in_the_address_is_sent_and_never_shown(server: ScriptedServer) -> None:
    address = server.url.replace("http://", "http://me:swordfish@")
    server.script(good, error(400, "user me:swordfish may not"))
    spec = JudgeSpec(**DIRECT, api_base=address)
    answer_of(spec)
    # "me:swordfish" in base64.
    assert server.requests[0].headers["authorization"] == "Basic bWU6c3dvcmRmaXNo"
    with pytest.raises(RequestRefusedError) as caught:
        answer_of(spec)
    assert "me:*** may not" in str(caught.value)


def test_a_password_in_the_address_beside_a_key_is_for_the_caller_to_mend(
    server: ScriptedServer,
) -> None:
    address = server.url.replace("http://", "http://me:swordfish@")
    with pytest.raises(ConfigError, match="credentials encoded in URL"):
        answer_of(JudgeSpec(**DIRECT, api_base=address, api_key=SecretStr(KEY)))
    assert server.requests == []


# What is sent


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("hosted_vllm/Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("ollama/qwen3:8b", "qwen3:8b"),
        ("Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("judge", "judge"),
        ("openai/", "openai/"),
    ],
)
def test_a_provider_is_no_part_of_the_name_on_the_wire(ask: Ask, model: str, name: str) -> None:
    assert wire_name(model) == name
    assert ask(good, backend="direct", model=model).seen[0].body["model"] == name


def test_an_extra_body_is_merged_into_the_body_as_litellm_does_it(ask: Ask) -> None:
    more = {"chat_template_kwargs": {"enable_thinking": False}, "top_k": 1}
    body = ask(good, **DIRECT, extra={"extra_body": more, "min_p": 0.1}).seen[0].body
    assert body.items() >= (more | {"min_p": 0.1}).items()
    assert "extra_body" not in body


def test_text_of_any_script_arrives_as_it_is(server: ScriptedServer) -> None:
    server.otherwise = good
    spec = spec_for(server, **DIRECT)
    text = 'größe ≥ 5 µg/kg, 泼尼松, "quoted" \\ \n\u202e\U0001f48a'
    request = replace(request_for(spec), messages=({"role": "user", "content": text},))
    asyncio.run(DirectBackend(spec).complete(request, Meter()))
    assert server.requests[0].messages[0]["content"] == text


def test_nobody_knows_what_a_server_of_ones_own_costs(ask: Ask) -> None:
    """Also where its model has the name of one that litellm has a price for."""
    usage = ask(good, backend="direct", model="openai/gpt-5-mini").meter.usage
    assert (usage.prompt_tokens, usage.cost) == (1000, None)


# What comes back


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_and_says_where_to(
    ask: Ask, server: ScriptedServer, status: int
) -> None:
    elsewhere = f"{server.url}/elsewhere"
    asked = ask(redirected(f"{elsewhere}?token=hidden", status), **DIRECT)
    assert isinstance(asked.fault, ConfigError)
    assert elsewhere in str(asked.fault)
    assert "hidden" not in str(asked.fault)
    assert len(server.requests) == 1


def test_a_compressed_answer_is_read(ask: Ask) -> None:
    assert graded(ask(zipped(chat(TEXT)), **DIRECT))


def test_a_compressed_answer_that_is_broken_is_a_lost_connection(ask: Ask) -> None:
    broken = replace(zipped(chat(TEXT)), body=b"\x1f\x8bnot gzip at all")
    asked = ask(broken, **DIRECT, retries=0)
    assert isinstance(asked.fault, TransportError)
    assert asked.fault.kind == "connection"


@pytest.mark.parametrize(
    ("code", "kind"),
    [(429, "rate_limit"), (503, "server_error"), (504, "timeout"), (None, "server_error")],
    ids=str,
)
def test_an_error_with_status_200_is_known_by_its_code(
    ask: Ask, code: int | None, kind: str
) -> None:
    asked = ask(error_in_200("no luck", code), **DIRECT, retries=0)
    assert isinstance(asked.fault, TransportError)
    assert (asked.fault.kind, str(asked.fault)) == (kind, "hosted_vllm/judge: no luck")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error": "no such model"}', "no such model"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"404 page not found", "404 page not found"),
        (b"", "status 404"),
        (b"[]", "status 404"),
        (b"\xff\xfe", "no model"),
    ],
    ids=["text", "detail", "plain", "empty", "list", "bytes"],
)
def test_an_error_says_what_the_server_said_in_whatever_form(
    ask: Ask, body: bytes, says: str
) -> None:
    """OpenAI, FastAPI, Ollama and proxies each have a form of their own."""
    asked = ask(raw(body, status=404), **DIRECT)
    assert isinstance(asked.fault, ConfigError)
    assert says in str(asked.fault)


@pytest.mark.parametrize(
    "body",
    [b"null", b"[1]", b'{"choices": {}}', b'{"choices": [{"message": 3}]}', b'"done"'],
    ids=["null", "list", "choices", "message", "text"],
)
def test_an_answer_of_another_form_is_a_server_error(ask: Ask, body: bytes) -> None:
    asked = ask(raw(body), **DIRECT, retries=0)
    assert isinstance(asked.fault, TransportError)
    assert asked.fault.kind == "server_error"


def test_fields_that_servers_add_are_no_matter(ask: Ask) -> None:
    """Servers such as vLLM add reasoning and more; some leave the token counts out."""
    message = {"content": TEXT, "reasoning_content": "hm", "annotations": None, "audio": None}
    asked = ask(completion(message, usage=None), **DIRECT)
    assert graded(asked)
    assert asked.meter.usage.prompt_tokens == 0


# Connections


async def test_a_connection_serves_one_request_after_another(server: ScriptedServer) -> None:
    server.otherwise = good
    spec = spec_for(server, **DIRECT)
    backend = DirectBackend(spec)
    for _ in range(3):
        await backend.complete(request_for(spec), Meter())
    assert len({request.connection for request in server.requests}) == 1


async def test_a_lost_connection_is_not_used_again(server: ScriptedServer) -> None:
    server.script(good, reset(), good)
    spec = spec_for(server, **DIRECT, retries=0)
    backend, meter = DirectBackend(spec), Meter()
    await backend.complete(request_for(spec), meter)
    with pytest.raises(TransportError):
        await backend.complete(request_for(spec), meter)
    await backend.complete(request_for(spec), meter)
    first, second, third = (request.connection for request in server.requests)
    assert first == second != third
    assert meter.usage.calls == 3  # aiohttp repeated nothing by itself
