"""A report as one HTML file that needs nothing else; the one door to Jinja."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrare_judge.calibration.report.blocks import (
    Block,
    Bullets,
    CaseBlock,
    Figure,
    Findings,
    Gallery,
    Paragraph,
    Report,
    Section,
    Table,
)
from mmrare_judge.calibration.report.sections import report_of
from mmrare_judge.calibration.report.text import shown_value
from mmrare_judge.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment


def html_of(report: Report) -> str:
    """The report as a page: one file, no script, no address outside itself.

    All text is escaped by Jinja, and the page's content policy forbids scripts, frames, images and
    every style but the page's own, so that text that slipped through could do nothing.

    Raises:
        MissingExtraError: Jinja is not installed.

    >>> empty = Report("<i>", facts=(), tone="open", verdict=("None.",), keys=(), sections=())
    >>> "<h1>&lt;i&gt;</h1>" in html_of(empty)
    True
    """
    style = _read("report.css")
    page = _environment().get_template("report.html.j2")
    return page.render(report=visible(report), style=style, policy=policy(style)) + "\n"


def policy(style: str) -> str:
    """The content policy of a page whose only style is this one.

    >>> policy("").split("; ")[1]
    "style-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    style_only = f"default-src 'none'; style-src 'sha256-{digest}'"
    return f"{style_only}; base-uri 'none'; form-action 'none'"


def visible(value: Any) -> Any:
    r"""The value with all its texts `shown_value`, but for the drawings.

    >>> visible(("a\x00", 1))
    ('a[U+0000]', 1)
    """
    if isinstance(value, str):
        return shown_value(value)
    if isinstance(value, tuple):
        return tuple(visible(part) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kept = {"svg"} if isinstance(value, Figure) else set()
    texts = {f.name: getattr(value, f.name) for f in fields(value)}
    return type(value)(**{k: v if k in kept else visible(v) for k, v in texts.items()})


@cache
def _read(name: str) -> str:
    folder = resources.files("mmrare_judge.calibration.report").joinpath("templates")
    return folder.joinpath(name).read_text("utf-8").replace("\r\n", "\n")


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", "calibration") from error
    return Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


# FOLDED calibration.report.markdown: A report as Markdown: the same sentences, tables and quotes; the plots as their numbers.

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
    lines: list[str] = [f"# {inline_markdown(report.title)}"]
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
    text = _INDENT.sub("", shown_value(text))
    text = re.sub("[&<>@]", lambda found: _ENTITIES[found[0]], text)
    text = _LINKS.sub(lambda found: _without_link(found), text)
    text = _LINE_START.sub(lambda found: found[1] + _entity_or_dot(found), text)
    return _MARKS.sub(r"\\\g<0>", text)


def inline_markdown(text: str) -> str:
    r"""The text `escaped`, on one line: for headings and cells of tables.

    >>> inline_markdown("two\nlines")
    'two lines'
    """
    return escaped(" ".join(shown_value(text).split()))


def _without_link(found: re.Match[str]) -> str:
    mark = found[1] or found[2]
    return found[0].replace(mark, f"&#{ord(mark)};")


def _entity_or_dot(found: re.Match[str]) -> str:
    """A mark that opens a heading, list or rule as an entity; a list number by its first digit."""
    return f"&#{ord(found[2][0])};{found[2][1:]}"


def _section(section: Section) -> Iterator[str]:
    yield f"## {inline_markdown(section.title)}"
    yield from chain.from_iterable(_block(block) for block in section.blocks)


def _block(block: Block) -> Iterable[str]:
    match block:
        case Paragraph():
            return [escaped(block.text)]
        case Bullets():
            return ["\n".join(f"- {inline_markdown(item)}" for item in block.items)]
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)
        case Gallery():
            return list(chain.from_iterable(_figure(one) for one in block.figures))
        case CaseBlock():
            return _case(block)


def _table(table: Table) -> list[str]:
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [[inline_markdown(cell) for cell in row] for row in (table.head, *table.rows)]
    lines = [_row(rows[0]), _row(rule), *map(_row, rows[1:])]
    return [f"*{inline_markdown(table.caption)}*", "\n".join(lines)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(figure: Figure) -> list[str]:
    where = "The plot is in the HTML report." if figure.svg else f"No plot: {figure.missing}"
    caption = figure.caption if figure.svg or figure.table else ""
    parts = [f"### {inline_markdown(figure.title)}", escaped(caption), escaped(where)]
    return [*filter(None, parts), *(_table(figure.table) if figure.table else ())]


def _case(case: CaseBlock) -> list[str]:
    parts = [f"### {inline_markdown(case.title)}", _facts(case.facts)]
    for quote in case.quotes:
        lines = escaped(quote.text).split("\n")
        parts += [
            f"{inline_markdown(quote.who)}:",
            "\n".join(f"> {line}".rstrip() for line in lines),
        ]
    return parts


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- {inline_markdown(name)}: {inline_markdown(text)}" for name, text in facts)


def _key(title: str, value: str, note: str) -> str:
    return f"{inline_markdown(title)}: {inline_markdown(value)} ({inline_markdown(note)})"


# FOLDED calibration.report.files: The report of a calibration study: one HTML file, and the same as Markdown.

HTML, MARKDOWN = "report.html", "report.md"


def html_report(findings: Findings) -> str:
    """The report as one HTML page that needs nothing else.

    The same findings give the same page, byte for byte.

    Raises:
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    return html_of(report_of(findings))


def markdown_report(findings: Findings) -> str:
    """The report as Markdown: the words and tables of the page, without its plots.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return markdown_of(report_of(findings))


def write_reports(findings: Findings, folder: Path) -> tuple[Path, ...]:
    """Write ``report.html`` and ``report.md`` into a folder, which is made if need be.

    Returns:
        The two files.

    Raises:
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    report = report_of(findings)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / HTML: html_of(report), folder / MARKDOWN: markdown_of(report)}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return tuple(texts)
