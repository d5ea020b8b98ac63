"""The plots of a report: which marks they hold, and what names from data can do to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as Tree

import matplotlib as mpl
import pytest

from mmrare_judge.calibration.analyses.confidence import ReliabilityBin
from mmrare_judge.calibration.analyses.correction import CorrectedScore
from mmrare_judge.calibration.report.blocks import AgreementLimits
from mmrare_judge.calibration.report.plots import (
    bias_plot,
    bland_altman_plot,
    confusion_plot,
    corrected_plot,
    epsilon_plot,
    forest_plot,
    reliability_plot,
    risk_coverage_plot,
)
from mmrare_judge.calibration.report.svg import inline
from mmrare_judge.calibration.statistics.estimate import Estimate, Interval


def found(value: float | None, *ends: float) -> Estimate:
    interval = Interval(low=ends[0], high=ends[1], method="bca") if ends else None
    return Estimate(name="kappa", value=value, interval=interval, n=9, clusters=3)


HALF, LOW, UNKNOWN = found(0.5, 0.25, 0.75), found(0.125), found(None)
BIN = ReliabilityBin(
    low=0.5, high=1, n=4, confidence=0.8, share=0.75,
    interval=Interval(low=0.3, high=0.95, method="wilson"),
)  # fmt: skip


def score(rogan_gladen: Estimate | None) -> CorrectedScore:
    return CorrectedScore(
        raw=HALF, ppi=LOW, labelled=HALF, rogan_gladen=rogan_gladen, lam={}, graded=9,
        with_gold=3, abstained=0,
    )  # fmt: skip


PLOTS: dict[str, Callable[[str], str]] = {
    "forest": lambda name: forest_plot([(name, HALF, LOW)], statistic=name),
    "bias": lambda name: bias_plot([(name, HALF)]),
    "corrected": lambda name: corrected_plot({name: score(UNKNOWN)}),
    "confusion": lambda name: confusion_plot(
        (name, "b"), ((3, 1), (0, 2)), name="c", criterion="d"
    ),
    "differences": lambda name: bland_altman_plot(
        [(1, 0), (1, 0), (0.5, 1)], AgreementLimits(0.25, -1, 1.5), name="d", criterion=name
    ),
    "reliability": lambda _: reliability_plot([BIN]),
    "risk": lambda _: risk_coverage_plot([0.5, 1], [0, 0.25], chosen=(0.5, 0.125)),
    "epsilon": lambda _: epsilon_plot([(0.0, 0.0), (0.1, None), (0.2, 1.0)]),
}
NAMED = ("forest", "bias", "corrected", "confusion", "differences")

HOSTILE = {
    "script": "<script>x()</script>",
    "title": "</title></svg><b>",
    "mathtext": "$\\frac{1}{0}$ costs $5",
    "broken mathtext": "$x_{$",
    "entity": "&amp;&lt;",
    "quotes": "\"'`",
    "turned round": "\u202egnitaert",
    "nul": "a\x00b\x1b",
    "surrogate": "\ud800",
    "letters the font lacks": "治疗方案",
    "comment": "--><b>",
}


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in Tree.fromstring(svg).iter("text")]


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_is_the_same_every_time(plot: str) -> None:
    assert PLOTS[plot]("dose") == PLOTS[plot]("dose")


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_needs_nothing_from_outside_and_no_style(plot: str) -> None:
    svg = PLOTS[plot]("dose")
    assert not re.search(r"http|url\(|style|<image|<script|font-family|xmlns", svg)
    links = set(re.findall(r'href="#([^"]*)"', svg))
    assert links <= set(re.findall(r'\bid="([^"]*)"', svg))


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_says_what_it_shows_to_readers_who_cannot_see_it(plot: str) -> None:
    root = Tree.fromstring(PLOTS[plot]("dose"))
    assert root.attrib["role"] == "img"
    named = {element.attrib["id"]: element.text for element in root if "id" in element.attrib}
    assert all(named[place] for place in root.attrib["aria-labelledby"].split())


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("plot", NAMED)
def test_a_name_stays_a_name(plot: str, hostile: str) -> None:
    """The drawing has the elements it has for a harmless name, and shows the name as it is."""
    kinds = {element.tag for element in Tree.fromstring(PLOTS[plot]("dose")).iter()}
    svg = PLOTS[plot](hostile)
    svg.encode()
    assert {element.tag for element in Tree.fromstring(svg).iter()} <= kinds


def test_dollar_signs_are_dollar_signs() -> None:
    assert "$x$" in texts(PLOTS["bias"]("$x$"))


def test_a_long_name_is_cut_so_that_the_plot_keeps_its_room() -> None:
    shown = texts(bias_plot([("a" * 200, HALF)]))
    assert "a" * 29 + "…" in shown


def test_a_readers_own_matplotlibrc_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = PLOTS["forest"]("dose")
    monkeypatch.setitem(mpl.rcParams, "lines.linewidth", 9.0)
    monkeypatch.setitem(mpl.rcParams, "text.parse_math", True)
    assert PLOTS["forest"]("dose") == plain


def test_drawing_leaves_matplotlibs_settings_as_they_were() -> None:
    before = dict(mpl.rcParams)
    PLOTS["forest"]("dose")
    assert dict(mpl.rcParams) == before


def test_numbers_stand_beside_their_marks() -> None:
    assert {"0.50 (0.25 to 0.75)", "0.12"} <= set(texts(PLOTS["forest"]("dose")))


def test_a_criterion_without_a_value_says_so() -> None:
    svg = forest_plot([("dose", HALF, HALF), ("safe", UNKNOWN, HALF)], statistic="kappa")
    assert "no value" in texts(svg)


def test_without_a_ceiling_the_forest_plot_shows_the_judge_alone() -> None:
    shown = texts(forest_plot([("dose", HALF, None)], statistic="kappa"))
    assert "judge and clinicians" in shown
    assert "clinicians among themselves" not in shown


def test_a_matrix_has_counts_and_shares_of_columns() -> None:
    """Columns: 3 of 3 is 100 %, 1 and 2 of 3 are 33 and 67 %."""
    shown = texts(confusion_plot(("NO", "YES"), ((3, 1), (0, 2)), name="c", criterion="d"))
    assert shown.count("3") == 1
    assert {"100 %", "0 %", "33 %", "67 %"} <= set(shown)


def _luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance of an sRGB colour, by WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("share", range(0, 101, 4))
def test_words_in_a_cell_can_be_read_on_its_shade(share: int) -> None:
    """The contrast is 4.5 or more, as WCAG asks for small type."""
    root = Tree.fromstring(
        confusion_plot(("a", "b"), ((share, 0), (100 - share, 0)), name="c", criterion="d")
    )
    paths = [element.attrib.get("fill", "") for element in root.iter("path")]
    shade = next(fill for fill in paths if fill.startswith("#"))
    word = next(e for e in root.iter("text") if e.text == str(share))
    pair = [_luminance(mpl.colors.to_rgb(c)) for c in (shade, word.attrib.get("fill", "#000000"))]
    assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5


def test_what_was_never_asked_has_no_words_and_what_failed_has() -> None:
    """A score with levels has no Rogan-Gladen correction; a binary one may lack a value."""
    scores = {"levels": score(None), "binary": score(UNKNOWN), "solved": score(HALF)}
    assert texts(corrected_plot(scores)).count("no value") == 1


def test_names_of_lines_on_one_spot_do_not_overlap() -> None:
    """Where judge and clinicians never differ, all three lines lie at zero."""
    root = Tree.fromstring(
        bland_altman_plot([(0, 0), (1, 0)], AgreementLimits(0, 0, 0), name="d", criterion="c")
    )
    named = [
        e for e in root.iter("text") if (e.text or "").startswith(("upper", "mean 0", "lower"))
    ]
    heights = sorted(float(e.attrib["y"]) for e in named)
    assert len(heights) == 3
    # the type has 8 points
    assert min(b - a for a, b in pairwise(heights)) >= 8


def test_units_on_one_spot_are_counted_in_one_dot() -> None:
    shown = texts(bland_altman_plot([(1, 0)] * 7 + [(0, 1)], None, name="d", criterion="c"))
    assert {"7", "1"} <= set(shown)


@pytest.mark.parametrize(
    "svg",
    [
        forest_plot([], statistic="kappa"),
        bias_plot([("dose", UNKNOWN)]),
        corrected_plot({}),
        confusion_plot(("a", "b"), ((0, 0), (0, 0)), name="c", criterion="d"),
        bland_altman_plot([], None, name="d", criterion="c"),
        reliability_plot([]),
        risk_coverage_plot([], []),
        epsilon_plot([(0.0, None)]),
    ],
    ids=list(PLOTS),
)
def test_without_a_value_there_is_no_drawing(svg: str) -> None:
    assert svg == ""


def test_drawings_on_one_page_share_no_identifier() -> None:
    pattern = r'\bid="([^"]*)"'
    first, second = (
        re.findall(pattern, confusion_plot(("a", "b"), ((3, 1), (0, 2)), name=n, criterion="d"))
        for n in ("one", "two")
    )
    assert len(first) == len(set(first))
    assert not set(first) & set(second)


def test_fonts_written_in_short_become_plain_attributes(tmp_path: Path) -> None:
    """Older matplotlib writes ``font: 700 9px 'DejaVu Sans'``."""
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 36" width="72pt"><metadata/>'
        "<style>*{}</style><text style=\"font: 700 9px 'DejaVu Sans'\">a</text></svg>"
    )
    svg = inline(raw, name="n", title="t", description="d")
    assert '<text font-weight="700" font-size="9px">a</text>' in svg
    assert 'width="96" height="48"' in svg
