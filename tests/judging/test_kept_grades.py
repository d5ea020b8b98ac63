"""Finished grades: found again only where they would be worked out just so."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import subprocess
import sys
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mmrare_judge import Grade, Judge, Prediction, Run, Terms
from mmrare_judge.backends.base import Meter, Reply, Request, Usage
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import GRADES, ReplyCache, open_store
from mmrare_judge.certificate import Certificate, Rules
from mmrare_judge.errors import TruncatedError
from mmrare_judge.judging import kept_grades
from mmrare_judge.judging.grading import finish
from mmrare_judge.run.summary import Progress
from support.makers import RUBRIC, keys_of, make_item, small_rubric
from support.paths import TESTS

PLAN = "Start prednisone 40 mg daily.\nSee the patient in two weeks."
FOUND, NOT_THERE = "prednisone 40 mg", "never said"


class Seller:
    """A backend that answers with quotes in turn, at a price that floats add up badly."""

    def __init__(self, *quotes: str, level: str = "YES") -> None:
        self.quotes, self.level, self.asked = list(quotes or (FOUND,)), level, 0

    async def complete(self, request: Request, meter: Meter) -> Reply:
        """Answer every key alike."""
        quote = self.quotes[min(self.asked, len(self.quotes) - 1)]
        self.asked += 1
        meter.add(Usage(calls=1, prompt_tokens=10, completion_tokens=3, cost=0.1 * self.asked))
        answer = {"reasoning": "r", "quotes": [quote], "level": self.level}
        reply = request.reply_model.model_validate(dict.fromkeys(keys_of(request), answer))
        return Reply(text=reply.model_dump_json(), usage=meter.usage, model="sold-1")


def judge_with(cache: Any, backend: Seller, **options: Any) -> Judge:
    return Judge(
        "fake/model", backend=backend, cache=cache, **{"rubric": small_rubric(), **options}
    )


def graded(cache: Any, backend: Seller, text: str | Prediction = PLAN, **options: Any) -> Grade:
    """A grade, and what waits to be kept written."""
    judge = judge_with(cache, backend, **options)
    grade = judge.grade(text, make_item())
    judge.write_kept()
    return grade


def worked_out(cache: Path, **options: Any) -> Grade:
    """The grade as its replies make it, whatever is kept."""
    return graded(ReplyCache(cache, keep_grades=False), Seller(), **options)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry a grade that is worked out of replies."""
    done: list[Any] = []

    def counted(*given: Any) -> Grade:
        done.append(given)
        return finish(*given)

    monkeypatch.setattr("mmrare_judge.judging.judge.finish", counted)
    return done


WAYS = [
    pytest.param({}, (FOUND,), id="one reply"),
    pytest.param({}, (NOT_THERE, FOUND), id="a second look"),
    pytest.param({"verify_reask": 3}, (NOT_THERE,) * 3 + (FOUND,), id="four looks"),
    pytest.param({"criteria_per_call": 1}, (NOT_THERE,) * 2 + (FOUND,), id="a call a criterion"),
    pytest.param({"rubric": "treatment_elements"}, (NOT_THERE, FOUND), id="element by element"),
]


@pytest.mark.parametrize(("options", "quotes"), WAYS)
def test_what_was_kept_when_it_was_paid_for_is_what_would_be_worked_out_to_the_byte(
    tmp_path: Path, options: dict[str, Any], quotes: tuple[str, ...], worked: list[Any]
) -> None:
    paid = graded(tmp_path, Seller(*quotes), **options)
    expected = worked_out(tmp_path, **options)
    worked.clear()
    found = graded(tmp_path, Seller(), **options)
    assert worked == []
    assert found.model_dump_json() == expected.model_dump_json()
    assert (paid.cached, found.cached, found.usage) == (False, True, Usage())
    assert found.score == paid.score


def test_what_was_worked_out_from_the_cache_is_kept_as_well(
    tmp_path: Path, worked: list[Any]
) -> None:
    graded(ReplyCache(tmp_path, keep_grades=False), Seller(NOT_THERE, FOUND))
    assert not (tmp_path / GRADES).exists()
    first = graded(tmp_path, Seller())
    assert len(worked) == 2
    assert graded(tmp_path, Seller()) == first
    assert len(worked) == 2


CHANGES = [
    pytest.param({"rubric": "treatment"}, id="rubric"),
    pytest.param({"temperature": 0.5}, id="sampling"),
    pytest.param({"verify_reask": 0}, id="re-asks"),
    pytest.param({"store": "all"}, id="what is stored"),
    pytest.param({"timeout": 7.0}, id="time limit"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_judge_with_another_setting_finds_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    graded(tmp_path, Seller())
    changed = graded(tmp_path, Seller(), **change)
    assert changed == worked_out(tmp_path, **change).model_copy(
        update={"usage": changed.usage, "saved": changed.saved, "cached": changed.cached}
    )


@pytest.mark.parametrize(
    "prediction",
    [
        pytest.param(Prediction(item_id="1", text=PLAN, system="b"), id="system"),
        pytest.param(Prediction(item_id="1", text=PLAN, notes=("cut",)), id="notes"),
        pytest.param(PLAN + " Rest.", id="text"),
    ],
)
def test_another_prediction_finds_nothing_of_this_one(tmp_path: Path, prediction: Any) -> None:
    graded(tmp_path, Seller())
    grade = graded(tmp_path, Seller(), prediction)
    given = prediction if isinstance(prediction, Prediction) else Prediction(item_id="1", text="")
    assert (grade.system, grade.notes) == (given.system, given.notes)


def test_a_reply_that_is_another_one_now_is_graded_anew(tmp_path: Path) -> None:
    grade = graded(tmp_path, Seller())
    cache = ReplyCache(tmp_path)
    (request,) = grade.requests
    reply = cache.get(request)
    assert reply is not None
    cache.put(request, reply.model_copy(update={"text": reply.text.replace("YES", "NO")}))
    again = graded(tmp_path, Seller())
    assert (grade.score, again.score) == (1.0, 0.0)


def test_a_reply_that_is_gone_is_asked_for_again(tmp_path: Path) -> None:
    grade = graded(tmp_path, Seller())
    open_store(tmp_path).delete(grade.requests[0])
    backend = Seller(level="NO")
    again = graded(tmp_path, backend)
    assert (backend.asked, again.cached, again.score) == (1, False, 0.0)


def test_other_code_works_it_out_anew_and_keeps_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worked: list[Any]
) -> None:
    graded(tmp_path, Seller())
    monkeypatch.setattr(kept_grades, "CODE_HASH", "another")
    graded(tmp_path, Seller())
    assert len(worked) == 2
    graded(tmp_path, Seller())
    assert len(worked) == 2


def test_an_entry_that_is_damaged_is_worked_out_anew(tmp_path: Path) -> None:
    grade = graded(tmp_path, Seller())
    store = open_store(tmp_path / GRADES)
    (key,) = store.iterkeys()
    for damaged in (b"", b"no zlib", zlib.compress(b'{"grade": {"score": 1.0}}')):
        store.set(key, damaged)
        assert graded(tmp_path, Seller()).score == grade.score
        assert store.get(key) != damaged


def test_failures_are_not_kept(tmp_path: Path) -> None:
    class Cut(Seller):
        async def complete(self, request: Request, meter: Meter) -> Reply:
            raise TruncatedError("cut", raw="{")

    grade = graded(tmp_path, Cut(), store="all")
    assert grade.unscored is not None
    assert not (tmp_path / GRADES).exists()


def test_a_replay_reads_replies_and_no_grades(tmp_path: Path) -> None:
    grade = graded(tmp_path, Seller())
    store = open_store(tmp_path / GRADES)
    (key,) = store.iterkeys()
    text = zlib.decompress(store.get(key)).decode()
    false = text.replace('"score":1.0', '"score":0.5')
    assert false != text
    store.set(key, zlib.compress(false.encode()))
    assert graded(tmp_path, Seller()).score == 0.5  # so that is where it would be seen
    assert graded(Replay(tmp_path), Seller()).score == grade.score


def certificate(grade: Grade, expires: date | None = None) -> Certificate:
    return Certificate.model_validate(
        {
            "signature": grade.signature,
            "rules": Rules(expires=expires),
            "dated": date(2020, 1, 1),
            "package": "0",
            "gold": "gold",
            "gold_hash": "h",
            "statistic": "gwet_ac1",
            "tone": "good",
            "verdict": ("It may.",),
            "coverage": 1.0,
            "criteria": {},
            "study_hash": "h",
        }
    )


def test_a_certificate_is_held_against_a_kept_grade_on_the_day_it_is_asked(tmp_path: Path) -> None:
    grade = graded(tmp_path, Seller())
    held, lapsed = certificate(grade), certificate(grade, date(2020, 1, 2))
    states = [
        graded(tmp_path, Seller(), certificate=given).calibration.status
        for given in (None, held, lapsed, None)
    ]
    assert states == ["uncalibrated", "calibrated", "stale", "uncalibrated"]


def test_a_run_keeps_all_its_grades_and_another_finds_them(
    tmp_path: Path, worked: list[Any]
) -> None:
    items = [make_item(id=str(number)) for number in range(100)]
    pairs = [(Prediction(item_id=item.id, text=PLAN, system="a"), item) for item in items]
    options: dict[str, Any] = {"rubric": small_rubric(), "cache": tmp_path / "cache"}
    Run(tmp_path / "one", "fake/model", backend=Seller(), **options).grade(pairs)
    options["cache"] = ReplyCache(tmp_path / "cache", keep_grades=False)
    two = Run(tmp_path / "two", "fake/model", backend=Seller(), **options)
    two.grade(pairs, canonical=True)
    options["cache"] = tmp_path / "cache"
    worked.clear()
    three = Run(tmp_path / "three", "fake/model", backend=Seller(), **options)
    three.grade(pairs, canonical=True)
    assert worked == []
    lines = [(tmp_path / name / "grades.jsonl").read_bytes() for name in ("two", "three")]
    assert lines[0] == lines[1]


def swapped(old: str, new: str) -> str:
    """The small rubric with something changed."""
    assert old in RUBRIC
    return RUBRIC.replace(old, new)


REVERSED = swapped(
    """      "NO": {points: 0, meaning: It is not.}
      "YES": {points: 1, meaning: It is., quote: true}
""",
    """      "YES": {points: 1, meaning: It is., quote: true}
      "NO": {points: 0, meaning: It is not.}
""",
)


def test_a_rubric_that_was_copied_and_changed_finds_nothing_of_the_first(tmp_path: Path) -> None:
    """The first hashes itself before it is copied."""
    first = small_rubric()
    mixed = Seller(level="NO")
    assert graded(tmp_path, mixed, rubric=first).signature.rubric_hash == first.hash
    harder = first.criteria[0].model_copy(update={"question": "Is it very good?"})
    second = first.model_copy(update={"criteria": (harder, *first.criteria[1:])})
    asked = Seller(level="YES")
    grade = graded(tmp_path, asked, rubric=second)
    assert asked.asked == 1
    assert (grade.score, grade.signature.rubric_hash) == (1.0, second.hash)
    assert second.hash not in (first.hash, None)


def test_levels_are_asked_in_the_order_of_the_scale_however_they_are_listed() -> None:
    one, other = small_rubric(), small_rubric(REVERSED)
    assert [list(c.levels) for c in other.criteria] == [["NO", "YES"], ["NO", "YES"]]
    assert one.hash == other.hash


def test_what_lies_in_the_place_of_another_grade_is_not_taken_for_it(tmp_path: Path) -> None:
    judge = judge_with(tmp_path, Seller())
    for number in ("1", "2"):
        judge.grade(PLAN, make_item(id=number))
    judge.write_kept()
    store = open_store(tmp_path / GRADES)
    one, two = store.iterkeys()
    first, second = store.get(one), store.get(two)
    store.set(one, second)
    store.set(two, first)
    for number in ("1", "2"):
        assert judge_with(tmp_path, Seller()).grade(PLAN, make_item(id=number)).item_id == number


def test_other_terms_are_other_terms_also_when_they_are_set_on_the_judge(tmp_path: Path) -> None:
    judge = judge_with(tmp_path, Seller())
    first = judge.grade(PLAN, make_item())
    judge.write_kept()
    judge.terms = Terms([])
    second = judge.grade(PLAN, make_item())
    assert first.signature.policy["terms"] != second.signature.policy["terms"]
    assert second.signature.policy["terms"] == Terms([]).hash


def test_a_changed_parameter_is_asked_for_also_when_it_is_changed_in_place(tmp_path: Path) -> None:
    judge = judge_with(tmp_path, Seller(), extra={"reasoning_effort": "low"})
    judge.grade(PLAN, make_item())
    judge.write_kept()
    changed = Seller(level="NO")
    again = judge_with(tmp_path, changed, extra={"reasoning_effort": "low"})
    again.spec.extra["reasoning_effort"] = "high"  # type: ignore[index]  # as a user might
    assert (again.grade(PLAN, make_item()).score, changed.asked) == (0.0, 1)


def test_where_the_code_cannot_be_read_nothing_is_kept_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_grades, "CODE_HASH", None)
    assert graded(tmp_path, Seller()).score == 1.0
    assert not (tmp_path / GRADES).exists()


def test_a_reply_whose_model_has_a_name_that_no_file_can_hold_is_graded(tmp_path: Path) -> None:
    class Odd(Seller):
        async def complete(self, request: Request, meter: Meter) -> Reply:
            return (await super().complete(request, meter)).model_copy(update={"model": "m\ud800"})

    assert graded(tmp_path, Odd()).score == 1.0


def spoilt(folder: Path, how: str) -> None:
    """Do something to a folder that is in use."""
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "a file in its place":
        shutil.rmtree(folder)
        folder.write_text("not a folder")
    else:
        for file in folder.glob("cache.db*"):
            file.with_suffix(".new").write_bytes(b"no database" * 1000)
            file.with_suffix(".new").replace(file)


@pytest.mark.parametrize("how", ["deleted", "a file in its place", "replaced"])
def test_a_run_does_not_mind_what_becomes_of_the_folder(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    items = [make_item(id=str(number)) for number in range(300)]
    pairs = [(Prediction(item_id=item.id, text=PLAN, system="a"), item) for item in items]
    run = Run(
        tmp_path / "run",
        "fake/model",
        backend=Seller(),
        rubric=small_rubric(),
        cache=tmp_path / "cache",
    )

    def watch(progress: Progress) -> None:
        if progress.graded == 150:
            spoilt(tmp_path / "cache" / GRADES, how)

    run.watch = watch
    with caplog.at_level(logging.WARNING, "mmrare_judge"):
        report = run.grade(pairs)
    assert (report.progress.graded, report.summaries[0].scored) == (300, 300)
    assert caplog.text.count("is left alone") <= 1


def test_a_grade_is_not_written_when_its_judge_is_garbage_collected(tmp_path: Path) -> None:
    """Python collects garbage anywhere, and nobody expects a disk to be written there."""
    judge_with(tmp_path, Seller()).grade(PLAN, make_item())
    gc.collect()
    assert not (tmp_path / GRADES).exists()


def test_the_grades_of_a_judge_that_is_still_there_are_written_when_the_process_ends(
    tmp_path: Path,
) -> None:
    assert in_a_process(STILL_THERE, tmp_path / "cache") == "1.0\n"
    assert len(open_store(tmp_path / "cache" / GRADES)) == 1


ONE_CALL = """
import sys
from mmrare_judge import grade
from mmrare_judge.backends.fake import FakeBackend
from support.makers import RUBRIC, keys_of, make_item, small_rubric
verdict = {"reasoning": "r", "quotes": ["prednisone"], "level": "YES"}
backend = FakeBackend(lambda request: dict.fromkeys(keys_of(request), verdict))
options = {"rubric": small_rubric(), "judge": "fake/model", "cache": sys.argv[1]}
print(grade("Give prednisone.", make_item(), backend=backend, **options).score)
"""


STILL_THERE = ONE_CALL.replace("import grade", "import Judge").replace(
    'print(grade("Give prednisone.", make_item(), backend=backend, **options).score)',
    """judge = Judge(backend=backend, **options)
print(judge.grade("Give prednisone.", make_item()).score)""",
)


def in_a_process(code: str, cache: Path) -> str:
    path = os.pathsep.join([str(TESTS), *sys.path])
    command = [sys.executable, "-W", "error", "-c", code, str(cache)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.stderr == ""
    return done.stdout


def test_a_single_call_keeps_its_grade(tmp_path: Path) -> None:
    assert in_a_process(ONE_CALL, tmp_path / "cache") == "1.0\n"
    assert len(open_store(tmp_path / "cache" / GRADES)) == 1
