"""One thing and its names: `Term`, and terms read from a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mmrare_judge.errors import InputError
from mmrare_judge.lexical.tokens import words_of

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

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the main one first."""
        return (self.name, *self.variants)


def read_terms(path: Path) -> list[Term]:
    """The terms of a file.

    Raises:
        InputError: It cannot be read, or a row is none of terms.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", file=str(path)) from error
    return list(terms_in(text, str(path)))


def terms_in(text: str, file: str) -> Iterator[Term]:
    """The terms of a table.

    Args:
        text: The table.
        file: What it is called in errors.

    Raises:
        InputError: A row is none of terms.
    """
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
