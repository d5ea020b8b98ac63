"""The cues of negation in a sentence: words that negate, and phrases that only look as if."""

from __future__ import annotations

import re
from itertools import compress
from typing import NamedTuple

from mmrare_judge.lexical.negation_words import (
    ADVICE,
    AUXILIARY,
    BACKWARD,
    BETWEEN,
    CONTRACTIONS,
    CONTRAINDICATION,
    CUES,
    ENDS_LATER,
    FORWARD,
    FORWARD_PAIRS,
    HARMLESS,
    KEPT_FREE,
    NEGATIVE_VERBS,
    NO_PLACE,
    NOT_DONE,
    PREPOSED,
)

_LABELLING = re.compile("[:–—→|]| - ")
"""What stands between a thing and a remark on it: "NSAIDs: avoid", "| NSAIDs | avoid |"."""
_HAVING = frozenset("has have had".split())
_BEFORE_VERB = BETWEEN | {"to", "need", "reason", "any", "further"}
_LEADING_ON = PREPOSED | ENDS_LATER | {"until", "unless"}
_NOT = frozenset(("not", "never"))
_HARMLESS_ENDS = frozenset(last for _, last in HARMLESS)
_LED_TO = NEGATIVE_VERBS | _BEFORE_VERB


class Cue(NamedTuple):
    """A cue, by the positions of its first word and behind its last, and where it points."""

    start: int
    end: int
    forward: bool


def is_cue(word: str) -> bool:
    """Whether a folded word can begin a cue.

    >>> is_cue("don't"), is_cue("knot")
    (True, False)
    """
    return word in CUES


def cues_in(words: list[str], gaps: list[str]) -> list[Cue]:
    """The cues of a sentence, given its folded words and what stands before each of them."""
    cues: list[Cue] = []
    free = 0
    for position in compress(range(len(words)), map(CUES.__contains__, words)):
        if position < free:
            continue
        free = _skip(position, words)
        if free > position:
            continue
        cue = _cue_at(position, words, gaps)
        if cue is not None:
            cues.append(cue)
        free = max(position + 1, cue.end if cue else 0)
    return cues


def _skip(position: int, words: list[str]) -> int:
    """Behind a phrase that looks like a cue and is none, if one stands here."""
    word = words[position]
    following = words[position + 1] if position + 1 < len(words) else ""
    if following in _HARMLESS_ENDS and (_plain(word), following) in HARMLESS:
        return position + 2
    if word not in BACKWARD and following in _LED_TO:
        for ahead in range(position + 1, min(position + 4, len(words))):
            if words[ahead] in NEGATIVE_VERBS:
                return ahead + 1
            if words[ahead] not in _BEFORE_VERB:
                break
    return position


def _plain(word: str) -> str:
    return "not" if word in CONTRACTIONS or word == "cannot" else word


def _cue_at(position: int, words: list[str], gaps: list[str]) -> Cue | None:
    word = _plain(words[position])
    if word in BACKWARD:
        return _participle(position, words, gaps)
    if word in FORWARD:
        return _forward(position, word, words, gaps)
    if word == "non":
        return Cue(position, position + 1, forward=True)
    return _in_company(position, word, words, gaps)


def _forward(position: int, word: str, words: list[str], gaps: list[str]) -> Cue | None:
    """No, not, avoid and the like: about what follows, if about anything."""
    if word == "no" and position + 1 < len(words):
        if "," in gaps[position + 1]:
            return None
        if words[position + 1] in NO_PLACE and words[max(0, position - 1)] in _HAVING:
            return Cue(position, position + 2, forward=False)
    if word in _NOT and position > 0 and words[position - 1] in ("if", "or"):
        return None
    if gaps[position] != " " and _is_remark(position, words, gaps):
        return Cue(position, position + 1, forward=False)
    if word in _NOT:
        return _not(position, words)
    return Cue(position, position + 1, forward=True)


def _in_company(position: int, word: str, words: list[str], gaps: list[str]) -> Cue | None:
    """Words that negate together with one beside them: free, against, contraindications."""
    following = words[position + 1] if position + 1 < len(words) else ""
    if word == "free" and gaps[position] == "-" and words[position - 1] not in KEPT_FREE:
        return Cue(position, position + 1, forward=False)
    if word == "against" and words[max(0, position - 1)] in ADVICE:
        return Cue(position, position + 1, forward=True)
    if word in CONTRAINDICATION and following and ":" in gaps[position + 1]:
        return Cue(position, position + 1, forward=True)
    if (word, following) in FORWARD_PAIRS:
        return Cue(position, position + 2, forward=True)
    return None


def _is_remark(position: int, words: list[str], gaps: list[str]) -> bool:
    """Whether one word is all that is said of what stands before a colon: "NSAIDs: avoid"."""
    alone = position + 1 == len(words) or any(mark in gaps[position + 1] for mark in ",;(|")
    return alone and labelled(position, gaps)


def labelled(position: int, gaps: list[str]) -> bool:
    """Whether a word is a remark on what stands before it, behind a colon or a dash."""
    return position > 0 and gaps[position] != " " and bool(_LABELLING.search(gaps[position]))


def _participle(position: int, words: list[str], gaps: list[str]) -> Cue | None:
    """Contraindicated, stopped, unnecessary: what was, unless it stands before its object."""
    end = position + 1
    linked = position > 0 and words[position - 1] in AUXILIARY
    last = end == len(words) or words[end] in _LEADING_ON or any(m in gaps[end] for m in ",;:|")
    if end < len(words) and ":" in gaps[end]:
        return Cue(position, end, forward=True)
    if linked and words[max(0, position - 2)] in ("it", "there"):
        return Cue(position, end, forward=True)
    if words[position] in ("unnecessary", "inappropriate", "unwarranted") and not linked:
        return None
    backward = linked or last or words[position] == "contraindicated"
    return Cue(position, end, forward=not backward)


def _not(position: int, words: list[str]) -> Cue:
    """Not: about what stands before it in "X is not needed", else about what follows."""
    end = position + 1
    while end < len(words) and (words[end] in BETWEEN or words[end : end + 2] == ["to", "be"]):
        end += 1
    if end < len(words) and words[end] in NOT_DONE:
        passive = position >= 2 or (position == 1 and words[0] not in AUXILIARY)
        subject = position >= 2 and words[position - 2] in ("it", "there")
        return Cue(position, end + 1, forward=not passive or subject)
    return Cue(position, position + 1, forward=True)
