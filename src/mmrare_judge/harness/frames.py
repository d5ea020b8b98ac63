"""Data frames: a frame of answers goes in, a tidy frame of grades comes out.

For pandas, polars and Hugging Face datasets, each only where the frame is of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import JsonValue

from mmrare_judge.data.cells import Notices
from mmrare_judge.data.items import Item, as_item
from mmrare_judge.data.predictions import (
    SYSTEM_COLUMNS,
    TEXT_COLUMNS,
    Prediction,
    PredictionColumns,
    pair_up,
)
from mmrare_judge.errors import InputError
from mmrare_judge.judging.judge import JudgeLike, grade_many
from mmrare_judge.records import built
from mmrare_judge.rubric.model import track_of

Frame = TypeVar("Frame")
T = TypeVar("T")
Pair = tuple[Prediction, Item]

_NUMBERS = ("score", "partial_score", "coverage", "worst", "best", "cost", "points", "confidence")


def grade_frame(
    frame: Frame,
    judge: JudgeLike = None,
    *,
    rows: Literal["grades", "criteria"] = "grades",
    items: Iterable[Item] | None = None,
    track: str | None = None,
    system: str | None = None,
    text_column: str | None = None,
    system_column: str | None = None,
    id_column: str | None = None,
    **options: Any,
) -> Frame:
    """Grade every row of a frame.

    Args:
        frame: A pandas or polars data frame, or a Hugging Face dataset: a row for each answer,
            with the columns of `mmrare_judge.read_predictions`, and those of the item as well
            where ``items`` are not given.
        judge: See `mmrare_judge.Judge`.
        rows: ``"grades"`` for a row a grade, ``"criteria"`` for a row a criterion.
        items: The items, joined by their id.
        track: The track, where the rows do not say it.
        system: The system that made all answers.
        text_column: The column of the answers.
        system_column: The column that tells systems apart.
        id_column: The column of the items' ids.
        **options: Everything `mmrare_judge.grade_many` takes.

    Returns:
        A frame of the same kind, in the order of the rows. A grading that failed has an empty
        score, never 0, and its reason in the column ``no_score``.

    Raises:
        InputError: A row cannot be read, or no item has its id.
    """
    columns = PredictionColumns(system, text_column, system_column, id_column)
    numbered = list(enumerate(_rows_of(frame), start=1))
    predictions = [_read(number, _prediction, row, columns) for number, row in numbered]
    if items is not None:
        pairs = _paired(predictions, list(items))
    else:
        default = track_of(options.get("rubric"))
        own = [_read(number, _item, row, columns, track, default) for number, row in numbered]
        pairs = list(zip(predictions, own, strict=True))
    grades = grade_many(pairs, judge=judge, **options)
    found = grades.to_rows() if rows == "criteria" else [grade.to_row() for grade in grades]
    graded: Frame = _frame_like(frame, found)
    return graded


def _read(number: int, read: Callable[..., T], *arguments: Any) -> T:
    try:
        return read(*arguments)
    except InputError as error:
        raise InputError(
            error.problem, remedy=error.remedy, row=number, field=error.field
        ) from error


def _prediction(row: Mapping[str, Any], columns: PredictionColumns) -> Prediction:
    return built(Prediction, columns.fields(row, Notices()))


def _item(
    row: Mapping[str, Any], columns: PredictionColumns, track: str | None, default: str | None
) -> Item:
    answers = {columns.text_column} if columns.text_column else {*TEXT_COLUMNS}
    systems = {columns.system_column} if columns.system_column else {*SYSTEM_COLUMNS}
    own = {k: v for k, v in row.items() if k not in answers | systems}
    return as_item(own, track=track, default_track=default)


def _paired(predictions: list[Prediction], items: list[Item]) -> list[Pair]:
    pairing = pair_up(predictions, items)
    if pairing.predictions_without_item:
        raise InputError(pairing.problems()[0], remedy="Add the items, or drop these rows")
    return list(pairing.pairs)


# --- The three kinds of frame, told apart without importing any


def _kind(frame: object) -> str:
    return f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"


def _rows_of(frame: Any) -> list[Mapping[str, Any]]:
    match _kind(frame):
        case "pandas.DataFrame":
            rows: list[Mapping[str, Any]] = frame.to_dict("records")
        case "polars.DataFrame":
            rows = frame.to_dicts()
        case "datasets.Dataset":
            rows = frame.to_list()
        case other:
            problem = f"a frame cannot be a {other}"
            remedy = "Give a DataFrame of pandas or polars (collect a LazyFrame), or a Dataset"
            raise InputError(problem, remedy=f"{remedy} (choose a split of a DatasetDict)")
    return rows


def _frame_like(frame: Any, rows: list[dict[str, JsonValue]]) -> Any:
    # Numbers stay numbers where every one of them is missing.
    numbers = [name for name in _NUMBERS if rows and name in rows[0]]
    match _kind(frame):
        case "pandas.DataFrame":
            return type(frame)(rows).astype(dict.fromkeys(numbers, "float64"))
        case "polars.DataFrame":
            import polars

            return polars.DataFrame(rows, schema_overrides=dict.fromkeys(numbers, polars.Float64))
        case _:
            return type(frame).from_list(rows)
