"""A report written down, as one HTML file and as Markdown: two templates, and the door to Jinja.

Texts come from data and are not to be trusted. In HTML Jinja escapes all of them; in Markdown the
filters `inline` and `escaped` do.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrare_judge.calibration.report.blocks import (
    Figure,
    Findings,
    Report,
    figures_in,
    shown_value,
)
from mmrare_judge.calibration.report.sections import report_of
from mmrare_judge.calibration.report.svg import standalone
from mmrare_judge.errors import from_extra
from mmrare_judge.files import make_folder, write_whole

if TYPE_CHECKING:
    from jinja2 import Environment

HTML, MARKDOWN, PLOTS = "report.html", "report.md", "plots"


def write_reports(findings: Findings, folder: Path) -> tuple[Path, ...]:
    """Write ``report.html`` and ``report.md`` into a folder, which is made if need be.

    The plots of ``report.md`` are files of their own, in the folder ``plots`` beside it. The same
    findings give the same files, byte for byte.

    Returns:
        The two files.

    Raises:
        MissingExtraError: matplotlib or Jinja is not installed.
    """
    report = report_of(findings)
    make_folder(folder)
    texts = {folder / HTML: html_of(report), folder / MARKDOWN: markdown_of(report)}
    for path, text in texts.items():
        write_whole(path, text)
    _write_plots(report, folder / PLOTS)
    return tuple(texts)


def _write_plots(report: Report, folder: Path) -> None:
    """Write the plots as files; those of an earlier report that are no longer made are removed."""
    blocks = chain.from_iterable(section.blocks for section in report.sections)
    plots = {f"{one.name}.svg": standalone(one.svg) for one in figures_in(blocks) if one.svg}
    make_folder(folder)
    for old in folder.glob("*.svg"):
        if old.name not in plots:
            old.unlink()
    for name, svg in plots.items():
        write_whole(folder / name, svg)


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


def markdown_of(report: Report) -> str:
    r"""The report as Markdown (CommonMark with tables): the page's words and tables, no plots.

    Raises:
        MissingExtraError: Jinja is not installed.

    >>> empty = Report("a|b", facts=(), tone="open", verdict=("None.",), keys=(), sections=())
    >>> print(markdown_of(empty).splitlines()[0])
    # a\|b
    """
    return _environment().get_template("report.md.j2").render(report=report).rstrip("\n") + "\n"


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


# --- Markdown: every text escaped

_MARKS = re.compile(r"[\\`*_\[\]|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}
_LINKS = re.compile(r"(?i)\b(?:(?:https?|ftp|mailto|xmpp):|www\.)")
_LINE_START = re.compile(r"(?m)^([ \t]*)(#|[-+=:](?=[\s=:-]|$)|\d{1,9}(?=[.)](?:\s|$)))")
_INDENT = re.compile(r"(?m)^[ \t]+")


def escaped(text: str) -> str:
    r"""Text of which no part is taken for markup, its line breaks kept.

    >>> print(escaped("# <b>$5$ | [a](http://x)"))
    &#35; &lt;b&gt;\$5\$ \| \[a\](http&#58;//x)
    """
    text = _INDENT.sub("", shown_value(text))
    text = re.sub("[&<>@]", lambda found: _ENTITIES[found[0]], text)
    text = _LINKS.sub(lambda found: f"{found[0][:-1]}&#{ord(found[0][-1])};", text)
    # What opens a heading, list or rule becomes an entity; of a list number its first digit.
    text = _LINE_START.sub(lambda found: f"{found[1]}&#{ord(found[2][0])};{found[2][1:]}", text)
    return _MARKS.sub(r"\\\g<0>", text)


def _inline(text: str) -> str:
    """The text `escaped`, on one line: for headings and cells of tables."""
    return escaped(" ".join(shown_value(text).split()))


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in escaped(text).split("\n"))


@cache
def _read(name: str) -> str:
    folder = resources.files("mmrare_judge.calibration.report").joinpath("templates")
    return folder.joinpath(name).read_text("utf-8").replace("\r\n", "\n")


@cache
def _environment() -> Environment:
    with from_extra("calibration"):
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    environment = Environment(
        autoescape=lambda name: name != "report.md.j2",
        loader=FunctionLoader(_read),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"escaped": escaped, "inline": _inline, "quoted": _quoted}
    return environment
