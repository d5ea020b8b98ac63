"""What all records share: strict fields, storable text, canonical JSON and hashes, clear errors."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NamedTuple, ParamSpec, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError
from pydantic_core import to_json

from mmrare_judge.errors import InputError


class Record(BaseModel):
    """Cannot be changed, and refuses a field it does not know.

    A copy works out anew what follows from its content, such as a hash: ``model_copy`` may change
    the content.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __copy__(self) -> Self:
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


# --- text, as it comes from data

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Replace what no UTF-8 file or JSON string can hold, one character for one.

    Lone surrogates and NUL become U+FFFD, so every offset still holds. Right-to-left marks and
    other format characters stay: they are part of what the model wrote.

    >>> clean("5\x00 mg")
    '5� mg'
    """
    # Most texts are plain ASCII; the pattern takes 10 µs for a page, this test none.
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub(REPLACEMENT, text)


def count_unstorable(text: str) -> int:
    r"""Count the characters that `clean` would replace.

    >>> count_unstorable("5\x00 mg")
    1
    """
    return 0 if clean(text) == text else len(_UNSTORABLE.findall(text))


def _clean_if_text(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean_if_text)]
"""A string field that never refuses a row for a stray surrogate or NUL."""


# --- canonical JSON and hashes

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
    """`content_hash` of what is canonical JSON already."""
    digest = hashlib.sha256(canonical.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{_HASH_TAG}:{digest}"


def stream_hash(canonical: Iterable[str]) -> str:
    """`text_hash` of canonical JSON that comes in pieces.

    >>> stream_hash(["{", "}"]) == content_hash({})
    True
    """
    digest = hashlib.sha256()
    for piece in canonical:
        digest.update(piece.encode("utf-8", "backslashreplace"))
    return f"{_HASH_TAG}:{digest.hexdigest()}"


def parts_hash(parts: Iterable[bytes]) -> str:
    """SHA-256 of several texts or files, untagged.

    Each counts behind its length, so that no two rows of parts read alike.

    >>> parts_hash([b"a", b"bc"]) == parts_hash([b"ab", b"c"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


# --- how a grade was made


class Signature(Record):
    """How a grade was made. Two grades with equal signatures were made in the same way.

    Read the fields; the texts of `short` and `long` are for people and are never parsed back.

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
        """Take one more into account."""
        # Mostly it is the one before again, and hashing takes longer than comparing.
        if signature != self._last:
            self._last = signature
            self._by_hash.setdefault(content_hash(signature.model_dump(mode="json")), signature)

    def __iter__(self) -> Iterator[Signature]:
        return iter(self._by_hash.values())

    def __len__(self) -> int:
        return len(self._by_hash)


def _plain(value: JsonValue) -> str:
    return value if isinstance(value, str) else canonical_json(value)


# --- what is wrong with data, said with the field and the value

Model = TypeVar("Model", bound=BaseModel)


def built(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """A model from its fields.

    Raises:
        InputError: A field is missing, unknown or of the wrong kind.

    >>> from mmrare_judge.data.items import Reference
    >>> built(Reference, {"answer": "rest"}).answer
    'rest'
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        problem = problem_in(error)
        remedy = f"Fields of {model.__name__} are {', '.join(model.model_fields)}"
        raise InputError(problem.what, remedy=remedy, field=problem.field or None) from error


class FieldProblem(NamedTuple):
    """What is wrong with one field; ``str()`` says it in one line.

    Attributes:
        field: Its name, with dots where it lies inside others; empty for the whole.
        what: What is wrong with it.
    """

    field: str
    what: str

    def __str__(self) -> str:
        return f"{self.field}: {self.what}" if self.field else self.what


def problem_in(error: ValidationError, *, show_value: bool = True) -> FieldProblem:
    """The first problem that pydantic found.

    Args:
        error: What pydantic raised.
        show_value: Say the refused value too; not where it may be a model's reply or a key.

    >>> try:
    ...     Signature.model_validate({"judge": 5})
    ... except ValidationError as error:
    ...     str(problem_in(error))
    'judge: Input should be a valid string, not 5'
    """
    # A misspelt name is also a missing one; the misspelling is what helps.
    first = min(error.errors(), key=lambda entry: entry["type"] != "extra_forbidden")
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "unknown field"
    elif show_value and first["type"] not in ("missing", "value_error"):
        what = f"{what}, not {shortened(first['input'])}"
    return FieldProblem(".".join(map(str, first["loc"])), what)


def located(error: InputError, path: Path, row: int) -> InputError:
    """The same error, with the file and the row it was found in."""
    return InputError(
        error.problem, remedy=error.remedy, file=str(path), row=row, field=error.field
    )


def shortened(value: object) -> str:
    """A value as it is shown in an error, at most 80 characters of it.

    >>> len(shortened("long" * 1000))
    81
    """
    # Only the beginning is looked at: a cell may hold megabytes.
    shown = repr(value[:80] if isinstance(value, str) else value)
    cut = len(shown) > 80 or (isinstance(value, str) and len(value) > 80)
    return f"{shown[:80]}…" if cut else shown


def today() -> date:
    """The date in UTC."""
    return datetime.now(UTC).date()


# --- results kept for the objects they were worked out of

P = ParamSpec("P")
Value = TypeVar("Value")

_MOST_KEPT = 256


def by_identity(work: Callable[P, Value]) -> Callable[P, Value]:
    """A decorator: a function of objects that never change, which keeps its last results.

    Two equal objects count as two: comparing or hashing an item or a rubric would take longer than
    most of what is worked out of it. Arguments are positional.

    >>> lengths = by_identity(len)
    >>> long = list(range(1000))
    >>> lengths(long), lengths(long)
    (1000, 1000)
    """
    known: dict[tuple[int, ...], tuple[object, Value]] = {}

    @wraps(work)
    def found(*things: P.args, **none: P.kwargs) -> Value:
        place = tuple(map(id, things))
        kept = known.get(place)
        if kept is None:
            if len(known) >= _MOST_KEPT:
                known.clear()
            # The objects are kept too: as long as they are, no other object has their `id`.
            kept = known[place] = (things, work(*things, **none))
        return kept[1]

    return found
