from pathlib import Path

import pytest

from mmrare_judge.backends.base import JudgeSettings, JudgeSpec, judge_spec
from mmrare_judge.errors import ConfigError


def test_a_name_is_the_model() -> None:
    assert judge_spec("ollama/qwen3:8b") == JudgeSpec(model="ollama/qwen3:8b")


def test_keywords_go_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "judge.yaml"
    path.write_text("model: openai/x\ntemperature: 0.5\nseed: 3\n", encoding="utf-8")
    spec = judge_spec(path, temperature=0.1)
    assert (spec.model, spec.temperature, spec.seed) == ("openai/x", 0.1, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("model: x\ntemprature: 0\n", "temprature", id="misspelt"),
        pytest.param("model: x\ntemperature: 3\n", "temperature", id="out of range"),
        pytest.param("seed: 1\n", "model", id="no model"),
        pytest.param("- x\n", "key: value", id="a list"),
        pytest.param("model: a\ntemperature: [\n", "line 3: ", id="not YAML"),
    ],
)
def test_a_wrong_judge_file_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "judge.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        judge_spec(path)


def test_a_missing_judge_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        judge_spec(tmp_path / "absent.yaml")


def test_a_key_is_neither_printed_nor_dumped() -> None:
    spec = judge_spec("openai/x", api_key="sk-secret")
    assert "sk-secret" not in repr(spec) + str(spec.model_dump()) + spec.model_dump_json()


def test_the_typed_settings_are_those_of_the_spec() -> None:
    assert JudgeSettings.__annotations__.keys() == JudgeSpec.model_fields.keys() - {
        "model",
        "backend",
    }
