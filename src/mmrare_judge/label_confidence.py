"""How sure a model was of each label it gave, from the log probabilities of its tokens; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan

from mmrare_judge.label_positions import label_positions
from mmrare_judge.label_tokens import Fitting, Step, Token, Written, as_bytes
from mmrare_judge.schema import CANNOT_DETERMINE, Shape

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

    ``None`` where there is doubt: the tokens do not hold the reply exactly once; the label's own
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
        labels: What went to each label, as a share of all labels.
        unknown: What may have gone to several.
        path: What is left of it where the reply has come.
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
        if _in_doubt(step, fitting):
            return None
        _share_out(step, fitting, alive, masses)
        alive = step.fits(step.token, alive)
        if alive == (label,):
            masses.add(label, 1.0)
            known = masses.labels[label] / sum(masses.labels.values())
            return known if masses.unknown <= MOST_UNKNOWN else None
    return None


def _in_doubt(step: Step, fitting: Sequence[Fitting]) -> bool:
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
