"""Gold labels out of files, checked against the declared scales."""

import json
import sys
from pathlib import Path

import pyarrow  # noqa: TID251  a file to read is written with it
import pytest
from pyarrow.parquet import write_table  # noqa: TID251

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.exports import GoldColumns
from mmrare_judge.calibration.gold.judge import labels_of, scales_of
from mmrare_judge.calibration.gold.labels import Gold, data_card, gold_from
from mmrare_judge.calibration.gold.reading import read_gold
from mmrare_judge.calibration.statistics.ratings import Ratings, Scale
from mmrare_judge.errors import InputError, MissingExtraError
from mmrare_judge.judging.grade import Bounds, Grade, Verdict
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import Signature
from mmrare_judge.rubric.model import load_rubric
from support.paths import SHARED

YES_NO = Scale(level="nominal", categories=("NO", "YES"))
LEVELS = Scale(level="ordinal", categories=("0", "1", "2"))
SCALES = {"safe": YES_NO, "coverage": LEVELS}

KQA = SHARED / "kqa"

LONG = [
    {"item": "7", "system": "m", "criterion": "coverage", "rater": "a", "label": "2"},
    {"item": "7", "system": "m", "criterion": "coverage", "rater": "b", "label": "1"},
    {"item": "8", "system": "m", "criterion": "coverage", "rater": "a", "label": "0"},
    {"item": "8", "system": "m", "criterion": "coverage", "rater": "b", "label": ""},
    {"item": "7", "system": "n", "criterion": "coverage", "rater": "b", "label": "2"},
]


def written(path: Path, rows: list[dict[str, object]]) -> Path:
    separator = {".csv": ",", ".tsv": "\t"}.get(path.suffix)
    if separator is None:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path
    lines: list[list[object]] = [[*rows[0]], *([*row.values()] for row in rows)]
    path.write_text("".join(separator.join(map(str, line)) + "\n" for line in lines), "utf-8")
    return path


def long_gold(tmp_path: Path, suffix: str = ".jsonl") -> Gold:
    return read_gold(written(tmp_path / f"gold{suffix}", [*LONG]), SCALES)  # type: ignore[list-item]  # str is an object


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
def test_a_long_table_becomes_units_by_raters_with_holes(tmp_path: Path, suffix: str) -> None:
    gold = long_gold(tmp_path, suffix)
    ratings = gold.ratings()
    assert gold.units == (("7", "m", "coverage"), ("8", "m", "coverage"), ("7", "n", "coverage"))
    assert ratings.raters == ("a", "b")
    assert ratings.codes.tolist() == [[2, 1], [0, -1], [-1, 2]]
    # Two systems answered item 7: one case.
    assert ratings.clusters.tolist() == [0, 1, 0]
    assert ratings.scale is LEVELS


def test_the_hash_does_not_depend_on_the_format_or_the_order_of_rows(tmp_path: Path) -> None:
    turned: list[dict[str, object]] = [dict(row) for row in reversed(LONG)]
    for row in turned:
        row["label"] = int(str(row["label"])) if row["label"] else None
    other = read_gold(written(tmp_path / "turned.jsonl", turned), SCALES)
    assert other.hash == long_gold(tmp_path).hash
    changed = turned[:-1]
    assert read_gold(written(tmp_path / "less.jsonl", changed), SCALES).hash != other.hash


def test_a_wide_table_may_have_a_column_a_rater(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item": "7", "criterion": "coverage", "Dr A": "2", "Dr B": "1"},
        {"item": "8", "criterion": "coverage", "Dr A": "0", "Dr B": ""},
    ]
    columns = GoldColumns(raters=("Dr A", "Dr B"))
    gold = read_gold(written(tmp_path / "wide.csv", rows), SCALES, columns=columns)
    assert gold.ratings().codes.tolist() == [[2, 1], [0, -1]]


def test_a_wide_table_may_have_a_column_a_criterion(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"item": "7", "rater": "a", "safe": "NO", "coverage": 2}]
    columns = GoldColumns(criteria=("safe", "coverage"))
    gold = read_gold(written(tmp_path / "wide.jsonl", rows), SCALES, columns=columns)
    assert gold.about(criterion="safe").ratings().codes.tolist() == [[0]]
    assert gold.about(criterion="coverage").ratings().codes.tolist() == [[2]]


def test_a_file_about_one_criterion_need_not_name_it(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"item": "7", "rater": "a", "label": "YES", "cluster": "c1"}]
    columns = GoldColumns(only_criterion="safe")
    gold = read_gold(written(tmp_path / "one.jsonl", rows), SCALES, columns=columns)
    assert gold.criteria == ("safe",)
    assert gold.labels[0].cluster == "c1"


def test_parquet_is_read_with_its_gaps(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "item": [7, 8], "criterion": ["coverage"] * 2, "rater": ["a", "a"],
            "label": [2.0, None],
        }
    )  # fmt: skip
    write_table(table, tmp_path / "gold.parquet")
    gold = read_gold(tmp_path / "gold.parquet", SCALES)
    assert [unit[0] for unit in gold.units] == ["7", "8"]
    assert gold.ratings().codes.tolist() == [[2], [-1]]


@pytest.mark.parametrize(
    ("content", "says"), [(b"item,label", "not a Parquet file"), (None, "cannot be read")]
)
def test_what_is_no_parquet_file_is_refused(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "gold.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_gold(path, SCALES)


def test_parquet_without_a_reader_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"mmrare-judge\[parquet\]"):
        read_gold(tmp_path / "gold.parquet", SCALES)


def test_labels_off_the_scale_are_refused_with_all_their_rows(tmp_path: Path) -> None:
    rows = [dict(row) for row in LONG]
    rows[1]["label"] = "3"
    rows[4]["label"] = "two"
    path = written(tmp_path / "gold.csv", [*rows])  # type: ignore[list-item]  # str is an object
    with pytest.raises(InputError) as caught:
        read_gold(path, SCALES)
    error = caught.value
    assert (error.file, error.row, error.field) == (str(path), 3, "label")
    assert error.problem == "'3' is not a label of 'coverage', nor are row 6 ('two')"
    assert error.remedy == "Labels are: 0, 1, 2"


def label(item: str = "1", rater: str = "a", value: object = "NO", **changes: object) -> GoldLabel:
    fields = {"item": item, "system": "", "criterion": "safe", "rater": rater, "label": value}
    return GoldLabel(**{"cluster": item, **fields, **changes})  # type: ignore[arg-type]  # a maker


REFUSED = {
    "twice": ([label(row=2), label(value="YES", row=5)], r"row 5.*a labelled 1 /  / safe twice"),
    "unknown criterion": ([label(criterion="sfae")], r"criterion 'sfae' has no scale.*safe"),
    "truth value": (
        [label(criterion="coverage", value=True)],
        r"True is not a label of 'coverage'. Labels are: 0, 1, 2",
    ),
    "a code": ([label(value=99.0)], r"if 99 stands for a missing label, say so: missing"),
    "two clusters": ([label(), label(rater="b", cluster="x")], r"in two clusters, '1' and 'x'"),
    "nothing": ([], "no labels"),
}


@pytest.mark.parametrize(("labels", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_labels_is_said(labels: list[GoldLabel], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        gold_from(labels, SCALES)


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"case": "7", "criterion": "safe", "rater": "a", "label": "NO"}
    ]
    with pytest.raises(InputError, match=r"row 1, field 'item': no column 'item'; there are case"):
        read_gold(written(tmp_path / "gold.jsonl", rows), SCALES)


def test_an_empty_rater_is_refused(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"item": "7", "criterion": "safe", "rater": "", "label": "NO"}]
    with pytest.raises(InputError, match=r"row 1, field 'rater': is empty"):
        read_gold(written(tmp_path / "gold.jsonl", rows), SCALES)


def test_criteria_with_different_scales_are_not_pooled() -> None:
    gold = gold_from([label(), label(criterion="coverage", value="2")], SCALES)
    with pytest.raises(InputError, match="different scales cannot be pooled: safe, coverage"):
        gold.ratings()


def test_asking_for_what_was_not_labelled_names_what_was() -> None:
    with pytest.raises(InputError, match=r"no labels of criterion 'coverage'.*Criteria: safe"):
        gold_from([label()], SCALES).about(criterion="coverage")


def test_continuous_labels_are_numbers() -> None:
    scales = {"score": Scale(level="continuous")}
    labels = [label(criterion="score", value=0.5), label("2", criterion="score", value="0.75")]
    assert gold_from(labels, scales).ratings().numbers.tolist() == [[0.5], [0.75]]
    with pytest.raises(InputError, match=r"'high' is not a label of 'score'. Labels are: finite"):
        gold_from([label(criterion="score", value="high")], scales)


def test_a_judge_joins_as_a_rater_and_what_it_left_undecided_is_missing() -> None:
    gold = gold_from([label("1"), label("2", value="YES"), label("3")], SCALES)
    judged = {("1", "", "safe"): "NO", ("2", "", "safe"): None, ("9", "", "safe"): "YES"}
    ratings = gold.with_rater("judge", judged).ratings().only("judge", "a")
    assert ratings.codes.tolist() == [[0, 0], [-1, 1], [-1, 0]]


def test_a_judge_who_shares_no_unit_with_the_gold_is_refused() -> None:
    with pytest.raises(InputError, match="labelled no unit of the gold, such as 1 /  / safe"):
        gold_from([label()], SCALES).with_rater("judge", {("1", "m", "safe"): "NO"})


def test_grades_become_a_raters_labels() -> None:
    grade = Grade(
        item_id="1",
        system="m",
        key="k",
        track="treatment",
        coverage=0.5,
        bounds=Bounds(worst=0, best=1),
        verdicts=(
            Verdict(criterion="safe", status="judged", level="YES", points=1),
            Verdict(criterion="dose", status="abstained"),
        ),
        level2=Level2(),
        signature=Signature(
            judge="j", rubric="r", rubric_version="1", rubric_hash="h", package="0"
        ),
    )
    assert labels_of([grade]) == {("1", "m", "safe"): "YES", ("1", "m", "dose"): None}


def test_scales_come_from_the_rubric() -> None:
    treatment = scales_of(load_rubric("treatment"))
    kinds = {c.id: c.kind for c in load_rubric("treatment").criteria}
    assert {scale.categories for scale in treatment.values()} == {("NO", "YES")}
    # The positive category of a safety criterion is the violation, which must not be missed.
    for criterion, scale in treatment.items():
        assert scale.positive == ("NO" if kinds[criterion] == "safety" else "YES")
    examination = scales_of(load_rubric("examination"))
    assert {scale.level for scale in examination.values()} == {"ordinal"}
    assert {scale.points for scale in examination.values()} == {(0.0, 1.0, 2.0)}


def test_sampling_weights_reach_the_ratings() -> None:
    gold = gold_from([label("1"), label("2")], SCALES)
    weights = {("1", "", "safe"): 1.0, ("2", "", "safe"): 4.0}
    assert gold.ratings(weights=weights).weights.tolist() == [1, 4]
    with pytest.raises(InputError, match="unit 2 /  / safe has no weight"):
        gold.ratings(weights={("1", "", "safe"): 1.0})


def sampled(tmp_path: Path, *chances: object) -> Gold:
    rows: list[dict[str, object]] = [
        {"item": item, "criterion": "safe", "rater": rater, "label": "NO", "inclusion": chance}
        for item, rater, chance in zip("788", "aab", chances, strict=True)
    ]
    return read_gold(written(tmp_path / "sampled.jsonl", rows), SCALES)


def test_inclusion_probabilities_are_read_by_unit(tmp_path: Path) -> None:
    gold = sampled(tmp_path, 1, "0.25", 0.25)
    assert gold.inclusion == {("7", "", "safe"): 1.0, ("8", "", "safe"): 0.25}
    assert gold.about(criterion="safe").inclusion == gold.inclusion
    joined = gold.with_rater("judge", {("8", "", "safe"): "YES"})
    assert joined.inclusion == gold.inclusion
    assert [label.inclusion for label in joined.labels if label.rater == "judge"] == [1, 0.25]


def test_inclusion_probabilities_change_the_hash_and_their_absence_does_not(tmp_path: Path) -> None:
    plain, blank = sampled(tmp_path, "", "", ""), sampled(tmp_path, None, None, None)
    assert plain.inclusion == {}
    assert plain.hash == blank.hash
    assert sampled(tmp_path, 1, 0.25, 0.25).hash != plain.hash
    assert sampled(tmp_path, 1, 0.25, 0.25).hash != sampled(tmp_path, 1, 0.5, 0.5).hash


CHANCES = {
    "one is missing": (("", 0.5, 0.5), r"row 1.*7 /  / safe has no inclusion probability.*is 1 "),
    "above one": ((1.5, 0.5, 0.5), r"row 1.*probability 1.5 of 7 /  / safe is outside \(0, 1\]"),
    "none": ((0, 0.5, 0.5), r"row 1.*probability 0 of"),
    "a word": (("often", 0.5, 0.5), r"row 1, field 'inclusion': 'often' is not a probability"),
    "two of one unit": ((1, 0.5, 0.25), r"row 3.*8 /  / safe has two inclusion probabilities"),
}


@pytest.mark.parametrize(("chances", "problem"), CHANCES.values(), ids=CHANCES)
def test_inclusion_probabilities_that_contradict_themselves_are_refused(
    tmp_path: Path, chances: tuple[object, ...], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        sampled(tmp_path, *chances)


def test_rows_that_nobody_has_come_to_are_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item": "7", "criterion": "safe", "rater": "a", "label": "NO"},
        {"item": "8", "criterion": "safe", "rater": "a", "label": ""},
        {"item": "9", "criterion": "safe", "rater": "", "label": ""},
    ]
    gold = read_gold(written(tmp_path / "sheet.csv", rows), SCALES)
    assert [label.label for label in gold.labels] == ["NO", None]


def test_labels_may_be_called_otherwise_than_in_the_rubric(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item": item, "criterion": "safe", "rater": "a", "label": label}
        for item, label in (("7", 1), ("8", "NO"), ("9", None))
    ]
    path = written(tmp_path / "gold.jsonl", rows)
    gold = read_gold(path, SCALES, recode={"1": "YES"})
    assert [label.label for label in gold.labels] == ["YES", "NO", None]
    with pytest.raises(InputError, match="'MAYBE' is not a label of 'safe'"):
        read_gold(path, SCALES, recode={"1": "MAYBE"})


SCALE_FAULTS = {
    "one category": {"level": "nominal", "categories": ("a",)},
    "twice the same": {"level": "nominal", "categories": ("a", "a")},
    "interval without points": {"level": "interval", "categories": ("a", "b")},
    "points of another number": {"level": "ordinal", "categories": ("a", "b"), "points": (1,)},
    "continuous with categories": {"level": "continuous", "categories": ("a", "b")},
    "unknown positive": {"level": "nominal", "categories": ("a", "b"), "positive": "c"},
}


@pytest.mark.parametrize("fields", SCALE_FAULTS.values(), ids=SCALE_FAULTS)
def test_a_scale_that_contradicts_itself_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Scale.model_validate(fields)


def test_labels_given_in_code_are_checked_too() -> None:
    with pytest.raises(InputError, match=r"row 2: label 'MAYBE'. Labels are: NO, YES"):
        Ratings.from_labels([["NO"], ["MAYBE"]], YES_NO)


def test_the_data_card_counts_what_there_is(tmp_path: Path) -> None:
    card = data_card(long_gold(tmp_path), name="n", source="s", licence="MIT")
    assert (card.items, card.clusters, card.units, card.labels) == (2, 2, 3, 4)
    assert card.systems == {"m": 2, "n": 1}
    assert card.raters["a"].model_dump() == {"given": 2, "empty": 0, "absent": 1}
    assert card.raters["b"].model_dump() == {"given": 2, "empty": 1, "absent": 0}
    criterion = card.criteria["coverage"]
    assert criterion.distribution == {"0": 1, "1": 1, "2": 2}
    assert (criterion.missing, criterion.per_unit) == (2, {1: 2, 2: 1})
    assert json.loads(card.model_dump_json())["hash"].startswith("sha256-c1:")


def test_the_card_of_kqa_agrees_with_its_readme() -> None:
    if not KQA.is_dir():
        pytest.skip("the shared kqa data are not here")
    scale = Scale(level="nominal", categories=("Contradiction", "Neutral", "Entailment"))
    columns = GoldColumns(
        item="claim_id", system="model", rater="rater_id", cluster="item_id", only_criterion="claim"
    )
    gold = read_gold(KQA / "labels_long.jsonl", {"claim": scale}, columns=columns)
    card = data_card(gold, name="kqa, dev", source="Itaymanes/K-QA", licence="MIT")
    assert (card.units, card.labels, card.clusters) == (248, 744, 30)
    assert set(card.systems) == {"gpt35", "gpt4", "bard", "askk"}
    assert {rater.given for rater in card.raters.values()} == {248}
