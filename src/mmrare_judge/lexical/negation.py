"""Which words of a text are negated: avoided, denied, stopped, or said not to be needed.

The method is that of NegEx (Chapman et al. 2001, J Biomed Inform 34:301): cues, phrases that look
like cues and are none, and a scope that ends with the clause. The word lists are ours, and unlike
there they hold the ways of advising against something.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import compress, pairwise
from typing import NamedTuple

from mmrare_judge.lexical.negation_words import (
    ADVICE,
    ALLERGY,
    AUXILIARY,
    BACKWARD,
    BETWEEN,
    CONTRACTIONS,
    CONTRAINDICATION,
    CUES,
    ENDS,
    ENDS_LATER,
    FORWARD,
    FORWARD_PAIRS,
    HARMLESS,
    KEPT_FREE,
    NECESSITY,
    NEGATIVE_VERBS,
    NEW_SUBJECT,
    NO_PLACE,
    NOT_DONE,
    PREPOSED,
    PURPOSE,
)
from mmrare_judge.lexical.tokens import Token
from mmrare_judge.lexical.words import is_directive

_OPENING = frozenset("if when once should given because since without absence".split())
_PARTING = re.compile("[;:–—→|]| - ")
_LABELLING = re.compile("[:–—→|]| - ")
"""What stands between a thing and a remark on it: "NSAIDs: avoid", "| NSAIDs | avoid |"."""
_HAVING = frozenset("has have had".split())
_BEFORE_VERB = BETWEEN | {"to", "need", "reason", "any", "further"}
_AIMS = PURPOSE | {"order"}
_LEADING_ON = PREPOSED | ENDS_LATER | {"until", "unless"}
_NOT = frozenset(("not", "never"))
_HARMLESS_ENDS = frozenset(last for _, last in HARMLESS)
_LED_TO = NEGATIVE_VERBS | _BEFORE_VERB
_STOPPERS = ENDS | ENDS_LATER | CUES | {"to", "and", "or", "in"}
"""The words at which a clause can end without a mark before them."""
_ENDED_BY = ENDS | {"that", "as"}
_OPENERS = _ENDED_BY | {"and"}
_SCOPE = 40
"""The most words a negation reaches: longer than any clause, so that no input takes long."""


class _Cue(NamedTuple):
    start: int
    end: int
    forward: bool


def negate(text: str, sentence: Sequence[Token]) -> set[int]:
    """Positions in the sentence that are negated; "do not stop" and the like negate nothing.

    >>> from mmrare_judge.lexical.tokens import tokens_of
    >>> words = tokens_of("Avoid aspirin and start heparin")
    >>> negate("Avoid aspirin and start heparin", words)
    {1}
    """
    words = [token.word for token in sentence]
    gaps = [""] + [text[before.end : after.start] for before, after in pairwise(sentence)]
    return negated_words(words, gaps)


def negated_words(words: list[str], gaps: list[str]) -> set[int]:
    """The same, given the folded words and what stands before each of them in the sentence."""
    negated: set[int] = set()
    for cue in _cues(words, gaps):
        negated.update(_ahead(cue, words, gaps) if cue.forward else _behind(cue, words, gaps))
    return negated


def is_cue(word: str) -> bool:
    """Whether a folded word can begin a cue.

    >>> is_cue("don't"), is_cue("knot")
    (True, False)
    """
    return word in CUES


def carries_negation(word: str) -> bool:
    """Whether a folded word negates by itself, and is polarity rather than content.

    >>> carries_negation("avoid"), carries_negation("free")
    (True, False)
    """
    return word in FORWARD or word in BACKWARD or word == "non" or word in CONTRACTIONS


def _cues(words: list[str], gaps: list[str]) -> list[_Cue]:
    cues: list[_Cue] = []
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


def _cue_at(position: int, words: list[str], gaps: list[str]) -> _Cue | None:
    word = _plain(words[position])
    if word in BACKWARD:
        return _participle(position, words, gaps)
    if word in FORWARD:
        return _forward(position, word, words, gaps)
    if word == "non":
        return _Cue(position, position + 1, forward=True)
    return _in_company(position, word, words, gaps)


def _forward(position: int, word: str, words: list[str], gaps: list[str]) -> _Cue | None:
    """No, not, avoid and the like: about what follows, if about anything."""
    if word == "no" and position + 1 < len(words):
        if "," in gaps[position + 1]:
            return None
        if words[position + 1] in NO_PLACE and words[max(0, position - 1)] in _HAVING:
            return _Cue(position, position + 2, forward=False)
    if word in _NOT and position > 0 and words[position - 1] in ("if", "or"):
        return None
    if gaps[position] != " " and _is_remark(position, words, gaps):
        return _Cue(position, position + 1, forward=False)
    if word in _NOT:
        return _not(position, words)
    return _Cue(position, position + 1, forward=True)


def _in_company(position: int, word: str, words: list[str], gaps: list[str]) -> _Cue | None:
    """Words that negate together with one beside them: free, against, contraindications."""
    following = words[position + 1] if position + 1 < len(words) else ""
    if word == "free" and gaps[position] == "-" and words[position - 1] not in KEPT_FREE:
        return _Cue(position, position + 1, forward=False)
    if word == "against" and words[max(0, position - 1)] in ADVICE:
        return _Cue(position, position + 1, forward=True)
    if word in CONTRAINDICATION and following and ":" in gaps[position + 1]:
        return _Cue(position, position + 1, forward=True)
    if (word, following) in FORWARD_PAIRS:
        return _Cue(position, position + 2, forward=True)
    return None


def _is_remark(position: int, words: list[str], gaps: list[str]) -> bool:
    """Whether one word is all that is said of what stands before a colon: "NSAIDs: avoid"."""
    alone = position + 1 == len(words) or any(mark in gaps[position + 1] for mark in ",;(|")
    return alone and _labelled(position, gaps)


def _labelled(position: int, gaps: list[str]) -> bool:
    return position > 0 and gaps[position] != " " and bool(_LABELLING.search(gaps[position]))


def _parted(gap: str) -> bool:
    return gap != " " and _PARTING.search(gap) is not None


def _participle(position: int, words: list[str], gaps: list[str]) -> _Cue | None:
    """Contraindicated, stopped, unnecessary: what was, unless it stands before its object."""
    end = position + 1
    linked = position > 0 and words[position - 1] in AUXILIARY
    last = end == len(words) or words[end] in _LEADING_ON or any(m in gaps[end] for m in ",;:|")
    if end < len(words) and ":" in gaps[end]:
        return _Cue(position, end, forward=True)
    if linked and words[max(0, position - 2)] in ("it", "there"):
        return _Cue(position, end, forward=True)
    if words[position] in ("unnecessary", "inappropriate", "unwarranted") and not linked:
        return None
    backward = linked or last or words[position] == "contraindicated"
    return _Cue(position, end, forward=not backward)


def _not(position: int, words: list[str]) -> _Cue:
    """Not: about what stands before it in "X is not needed", else about what follows."""
    end = position + 1
    while end < len(words) and (words[end] in BETWEEN or words[end : end + 2] == ["to", "be"]):
        end += 1
    if end < len(words) and words[end] in NOT_DONE:
        passive = position >= 2 or (position == 1 and words[0] not in AUXILIARY)
        subject = position >= 2 and words[position - 2] in ("it", "there")
        return _Cue(position, end + 1, forward=not passive or subject)
    return _Cue(position, position + 1, forward=True)


def _ahead(cue: _Cue, words: list[str], gaps: list[str]) -> range:
    if words[cue.start] == "non":
        return range(cue.end, min(cue.end + 1, len(words)))
    preposed = words[cue.start] in ALLERGY or (
        words[0] in _OPENING
        and not any("," in gap for gap in gaps[max(0, cue.start - _SCOPE) : cue.start + 1])
    )
    end, last = cue.end, min(len(words), cue.end + _SCOPE)
    while end < last and (
        (gaps[end] == " " and words[end] not in _STOPPERS)
        or not _clause_ends(end, cue.end, words, gaps, preposed)
    ):
        end += 1
    return range(cue.end, end)


def _clause_ends(at: int, first: int, words: list[str], gaps: list[str], preposed: bool) -> bool:
    word, gap = words[at], gaps[at]
    following = words[at + 1] if at + 1 < len(words) else ""
    if at > first and _parted(gap):
        return True
    if word == "to" and words[at - 1] in NECESSITY:
        return False
    if word in ENDS or (at > first and word in ENDS_LATER):
        return True
    if "," in gap and (preposed or is_directive(word) or word in NEW_SUBJECT):
        return True
    if word in ("and", "or", "to") and at > first and is_directive(following):
        return True
    if word == "and" and (following in AUXILIARY or following in NEW_SUBJECT):
        return True
    if word == "and" and not AUXILIARY.isdisjoint(words[first:at]):
        return not AUXILIARY.isdisjoint(words[at : at + 4])
    if word in ("to", "in") and following in _AIMS and at > first:
        return True
    return at > first and is_cue(word) and word not in ("non", "against")


def _behind(cue: _Cue, words: list[str], gaps: list[str]) -> range:
    if words[cue.start] == "free":
        return range(cue.start - 1, cue.start)
    start = cue.start - 1 if _labelled(cue.start, gaps) else cue.start
    least = max(0, cue.start - _SCOPE)
    while start > least and (
        (gaps[start] == " " and words[start - 1] not in _OPENERS)
        or not _clause_begins(start, words, gaps)
    ):
        start -= 1
    return range(start, cue.start)


def _clause_begins(at: int, words: list[str], gaps: list[str]) -> bool:
    """Whether the clause that ends behind ``at`` begins with the word at ``at``."""
    word, gap = words[at - 1], gaps[at]
    if _parted(gap):
        return True
    if word in _ENDED_BY:
        return True
    if (
        "," in gap
        and words[0] in PREPOSED
        and not any("," in before for before in gaps[max(0, at - _SCOPE) : at])
    ):
        return True
    if "," in gap or word == "and":
        return _has_verb(words[max(0, at - _SCOPE) : at - 1 if word == "and" else at])
    return False


def _has_verb(words: list[str]) -> bool:
    return any(
        word in AUXILIARY or (is_directive(word) and words[index + 1 : index + 2] != ["of"])
        for index, word in enumerate(words)
    )
