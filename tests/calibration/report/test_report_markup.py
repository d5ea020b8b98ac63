"""Reports as HTML and as Markdown: whatever a text holds, it stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from mmrare_judge.calibration.report.blocks import (
    Block,
    Bullets,
    Card,
    CaseBlock,
    Figure,
    Fold,
    Key,
    Paragraph,
    Quote,
    Report,
    Section,
    Table,
    shown_value,
)
from mmrare_judge.calibration.report.render import (
    escaped,
    html_of,
    markdown_of,
    policy,
    write_reports,
)
from support.report_studies import full_findings

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "end of style": "</style></title><img src=x onerror=alert(1)>",
    "template": "{{ 7 * 7 }}{% raw %}{# #}",
    "mathtext": "$x$",
    "cell": "a | b || c",
    "quotes": "\" onclick='x' `code` ' \"",
    "turned round": "\u202esafe\u2066",
    "nul": "a\x00b\x07",
    "surrogate": "\udfff\ud800",
    "link": "[a](http://b.example) <http://c.example> www.d.example",
    "image": "![a](b.png)",
    "heading": "# a\n\n## b\n===\n---",
    "list": "1. a\n2) b\n- c\n+ d\n* e",
    "code": "    four spaces\n```\n~~~",
    "quote": "> a\n>> b",
    "entity": "&lt;b&gt; &#60;",
    "reference": "[a]: http://b.example\n[a]",
    "rule": "***\n___",
    "comment": "<!-- a --> ]]> <![CDATA[",
    "table": "a | b\n--- | ---\n1 | 2",
    "emphasis": "*a* **b** _c_ ~~d~~",
    "backslash": "\\| \\<b> \\",
    "e-mail": "a@b.example mailto:a@b.example",
}
HTML_TAGS = set(
    "html head meta title style body header h1 dl div dt dd main section h2 p nav ol li a span "
    "ul table caption thead tbody tr th td figure h3 strong figcaption article blockquote "
    "details summary".split()
)


def report_of(text: str) -> Report:
    """A report in which every text is this one."""
    table = Table(text, (text, text), ((text, text),))
    figure = Figure("a-figure", text, text, missing=text, table=table)
    blocks: tuple[Block, ...] = (
        Paragraph(text),
        Bullets((text,)),
        table,
        figure,
        Fold(text, (figure,)),
        Card(text, ((text, text),), (Fold(text, (figure,)),)),
        CaseBlock(text, ((text, text),), (Quote(text, text),)),
    )
    return Report(
        text, ((text, text),), "open", (text, text), (Key(text, text, text),),
        (Section("part", text, blocks),), (text,),
    )  # fmt: skip


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def tokens(markdown: str) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(
        ["table", "strikethrough"]
    )
    flat = []
    for token in parser.parse(markdown):
        flat += [token, *(token.children or [])]
    return flat


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_in_html_no_text_becomes_markup(hostile: str) -> None:
    page = html_of(report_of(hostile))
    page.encode()
    harmless, found = Page(html_of(report_of("a"))), Page(page)
    assert found.tags <= HTML_TAGS
    assert found.attributes == harmless.attributes
    assert shown_value(hostile) in found.text


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_in_markdown_no_text_becomes_markup(hostile: str) -> None:
    """The tokens that a Markdown reader finds are the kinds of a report of harmless texts."""
    text = markdown_of(report_of(hostile))
    text.encode()
    expected = {token.type for token in tokens(markdown_of(report_of("a\n\nb\nc")))}
    assert {token.type for token in tokens(text)} <= expected


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_in_markdown_every_text_can_be_read_back(hostile: str) -> None:
    words = "".join(t.content for t in tokens(escaped(hostile)) if t.type == "text")
    assert words.replace(" ", "") == "".join(shown_value(hostile).split())


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_in_markdown_every_table_keeps_its_columns(hostile: str) -> None:
    kinds = [token.type for token in tokens(markdown_of(report_of(hostile)))]
    assert kinds.count("table_open") == 4
    assert kinds.count("th_open") == kinds.count("td_open") == 8


def test_the_pages_policy_allows_its_own_style_and_nothing_else() -> None:
    page = html_of(report_of("a"))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    words = Page(page).text
    assert style[1] in "".join(words)
    assert policy(style[1]) in page.replace("&#39;", "'")
    assert policy(style[1]).startswith("default-src 'none'")


def test_a_page_has_no_address_and_no_script() -> None:
    page = html_of(report_of("a"))
    assert not re.search(r"(?i)http(?!-equiv)|src=|url\(|<script|<link|@import|javascript", page)


def test_plots_of_the_markdown_are_files_beside_it(tmp_path: Path) -> None:
    """A plot of an earlier report that is no longer made is removed; each stands by itself."""
    write_reports(full_findings(), tmp_path)
    (tmp_path / "plots" / "confusion-9.svg").write_text("<svg/>")
    write_reports(full_findings(), tmp_path)
    named = re.findall(r"!\[[^]]*\]\(plots/([^)]*)\)", (tmp_path / "report.md").read_text())
    assert sorted(named) == sorted(path.name for path in (tmp_path / "plots").iterdir())
    for name in named:
        root = Tree.parse(tmp_path / "plots" / name).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_what_is_folded_away_is_closed_on_the_page_and_open_in_markdown() -> None:
    fold = Fold("All statistics", (Paragraph("kappa 0.5"),))
    report = Report("t", (), "open", ("v",), (), (Section("s", "S", (fold,)),))
    assert "<details><summary>All statistics</summary>" in html_of(report)
    assert "### All statistics\n\nkappa 0.5" in markdown_of(report)


def test_a_missing_plot_is_replaced_by_its_reason() -> None:
    figure = Figure("reliability", "Reliability", "", missing="the judge stated no confidence")
    report = Report("t", (), "open", ("v",), (), (Section("s", "S", (figure,)),))
    assert "No plot:</strong> the judge stated no confidence" in html_of(report)
    assert "No plot: the judge stated no confidence" in markdown_of(report)


def test_a_caption_that_explains_a_plot_goes_where_there_is_neither_plot_nor_table() -> None:
    figure = Figure("forest", "Forest", "Circles are judges.", missing="no labels")
    report = Report("t", (), "open", ("v",), (), (Section("s", "S", (figure,)),))
    assert "Circles" not in html_of(report) + markdown_of(report)


def test_in_html_a_remark_has_a_row_of_its_own_below_what_it_is_about() -> None:
    """A sentence in a narrow cell makes a tall row, and a wide one cannot be printed."""
    rows = (("dose", "0.5", "few cases"), ("route", "0.6", ""))
    table = Table("Kappa", ("criterion", "value", "remark"), rows, remarks=1)
    page = html_of(Report("t", (), "open", ("v",), (), (Section("s", "S", (table,)),)))
    assert page.count("<tr") == 4
    assert '<tr class="remark"><td colspan="2"><div>few cases</div></td></tr>' in page


def test_a_table_refuses_a_row_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="3 cells under 2 columns"):
        Table("t", ("a", "b"), (("1", "2", "3"),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends become newlines"),
        pytest.param("a\tb", "a\tb", id="a tab stays"),
        pytest.param("\u202b", "[U+202B]", id="marks that turn a line round are named"),
        pytest.param("نص עברית", "نص עברית", id="letters of any script stay"),
        pytest.param("👩\u200d⚕️", "👩\u200d⚕️", id="joined signs stay joined"),
        pytest.param("\ud800", "[U+D800]", id="halves of a pair are named"),
    ],
)
def test_text_shows_what_it_holds(text: str, expected: str) -> None:
    assert shown_value(text) == expected
