"""Words folded so that inflected forms of one word meet: `fold_word` and `stem`."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_DOUBLED = re.compile(r"([bdgmnprt])\1$")
_WHOLE = frozenset("weekly monthly yearly hourly daily early during".split())
_INVISIBLE = re.compile("[\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff]")
_GREEK_PLURALS = (("oses", "osis"), ("yses", "ysis"), ("stases", "stasis"))
_BRITISH = (
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oede", "ede"),
    ("oeso", "eso"),
    ("paed", "ped"),
    ("rrhoe", "rrhe"),
    ("gynaec", "gynec"),
    ("anaes", "anes"),
)


def fold_word(word: str) -> str:
    """Fold one word for comparison: case, compatibility forms, accents, apostrophes.

    >>> fold_word("Sjögren’s")
    "sjogren's"
    """
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKD", word.replace("’", "'")).casefold()
    return _INVISIBLE.sub("", folded)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Strip the endings that make another form of a word out of it, and nothing else.

    Stripped are plural, past, participle and adverb, and the endings that lead from a verb or a
    noun to its noun or adjective (-ion, -ive, -ment, -ness, -al, -ic, ...), each only where a
    base of some length remains. None of them tells two drugs apart. British spellings of Greek
    roots become American ones. Words with digits are left alone.

    >>> stem("injections"), stem("injected"), stem("injecting")
    ('inject', 'inject', 'inject')
    >>> stem("depression") == stem("depressive"), stem("prednisone") == stem("prednisolone")
    (True, False)
    """
    if not word.isalpha() or word in _WHOLE:
        return word
    singular = _american(_singular(word))
    return singular if len(singular) <= 4 else _plain(_derived(_inflected(singular)))


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    for plural, singular in _GREEK_PLURALS:
        if word.endswith(plural) and len(word) > 6:
            return word.removesuffix(plural) + singular
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1]


def _american(word: str) -> str:
    for british, american in _BRITISH:
        word = word.replace(british, american)
    return word


def _inflected(word: str) -> str:
    for ending in ("ing", "ed"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 3 and any(vowel in base for vowel in "aeiouy"):
            return base[:-1] if len(base) > 3 and _DOUBLED.search(base) else base
    for ending in ("ness", "ment", "ally", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _derived(word: str) -> str:
    if word.endswith("ion") and len(word) >= 7 and word[-4] in "ts":
        return word[:-3]
    for ending in ("ive", "ory", "ity", "ous", "ance", "ence", "ant", "ent", "ism", "al", "ic"):
        if word.endswith(ending) and len(word) - len(ending) >= 5:
            return word[: -len(ending)]
    return word


def _plain(base: str) -> str:
    """Level what is left before an ending: silent e, y for i."""
    if len(base) > 4 and base.endswith("e"):
        base = base[:-1]
    return base[:-1] if len(base) > 4 and base.endswith(("i", "y")) else base
