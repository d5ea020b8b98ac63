"""How sure a model was of each label it gave, from the log probabilities of its tokens.

The way through: `label_positions` finds the labels in the reply, `Written` the tokens at that
place, and `label_confidences` shares their probability out to the labels. No I/O.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from json import JSONDecoder
from math import exp, isnan
from typing import Any, NamedTuple

from mmrare_judge.judging.questions import CANNOT_DETERMINE, Shape

# --- Where a reply names its levels: offsets of the labels in the JSON text

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = JSONDecoder()


def label_positions(text: str) -> dict[str, tuple[str, int]]:
    r"""The level of each key of a reply, and the offset of the quote mark that opens it.

    Left out where it is not certain: the text is not one JSON object, the key or its ``level``
    stands twice, the level is not a string, or is written with escapes. What a ``reasoning`` or a
    quote says is skipped as the string it is.

    >>> label_positions('{"dose": {"reasoning": "\\"level\\": \\"NO\\"", "level": "YES"}}')
    {'dose': ('YES', 53)}
    """
    if not _is_object(text):
        return {}
    keys = [name for name, _, _ in _members(text, _skip(text, 0))]
    found = {}
    for name, value, start in _members(text, _skip(text, 0)):
        levels = list(_levels(text, start)) if isinstance(value, dict) else []
        if keys.count(name) == 1 and len(levels) == 1:
            label, opening = levels[0]
            if isinstance(label, str) and text.startswith(f'"{label}"', opening):
                found[name] = (label, opening)
    return found


def _is_object(text: str) -> bool:
    start = _skip(text, 0)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and _skip(text, end) == len(text)


def _levels(text: str, start: int) -> Iterator[tuple[Any, int]]:
    return ((value, place) for name, value, place in _members(text, start) if name == "level")


def _members(text: str, start: int) -> Iterator[tuple[str, Any, int]]:
    """Name, value and offset of the value of each member of the object that begins at ``start``.

    The text is known to be valid JSON, so every character looked for is there.
    """
    position = _skip(text, start + 1)
    while text[position] != "}":
        name, end = _DECODER.raw_decode(text, position)
        place = _skip(text, text.index(":", end) + 1)
        value, end = _DECODER.raw_decode(text, place)
        yield name, value, place
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return start if match is None else match.end()


# --- A reply as tokens: which of them wrote a label, and what could have stood there


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a reply, as the endpoint returned it.

    Attributes:
        text: Its text. Where the endpoint gives bytes, decode them as UTF-8 with
            ``surrogateescape``, so that tokens which are a part of a character can be joined.
        logprob: Its natural log probability.
        top: The likeliest tokens in its place, itself among them, with their log probabilities.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Written:
    """Tokens, joined; in bytes, since a token may be a part of a character.

    Attributes:
        tokens: The tokens.
        stream: Their bytes.
        ends: Where each ends in the stream.
    """

    tokens: Sequence[Token]
    stream: bytes
    ends: list[int]

    @classmethod
    def of(cls, tokens: Sequence[Token]) -> Written:
        """Join tokens."""
        pieces = [as_bytes(token.text) for token in tokens]
        return cls(tokens, b"".join(pieces), list(accumulate(map(len, pieces))))

    def find(self, text: str) -> int | None:
        """Where the text begins; ``None`` unless it stands there exactly once."""
        wanted = as_bytes(text)
        start = self.stream.find(wanted)
        return start if start >= 0 and self.stream.find(wanted, start + 1) < 0 else None

    def steps(self, opening: int) -> Iterator[Step]:
        """The tokens from the one with the opening quote mark on."""
        label = opening + 1
        for number in range(bisect_right(self.ends, opening), len(self.tokens)):
            token = self.tokens[number]
            start = self.ends[number] - len(as_bytes(token.text))
            yield Step(
                as_bytes(token.text),
                tuple((as_bytes(text), _probability(logprob)) for text, logprob in token.top),
                structure=self.stream[start:label],
                begun=self.stream[label:start],
            )


class Fitting(NamedTuple):
    """A token that could have been written, and the labels it could have led to."""

    token: bytes
    probability: float
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """One token on the way to a label.

    Attributes:
        token: The token that was written.
        top: What could have been written, with its probability.
        structure: JSON that had to be written before the label began.
        begun: How much of the label was written before.
    """

    token: bytes
    top: tuple[tuple[bytes, float], ...]
    structure: bytes
    begun: bytes

    def rest(self, token: bytes) -> bytes | None:
        """What a token holds behind the structure; ``None`` if it is another structure.

        White space between JSON's marks is free.
        """
        position = 0
        for mark in b"".join(self.structure.split()):
            position += len(token[position:]) - len(token[position:].lstrip())
            if position == len(token):
                return b""
            if token[position] != mark:
                return None
            position += 1
        return token[position:]

    def fits(self, token: bytes, labels: Sequence[str]) -> tuple[str, ...]:
        """The labels that could have gone on with a token."""
        rest = self.rest(token)
        if rest is None or not token:
            return ()
        so_far = self.begun + rest
        return tuple(label for label in labels if _agree(so_far, as_bytes(label) + b'"'))

    def fitting(self, labels: Sequence[str]) -> list[Fitting]:
        """Those of the top that could have led to one of these labels."""
        found = (Fitting(token, p, self.fits(token, labels)) for token, p in self.top)
        return [entry for entry in found if entry.labels]

    @property
    def is_structure(self) -> bool:
        """Whether the token that was written holds nothing of the label."""
        return self.rest(self.token) == b"" and self.structure != b""


def _agree(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)


def _probability(logprob: float) -> float:
    return exp(min(logprob, 0.0))


def as_bytes(text: str) -> bytes:
    """UTF-8; the parts of a character that ``surrogateescape`` kept are joined again."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


# --- Confidences

LEAST_MASS = 1e-3
"""Least probability of all labels together. Below it the model meant to write something else, and
the tail of its distribution says nothing about the labels."""

MOST_UNKNOWN = 0.02
"""Most probability, as a share of the labels', that cannot be given to any one label."""


def label_confidences(text: str, tokens: Sequence[Token], asked: Shape) -> dict[str, float | None]:
    """The probability of each label given, as a share of its question's labels.

    The labels are the levels and ``cannot_determine``. The label's tokens are found by their place
    in the reply: the reply is looked for in the joined tokens, so a code fence or a block of
    thinking that was stripped shifts nothing. From the token with the opening quote mark on, what
    fits no label is left out and the rest renormalised, token by token, until one label is left:
    what a grammar does, for servers that give log probabilities from before it.

    ``None`` where it is not certain: the tokens do not hold the reply exactly once; the label's own
    token is not among the top, or twice; the labels have less than `LEAST_MASS` where they part;
    more than `MOST_UNKNOWN` may belong to another label (tokens that fit several labels, and
    labels whose token is not among the top, which have at most what the last of the top has).

    Args:
        text: The reply, one JSON object.
        tokens: Its tokens, with whatever was stripped around it.
        asked: Key and level labels of every question.

    Returns:
        One entry a key, 0 to 1.

    >>> top = (("YES", -0.105360516), ("NO", -2.302585093))
    >>> tokens = [Token('{"dose": {"level": ', 0.0), Token('"', 0.0, (('"', 0.0),)),
    ...           Token("YES", -0.105360516, top), Token('"}}', 0.0)]
    >>> found = label_confidences('{"dose": {"level": "YES"}}', tokens, (("dose", ("NO", "YES")),))
    >>> round(found["dose"], 6)
    0.9
    """
    written = Written.of(tokens)
    start = written.find(text)
    places = label_positions(text) if start is not None else {}
    found: dict[str, float | None] = {}
    for key, labels in asked:
        label, opening = places.get(key, ("", 0))
        known = start is not None and label in (*labels, CANNOT_DETERMINE)
        offset = (start or 0) + len(as_bytes(text[:opening]))
        found[key] = _confidence(label, labels, written.steps(offset)) if known else None
    return found


@dataclass
class _Masses:
    """Where the probability of all ways to a label went, as far as it was followed.

    Attributes:
        labels: The share of each label.
        unknown: What may belong to several.
        path: What is left on the way that the reply took.
    """

    labels: dict[str, float] = field(default_factory=dict)
    unknown: float = 0.0
    path: float = 1.0

    def add(self, label: str, share: float) -> None:
        self.labels[label] = self.labels.get(label, 0.0) + self.path * share


def _confidence(label: str, levels: Sequence[str], steps: Iterator[Step]) -> float | None:
    alive: tuple[str, ...] = (*levels, CANNOT_DETERMINE)
    masses = _Masses()
    for step in steps:
        fitting = step.fitting(alive)
        if _is_uncertain(step, fitting):
            return None
        _share_out(step, fitting, alive, masses)
        alive = step.fits(step.token, alive)
        if alive == (label,):
            masses.add(label, 1.0)
            known = masses.labels[label] / sum(masses.labels.values())
            return known if masses.unknown <= MOST_UNKNOWN else None
    return None


def _is_uncertain(step: Step, fitting: Sequence[Fitting]) -> bool:
    tokens = [entry.token for entry in fitting]
    least = 0.0 if step.is_structure else LEAST_MASS
    mass = sum(entry.probability for entry in fitting)
    return (
        tokens.count(step.token) != 1
        or len(set(tokens)) < len(tokens)
        or any(isnan(probability) for _, probability in step.top)
        or mass == 0
        or mass < least
    )


def _share_out(
    step: Step, fitting: Sequence[Fitting], alive: tuple[str, ...], masses: _Masses
) -> None:
    """Give what could have been written to its labels; the rest goes on with what was written."""
    here = sum(entry.probability for entry in fitting)
    onward = 0.0
    unknown = _unlisted(step, fitting, alive)
    for entry in fitting:
        if entry.token == step.token or (step.is_structure and step.rest(entry.token) == b""):
            onward += entry.probability
        elif len(entry.labels) == 1:
            masses.add(entry.labels[0], entry.probability / here)
        else:
            unknown += entry.probability
    masses.unknown += masses.path * unknown / here
    masses.path *= onward / here


def _unlisted(step: Step, fitting: Sequence[Fitting], alive: tuple[str, ...]) -> float:
    """Most that labels without a token among the top can have, by the last of the top."""
    absent = set(alive).difference(*(entry.labels for entry in fitting))
    listed = [probability for _, probability in step.top]
    return min(max(0.0, 1 - sum(listed)), len(absent) * min(listed))
