"""Names that mean the same: `Terms`, read from a table, found in running text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from itertools import compress
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from mmrare_judge.errors import InputError
from mmrare_judge.level2.tokens import words_of
from mmrare_judge.records import content_hash

Kind = Literal["drug", "class", "test", "procedure", "route", "schedule", "condition", "word"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_COLUMNS = "name, kind, variants separated by |, source; separated by tabs"


@dataclass(frozen=True)
class Term:
    """One thing, and everything it is called.

    Attributes:
        name: What it is called here.
        kind: One of `KINDS`.
        variants: Its other names: abbreviations, brands, lay words.
        source: Where the equation comes from.
    """

    name: str
    kind: Kind
    variants: tuple[str, ...] = ()
    source: str = ""


def read_terms(path: Path) -> list[Term]:
    """The terms of a file.

    Raises:
        InputError: It cannot be read, or a row is not a term.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", file=str(path)) from error
    return list(terms_in(text, str(path)))


def terms_in(text: str, file: str) -> Iterator[Term]:
    """The terms of a table; errors name ``file``."""
    for number, line in enumerate(text.splitlines(), start=1):
        header = number == 1 and line.split("\t")[:2] == ["name", "kind"]
        if line.strip() and not line.startswith("#") and not header:
            yield _row(line, file, number)


def _row(line: str, file: str, number: int) -> Term:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) not in (3, 4) or not words_of(cells[0]):
        problem = f"{line!r} is no row of terms"
        raise InputError(problem, remedy=f"Write {_COLUMNS}", file=file, row=number)
    name, kind, variants, source = (*cells, "")[:4]
    if kind not in KINDS:
        problem = f"kind {kind!r} is unknown"
        raise InputError(problem, remedy=f"Kinds are {', '.join(KINDS)}", file=file, row=number)
    others = tuple(variant.strip() for variant in variants.split("|") if words_of(variant))
    return Term(name=name, kind=kind, variants=others, source=source)


Found = tuple[int, int, int, Term]
"""One place where a term stands: number of the sentence, first word, behind the last, the term."""


class _Names(NamedTuple):
    """The names that begin with one word.

    Attributes:
        alone: The term that this word alone is a name of, if there is one.
        longer: For the second word the names, longest first: their length, their words, the term.
    """

    alone: list[Term]
    longer: dict[str, list[tuple[int, list[str], Term]]]


class Terms:
    """A table of terms; equal tables have equal hashes.

    Args:
        rows: The terms. A name that two of them claim is an error: it would make two things one.

    Raises:
        InputError: A name is claimed twice.
    """

    def __init__(self, rows: Sequence[Term]) -> None:
        self.rows = tuple(rows)
        self._by_first: dict[str, _Names] = {}
        owner: dict[tuple[str, ...], Term] = {}
        for term in self.rows:
            for name in (term.name, *term.variants):
                words = words_of(name)
                other = owner.setdefault(words, term)
                if other is not term:
                    raise InputError(
                        f"{name!r} is a name of {other.name!r} and of {term.name!r}",
                        remedy="Leave it out of one of the two rows",
                    )
        for words, term in owner.items():
            names = self._by_first.setdefault(words[0], _Names([], {}))
            if len(words) == 1:
                names.alone.append(term)
            else:
                names.longer.setdefault(words[1], []).append((len(words), list(words), term))
        for names in self._by_first.values():
            for longer in names.longer.values():
                longer.sort(key=lambda name: -name[0])

    @cached_property
    def hash(self) -> str:
        """Tagged hash of the whole table."""
        return content_hash([[term.name, term.kind, *term.variants] for term in self.rows])

    @cached_property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """For each term what a text has that names it, as ``=name``: the term and its parts.

        Parts of a test are the tests that its name contains: who orders a chest X-ray orders an
        X-ray.
        """
        tests = {words_of(term.name): term.name for term in self.rows if term.kind == "test"}
        keys: dict[str, tuple[str, ...]] = {term.name: (f"={term.name}",) for term in self.rows}
        for whole, name in tests.items():
            parts = (part for words, part in tests.items() if _contains(whole, words))
            keys[name] = tuple(dict.fromkeys(f"={part}" for part in (name, *parts)))
        return keys

    @cached_property
    def carriers(self) -> dict[str, tuple[str, ...]]:
        """For each ``=name`` the terms that a text names it by: `keys`, read backwards."""
        carriers: dict[str, tuple[str, ...]] = {}
        for name, keys in self.keys.items():
            for key in keys:
                carriers[key] = (*carriers.get(key, ()), name)
        return carriers

    def find(self, words: list[str], bounds: Sequence[tuple[int, int]]) -> list[Found]:
        """The terms in a text, longest first, none across the end of a sentence.

        Args:
            words: The stemmed words of all sentences.
            bounds: The positions of each sentence's first word and behind its last.

        >>> table = Terms([Term("magnetic resonance imaging", "test", ("MRI",))])
        >>> [(first, behind) for _, first, behind, _ in table.find(["brain", "mri"], [(0, 2)])]
        [(1, 2)]
        """
        by_first, following = self._by_first, [*words[1:], ""]
        found: list[Found] = []
        sentence, free, behind = 0, 0, 0
        for position in compress(range(len(words)), map(by_first.__contains__, words)):
            if position < free:
                continue
            while position >= behind:
                behind = bounds[sentence][1]
                sentence += 1
            alone, longer = by_first[words[position]]
            for length, name, term in longer.get(following[position], ()):
                free = position + length
                if free <= behind and words[position:free] == name:
                    found.append((sentence - 1, position, free, term))
                    break
            else:
                free = position + 1
                if alone:
                    found.append((sentence - 1, position, free, alone[0]))
        return found

    def with_file(self, path: str | Path) -> Terms:
        """These terms with those of a file; a row of the same name replaces ours.

        Raises:
            InputError: The file cannot be read, or makes two things one.
        """
        added = {term.name: term for term in read_terms(Path(path))}
        kept = [term for term in self.rows if term.name not in added]
        return Terms([*kept, *added.values()])

    @classmethod
    def load(cls, path: str | Path) -> Terms:
        """The terms of a file alone.

        Raises:
            InputError: The file cannot be read, or makes two things one.
        """
        return cls(read_terms(Path(path)))

    @staticmethod
    def default() -> Terms:
        """The table that comes with the package.

        >>> len(Terms.default().rows) > 200
        True
        """
        return _default()


def _contains(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    length = len(part)
    return any(whole[at : at + length] == part for at in range(len(whole) - length + 1))


@lru_cache(maxsize=1)
def _default() -> Terms:
    file = resources.files("mmrare_judge.level2") / "tables" / "terms.tsv"
    return Terms(list(terms_in(file.read_text(encoding="utf-8"), "terms.tsv")))
