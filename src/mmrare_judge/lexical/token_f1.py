"""Token F1 of a short answer, as question answering and MMRareBench's diagnosis track use it."""

from __future__ import annotations

import string
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

_ARTICLES = frozenset(("a", "an", "the"))
_ASCII = str.maketrans("", "", string.punctuation)


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """The best token F1 of a prediction over several answers.

    F1 = 2 · common / (tokens of the prediction + tokens of the answer), where both are bags of
    lower-case tokens without punctuation and articles, and common is the size of their
    intersection. Two texts without any token score 1, one of them 0; no answers score 0.

    >>> token_f1("The primary hyperparathyroidism.", ["Hyperparathyroidism", "Graves disease"])
    0.6666666666666666
    """
    bag = Counter(_tokens(prediction))
    return max((_f1(bag, Counter(_tokens(answer))) for answer in answers), default=0.0)


def _f1(left: Counter[str], right: Counter[str]) -> float:
    total = left.total() + right.total()
    if total == 0:
        return 1.0
    common = (left & right).total()
    return 2 * common / total


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    bare = text.lower().translate(_ASCII)
    if not bare.isascii():
        bare = "".join(c for c in bare if not unicodedata.category(c).startswith("P"))
    return tuple(token for token in bare.split() if token not in _ARTICLES)
