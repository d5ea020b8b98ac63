import random
import re
import statistics
from collections.abc import Sequence
from math import sqrt
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrare_judge.backends.base import Usage
from mmrare_judge.errors import ConfigError, InputError
from mmrare_judge.judging.grade import Bounds, Grade, Unscored, Verdict
from mmrare_judge.judging.grading import score_verdicts
from mmrare_judge.level2.verify import Level2
from mmrare_judge.panels.panel import Panel, Rule, aggregate, judge_key
from mmrare_judge.panels.report import correlation, effective_number, panel_report
from mmrare_judge.records import Signature
from mmrare_judge.rubric.model import Rubric, load_rubric
from support.makers import small_rubric

SMALL = small_rubric()
"""Two criteria: quality of weight 3, safe of weight 1; NO and YES are worth 0 and 1."""

MARKS = {"Y": "YES", "N": "NO"}
STATUSES = {"?": "abstained", "!": "unverified", "-": "unscored"}


def signature(rubric: Rubric, judge: str = "judge", **changes: object) -> Signature:
    fields = {
        "judge": judge,
        "rubric": rubric.id,
        "rubric_version": rubric.version,
        "rubric_hash": rubric.hash,
        "package": "0",
    }
    return Signature.model_validate(fields | changes)


def make_grade(
    marks: str, rubric: Rubric = SMALL, *, judge: str = "judge", **more: object
) -> Grade:
    """A grade from Y, N, 0, 1, 2 or a status mark for each criterion in turn."""
    verdicts = [_verdict(rubric, c.id, m) for c, m in zip(rubric.criteria, marks, strict=True)]
    failure = Unscored(kind="timeout", message="late") if set(marks) == {"-"} else None
    fields = {
        "item_id": "1",
        "key": "k",
        "track": rubric.track,
        "coverage": 0,
        "bounds": Bounds(worst=0, best=1),
        "verdicts": verdicts,
        "unscored": failure,
        "level2": Level2(),
        "usage": Usage(calls=1, cost=0.5),
        "signature": signature(rubric, judge),
    }
    return Grade.model_validate(fields | more)


def _verdict(rubric: Rubric, criterion: str, mark: str) -> Verdict:
    if mark in STATUSES:
        return Verdict.model_validate({"criterion": criterion, "status": STATUSES[mark]})
    level = MARKS.get(mark, mark)
    points = float(rubric.criterion(criterion).levels[level].points)
    return Verdict(criterion=criterion, status="judged", level=level, points=points)


def join(
    *marks: str, rubric: Rubric = SMALL, size: int | None = None, rule: Rule = "majority"
) -> Panel:
    grades = [make_grade(text, rubric, sample=number) for number, text in enumerate(marks)]
    return aggregate(grades, rubric, size=size or len(marks), rule=rule)


def test_a_majority_decides_and_says_how_sure_it_is() -> None:
    # quality: YES, YES, NO; of the three pairs one agrees; sample SD of 1, 1, 0 is 1 / sqrt(3).
    # safe: one vote of three.
    panel = join("YY", "Y?", "N-")
    quality, safe = panel.criteria
    assert (quality.status, quality.level, quality.points) == ("judged", "YES", 1.0)
    assert quality.votes == {"NO": 1, "YES": 2}
    assert quality.confidence == pytest.approx(2 / 3)
    assert quality.agreement == pytest.approx(1 / 3)
    assert quality.spread is not None
    assert quality.spread.sd == pytest.approx(1 / sqrt(3))
    assert quality.spread.range == 1
    assert (safe.status, safe.level, safe.points, safe.confidence) == ("no_quorum",) + (None,) * 3
    assert safe.missing == {"abstained": 1, "unscored": 1}
    assert (safe.spread, safe.agreement) == (None, None)
    assert (panel.score, panel.partial_score, panel.coverage) == (None, 1.0, 0.75)
    assert panel.bounds == Bounds(worst=0.75, best=1)
    assert panel.usage == Usage(calls=3, cost=1.5)


def test_two_failed_judges_of_five_do_not_sink_the_item_and_coverage_says_so() -> None:
    panel = join("YY", "YY", "YY", "--", size=5)
    assert panel.score == 1
    assert panel.coverage == pytest.approx(3 / 5)
    assert panel.bounds == Bounds(worst=1, best=1)
    assert panel.verdict("safe").confidence == pytest.approx(3 / 5)
    assert panel.verdict("safe").missing == {"absent": 1, "unscored": 1}
    assert [member.unscored for member in panel.members] == [None, None, None, "timeout"]


@pytest.mark.parametrize(
    ("marks", "size", "status", "level"),
    [
        pytest.param("YYNN", 4, "undecided", None, id="tie"),
        pytest.param("YY", 4, "no_quorum", None, id="half of the panel"),
        pytest.param("YYN", 4, "undecided", None, id="a missing vote makes no majority"),
        pytest.param("YYY", 4, "judged", "YES", id="three of four"),
        pytest.param("Y", 1, "judged", "YES", id="a panel of one"),
        pytest.param("Y", 2, "no_quorum", None, id="one of two"),
        pytest.param("?!-", 3, "no_quorum", None, id="nobody voted"),
    ],
)
def test_a_majority_is_more_than_half_of_the_full_panel(
    marks: str, size: int, status: str, level: str | None
) -> None:
    verdict = join(*(mark + "Y" for mark in marks), size=size).verdict("quality")
    assert (verdict.status, verdict.level) == (status, level)


def test_an_undecided_criterion_leaves_its_whole_weight_open() -> None:
    panel = join("YY", "YY", "NY", "NY")
    assert (panel.score, panel.partial_score, panel.coverage) == (None, 1.0, 0.25)
    assert panel.bounds == Bounds(worst=0.25, best=1)


def test_a_mean_uses_the_votes_that_came_and_bounds_the_rest() -> None:
    # quality 2/3 by all three; safe 1/2 by two of three: between 1/3 and 2/3.
    panel = join("YY", "YN", "N?", rule="mean")
    assert panel.score == pytest.approx((3 * 2 / 3 + 1 / 2) / 4)
    assert panel.coverage == pytest.approx((3 + 2 / 3) / 4)
    assert panel.bounds.worst == pytest.approx((2 + 1 / 3) / 4)
    assert panel.bounds.best == pytest.approx((2 + 2 / 3) / 4)
    quality = panel.verdict("quality")
    assert quality.points == pytest.approx(2 / 3)
    assert (quality.level, quality.confidence) == (None, None)


def test_a_mean_of_half_the_panel_or_less_is_none() -> None:
    panel = join("YY", "YY", size=4, rule="mean")
    assert (panel.score, panel.partial_score, panel.coverage) == (None, None, 0)
    assert panel.bounds == Bounds(worst=0, best=1)
    assert panel.verdict("safe").status == "no_quorum"


@pytest.mark.parametrize(
    ("votes", "points", "level", "confidence"),
    [
        pytest.param("012", 1.0, "1", 1 / 3, id="the middle vote"),
        pytest.param("0221", 1.5, None, None, id="between two levels"),
        pytest.param("0022", 1.0, None, None, id="on a level nobody voted for"),
        pytest.param("0112", 1.0, "1", 2 / 4, id="two middle votes alike"),
        pytest.param("222?", 2.0, "2", 3 / 4, id="a missing vote lowers confidence"),
    ],
)
def test_a_median(votes: str, points: float, level: str | None, confidence: float | None) -> None:
    rubric = load_rubric("examination")
    panel = join(*(vote * 8 for vote in votes), rubric=rubric, rule="median")
    verdict = panel.verdict("precision")
    assert (verdict.points, verdict.level, verdict.confidence) == (points, level, confidence)
    assert panel.score == points / 2


def test_a_median_with_a_missing_vote_is_bounded_by_its_worst_and_best_case() -> None:
    # 0, 2 and a missing one: median 0 if it is 0, and 2 if it is 2.
    rubric = load_rubric("examination")
    panel = join("0" * 8, "2" * 8, rubric=rubric, size=3, rule="median")
    assert panel.score == 0.5
    assert panel.coverage == pytest.approx(2 / 3)
    assert panel.bounds == Bounds(worst=0, best=1)


def test_a_mean_enters_the_gate_of_a_cascade_vote_by_vote() -> None:
    # Gate met in 2 votes of 3, category by all, specific by 1 of 3:
    # met (3 + 1 + 1/3) / 5 = 13/15; not met (1 + 1/3) / 10 = 2/15; mean (13 + 13 + 2) / 45.
    panel = join("YYY", "YYN", "NYN", rubric=load_rubric("diagnosis"), rule="mean")
    assert panel.score == pytest.approx(28 / 45)


def test_without_the_gate_there_is_no_partial_score() -> None:
    panel = join("YYY", "NYY", rubric=load_rubric("diagnosis"))
    assert (panel.verdict("exact_match").status, panel.partial_score) == ("undecided", None)
    assert panel.bounds == Bounds(worst=0.2, best=1)


def test_an_unverified_level_is_no_vote() -> None:
    assert join("!Y", "!Y", "YY").verdict("quality").votes == {"NO": 0, "YES": 1}


def test_a_panel_survives_its_json() -> None:
    panel = join("YY", "N?", size=3, rule="mean")
    assert Panel.model_validate_json(panel.model_dump_json()) == panel


def test_an_unknown_criterion_is_named_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no criterion 'dose'; this panel has quality, safe"):
        join("YY").verdict("dose")


OTHER = small_rubric().model_copy(update={"version": "2"})


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        pytest.param([], "there is none", id="no grade"),
        pytest.param([make_grade("YY", sample=n) for n in range(4)], "4 grades", id="too many"),
        pytest.param(
            [make_grade("YY"), make_grade("YY", item_id="2", sample=1)],
            "one prediction",
            id="items",
        ),
        pytest.param(
            [make_grade("YY"), make_grade("YY", system="m", sample=1)],
            "one prediction",
            id="systems",
        ),
        pytest.param([make_grade("YY", OTHER)], "no longer", id="rubric"),
        pytest.param([make_grade("YY"), make_grade("NN")], "votes twice", id="one vote twice"),
    ],
)
def test_grades_that_make_no_panel_are_refused(grades: list[Grade], message: str) -> None:
    with pytest.raises(InputError, match=message):
        aggregate(grades, SMALL, size=3, rule="majority")


def test_a_size_or_rule_that_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="majority, mean, median"):
        aggregate([make_grade("YY")], SMALL, size=1, rule="max")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigError, match="at least 1"):
        aggregate([make_grade("YY")], SMALL, size=0, rule="mean")


def test_members_that_failed_or_graded_by_rule_are_never_taken_for_one_vote_twice() -> None:
    failed = aggregate([make_grade("--"), make_grade("--")], SMALL, size=2, rule="mean")
    assert failed.verdict("safe").missing == {"unscored": 2}
    blank = [make_grade("NN", empty=True)] * 2
    panel = aggregate(blank, SMALL, size=2, rule="majority")
    assert (panel.empty, panel.score, panel.coverage) == (True, 0, 1)


def test_a_judge_is_the_same_on_every_item_whatever_its_replies_said() -> None:
    one = signature(SMALL, sampling={"temperature": 1, "max_tokens": 10}, mode="json")
    other = signature(SMALL, sampling={"temperature": 1, "max_tokens": 99}, reported_model="x")
    warmer = signature(SMALL, sampling={"temperature": 2, "max_tokens": 10})
    assert judge_key(one) == judge_key(other) != judge_key(warmer)


VOTES = st.text("012?!-", min_size=8, max_size=8)
PANELS = st.lists(VOTES, min_size=1, max_size=6)
RULES = st.sampled_from(get_args(Rule))
EXAMINATION = load_rubric("examination")


def join_some(votes: Sequence[str], size: int, rule: Rule, order: Sequence[int]) -> Panel:
    grades = [make_grade(votes[n], EXAMINATION, sample=n) for n in order]
    return aggregate(grades, EXAMINATION, size=size, rule=rule)


@given(PANELS, RULES, st.integers(0, 2), st.randoms(use_true_random=False))
def test_the_order_of_members_changes_nothing(
    votes: list[str], rule: Rule, absent: int, dice: random.Random
) -> None:
    order = list(range(len(votes)))
    panel = join_some(votes, len(votes) + absent, rule, order)
    dice.shuffle(order)
    assert join_some(votes, len(votes) + absent, rule, order) == panel


@given(st.text("012", min_size=8, max_size=8), RULES, st.integers(1, 6))
def test_members_at_one_score_as_one_judge_does(votes: str, rule: Rule, size: int) -> None:
    panel = join_some([votes] * size, size, rule, range(size))
    alone = score_verdicts(EXAMINATION, make_grade(votes, EXAMINATION).verdicts)
    assert panel.score == panel.bounds.worst == panel.bounds.best == float(alone.score or 0)
    assert panel.coverage == 1
    assert [verdict.level for verdict in panel.criteria] == list(votes)
    assert {verdict.confidence for verdict in panel.criteria} == {1.0}
    if size > 1:
        assert {verdict.agreement for verdict in panel.criteria} == {1.0}


@given(PANELS, RULES)
def test_score_and_bounds_lie_in_order(votes: list[str], rule: Rule) -> None:
    panel = join_some(votes, len(votes), rule, range(len(votes)))
    assert (panel.score is None) == any(v.status != "judged" for v in panel.criteria)
    if panel.partial_score is not None:
        assert panel.bounds.worst <= panel.partial_score <= panel.bounds.best


@given(PANELS, RULES)
def test_a_lost_vote_makes_nothing_surer(votes: list[str], rule: Rule) -> None:
    size = len(votes)
    full = join_some(votes, size, rule, range(size))
    less = join_some([*votes[:-1], "-" * 8], size, rule, range(size))
    assert less.coverage <= full.coverage
    assert less.bounds.worst <= full.bounds.worst <= full.bounds.best <= less.bounds.best
    for before, after in zip(full.criteria, less.criteria, strict=True):
        if after.level is not None and after.level == before.level:
            assert (after.confidence or 0) <= (before.confidence or 0)
        if rule == "majority":
            assert after.level in (before.level, None)


def panels_of(*columns: str, rubric: Rubric = SMALL) -> list[Panel]:
    """One panel an item: a column a member, a mark an item; the second criterion is always YES."""
    return [
        aggregate(
            [
                make_grade(mark + "Y", rubric, judge=f"judge {n}", item_id=str(item))
                for n, mark in enumerate(marks)
            ],
            rubric,
            size=len(columns),
            rule="majority",
        )
        for item, marks in enumerate(zip(*columns, strict=True))
    ]


def test_a_report_gives_disagreement_spread_and_effective_number() -> None:
    # Two judges, four items: NNYY and NYYY. They differ on one item of four; SD of (0, 1) is
    # 1 / sqrt(2). r = 0.5 / sqrt(1 * 0.75) = 1 / sqrt(3), n_eff = 2 / (1 + r).
    report = panel_report(panels_of("NNYY", "NYYY"))
    quality, safe = report.criteria
    assert (report.panels, report.empty) == (4, 0)
    assert [member.judge for member in report.members] == ["judge 0", "judge 1"]
    assert (quality.panels, quality.judged, quality.disagreement) == (4, 3, 0.25)
    assert quality.sd == pytest.approx(1 / sqrt(2) / 4)
    assert quality.range == 0.25
    assert quality.independence.rho == pytest.approx(1 / sqrt(3))
    assert quality.independence.n_eff == pytest.approx(2 / (1 + 1 / sqrt(3)))
    assert quality.independence.votes == 4
    assert (safe.disagreement, safe.independence.n_eff) == (0, None)
    assert "judge 0 (sample 0) gave the same points" in safe.independence.reason


def test_over_all_criteria_each_has_its_own_means() -> None:
    # Sums of products 0.5 and 1, of squares 1 and 1, 0.75 and 1: r = 1.5 / sqrt(2 * 1.75).
    groups = [([0.0, 0, 1, 1], [0.0, 1, 1, 1]), ([1.0, 0, 1, 0], [1.0, 0, 1, 0])]
    assert correlation(groups) == pytest.approx(1.5 / sqrt(2 * 1.75))


@pytest.mark.parametrize(
    ("n", "rho", "n_eff"),
    [
        pytest.param(5, 0.0, 5.0, id="independent"),
        pytest.param(5, 1.0, 1.0, id="equal"),
        pytest.param(4, 0.5, 1.6, id="half"),
        pytest.param(3, -0.25, 6.0, id="errors that cancel in part"),
        pytest.param(3, -0.5, None, id="errors that cancel out"),
    ],
)
def test_the_effective_number_of_judges(n: int, rho: float, n_eff: float | None) -> None:
    assert effective_number(n, rho) == n_eff


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param(["NNYY"], "fewer than two members", id="one member"),
        pytest.param(["NY", "NY"], "share 2 votes", id="two items"),
        pytest.param(["NNYY", "??Y?"], "share 1 votes", id="one item in common"),
        pytest.param(["NYNY", "YYYY"], "judge 1 .* gave the same points", id="constant member"),
        pytest.param(["NYNY", "NYNY", "YYYY"], "judge 2 .* gave", id="one undefined pair of three"),
        pytest.param(["NYNY", "YNYN"], "cancel out", id="always opposed"),
    ],
)
def test_an_undefined_number_of_judges_has_a_reason(columns: list[str], reason: str) -> None:
    found = panel_report(panels_of(*columns)).criteria[0].independence
    assert found.n_eff is None
    assert re.search(reason, found.reason)


def test_blank_predictions_are_no_agreement() -> None:
    blank = [make_grade("NN", item_id="blank", judge=f"judge {n}", empty=True) for n in (0, 1)]
    panels = panels_of("NNYY", "NYYY")
    with_blank = panel_report([*panels, aggregate(blank, SMALL, size=2, rule="majority")])
    assert with_blank.empty == 1
    assert with_blank.criteria == panel_report(panels).criteria


def test_a_report_refuses_what_it_cannot_compare() -> None:
    panels = panels_of("NY", "NY")
    with pytest.raises(InputError, match="two panels"):
        panel_report([*panels, panels[0]])
    with pytest.raises(InputError, match="one panel at least"):
        panel_report([])
    with pytest.raises(InputError, match="two versions"):
        panel_report([panels[0], *panels_of("Y", "Y", rubric=OTHER)])


PAIRS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)


@given(PAIRS)
def test_correlation_is_the_standard_librarys(pairs: list[tuple[int, int]]) -> None:
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    found = correlation([(xs, ys)])
    if len(set(xs)) == 1 or len(set(ys)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(statistics.correlation(xs, ys), abs=1e-12)


@given(st.lists(st.text("NY?", min_size=6, max_size=6), min_size=2, max_size=4), st.randoms())
def test_the_order_of_items_changes_no_report(columns: list[str], dice: random.Random) -> None:
    panels = panels_of(*columns)
    shuffled = dice.sample(panels, len(panels))
    assert panel_report(shuffled) == panel_report(panels)
