"""A report as one HTML file that needs nothing else; the one door to Jinja."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from mmrare_judge.calibration.report.blocks import Figure, Report
from mmrare_judge.calibration.report.text import shown
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
    r"""The value with all its texts `shown`, but for the drawings.

    >>> visible(("a\x00", 1))
    ('a[U+0000]', 1)
    """
    if isinstance(value, str):
        return shown(value)
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
