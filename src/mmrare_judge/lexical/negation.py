"""Which words of a text are negated: avoided, denied, stopped, or said not to be needed.

The method is that of NegEx (Chapman et al. 2001, J Biomed Inform 34:301): cues, phrases that look
like cues and are none, and a scope that ends with the clause. The word lists are ours, and unlike
there they hold the ways of advising against something.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mmrare_judge.lexical.cues import Cue, cues_in, is_cue, labelled
from mmrare_judge.lexical.negation_words import (
    ALLERGY,
    AUXILIARY,
    BACKWARD,
    CONTRACTIONS,
    CUES,
    ENDS,
    ENDS_LATER,
    FORWARD,
    NECESSITY,
    NEW_SUBJECT,
    PREPOSED,
    PURPOSE,
)
from mmrare_judge.lexical.tokens import Token
from mmrare_judge.lexical.words import is_directive

_OPENING = frozenset("if when once should given because since without absence".split())
_PARTING = re.compile("[;:–—→|]| - ")
_AIMS = PURPOSE | {"order"}
_STOPPERS = ENDS | ENDS_LATER | CUES | {"to", "and", "or", "in"}
"""The words at which a clause can end without a mark before them."""
_ENDED_BY = ENDS | {"that", "as"}
_OPENERS = _ENDED_BY | {"and"}
_SCOPE = 40
"""The most words a negation reaches: longer than any clause, so that no input takes long."""


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
    for cue in cues_in(words, gaps):
        negated.update(_ahead(cue, words, gaps) if cue.forward else _behind(cue, words, gaps))
    return negated


def carries_negation(word: str) -> bool:
    """Whether a folded word negates by itself, and is polarity rather than content.

    >>> carries_negation("avoid"), carries_negation("free")
    (True, False)
    """
    return word in FORWARD or word in BACKWARD or word == "non" or word in CONTRACTIONS


def _parted(gap: str) -> bool:
    return gap != " " and _PARTING.search(gap) is not None


def _ahead(cue: Cue, words: list[str], gaps: list[str]) -> range:
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


def _behind(cue: Cue, words: list[str], gaps: list[str]) -> range:
    if words[cue.start] == "free":
        return range(cue.start - 1, cue.start)
    start = cue.start - 1 if labelled(cue.start, gaps) else cue.start
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
