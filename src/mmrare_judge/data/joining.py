"""Ids that mean the same in another spelling, joined where there is no doubt."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal

TRIED = (
    "ids were compared as text, then without regard to case and white space, then as numbers "
    "(007, 7.0 and 7 are one)"
)
"""How `join_ids` compares ids, for messages about those that it could not join."""

_NUMBER = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?")


def join_ids(ids: Iterable[str], among: Iterable[str]) -> dict[str, str]:
    """For each of ``ids`` the one of ``among`` that it means; ids without one are left out.

    Ids are compared as text first, then without regard to case, white space, width and invisible
    characters, then as numbers. A reading other than the text joins two ids only where it is a
    reading of one id on either side, and only where neither has a partner yet.

    >>> join_ids(["7.0", "8"], ["007", "8", "08"])
    {'8': '8', '7.0': '007'}
    """
    ids, among = list(dict.fromkeys(ids)), list(dict.fromkeys(among))
    known = set(among)
    found = {id: id for id in ids if id in known}
    for reading in (_plain, _number):
        if len(found) == len(ids):
            break
        sought, offered = _unique(ids, reading), _unique(among, reading)
        taken = set(found.values())
        for read, id in sought.items():
            if id not in found and read in offered and offered[read] not in taken:
                found[id] = offered[read]
    return found


def _unique(ids: list[str], reading: Callable[[str], str]) -> dict[str, str]:
    """For each reading that only one id has, that id."""
    read = [(reading(id), id) for id in ids]
    times = Counter(word for word, _ in read)
    return {word: id for word, id in read if word and times[word] == 1}


def _plain(id: str) -> str:
    folded = unicodedata.normalize("NFKC", id).casefold()
    visible = (c for c in folded if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return " ".join("".join(visible).split())


def _number(id: str) -> str:
    """The value in one spelling; blank for what is not a number."""
    plain = _plain(id).removeprefix("'")  # by which a spreadsheet marks a number as text
    return str(Decimal(plain).normalize()) if _NUMBER.fullmatch(plain) else ""
