"""A report as Markdown: the same sentences, tables and quotes; the plots as their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from mmrare_judge.calibration.report.blocks import (
    Block,
    Bullets,
    Case,
    Figure,
    Gallery,
    Paragraph,
    Report,
    Section,
    Table,
)
from mmrare_judge.calibration.report.text import shown

_MARKS = re.compile(r"[\\`*_\[\]|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LINKS = re.compile(r"(?i)\b(?:https?|ftp|mailto|xmpp)(:)|\bwww(\.)")
_LINE_START = re.compile(r"(?m)^([ \t]*)(#|[-+=:](?=[\s=:-]|$)|\d{1,9}(?=[.)](?:\s|$)))")
_INDENT = re.compile(r"(?m)^[ \t]+")


def markdown_of(report: Report) -> str:
    r"""The report as Markdown (CommonMark with tables), every text escaped.

    >>> empty = Report("a|b", facts=(), tone="open", verdict=("None.",), keys=(), sections=())
    >>> print(markdown_of(empty).splitlines()[0])
    # a\|b
    """
    lines: list[str] = [f"# {inline(report.title)}"]
    lines.append(_facts(report.facts))
    lines.append("## Verdict")
    lines += [escaped(sentence) for sentence in report.verdict]
    lines.append("\n".join(f"- {_key(k.title, k.value, k.note)}" for k in report.keys))
    for section in report.sections:
        lines += _section(section)
    return "\n\n".join(filter(None, lines)) + "\n"


def escaped(text: str) -> str:
    r"""Text of which no part is taken for markup, its line breaks kept.

    >>> print(escaped("# <b>$5$ | [a](http://x)"))
    &#35; &lt;b&gt;\$5\$ \| \[a\](http&#58;//x)
    """
    text = _INDENT.sub("", shown(text))
    text = re.sub("[&<>@]", lambda found: _ENTITIES[found[0]], text)
    text = _LINKS.sub(lambda found: _without_link(found), text)
    text = _LINE_START.sub(lambda found: found[1] + _entity_or_dot(found), text)
    return _MARKS.sub(r"\\\g<0>", text)


def inline(text: str) -> str:
    r"""The text `escaped`, on one line: for headings and cells of tables.

    >>> inline("two\nlines")
    'two lines'
    """
    return escaped(" ".join(shown(text).split()))


def _without_link(found: re.Match[str]) -> str:
    mark = found[1] or found[2]
    return found[0].replace(mark, f"&#{ord(mark)};")


def _entity_or_dot(found: re.Match[str]) -> str:
    """A mark that opens a heading, list or rule as an entity; a list number by its first digit."""
    return f"&#{ord(found[2][0])};{found[2][1:]}"


def _section(section: Section) -> Iterator[str]:
    yield f"## {inline(section.title)}"
    yield from chain.from_iterable(_block(block) for block in section.blocks)


def _block(block: Block) -> Iterable[str]:
    match block:
        case Paragraph():
            return [escaped(block.text)]
        case Bullets():
            return ["\n".join(f"- {inline(item)}" for item in block.items)]
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)
        case Gallery():
            return list(chain.from_iterable(_figure(one) for one in block.figures))
        case Case():
            return _case(block)


def _table(table: Table) -> list[str]:
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [[inline(cell) for cell in row] for row in (table.head, *table.rows)]
    lines = [_row(rows[0]), _row(rule), *map(_row, rows[1:])]
    return [f"*{inline(table.caption)}*", "\n".join(lines)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(figure: Figure) -> list[str]:
    where = "The plot is in the HTML report." if figure.svg else f"No plot: {figure.missing}"
    caption = figure.caption if figure.svg or figure.table else ""
    parts = [f"### {inline(figure.title)}", escaped(caption), escaped(where)]
    return [*filter(None, parts), *(_table(figure.table) if figure.table else ())]


def _case(case: Case) -> list[str]:
    parts = [f"### {inline(case.title)}", _facts(case.facts)]
    for quote in case.quotes:
        lines = escaped(quote.text).split("\n")
        parts += [f"{inline(quote.who)}:", "\n".join(f"> {line}".rstrip() for line in lines)]
    return parts


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {inline(name)}: {inline(text)}" for name, text in facts)


def _key(title: str, value: str, note: str) -> str:
    return f"{inline(title)}: {inline(value)} ({inline(note)})"
