"""Quotes looked up in the text they are said to come from: `look_up`.

A quote is sought letter by letter, then after folding (`folding.fold`), then approximately: slips
of copying are forgiven, paraphrase is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice, pairwise, takewhile
from typing import NotRequired, TypedDict

from mmrare_judge.data.items import Reference
from mmrare_judge.judging.folding import (
    DAMAGED,
    PUNCTUATION,
    UNSPACED,
    Folded,
    fold,
    has_numbering,
    is_number,
)
from mmrare_judge.judging.grade import Match, Source
from mmrare_judge.judging.questions import Question, Questions
from mmrare_judge.records import by_identity

APPROXIMATE = 0.90
"""Least similarity of an approximate match, 0 to 1."""

MIN_APPROXIMATE = 12
"""Shorter quotes, counted in folded characters, have to match exactly or after folding."""

MIN_CUT = 30
"""A quote of at least so many folded characters may begin or end within a word."""

_NEGATIONS = frozenset(
    "no not never none nor neither without avoid cannot against stop dont doesnt didnt isnt arent "
    "wasnt werent cant couldnt wont wouldnt shouldnt mustnt hasnt havent hardly barely".split()
)
_FUNCTION_WORDS = frozenset(
    "a an and are as at be by for from in is it its of on that the this to was with".split()
)
_MOST_TRIED = 500  # places in a text; more come of texts that repeat themselves
_SAY_NOTHING = _FUNCTION_WORDS | _NEGATIONS | {"or", "do", "does", "avoided", "contraindicated"}

_SAYS_SOMETHING = re.compile(
    rf"(?<![^\W_])(?!(?:{'|'.join(sorted(_SAY_NOTHING))})(?![^\W_]))[^\W_]{{2}}"
)
_DOTS = re.compile(r"[…⋯‥]|[.。]\s?[.。]")
_ELLIPSIS = re.compile(r"[\[(]?(?:[…⋯‥]|\.(?:\s?\.){2,}|。{2,})+[\])]?")


def is_blank(text: str) -> bool:
    """Whether a text holds nothing but white space, invisible characters and Markdown marks.

    >>> is_blank(" \u200b** "), is_blank("0")
    (True, False)
    """
    return all(c.isspace() or c in "*`" or unicodedata.category(c) == "Cf" for c in text)


class LookedUp(TypedDict):
    """A quote that was looked up: the fields of `Evidence`, not yet validated."""

    quote: str
    match: Match
    source: NotRequired[Source | None]
    start: NotRequired[int]
    end: NotRequired[int]
    similarity: NotRequired[float]


class Text:
    """A text that quotes are sought in, folded when that is needed."""

    def __init__(self, text: str) -> None:
        self.original = text

    @cached_property
    def folded(self) -> tuple[Searchable, ...]:
        """The text folded, and once more without the numbers of lists if it has any."""
        whole = Searchable(fold(self.original))
        if not has_numbering(self.original):
            return (whole,)
        return whole, Searchable(fold(self.original, numbering=False))


class Searchable:
    """A folded text, prepared for searches."""

    def __init__(self, folded: Folded) -> None:
        self.original = folded.original
        self.words = folded.words
        self.span = folded.span

    @cached_property
    def line(self) -> str:
        """The words with a space before and behind each."""
        return "".join((" ", *(f"{word} " for word in self.words)))

    @cached_property
    def content(self) -> list[int]:
        """Places of the words that must not be changed."""
        return [place for place, word in enumerate(self.words) if _has_content(word)]

    @cached_property
    def content_places(self) -> dict[str, list[int]]:
        """Where each word stands among those of the content."""
        places: dict[str, list[int]] = {}
        for number, place in enumerate(self.content):
            places.setdefault(self.words[place], []).append(number)
        return places


@dataclass(frozen=True)
class Sources:
    """The texts a quote may come from, folded once per prediction."""

    questions: Questions

    @cached_property
    def prediction(self) -> Text:
        """The prediction, where a quote belongs."""
        return Text(self.questions.prediction)

    def others(self, question: Question) -> Iterator[tuple[Source, Text]]:
        """The other texts that the judge was shown."""
        item = self.questions.item
        yield "reference", _said(item.reference)
        yield "criterion", _wording(question)
        yield "item", _shown(f"{item.question}\n{item.context}")


@lru_cache(maxsize=64)
def _said(reference: Reference) -> Text:
    values = [getattr(reference, name) for name in Reference.model_fields]
    lines = ["\n".join(value) if isinstance(value, tuple) else value or "" for value in values]
    return Text("\n".join(lines))


_shown = lru_cache(maxsize=64)(Text)


@by_identity
def _wording(question: Question) -> Text:
    """Everything the judge was told of a question."""
    meanings = [level.meaning for level in question.levels.values()]
    return Text("\n".join([question.text, question.criterion.question, *meanings]))


def look_up(quotes: tuple[str, ...], question: Question, sources: Sources) -> list[LookedUp]:
    """Look quotes up in the prediction, and tell where they come from if not there.

    A quote with dots for what was left out is looked up piece by piece: each piece is evidence of
    its own, since what was left out may change the meaning.

    Args:
        quotes: The quotes as the judge gave them.
        question: The question they belong to; its own text is not a source of evidence.
        sources: The texts.
    """
    return [_look_up(piece, question, sources) for quote in quotes for piece in _pieces(quote)]


def _pieces(quote: str) -> list[str]:
    if _DOTS.search(quote) is None:  # mostly, and told in a fraction of the time
        return [_stripped(quote) or quote]
    pieces = [_stripped(piece) for piece in _ELLIPSIS.split(quote)]
    return [piece for piece in pieces if piece] or [quote]


def _stripped(text: str) -> str:
    """A text without white space at its ends, unless that is what is left of a LaTeX command."""
    begin = len(text) - len(text.lstrip())
    if begin and DAMAGED.match(text, begin - 1):
        begin -= 1
    return text[begin:].rstrip()


def _look_up(quote: str, question: Question, sources: Sources) -> LookedUp:
    needle = _Needle(quote)
    exact = needle.stands_in(sources.prediction.original)
    if exact is not None and needle.says_something:
        return _in_prediction(quote, "exact", exact)
    if not needle.says_something:
        return {"quote": quote, "match": "not_found"}
    for text in sources.prediction.folded:
        span = needle.found_in(text) or needle.cut_out_of(text)
        if span is not None:
            letter_by_letter = sources.prediction.original[slice(*span)] == quote
            return _in_prediction(quote, "exact" if letter_by_letter else "normalised", span)
    for text in sources.prediction.folded:
        near = needle.near_in(text)
        if near is not None:
            return _in_prediction(quote, "approximate", *near)
    return _elsewhere(needle, question, sources)


def _in_prediction(
    quote: str, match: Match, span: tuple[int, int], similarity: float = 1.0
) -> LookedUp:
    return {
        "quote": quote,
        "match": match,
        "source": "prediction",
        "start": span[0],
        "end": span[1],
        "similarity": similarity,
    }


def _elsewhere(needle: _Needle, question: Question, sources: Sources) -> LookedUp:
    """Where a quote stands that the prediction does not hold, not even approximately."""
    for source, text in sources.others(question):
        if any(needle.found_in(folded) for folded in text.folded):
            return {"quote": needle.quote, "match": "wrong_source", "source": source}
    return {"quote": needle.quote, "match": "not_found", "source": None}


class _Needle:
    """A quote that is sought."""

    def __init__(self, quote: str) -> None:
        self.quote = quote

    @cached_property
    def _words(self) -> list[str]:
        """What the quote says, without punctuation at its ends."""
        words = fold(self.quote).words
        while words and words[-1] in PUNCTUATION:
            words.pop()
        while words and words[0] in PUNCTUATION:
            words.pop(0)
        return words

    @cached_property
    def says_something(self) -> bool:
        """Whether it has two letters or digits beside bare function words."""
        if _SAYS_SOMETHING.search(self.quote.lower()):  # nearly always, and told at once
            return True
        said = (word for word in self._words if word not in _SAY_NOTHING)
        return sum(character.isalnum() for word in said for character in word) > 1

    def stands_in(self, text: str) -> tuple[int, int] | None:
        """Where it stands letter by letter, at whole words and numbers."""
        start = text.find(self.quote)
        while start >= 0:
            end = start + len(self.quote)
            if not (_splits(text, start) or _splits(text, end)):
                return start, end
            start = text.find(self.quote, end)
        return None

    def found_in(self, text: Searchable) -> tuple[int, int] | None:
        """Where it stands after folding."""
        place = text.line.find(f" {' '.join(self._words)} ")
        if place < 0:
            return None
        first = text.line.count(" ", 0, place)
        return text.span(first, first + len(self._words) - 1)

    def cut_out_of(self, text: Searchable) -> tuple[int, int] | None:
        """Where a long quote stands that begins or ends within a word."""
        said = " ".join(self._words)
        if len(said) < MIN_CUT:
            return None
        place = text.line.find(said)
        for _ in range(_MOST_TRIED):
            if place < 0:
                break
            span = self._cut_at(text, text.line.count(" ", 0, place) - 1)
            if span is not None:
                return span
            place = text.line.find(said, place + len(said))
        return None

    def _cut_at(self, text: Searchable, first: int) -> tuple[int, int] | None:
        last = first + len(self._words) - 1
        before = text.words[first].removesuffix(self._words[0])
        after = text.words[last].removeprefix(self._words[-1])
        start, end = text.span(first, last)
        start += len(before)
        end -= len(after)
        if _can_be_cut_before(text.original, start, before) and _can_be_cut_behind(after):
            return start, end
        return None

    def near_in(self, text: Searchable) -> tuple[tuple[int, int], float] | None:
        """Where it stands but for slips, and how similar the two are."""
        quoted = [word for word in self._words if _has_content(word)]
        if len(_plain(self._words)) < MIN_APPROXIMATE:
            return None
        for number in _beginnings(quoted, text):
            window = text.content[number : number + len(quoted)]
            if not all(map(_near, quoted, (text.words[place] for place in window))):
                continue
            ends = self._widened(text, window[0], window[-1])
            if ends is None:
                continue
            there = text.words[ends[0] : ends[1] + 1]
            similarity = _similarity(self._words, there)
            if similarity >= APPROXIMATE and _ended(self._words) == _ended(there):
                return text.span(*ends), similarity
        return None

    def _widened(self, text: Searchable, first: int, last: int) -> tuple[int, int] | None:
        """A window with the function words at its ends that the quote has as well.

        ``None`` if the quote leaves out a negation there: "with [no] fever".
        """
        for word in reversed(list(takewhile(_is_empty, self._words))):
            if first == 0 or text.words[first - 1] != word:
                if first and text.words[first - 1] in _NEGATIONS:
                    return None
                break
            first -= 1
        for word in reversed(list(takewhile(_is_empty, reversed(self._words)))):
            if last + 1 == len(text.words) or text.words[last + 1] != word:
                if text.words[last + 1 : last + 2] and text.words[last + 1] in _NEGATIONS:
                    return None
                break
            last += 1
        return first, last


def _splits(text: str, position: int) -> bool:
    """Whether a position lies within a word or a number."""
    if not 0 < position < len(text):
        return False
    left, right = text[position - 1], text[position]
    if left.isalnum() and right.isalnum():
        return not (_UNSPACED.match(left) or _UNSPACED.match(right))
    if left in _POINTS:
        return right.isdigit() and text[position - 2 : position - 1].isdigit()
    if right in _POINTS:
        return left.isdigit() and text[position + 1 : position + 2].isdigit()
    return unicodedata.combining(right) > 0


_UNSPACED = re.compile(f"[{UNSPACED}]")
_POINTS = ".,·٫٬"


# --- Quotes that begin or end within a word

_CHANGING_BEGINNINGS = frozenset(
    "a ab acetyl aero allo alpha ambi amino an ana ante anti apo ar auto beta bi bio brady carb "
    "carbo cef chlor chloro cis contra counter cyclo de des desmethyl dex dexa di dihydro dis "
    "dys ecto em en endo epi ergo es ethyl eu ex exo extra ferro fluoro fos gamma hemi hetero "
    "homo hydro hydroxy hyper hypo ig il im in infra inter intra ipsi ir iso keto lev levo lipo "
    "liposomal mal mega meta methyl micro mid mini mis mono multi nano neo neuro nitro no non "
    "nor normo not oligo omni ortho over oxy pan para peg per peri phenyl poly post pre pro "
    "pseudo quasi re retro semi sub sulfa sulfo super supra sur tachy tetra thio trans tri "
    "ultra un under uni with ".split()
)
"""Beginnings that make another word of a word: "un-suitable", "hydroxy-chloroquine"."""

_CHANGING_ENDS = frozenset(
    "ase ectomy emia free itis less like lysis oid oma osis otomy pathy stomy uria".split()
)


def _can_be_cut_before(original: str, start: int, before: str) -> bool:
    """Whether a quote may begin behind the first letters of a word; never within a number."""
    if not before:
        return True
    if not before.isalpha():
        return False
    # The word before lost its space or line break: "symptoms.nIf you", "symptomsIf you".
    glued = original[start - 1].islower() and original[start : start + 2].istitle()
    return glued or before not in _CHANGING_BEGINNINGS


def _can_be_cut_behind(after: str) -> bool:
    return not after or (after.isalpha() and after not in _CHANGING_ENDS)


# --- Slips of copying

_CONFUSED = [  # words that a letter makes of one another
    set(pair.split("/"))
    for pair in (
        "dysphagia/dysphasia ileum/ilium ileal/ilial perineal/peroneal month/mouth sixty/sixth "
        "seventy/seventh eighty/eighth forty/forth"
    ).split()
]
_MIN_NEAR = 5  # shorter words have to be the same letter by letter
_SAME_BEGINNING = 2  # another drug, side or sign often differs in its first letters


def _has_content(word: str) -> bool:
    return not _is_empty(word)


def _is_empty(word: str) -> bool:
    return word in PUNCTUATION or word in _FUNCTION_WORDS


def _beginnings(quoted: list[str], text: Searchable) -> Iterator[int]:
    """Where the content of a quote may begin in that of a text, by its rarest words there."""
    places = [(text.content_places[w], n) for n, w in enumerate(quoted) if w in text.content_places]
    begun: set[int] = set()
    for found, number in sorted(places, key=lambda entry: len(entry[0]))[:3]:
        begun.update(place - number for place in found)
    fitting = (n for n in sorted(begun) if 0 <= n <= len(text.content) - len(quoted))
    return islice(fitting, _MOST_TRIED)


def _near(word: str, other: str) -> bool:
    """Whether two words are the same but for a slip of one letter."""
    if word == other:
        return True
    if min(len(word), len(other)) < _MIN_NEAR or is_number(word) or is_number(other):
        return False
    if {word, other} in _CONFUSED:
        return False
    american, other_american = (w.replace("ae", "e").replace("oe", "e") for w in (word, other))
    return _slipped(word, other) or _slipped(american, other_american)


def _slipped(word: str, other: str) -> bool:
    from rapidfuzz.distance import OSA  # noqa: TID251  this is the door

    same_beginning = word[:_SAME_BEGINNING] == other[:_SAME_BEGINNING]
    return same_beginning and OSA.distance(word, other, score_cutoff=1) <= 1


def _similarity(quoted: list[str], there: list[str]) -> float:
    """Rapidfuzz ``ratio``: 1 less the normalised InDel distance."""
    from rapidfuzz import fuzz  # noqa: TID251  this is the door

    return fuzz.ratio(_plain(quoted), _plain(there)) / 100


def _ended(words: list[str]) -> int:
    """How many negations end a sentence or clause: "Aspirin: no. Prednisone: yes"."""
    return sum(a in _NEGATIONS and b in ".;!?" for a, b in pairwise(words))


def _plain(words: list[str]) -> str:
    return _SPACE_BEFORE_PUNCTUATION.sub("", " ".join(words))


_SPACE_BEFORE_PUNCTUATION = re.compile(r" (?=[.,;:!?](?: |\Z))")
