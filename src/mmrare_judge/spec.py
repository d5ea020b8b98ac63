"""Which judge, and how it is asked: `JudgeSpec`, from keywords, a name or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, SecretStr, ValidationError

from mmrare_judge.errors import ConfigError
from mmrare_judge.records import Record

Mode = Literal["auto", "json_schema", "json", "tools"]

EMBEDDED = "embedded"
"""The name of the judge that needs no model and no network."""


class JudgeSpec(Record):
    """A judge's model and the way it is asked.

    Attributes:
        model: ``embedded``, or a model name as litellm writes it: ``openai/gpt-5-mini``,
            ``ollama/qwen3:8b``, ``hosted_vllm/Qwen3-VL-235B``.
        api_base: Address of an endpoint of your own.
        api_key: Its key; by default litellm reads the provider's environment variable. Never
            printed, hashed or stored.
        backend: The way to the model: litellm, or straight to an OpenAI-compatible server, whose
            address ``api_base`` then is.
        mode: How structure is asked for; ``auto`` takes what the model supports.
        temperature: 0 to 2; ``None`` sends 0 where the model accepts it, and nothing where not.
        top_p: 0 to 1; not sent by default.
        seed: Not sent by default.
        max_tokens: Limit of one reply; by default large enough for the longest valid reply.
        extra: Further parameters for litellm, sent as they are (``reasoning_effort``, ...).
        timeout: Seconds one attempt may take.
        item_timeout: Seconds one prediction may take in all: waiting, retries and re-asks included.
        retries: Repeats of one request after transport faults, at most.
        reask: Repeats after a reply without the asked-for structure, at most.
        criteria_per_call: Criteria asked in one request; by default all of them.
        confidence: ``logprobs`` asks for the log probabilities of the reply, and takes from them
            how sure the model was of each level, where the endpoint gives them.
        verify_reask: Repeats for verdicts whose quote cannot be found, at most.
        max_prediction_chars: Longer predictions are not graded: unscored, kind ``too_long``.
        store: What the cache keeps: complete replies, or refused and cut ones too.
    """

    model: str = Field(min_length=1)
    api_base: str | None = None
    api_key: SecretStr | None = Field(default=None, exclude=True)
    backend: Literal["litellm", "direct"] = "litellm"
    mode: Mode = "auto"
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    extra: Mapping[str, JsonValue] = {}
    timeout: float = Field(default=120.0, gt=0)
    item_timeout: float = Field(default=1800.0, gt=0)
    retries: int = Field(default=5, ge=0)
    reask: int = Field(default=2, ge=0)
    criteria_per_call: int | None = Field(default=None, ge=1)
    confidence: Literal["none", "logprobs"] = "none"
    verify_reask: int = Field(default=1, ge=0)
    max_prediction_chars: int = Field(default=200_000, ge=1)
    store: Literal["complete", "all"] = "complete"

    def decisive(self) -> dict[str, Any]:
        """The settings that can move a score; time limits, retries and keys cannot."""
        return self.model_dump(mode="json", exclude=_INDECISIVE)


_INDECISIVE = {"api_key", "backend", "timeout", "item_timeout", "retries", "store"}


def judge_spec(judge: str | Path | JudgeSpec | Mapping[str, Any], **options: Any) -> JudgeSpec:
    """A `JudgeSpec` from a model name, a YAML file, a mapping or a spec, with options over it.

    Raises:
        ConfigError: The file cannot be read, or a setting is unknown or out of range.

    >>> judge_spec("ollama/qwen3:8b", temperature=0.2).model
    'ollama/qwen3:8b'
    """
    settings: dict[str, Any]
    source = "judge"
    if isinstance(judge, JudgeSpec):
        settings = {name: getattr(judge, name) for name in judge.model_fields_set}
    elif isinstance(judge, Mapping):
        settings = dict(judge)
    elif str(judge).endswith((".yaml", ".yml")):
        source = str(judge)
        settings = _read_settings(Path(judge))
    else:
        settings = {"model": str(judge)}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return JudgeSpec.model_validate(settings | given)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first_problem(error)}") from error


def _read_settings(path: Path) -> dict[str, Any]:
    from mmrare_judge.yaml import YamlError, parse_yaml

    try:
        data = parse_yaml(path.read_text(encoding="utf-8-sig")).data
    except YamlError as error:
        line = f", line {error.line}" if error.line else ""
        raise ConfigError(f"judge file {path}{line}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"judge file {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"judge file {path}: write settings as `key: value`, one a line")
    return data


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(JudgeSpec.model_fields)
        return f"unknown setting {name!r}; settings are {known}"
    if first["type"] == "missing":
        return f"setting {name!r} is missing"
    return f"{name}: {first['msg']}, not {first['input']!r}"
