"""Which judge answers: from a `JudgeSpec` to something that can `assess`."""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import Literal

from mmrare_judge.backends.base import EMBEDDED, Backend, JudgeSpec
from mmrare_judge.backends.embedded import EmbeddedJudge
from mmrare_judge.backends.limits import Gate
from mmrare_judge.backends.retry import Backoff
from mmrare_judge.cache.read_only import Peek, Replay
from mmrare_judge.cache.store import ReplyCache, default_cache_dir
from mmrare_judge.errors import ConfigError
from mmrare_judge.level2.terms import Terms
from mmrare_judge.llm_judge import LanguageModelJudge
from mmrare_judge.task import Assessor

JUDGE_VARIABLE = "MMRARE_JUDGE"
"""The environment variable that names the default judge."""

CacheChoice = Literal["default", "off", "replay"] | str | Path | ReplyCache | Replay | Peek
"""Which cache: by name, by folder, or ready-made; ``"replay"`` replays the user's own."""

_FOR_ALL_JUDGES = {"model", "max_prediction_chars"}

log = logging.getLogger("mmrare_judge")


def default_judge() -> str:
    """The judge taken where none is named: ``MMRARE_JUDGE``, else the embedded one."""
    chosen = os.environ.get(JUDGE_VARIABLE)
    if chosen:
        return chosen
    _say_once()
    return EMBEDDED


def addressed(spec: JudgeSpec) -> JudgeSpec:
    """The spec with the address that the environment gives its provider, where it names none.

    litellm would take it from there by itself, unseen: replies of two servers would share a key in
    the cache, and their grades a signature. The variables are ``<PROVIDER>_API_BASE``, and for
    OpenAI and Anthropic ``<PROVIDER>_BASE_URL`` before it.

    Args:
        spec: The judge; one without a provider in its name is OpenAI's if it is called like that.
    """
    if spec.api_base is not None or spec.model == EMBEDDED:
        return spec
    given = (os.environ.get(variable) for variable in _variables(spec.model))
    address = next(filter(None, given), None)
    return spec if address is None else spec.model_copy(update={"api_base": address})


def _variables(model: str) -> tuple[str, ...]:
    named, _, rest = model.partition("/")
    provider = named if rest else "openai" if model.startswith(_OPENAI_MODELS) else ""
    if not provider:
        return ()
    stem = provider.upper().replace("-", "_")
    first = (f"{stem}_BASE_URL",) if provider in ("openai", "anthropic") else ()
    return (*first, f"{stem}_API_BASE")


_OPENAI_MODELS = ("gpt-", "chatgpt-", "o1", "o3", "o4")


@cache
def _say_once() -> None:
    log.warning(
        "no judge was named: the embedded judge grades, a baseline without a model. "
        "Name one with judge=... or the environment variable %s",
        JUDGE_VARIABLE,
    )


def make_assessor(
    spec: JudgeSpec,
    terms: Terms,
    cache: CacheChoice,
    *,
    backend: Backend | None = None,
    gate: Gate | None = None,
    backoff: Backoff | None = None,
) -> Assessor:
    """The assessor of a spec.

    Raises:
        ConfigError: A setting has no meaning for this judge.
    """
    if spec.model == EMBEDDED:
        _refuse_model_settings(spec)
        return EmbeddedJudge(terms)
    chosen = make_backend(spec, gate, backoff) if backend is None else backend
    return LanguageModelJudge(spec, chosen, open_cache(cache))


def make_backend(
    spec: JudgeSpec, gate: Gate | None = None, backoff: Backoff | None = None
) -> Backend:
    """The backend a spec names.

    Raises:
        ConfigError: A setting has no meaning for it, or is missing.
    """
    if spec.backend == "direct":
        from mmrare_judge.backends.direct import DirectBackend

        return DirectBackend(spec, gate=gate, backoff=backoff)
    from mmrare_judge.backends.litellm import LLMBackend

    return LLMBackend(spec, gate=gate, backoff=backoff)


def _refuse_model_settings(spec: JudgeSpec) -> None:
    odd = sorted(spec.model_fields_set - _FOR_ALL_JUDGES)
    if odd:
        raise ConfigError(
            f"the embedded judge has no setting {', '.join(odd)}; leave it out, or name a model"
        )


def open_cache(choice: CacheChoice) -> ReplyCache | Replay | Peek | None:
    """The cache of a choice; ``None`` for ``"off"``.

    Raises:
        InputError: There is no cache to replay.
        OutputError: The directory cannot be made or written.
    """
    if isinstance(choice, ReplyCache | Replay | Peek):
        return choice
    if choice == "off":
        return None
    if choice == "replay":
        return Replay()
    return ReplyCache(default_cache_dir() if choice == "default" else choice)


def peek_cache(choice: CacheChoice) -> Peek | None:
    """The cache of a choice, to be looked into and nothing else; ``None`` for ``"off"``.

    Raises:
        OutputError: It cannot be opened.
    """
    if isinstance(choice, Peek) or choice == "off":
        return choice if isinstance(choice, Peek) else None
    if isinstance(choice, ReplyCache | Replay):
        return Peek(choice.directory)
    return Peek(default_cache_dir() if choice in ("default", "replay") else Path(choice))
