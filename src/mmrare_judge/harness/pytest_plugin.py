"""The pytest plugin: predictions graded in tests, from kept replies unless a judge is to be asked.

::

    def test_plan(assert_grade):
        assert_grade(plan, item, min_score=0.8, criteria={"safety": "YES"})

By default replies are replayed from a folder that lies in the repository, so that tests need no
key and no network; ``--mmrare-record`` asks the judge for what the folder does not hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

# This module is loaded in every pytest session of an environment that has this package: all that
# takes time to import is imported by the fixtures.
if TYPE_CHECKING:
    from mmrare_judge.cache.read_only import Replay
    from mmrare_judge.cache.store import ReplyCache
    from mmrare_judge.data.predictions import Prediction
    from mmrare_judge.harness.grader import Graded, Grader
    from mmrare_judge.judging.grade import Grade

REPLIES = ".mmrare-replies"
_RECORD = "run pytest --mmrare-record to ask the judge, and keep its replies"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, and the same as settings of the configuration file."""
    group = parser.getgroup("mmrare", "grading with mmrare-judge")
    group.addoption(
        "--mmrare-record",
        action="store_true",
        help="ask the judge for replies that the folder of replies does not hold, and keep them",
    )
    group.addoption(
        "--mmrare-gate",
        metavar="STUDY",
        help="fail unless this certificate (a study's folder) holds for every grade",
    )
    parser.addini("mmrare_judge", "the judge: a model, a judge file, or embedded", default="")
    parser.addini("mmrare_rubric", "the rubric; by default the one of the item's track", default="")
    parser.addini("mmrare_replies", f"the folder of replies; by default {REPLIES}", default=REPLIES)
    parser.addini("mmrare_items", "a file of items, for tests that name an item by its id")
    parser.addini("mmrare_track", "the track of items that do not say it themselves")


class GradeCall(Protocol):
    """What the fixture ``mmrare_grade`` gives."""

    def __call__(self, prediction: str | Prediction, item: Any) -> Grade:
        """Grade a prediction of an item: an `Item`, its fields, or its id in ``mmrare_items``."""
        ...


class AssertGrade(Protocol):
    """What the fixture ``assert_grade`` gives."""

    def __call__(
        self,
        prediction: str | Prediction,
        item: Any,
        *,
        min_score: float | None = None,
        criteria: Mapping[str, str] | None = None,
    ) -> Grade:
        """Fail the test unless the grade is good enough.

        Args:
            prediction: The text, or a `Prediction`.
            item: As for ``mmrare_grade``.
            min_score: The least score; a grade without a score fails.
            criteria: For each of these criteria the level it must have.
        """
        ...


@pytest.fixture(scope="session")
def mmrare_grader(pytestconfig: pytest.Config) -> Iterator[Grader]:
    """The judge of this session, as the settings say; override it to make one in code."""
    from mmrare_judge.cache.store import ReplyCache
    from mmrare_judge.harness.grader import Grader
    from mmrare_judge.judging.judge import default_judge

    judge = pytestconfig.getini("mmrare_judge") or default_judge()
    cache = _replies(pytestconfig, judge)
    items = pytestconfig.getini("mmrare_items")
    yield Grader(
        judge,
        items=pytestconfig.rootpath / items if items else None,
        track=pytestconfig.getini("mmrare_track") or None,
        rubric=pytestconfig.getini("mmrare_rubric") or None,
        cache=cache,
        certificate=pytestconfig.getoption("--mmrare-gate"),
    )
    if isinstance(cache, ReplyCache):
        cache.close()


def _replies(config: pytest.Config, judge: str) -> ReplyCache | Replay | Literal["off"]:
    from mmrare_judge.backends.base import EMBEDDED
    from mmrare_judge.cache.read_only import Replay
    from mmrare_judge.cache.store import ReplyCache

    folder = config.rootpath / config.getini("mmrare_replies")
    if judge == EMBEDDED:
        return "off"
    if config.getoption("--mmrare-record"):
        return ReplyCache(folder, keep_grades=False)
    if not folder.is_dir():
        raise pytest.UsageError(f"there are no replies in {folder}; {_RECORD}")
    return Replay(folder)


@pytest.fixture
def mmrare_grade(mmrare_grader: Grader) -> GradeCall:
    """Grades a prediction: ``mmrare_grade(prediction, item)``."""

    def grade(prediction: str | Prediction, item: Any) -> Grade:
        return _graded(mmrare_grader, prediction, item).grade

    return grade


@pytest.fixture
def assert_grade(mmrare_grader: Grader, request: pytest.FixtureRequest) -> AssertGrade:
    """Fails the test unless a prediction is graded well enough; the failure shows the verdicts."""
    gated = request.config.getoption("--mmrare-gate") is not None

    def check(
        prediction: str | Prediction,
        item: Any,
        *,
        min_score: float | None = None,
        criteria: Mapping[str, str] | None = None,
    ) -> Grade:
        __tracebackhide__ = True
        graded = _graded(mmrare_grader, prediction, item)
        problems = [*_problems(graded.grade, min_score, criteria or {})]
        if gated:
            problems += _not_certified(graded.grade)
        if problems:
            pytest.fail("\n".join([*problems, "", graded.explanation]), pytrace=False)
        return graded.grade

    return check


def _graded(grader: Grader, prediction: str | Prediction, item: Any) -> Graded:
    from mmrare_judge.errors import CacheMissError

    __tracebackhide__ = True
    try:
        return grader(prediction, item)
    except CacheMissError as error:
        pytest.fail(f"{error}\n{_RECORD}", pytrace=False)


def _problems(grade: Grade, min_score: float | None, criteria: Mapping[str, str]) -> Iterator[str]:
    if min_score is not None and grade.score is None:
        yield f"item {grade.item_id} has no score: {grade.no_score}"
    if min_score is not None and grade.score is not None and grade.score < min_score:
        yield f"item {grade.item_id} has the score {grade.score:.3g}, less than {min_score:.3g}"
    for name, wanted in criteria.items():
        verdict = grade.verdict(name)
        if verdict.level != wanted:
            found = verdict.level or verdict.status
            yield f"item {grade.item_id}: {name} is {found}, not {wanted}"


def _not_certified(grade: Grade) -> list[str]:
    # A blank prediction is scored by rule, so there is nothing that a certificate could hold for.
    held = grade.calibration
    if held.status == "calibrated" or grade.empty:
        return []
    return [f"no certificate holds for this grade: {'; '.join(held.reasons) or held.status}"]
