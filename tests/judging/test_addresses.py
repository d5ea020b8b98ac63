"""The address of a judge: from its spec, else from the environment, and always seen."""

import pytest

from mmrare_judge import Judge
from mmrare_judge.backends.base import JudgeSpec
from mmrare_judge.judging.judge import addressed
from mmrare_judge.judging.prompt import make_request
from support.makers import make_item


@pytest.fixture(autouse=True)
def _no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "HOSTED_VLLM_API_BASE", "OLLAMA_API_BASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("hosted_vllm/Qwen/Qwen3-32B", "HOSTED_VLLM_API_BASE"),
        ("ollama/qwen3:8b", "OLLAMA_API_BASE"),
        ("openai/judge", "OPENAI_BASE_URL"),
        ("openai/judge", "OPENAI_API_BASE"),
        ("gpt-5-mini", "OPENAI_BASE_URL"),
    ],
)
def test_an_address_of_the_environment_is_the_judges(
    monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://gpu1:8000/v1")
    assert addressed(JudgeSpec(model=model)).api_base == "http://gpu1:8000/v1"
    mine = JudgeSpec(model=model, api_base="http://mine/v1")
    assert addressed(mine).api_base == "http://mine/v1"


@pytest.mark.parametrize("model", ["embedded", "claude-opus-4-1", "groq/judge"])
def test_an_address_of_another_provider_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gpu1:8000/v1")
    assert addressed(JudgeSpec(model=model)).api_base is None


def test_two_servers_share_no_key_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = set()
    for server in ("http://gpu1:8000/v1", "http://gpu2:8000/v1"):
        monkeypatch.setenv("HOSTED_VLLM_API_BASE", server)
        judge = Judge("hosted_vllm/judge", cache="off")
        questions = judge.prepare("Start prednisone.", make_item()).questions
        hashes.add(make_request(judge.spec, questions, questions.all).hash)
    assert len(hashes) == 2
