"""A reply as tokens: which of them wrote a label, and what could have stood there; pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp
from typing import NamedTuple


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
