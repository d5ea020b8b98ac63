"""How a grade was made: canonical JSON, tagged hashes and `Signature`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue
from pydantic_core import to_json

from mmrare_judge.record import Record

_HASH_TAG = "sha256-c1"  # algorithm, and the version of the canonical form below
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and no escapes beyond JSON's own: one text a value.

    Raises:
        ValueError: NaN or infinity, which JSON does not have.

    >>> canonical_json({"b": 1, "a": ["µ"]})
    '{"a":["µ"],"b":1}'
    """
    return _CANONICAL.encode(value)


def canonical_string(text: str) -> str:
    r"""`canonical_json` of a text, several times as fast for a long one.

    >>> canonical_string("1 µg\n") == canonical_json("1 µg\n")
    True
    """
    try:
        return to_json(text).decode()
    except ValueError:  # a lone surrogate, which UTF-8 cannot hold
        return canonical_json(text)


def content_hash(value: object) -> str:
    """Tagged SHA-256 of the canonical form; the tag changes when algorithm or form does.

    >>> content_hash({})
    'sha256-c1:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'
    """
    return text_hash(canonical_json(value))


def text_hash(canonical: str) -> str:
    """The same, of a canonical form that is there already."""
    digest = hashlib.sha256(canonical.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{_HASH_TAG}:{digest}"


class Signature(Record):
    """Everything that decides how a grade comes about, as fields.

    Two grades with the same signature were made the same way. Read the fields; the texts that
    `short` and `long` give are for people, and are never parsed back.

    Attributes:
        judge: ``embedded``, or the model as it was asked for.
        reported_model: The model as the endpoint named it in its reply, where it did.
        endpoint: The address the request went to; ``None`` for the provider's own.
        mode: How structure was asked for: ``json_schema``, ``json``, ``tools``; ``None`` for a
            judge without a model.
        sampling: The sampling parameters that were sent. ``max_tokens`` stands here only where it
            was set: unset, it is what the longest valid reply takes, and follows from the item.
        rubric: The rubric's id.
        rubric_version: The rubric's version.
        rubric_hash: Hash of the rubric's whole content.
        prompt_hash: Hash of the fixed wording of the prompt.
        policy: Rules of this package that move a score: re-asks, evidence threshold, tables.
        package: Version of this package.
    """

    judge: str
    reported_model: str | None = None
    endpoint: str | None = None
    mode: str | None = None
    sampling: Mapping[str, JsonValue] = {}
    rubric: str
    rubric_version: str
    rubric_hash: str
    prompt_hash: str | None = None
    policy: Mapping[str, JsonValue] = {}
    package: str

    def short(self) -> str:
        """One line to print beside a score."""
        return f"{self.judge} | {self.rubric} {self.rubric_version} | mmrare-judge {self.package}"

    def long(self) -> str:
        """Every field, one a line."""
        fields = self.model_dump(mode="json")
        return "\n".join(f"{name}: {_plain(value)}" for name, value in fields.items())


class Signatures:
    """The distinct signatures of many grades, in the order in which they first came."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Signature] = {}
        self._last: Signature | None = None

    def add(self, signature: Signature) -> None:
        """Take one more into account; mostly it is the one before again."""
        if signature != self._last:
            self._last = signature
            self._by_hash.setdefault(content_hash(signature.model_dump(mode="json")), signature)

    def __iter__(self) -> Iterator[Signature]:
        return iter(self._by_hash.values())

    def __len__(self) -> int:
        return len(self._by_hash)


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value)
