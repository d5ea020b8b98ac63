"""What every way to a model shares: `JudgeSpec`, `Request`, `Reply`, `Usage`, `Backend`, `Payload`.

A `Request` is what judging asks for. A `Payload` is the chat completion that goes over the wire for
it. A `Reply` is what the model sent, as the cache keeps it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict
from weakref import WeakKeyDictionary

from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError

from mmrare_judge.errors import ConfigError
from mmrare_judge.records import (
    Record,
    by_identity,
    canonical_json,
    canonical_string,
    problem_in,
    text_hash,
)

# --- What a grade cost


class Usage(Record):
    """What a grade cost, every attempt counted: failed ones, retries and re-asks too.

    Attributes:
        calls: Requests that were sent.
        retries: Of those, repeats after a transport fault.
        reasks: Of those, repeats after a reply that could not be used or verified.
        prompt_tokens: Tokens sent, as the provider counted them.
        completion_tokens: Tokens received.
        cost: US dollars; ``None`` where the price of the model is not known.
        extra_tokens: Of the tokens, those of re-asks and of attempts whose reply was of no use.
        extra_cost: Of the cost, theirs.
    """

    calls: int = 0
    retries: int = 0
    reasks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = 0.0
    extra_tokens: int = 0
    extra_cost: float | None = 0.0

    def __add__(self, other: Usage) -> Usage:
        if other == _NOTHING:
            return self
        return Usage(
            calls=self.calls + other.calls,
            retries=self.retries + other.retries,
            reasks=self.reasks + other.reasks,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost=_sum(self.cost, other.cost),
            extra_tokens=self.extra_tokens + other.extra_tokens,
            extra_cost=_sum(self.extra_cost, other.extra_cost),
        )

    def as_extra(self) -> Usage:
        """The same, all of it counted as extra."""
        tokens = self.prompt_tokens + self.completion_tokens
        return self.model_copy(update={"extra_tokens": tokens, "extra_cost": self.cost})


_NOTHING = Usage()


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


# --- Which judge, and how it is asked

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
        backend: The way to the model: litellm, a function or client of your own (``own``, set by
            itself), or straight to an OpenAI-compatible server, whose
            address ``api_base`` then is.
        mode: How structure is asked for; ``auto`` takes what the model supports.
        temperature: 0 to 2; ``None`` sends 0 where the model accepts it, and nothing where not.
        top_p: 0 to 1; not sent by default.
        seed: Not sent by default.
        max_tokens: Limit of one reply; by default large enough for the longest valid reply.
        extra: Further parameters, sent as they are (``reasoning_effort``, ...).
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
    backend: Literal["litellm", "direct", "own"] = "litellm"
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


class JudgeSettings(TypedDict, total=False):
    """Settings of a `JudgeSpec` as keywords, but model and backend; ``None`` changes nothing."""

    api_base: str | None
    api_key: SecretStr | str | None
    mode: Mode | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    max_tokens: int | None
    extra: Mapping[str, JsonValue] | None
    timeout: float | None
    item_timeout: float | None
    retries: int | None
    reask: int | None
    criteria_per_call: int | None
    confidence: Literal["none", "logprobs"] | None
    verify_reask: int | None
    max_prediction_chars: int | None
    store: Literal["complete", "all"] | None


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
        settings = _read_judge(Path(judge))
    else:
        settings = {"model": str(judge)}
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return JudgeSpec.model_validate(settings | given)
    except ValidationError as error:
        known = ", ".join(JudgeSpec.model_fields)
        raise ConfigError(f"{source}: {problem_in(error)}. Settings are {known}") from error


def _read_judge(path: Path) -> dict[str, Any]:
    from mmrare_judge.yaml import YamlError, read_settings  # PyYAML is slow to import

    try:
        settings: dict[str, Any] = read_settings(path).data
    except YamlError as error:
        line = f", line {error.line}" if error.line else ""
        raise ConfigError(f"judge file {path}{line}: {error}") from error
    return settings


# --- What is asked, and what comes back

TokenText = str | tuple[int, ...]
"""A token's text, or its bytes where they are a part of a character."""

TokenRecord = tuple[TokenText, float, tuple[tuple[TokenText, float], ...]]
"""A token, its log probability, and the likeliest tokens in its place with theirs."""

FinishReason = Literal["complete", "truncated", "refusal", "content_filter"]


class Message(TypedDict):
    """One chat message."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Request:
    """Everything that can change the reply, and the model that validates it.

    Attributes:
        model: The model's name as litellm writes it.
        messages: The chat, fixed text first.
        sampling: Sampling parameters, as they were set by the user.
        schema: JSON schema of the reply.
        mode: How structure is asked for; ``auto`` leaves it to the backend.
        endpoint: Address of an endpoint of one's own; ``None`` for the provider's.
        sample: Index among independent repeats of the same request.
        reply_model: The pydantic model a reply must satisfy; its schema is ``schema``.
    """

    model: str
    messages: tuple[Message, ...]
    sampling: Mapping[str, JsonValue]
    schema: Mapping[str, JsonValue]
    mode: Mode = "auto"
    endpoint: str | None = None
    sample: int = 0
    reply_model: type[BaseModel] = field(default=BaseModel, compare=False, repr=False)

    @cached_property
    def read(self) -> Callable[[str], BaseModel]:
        """Reads the text of a reply with ``reply_model``; backend and judge share one reading."""
        return lru_cache(maxsize=1)(self.reply_model.model_validate_json)

    @cached_property
    def hash(self) -> str:
        """Tagged hash of everything but ``reply_model``, which ``schema`` stands for."""
        # Nearly all of it is messages, which have a quick way, and the schema, which is the same
        # object for many requests and is written once.
        said = ",".join(
            f'{{"content":{_written(message)},"role":"{message["role"]}"}}'
            for message in self.messages
        )
        asked = {
            "mode": self.mode,
            "model": self.model,
            "sample": self.sample,
            "sampling": dict(self.sampling),
        }
        return text_hash(
            f'{{"endpoint":{canonical_json(self.endpoint)},"messages":[{said}],'
            f'{canonical_json(asked)[1:-1]},"schema":{_schema_text(self.schema)}}}'
        )


def _written(message: Message) -> str:
    text = message["content"]
    return _fixed_text(text) if message["role"] == "system" else canonical_string(text)


_fixed_text = by_identity(canonical_string)
_schema_text = by_identity(canonical_json)


class Reply(Record):
    """A raw reply, as it is cached.

    Attributes:
        text: The content as it was received: the JSON text, or a tool call's arguments.
        finish: Whether it is complete, and if not, why.
        model: The model as the endpoint named it.
        mode: How structure was asked for in the end.
        sampling: The sampling parameters that were sent in the end.
        usage: What it cost when it was bought, every attempt counted.
        logprobs: The tokens of the whole reply, also those around ``text``, where log
            probabilities were asked for and given.
    """

    text: str
    finish: FinishReason = "complete"
    model: str | None = None
    mode: Literal["json_schema", "json", "tools"] | None = None
    sampling: Mapping[str, JsonValue] = {}
    usage: Usage = Usage()
    logprobs: tuple[TokenRecord, ...] | None = None


class Meter:
    """Adds up what is spent, attempt by attempt, so that a failure does not hide it.

    Args:
        whole: The meter of the whole prediction, if this one counts a single request of it.

    Attributes:
        usage: What was spent so far.
    """

    def __init__(self, whole: Meter | None = None) -> None:
        self.usage = Usage()
        self._whole = whole
        self._begun = False

    @property
    def begun(self) -> bool:
        """Whether a limiter let an attempt through, for this request or another of the whole."""
        return self._begun or (self._whole is not None and self._whole.begun)

    def begin(self) -> None:
        """Note that an attempt is let through."""
        self._begun = True
        if self._whole is not None:
            self._whole.begin()

    def add(self, usage: Usage) -> None:
        """Count one more attempt."""
        self.usage = self.usage + usage


class Backend(Protocol):
    """A way to a model."""

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Return a reply whose ``text`` satisfies ``request.reply_model``.

        Every attempt is counted in ``meter``, also when this raises.

        Raises:
            TransportError: The connection or the server failed more often than the retries allow.
            RequestRefusedError: The endpoint refuses this request, and takes others.
            FormatError: No reply had the asked-for structure.
            RefusalError: The model declined.
            ContentFilterError: The provider withheld the answer.
            TruncatedError: The reply ran into its token limit.
            ConfigError: The request can never work: key, model name, parameter.
            BudgetError: Another attempt would pass the budget.
        """
        ...


# --- How structure is asked for

WireMode = Literal["json_schema", "json_object", "json", "tools"]
"""A `Mode` once ``auto`` is decided; ``json_object`` stands between a schema and plain JSON."""

NAME = "grade"
"""The name of the schema, and of the tool, in a request."""

SELF_HOSTED = frozenset(
    "custom_openai docker_model_runner hosted_vllm lemonade llamafile lm_studio ollama ollama_chat "
    "oobabooga openai_like triton vllm xinference".split()
)
"""Providers, as litellm writes them, that are servers one runs oneself."""

# OpenAI and Azure answer "'maxLength' is not permitted"; Anthropic's strict mode knows no lengths
# either. They stay in schemas for servers of one's own, whose grammars keep a model from writing
# until its token limit. pydantic checks them on every reply in either case.
LIMITS = frozenset(
    "minLength maxLength pattern format minimum maximum exclusiveMinimum exclusiveMaximum "
    "multipleOf minItems maxItems uniqueItems".split()
)
"""Schema keywords that hosted strict modes refuse, all or some, with status 400."""

_texts: WeakKeyDictionary[type[BaseModel], dict[tuple[WireMode, bool], str]] = WeakKeyDictionary()


def is_self_hosted(model: str) -> bool:
    """Whether a model's provider is a server one runs oneself.

    >>> is_self_hosted("ollama/qwen3:8b")
    True
    """
    return model.partition("/")[0] in SELF_HOSTED


def structure(
    reply_model: type[BaseModel], schema: Mapping[str, Any], mode: WireMode, *, limits: bool
) -> str:
    """The part of a payload that asks for structure, as JSON text; ``{}`` in mode ``json``.

    Args:
        reply_model: The reply model; the text is prepared once for each.
        schema: Its JSON schema.
        mode: How structure is asked for.
        limits: Whether lengths and the like are sent along; see `LIMITS`.
    """
    prepared = _texts.setdefault(reply_model, {})
    text = prepared.get((mode, limits))
    if text is None:
        text = json.dumps(_asking(strict_schema(schema, limits=limits), mode))
        prepared[mode, limits] = text
    return text


def strict_schema(schema: Mapping[str, Any], *, limits: bool) -> dict[str, Any]:
    """A schema as strict modes want it: closed objects, all keys required, no defaults.

    >>> strict_schema({"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}}},
    ...               limits=False)["properties"]
    {'a': {'type': 'string'}}
    """
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # strict modes allow nothing beside a reference
    dropped = {"default"} if limits else {"default", *LIMITS}
    strict = {
        keyword: _strict_value(keyword, value, limits=limits)
        for keyword, value in schema.items()
        if keyword not in dropped
    }
    if "properties" in strict:
        strict["additionalProperties"] = False
        strict["required"] = list(strict["properties"])
    return strict


def _strict_value(keyword: str, value: Any, *, limits: bool) -> Any:
    if keyword in ("properties", "$defs"):  # names of fields and types, not keywords
        return {name: strict_schema(part, limits=limits) for name, part in value.items()}
    if isinstance(value, Mapping):
        return strict_schema(value, limits=limits)
    if keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        return [strict_schema(part, limits=limits) for part in value]
    return value


def _asking(schema: Mapping[str, Any], mode: WireMode) -> dict[str, Any]:
    if mode == "json":
        # Plain JSON is asked for by the messages alone: not every server knows ``json_object``, and
        # this mode is for the ones that refuse things.
        return {}
    if mode == "json_object":
        return {"response_format": {"type": "json_object"}}
    if mode == "json_schema":
        body = {"name": NAME, "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": body}}
    tool = {"name": NAME, "description": "Hand in the grading.", "parameters": schema}
    return {
        "tools": [{"type": "function", "function": tool}],
        "tool_choice": {"type": "function", "function": {"name": NAME}},
    }


# --- What goes over the wire


@dataclass(frozen=True)
class Payload:
    """One chat completion to be asked for.

    Attributes:
        body: Model, messages and sampling parameters.
        structure: JSON text of the object that asks for structure, as `structure` writes it.
        endpoint: Address of an endpoint of one's own; ``None`` for the provider's.
        seconds: How long it may take.
        mode: How structure is asked for.
        limits: Whether the schema in it has length limits.
    """

    body: Mapping[str, Any]
    structure: str
    endpoint: str | None
    seconds: float
    mode: WireMode = "json"
    limits: bool = False

    def whole(self) -> dict[str, Any]:
        """Body and structure in one; parsed anew, since litellm's adapters edit what they get."""
        return {**self.body, **json.loads(self.structure)}


@dataclass(frozen=True)
class Price:
    """The most a token may cost, in US dollars.

    Attributes:
        prompt: One token of the prompt.
        reply: One token of the reply.
    """

    prompt: float
    reply: float


def plain_key(key: SecretStr | None) -> str | None:
    """A key as it goes over the wire."""
    return None if key is None else key.get_secret_value()
