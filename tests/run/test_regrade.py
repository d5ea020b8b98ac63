import json
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner  # noqa: TID251  to run the command line in this process

from mmrare_judge import Grade, Item, Judge, Prediction, Rubric, read_grades
from mmrare_judge.backends.base import Request
from mmrare_judge.backends.fake import FakeBackend
from mmrare_judge.cache.bundle import export_bundle, import_bundle
from mmrare_judge.cache.read_only import Replay
from mmrare_judge.cache.store import ReplyCache
from mmrare_judge.cli.main import app
from mmrare_judge.errors import (
    CacheMissError,
    FormatError,
    InputError,
    OutputError,
    RefusalError,
    RubricError,
    TransportError,
)
from mmrare_judge.judging.prompt import PROMPT_HASH
from mmrare_judge.records import content_hash
from mmrare_judge.rubric.model import load_rubric, parse_rubric
from mmrare_judge.run.regrade import regrade, write_regraded
from support.makers import RUBRIC, keys_of, make_item, small_rubric

PLAN = "Start prednisone 40 mg daily.\nSee the patient in two weeks."
MADE_THEN = {"key", "usage", "saved", "cached"}
"""What a grade says of its purchase; everything else comes out of a regrading as it was."""

Pair = tuple[Prediction, Item]
Answer = Callable[[Request], Any]


def pair(text: str = PLAN, system: str = "o3", **changes: Any) -> Pair:
    item = make_item(**changes)
    return Prediction(item_id=item.id, text=text, system=system), item


def says(level: str, *quotes: str, **others: Any) -> Answer:
    """The same verdict for every key that is asked, but for those given by name."""
    verdict = {"reasoning": "r", "quotes": list(quotes), "level": level}

    def reply(request: Request) -> dict[str, Any]:
        keys = keys_of(request)
        return {key: others.get(key, verdict) for key in keys}

    return reply


def graded(
    folder: Path, pairs: Iterable[Pair], *answers: Answer | Exception, **options: Any
) -> list[Grade]:
    """Grades bought into a cache; the last answer serves all requests that follow."""
    waiting = list(answers)

    def answer(request: Request) -> Any:
        now = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return now(request) if callable(now) else now

    cache = ReplyCache(folder)
    judge = Judge(
        "fake/model",
        backend=FakeBackend(answer),
        cache=cache,
        **({"rubric": small_rubric()} | options),
    )
    return [judge.grade(prediction, item) for prediction, item in pairs]


def again(
    folder: Path, grades: Iterable[Grade], pairs: Iterable[Pair], rubric: Any = None
) -> list[Grade]:
    rubric = small_rubric() if rubric is None else rubric
    return list(regrade(grades, pairs, rubric=rubric, cache=folder))


def kept(grade: Grade) -> dict[str, Any]:
    return grade.model_dump(exclude=MADE_THEN)


MIXED = {"safe": {"reasoning": "r", "quotes": ["prednisone 40 mg"], "level": "NO"}}

CASES: dict[str, tuple[tuple[Answer | Exception, ...], dict[str, Any]]] = {
    "all judged": ((says("YES", "prednisone 40 mg daily", **MIXED),), {}),
    "second look that helped": ((says("YES", "not said"), says("YES", "in two weeks")), {}),
    "second look that did not": ((says("YES", "not said"),), {}),
    "second look that failed": ((says("YES", "not said"), TransportError("gone")), {}),
    "two second looks": (
        (says("YES", "not said"), says("YES", "nor this"), says("YES", "in two weeks")),
        {"verify_reask": 2},
    ),
    "abstained": ((says("cannot_determine"),), {}),
    "refused": ((RefusalError("no", raw="no"),), {}),
    "refused and kept": ((RefusalError("no", raw="no"),), {"store": "all"}),
    "one criterion a call": ((says("YES", "not said"),), {"criteria_per_call": 1}),
    "one of two calls failed": (
        (TransportError("gone"), says("YES", "in two weeks")),
        {"criteria_per_call": 1},
    ),
    "one failed, one asked again": (
        (says("YES", "not said"), RefusalError("no"), says("YES", "in two weeks")),
        {"criteria_per_call": 1},
    ),
    "too long": ((says("YES"),), {"max_prediction_chars": 10}),
    "one verdict an element": (
        (says("YES", "prednisone 40 mg daily"),),
        {"rubric": "treatment_elements"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_under_the_same_rubric_a_grade_comes_out_as_it_was(name: str, tmp_path: Path) -> None:
    answers, options = CASES[name]
    grades = graded(tmp_path, [pair()], *answers, **options)
    rubric = options.get("rubric", small_rubric())
    (result,) = regrade(grades, [pair()], rubric=rubric, cache=tmp_path)
    assert kept(result) == kept(grades[0])
    assert result.cached or not result.requests
    assert result.usage.calls == 0


@pytest.mark.parametrize("track", ["treatment", "examination", "diagnosis", "cross_image"])
def test_every_track_is_regraded_by_its_own_rubric(track: str, tmp_path: Path) -> None:
    item = make_item(track)
    text = item.reference.answer or ""
    label = list(load_rubric(track).criteria[0].levels)[-1]
    asked = (Prediction(item_id=item.id, text=text), item)
    grades = graded(tmp_path, [asked], says(label, text), rubric=None)
    (result,) = regrade(grades, [asked], cache=ReplyCache(tmp_path))
    assert kept(result) == kept(grades[0])
    assert result.score == 1.0


def test_other_weights_give_the_score_they_would_have_given(tmp_path: Path) -> None:
    """Quality YES, safety NO: 3/4 with weights 3 and 1; 1/4 with weights 1 and 3."""
    grades = graded(tmp_path, [pair()], says("YES", "prednisone 40 mg daily", **MIXED))
    assert grades[0].score == 3 / 4
    (result,) = again(tmp_path, grades, [pair()], swapped())
    assert result.score == 1 / 4
    assert [v.level for v in result.verdicts] == ["YES", "NO"]


def swapped(title: str = "Other weights") -> Rubric:
    text = RUBRIC.replace("weight: 3", "weight: x").replace("weight: 1", "weight: 3")
    text = text.replace("weight: x", "weight: 1").replace("A small rubric", title)
    return parse_rubric(text.replace("Is it good?", "Is it any good?").replace('"1"', '"2"', 1))


def test_a_changed_quote_rule_is_applied_to_the_stored_quotes(tmp_path: Path) -> None:
    """The quote is not found, so quality is unverified; where none is needed it is judged."""
    grades = graded(tmp_path, [pair()], says("YES", "never said"))
    assert grades[0].verdict("quality").status == "unverified"
    lenient = parse_rubric(RUBRIC.replace("It is., quote: true}", "It is.}"))
    (result,) = again(tmp_path, grades, [pair()], lenient)
    assert result.verdict("quality").status == "judged"
    assert result.score == 1.0


def test_the_signature_says_what_was_asked_then_and_what_scored_now(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], says("NO"))
    (result,) = again(tmp_path, grades, [pair()], swapped())
    old, new = grades[0].signature, result.signature
    assert (new.rubric_version, new.rubric_hash) == ("2", swapped().hash)
    assert new.policy["asked_rubric"] == small_rubric().hash
    assert (new.judge, new.prompt_hash) == (old.judge, PROMPT_HASH)
    assert result.key != grades[0].key
    assert result.requests == grades[0].requests


def test_a_grade_can_be_regraded_there_and_back(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], says("NO"))
    there = again(tmp_path, grades, [pair()], swapped())
    elsewhere = again(tmp_path, there, [pair()], swapped("And others"))
    assert elsewhere[0].signature.policy["asked_rubric"] == small_rubric().hash
    back = again(tmp_path, elsewhere, [pair()])
    assert kept(back[0]) == kept(grades[0])


def test_a_blank_prediction_stays_zero_by_rule(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair(" ")], says("NO"))
    ReplyCache(tmp_path).put("key", json_reply("{}"))
    (result,) = again(tmp_path, grades, [pair(" ")], swapped())
    assert (result.empty, result.score) == (True, 0.0)


def json_reply(text: str) -> Any:
    from mmrare_judge.backends.base import Reply

    return Reply(text=text)


def test_a_failure_stays_a_failure_and_is_never_a_zero(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], TransportError("gone", kind="timeout"))
    (result,) = again(tmp_path, grades, [pair()], swapped())
    assert result.score is None
    assert result.unscored == grades[0].unscored
    assert {verdict.status for verdict in result.verdicts} == {"unscored"}


def test_a_reply_an_older_parser_could_not_read_is_read_by_a_newer_one(tmp_path: Path) -> None:
    """The raw reply is whole but was taken for no grading: as if by an older parser."""
    verdict = {"reasoning": "r", "quotes": [], "level": "NO"}
    raw = "Here it is:\n" + json.dumps({"quality": verdict, "safe": verdict | {"level": "YES"}})
    grades = graded(tmp_path, [pair()], FormatError("unreadable", raw=raw))
    assert grades[0].unscored is not None
    (result,) = again(tmp_path, grades, [pair()])
    assert (result.unscored, result.score) == (None, 1 / 4)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        pytest.param(("id: safe", "id: harmless"), "judges safe, which is not asked", id="id"),
        pytest.param(('"YES"', '"FULL"'), r"labels \['NO', 'YES', .*'FULL'", id="label"),
        pytest.param(
            ("criteria:\n", "criteria:\n  - {id: more, question: q, weight: 1, levels: LEVELS}\n"),
            "no reply judges 'more'",
            id="one more criterion",
        ),
    ],
)
def test_a_rubric_that_asks_something_else_is_refused_by_name(
    tmp_path: Path, changed: tuple[str, str], problem: str
) -> None:
    levels = '{"NO": {points: 0, meaning: n}, "YES": {points: 1, meaning: y}}'
    text = RUBRIC.replace(*changed).replace("LEVELS", levels)
    total = sum(Fraction(w) for w in (3, 1, 1)) if "more" in text else 4
    text = text.replace("total_weight: 4", f"total_weight: {total}")
    grades = graded(tmp_path, [pair()], says("NO"))
    with pytest.raises(RubricError, match=problem) as caught:
        again(tmp_path, grades, [pair()], parse_rubric(text))
    assert "has to be graded anew" in str(caught.value)


@pytest.mark.parametrize("look", [0, 1], ids=["first look", "second look"])
def test_a_lost_reply_is_an_error_and_not_a_failure_of_the_judge(tmp_path: Path, look: int) -> None:
    answers = (says("YES", "not said"), says("YES", "in two weeks"))
    grades = graded(tmp_path / "a", [pair()], *answers)
    export_bundle(Replay(tmp_path / "a"), tmp_path / "b.jsonl")
    lines = (tmp_path / "b.jsonl").read_text("utf-8").splitlines()
    lost = grades[0].requests[look]
    left = [line for line in lines if f'"hash":"{lost}"' not in line]
    (tmp_path / "b.jsonl").write_text("\n".join(left) + "\n", encoding="utf-8")
    import_bundle(tmp_path / "b.jsonl", tmp_path / "c")
    with pytest.raises(CacheMissError) as caught:
        again(tmp_path / "c", grades, [pair()])
    assert caught.value.request_hash == lost
    assert caught.value.item_id == "1"


def test_another_prediction_under_the_same_id_is_noticed(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], says("NO"))
    for text in ("Another plan.", " "):
        with pytest.raises(InputError, match="not the one that was graded"):
            again(tmp_path, grades, [pair(text)])


def test_other_elements_under_the_same_id_are_noticed(tmp_path: Path) -> None:
    by_element = load_rubric("treatment_elements")
    grades = graded(tmp_path, [pair()], says("YES", "prednisone"), rubric=by_element)
    reordered = list(make_item().reference.must_include[::-1])
    other = pair(reference={"must_include": reordered})
    with pytest.raises(InputError, match=r"elements of '.*' are not those"):
        again(tmp_path, grades, [other], by_element)


def test_repeats_are_regraded_each_from_its_own_reply(tmp_path: Path) -> None:
    levels = iter(["NO", "YES"])
    backend = FakeBackend(lambda request: says(next(levels), "prednisone 40 mg")(request))
    judge = Judge("fake/model", backend=backend, cache=tmp_path, rubric=small_rubric())
    prediction, item = pair()
    grades = [judge.grade(prediction, item, sample=n) for n in (0, 1)]
    results = again(tmp_path, grades, [pair()], swapped())
    assert [(r.sample, r.score) for r in results] == [(0, 0.0), (1, 1.0)]


def test_a_grade_without_its_prediction_is_an_error(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], says("NO"))
    with pytest.raises(InputError, match="no prediction of system 'o3' for item '1'"):
        again(tmp_path, grades, [pair(system="o4")])


def test_two_predictions_for_one_grade_are_an_error(tmp_path: Path) -> None:
    grades = graded(tmp_path, [pair()], says("NO"))
    with pytest.raises(InputError, match="system 'o3' has two predictions for item '1'"):
        again(tmp_path, grades, [pair(), pair("Rest.")])
    assert len(again(tmp_path, grades, [pair(), pair()])) == 1


def test_the_embedded_judge_has_no_replies_to_regrade(tmp_path: Path) -> None:
    prediction, item = pair()
    grade = Judge("embedded").grade(prediction, item)
    ReplyCache(tmp_path).put("key", json_reply("{}"))
    with pytest.raises(InputError, match="embedded judge"):
        again(tmp_path, [grade], [pair()])


def test_systems_are_told_apart(tmp_path: Path) -> None:
    pairs = [pair(), pair("Rest. " + PLAN, system="o4")]
    grades = graded(tmp_path, pairs, says("NO", "prednisone"), says("YES", "prednisone 40 mg"))
    results = again(tmp_path, grades[::-1], pairs, swapped())[::-1]
    assert [(r.system, r.score) for r in results] == [("o3", 0.0), ("o4", 1.0)]


def test_a_bundle_of_hashes_only_is_enough(tmp_path: Path) -> None:
    grades = graded(tmp_path / "a", [pair()], says("YES", "prednisone 40 mg daily", **MIXED))
    export_bundle(Replay(tmp_path / "a"), tmp_path / "b.jsonl", requests="none")
    import_bundle(tmp_path / "b.jsonl", tmp_path / "c")
    (result,) = again(tmp_path / "c", grades, [pair()], swapped())
    assert result.score == 1 / 4


@pytest.fixture
def files(tmp_path: Path) -> Path:
    prediction, item = pair()
    grades = graded(tmp_path / "cache", [pair()], says("YES", "prednisone 40 mg daily", **MIXED))
    write_regraded(tmp_path / "run", grades)
    (tmp_path / "items.jsonl").write_text(item.model_dump_json() + "\n", encoding="utf-8")
    (tmp_path / "answers.jsonl").write_text(
        json.dumps({"item_id": "1", "system": "o3", "prediction": prediction.text}) + "\n",
        encoding="utf-8",
    )
    weights = RUBRIC.replace("weight: 3", "weight: 2").replace("weight: 1", "weight: 2")
    (tmp_path / "new.yaml").write_text(weights, encoding="utf-8")
    return tmp_path


def run(files: Path, **changes: str) -> Any:
    options = {
        "grades": files / "run",
        "items": files / "items.jsonl",
        "predictions": files / "answers.jsonl",
        "rubric": files / "new.yaml",
        "cache-dir": files / "cache",
        "out": files / "again",
    } | changes
    flat = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    return CliRunner().invoke(app, ["regrade", *flat])


def test_the_command_writes_grades_and_summary(files: Path) -> None:
    """Quality YES and safety NO with weights 2 and 2 are 1/2."""
    done = run(files)
    assert done.exit_code == 0, done.output
    assert [grade.score for grade in read_grades(files / "again")] == [1 / 2]
    summary = json.loads((files / "again" / "summary.json").read_text("utf-8"))
    assert summary["summaries"][0]["graded"] == summary["this_start"]["graded"] == 1
    assert summary["all_starts"]["incurred"]["calls"] == 0
    assert summary["calibration"]["status"] == "uncalibrated"


def test_the_command_overwrites_nothing_and_leaves_nothing_half_done(files: Path) -> None:
    assert isinstance(run(files, out=str(files / "run")).exception, OutputError)
    (files / "new.yaml").write_text(RUBRIC.replace("id: safe", "id: calm"), encoding="utf-8")
    assert isinstance(run(files).exception, RubricError)
    assert list((files / "again").iterdir()) == []
    assert content_hash([kept(grade) for grade in read_grades(files / "run")])
