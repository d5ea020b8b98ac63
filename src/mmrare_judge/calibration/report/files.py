"""The report of a calibration study: one HTML file, and the same as Markdown."""

from __future__ import annotations

from pathlib import Path

from mmrare_judge.calibration.report.findings import Findings
from mmrare_judge.calibration.report.html import html_of
from mmrare_judge.calibration.report.markdown import markdown_of
from mmrare_judge.calibration.report.sections import report_of

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
