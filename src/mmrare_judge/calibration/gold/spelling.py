"""One label, many spellings: what a label of a file means on a declared scale, by stated tables."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from math import isfinite

from mmrare_judge.calibration.statistics.ratings import Label, Scale

YES = frozenset("yes y true ja j wahr oui vrai sí si sì vero sim tak evet да 是 はい".split())
NO = frozenset(
    "no n false nein falsch nee nej non faux falso não nao nie hayır нет 否 いいえ".split()
)
"""What stands for yes and for no, on a scale of which exactly one level is called so."""

MISSING = frozenset(
    ("", *"na n/a n.a. nan null <na> #n/a #na - – — . missing".split(), "k.a.", "k. a.")
)
"""What stands for a missing label, unless the scale has a level of that name."""

# More noughts may stand behind a mark of thousands.
_WHOLE = re.compile(r"[+-]?\d+(?:[.,]0{1,2})?")


def folded(text: str) -> str:
    """The text without regard to case, width of letters and blanks.

    >>> folded("  Specific   Treatments ")
    'specific treatments'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def whole_number(text: str) -> str:
    """A whole number without leading zeros and decimals of nought; other texts as they are.

    >>> whole_number("007"), whole_number("7.0"), whole_number("7.5")
    ('7', '7', '7.5')
    """
    if not _WHOLE.fullmatch(text):
        return text
    return str(int(re.split("[.,]", text)[0]))


def criterion_id(name: str) -> str:
    """The id that a criterion's name comes to; empty where none does.

    >>> criterion_id("Dose & route (0-2)")
    'dose_route_0_2'
    """
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).lstrip("0123456789_")[:64].rstrip("_")


def _as_number(text: str) -> str:
    return whole_number(folded(text))


def _as_answer(text: str) -> str | None:
    word = folded(text)
    return "yes" if word in YES else "no" if word in NO else None


class Spelling:
    """Reads labels on the declared scales, and remembers what it read otherwise than it stood.

    A label is a level if it is written like one; else if it is like exactly one of them without
    regard to case and blanks, as a whole number, or as a word for yes or no. Nothing is guessed:
    with two such levels, or none, it is refused.
    """

    def __init__(self, scales: Mapping[str, Scale], missing: Collection[str] = ()) -> None:
        self._scales = scales
        self._missing = {whole_number(folded(word)) for word in missing}
        self._known: dict[tuple[str, str], Label] = {}
        self._changed: Counter[tuple[str, str | None]] = Counter()
        self._refused: dict[str, list[tuple[Label, int | None]]] = {}

    def read(self, criterion: str, given: Label, row: int | None = None) -> Label:
        """The level as declared; ``None`` for a missing label, and for one that is refused."""
        scale = self._scales.get(criterion)
        if scale is None or given is None or given == "" or given != given:
            return None if given == "" or given != given else given
        key = (criterion, repr(given))
        if key not in self._known:
            try:
                self._known[key] = self._on(scale, given)
            except ValueError:
                self._refused.setdefault(criterion, []).append((given, row))
                return None
        found = self._known[key]
        if found is None or (isinstance(given, str) and isinstance(found, str) and found != given):
            self._changed[str(given), None if found is None else str(found)] += 1
        return found

    def _on(self, scale: Scale, label: str | float) -> Label:
        text = str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
        short = whole_number(folded(text))
        if short in self._missing:
            return None
        if text in scale.categories:
            return text
        if not scale.categories:
            return _number(label, short)
        for way in (folded, _as_number, _as_answer):
            wanted = way(text)
            alike = [level for level in scale.categories if way(level) == wanted]
            if len(alike) == 1 and wanted is not None:
                return alike[0]
        if short in MISSING:
            return None
        raise ValueError(text)

    def refused(self) -> Iterator[tuple[str, str, int | None]]:
        """Labels that are on no scale: a problem a criterion, its remedy, and the first row."""
        for criterion, wrong in self._refused.items():
            (first, row), *others = wrong
            rest = [f"row {place} ({label!r})" for label, place in others[:9]]
            more = f", nor are {', '.join(rest)}" if rest else ""
            more += f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
            known = ", ".join(self._scales[criterion].categories) or "finite numbers"
            what = f"{first!r} is not a label of {criterion!r}{more}"
            yield what, f"Labels are: {known}{_hint(first)}", row

    def notes(self) -> Iterator[str]:
        """What was read otherwise than it stood, in sentences."""
        read = {pair: n for pair, n in self._changed.items() if pair[1] is not None}
        lost = {pair: n for pair, n in self._changed.items() if pair[1] is None}
        if read:
            ways = ", ".join(f"{old!r} as {new!r} ({n})" for (old, new), n in read.items())
            yield f"{sum(read.values())} labels are read in another spelling: {ways}."
        if lost:
            words = ", ".join(f"{old!r} ({n})" for (old, _), n in lost.items())
            yield f"{sum(lost.values())} labels count as missing by their word: {words}."


def _number(label: str | float, text: str) -> float | None:
    """A number of a continuous scale, with a decimal point or comma."""
    if isinstance(label, float):
        text = repr(label)
    elif text in MISSING:
        return None
    value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not isfinite(value):
        raise ValueError(text)
    return value


def _hint(label: Label) -> str:
    text = whole_number(str(label))
    if text.lstrip("-") in ("8", "88", "888", "9", "99", "999", "9999"):
        return f"; if {text} stands for a missing label, say so: missing, or --recode {text}="
    return ""
