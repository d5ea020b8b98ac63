"""How structure is asked for: the mode a model gets, and what carries it in a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args
from weakref import WeakKeyDictionary

from pydantic import BaseModel

WireMode = Literal["json_schema", "json", "tools"]
WIRE_MODES: tuple[WireMode, ...] = get_args(WireMode)

NAME = "grade"
"""What the schema and the tool are called on the wire."""

SELF_HOSTED = frozenset(
    {
        "custom_openai",
        "docker_model_runner",
        "hosted_vllm",
        "lemonade",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "oobabooga",
        "openai_like",
        "triton",
        "vllm",
        "xinference",
    }
)
"""Providers, as litellm writes them, that are servers one runs oneself."""

LIMITS = frozenset(
    {
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
    }
)
"""Schema keywords that hosted strict modes refuse, all or some, with status 400.

OpenAI and Azure answer "'maxLength' is not permitted"; Anthropic's strict mode knows no lengths
either. They stay in schemas for servers of one's own, whose grammars keep a model from writing
until its token limit, and pydantic checks them on every reply in either case.
"""

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

    Plain JSON text is asked for by the messages alone: not every server knows ``json_object``,
    some of those that do refuse it, and this mode is for the ones that refuse things.

    Args:
        reply_model: The reply model, under which the prepared text is kept.
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
        return {}
    if mode == "json_schema":
        body = {"name": NAME, "strict": True, "schema": schema}
        return {"response_format": {"type": "json_schema", "json_schema": body}}
    tool = {"name": NAME, "description": "Hand in the grading.", "parameters": schema}
    return {
        "tools": [{"type": "function", "function": tool}],
        "tool_choice": {"type": "function", "function": {"name": NAME}},
    }
