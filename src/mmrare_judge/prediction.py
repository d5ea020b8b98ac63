"""What a system answered: `Prediction`, and `read_predictions` from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, field_validator, model_validator

from mmrare_judge.cells import absent
from mmrare_judge.columns import IMAGE_COLUMNS
from mmrare_judge.errors import InputError
from mmrare_judge.notices import Notices
from mmrare_judge.prediction_columns import PredictionColumns
from mmrare_judge.records import Record, Text, built, count_unstorable, located
from mmrare_judge.tables_io import EXCEL_CELL, EXCEL_REMARK, Row, stream_rows


class Prediction(Record):
    r"""One answer of one system to one item.

    Attributes:
        item_id: The item it answers.
        text: The answer; ``None`` and NaN are read as no answer, which is empty text.
        system: The model that answered; empty if not known.
        metadata: Everything else that is known of the answer.
        notes: What was done to the text on the way here, or may have been, in sentences.

    >>> Prediction(item_id="7", text="5\x00\x00 mg").notes
    ('2 characters that no text file can hold were replaced',)
    """

    item_id: Text = Field(min_length=1)
    text: Text
    system: Text = ""
    metadata: Mapping[str, JsonValue] = {}
    notes: tuple[Text, ...] = ()

    @field_validator("text", mode="before")
    @classmethod
    def _no_answer_is_empty(cls, value: object) -> object:
        return "" if absent(value) else value

    @model_validator(mode="before")
    @classmethod
    def _note_replacements(cls, fields: Any) -> Any:
        """Say how much of the text is replaced: afterwards nobody can count it."""
        raw = fields.get("text") if isinstance(fields, Mapping) else None
        count = count_unstorable(raw) if isinstance(raw, str) else 0
        note = f"{count} characters that no text file can hold were replaced"
        notes = tuple(fields.get("notes", ())) if count else ()
        return {**fields, "notes": (*notes, note)} if count and note not in notes else fields


def read_predictions(
    path: str | Path,
    *,
    system: str | None = None,
    text_column: str | None = None,
    system_column: str | None = None,
    id_column: str | None = None,
) -> list[Prediction]:
    r"""The predictions of a file, VLMEvalKit's result tables among them.

    Columns not named by an argument are looked for: the id in ``index``, ``item_id`` or ``id``;
    the text in ``prediction``, ``response`` or ``text``; the system in ``system`` or ``model``.
    Two of them in one row are an error, not a choice. Further columns go into ``metadata``,
    images are left out.

    Args:
        path: A ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.xlsx`` file.
        system: The system that made them all, whatever a column says.
        text_column: The column of the answers.
        system_column: The column that tells systems apart; not together with ``system``.
        id_column: The column of the items' ids.

    Raises:
        InputError: A row cannot be read, a system answers an item twice, or there is no row.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "answers.csv")
    ...     _ = file.write_text("index,prediction\n7,Rest.\n")
    ...     [answer.text for answer in read_predictions(file, system="o3")]
    ['Rest.']
    """
    if system is not None and system_column is not None:
        raise InputError("system and system_column exclude each other", remedy="Give one of them")
    path = Path(path)
    columns = PredictionColumns(system, text_column, system_column, id_column)
    notices = Notices(str(path))
    rows: dict[tuple[str, str], int] = {}
    predictions: list[Prediction] = []
    for row in stream_rows(path, drop=IMAGE_COLUMNS, notices=notices):
        prediction = _prediction(row, path, columns, notices)
        key = (prediction.system, prediction.item_id)
        if key in rows:
            raise _doubled(prediction, row, rows[key], path)
        rows[key] = row.number
        predictions.append(prediction)
    if not predictions:
        raise InputError("no predictions: the file has no rows", file=str(path))
    return predictions


def _prediction(row: Row, path: Path, columns: PredictionColumns, notices: Notices) -> Prediction:
    try:
        fields = row.values
        # A stored Prediction is read back as it is, unless other columns are asked for.
        if columns != PredictionColumns() or not _is_stored(fields):
            fields = columns.fields(row.values, notices)
        prediction = built(Prediction, fields)
    except InputError as error:
        raise located(error, path, row.number) from error
    if path.suffix.casefold() == ".xlsx" and len(prediction.text) == EXCEL_CELL:
        return prediction.model_copy(update={"notes": (*prediction.notes, EXCEL_REMARK)})
    return prediction


def _is_stored(fields: Mapping[str, Any]) -> bool:
    return {"item_id", "text", "metadata"} <= set(fields) <= set(Prediction.model_fields)


def _doubled(prediction: Prediction, row: Row, first: int, path: Path) -> InputError:
    who = f"system {prediction.system!r}" if prediction.system else "a system without a name"
    problem = f"{who} answers item {prediction.item_id!r} here and in row {first}"
    columns = ", ".join(row.values)
    remedy = (
        "If a column tells the systems apart, name it: system_column, or --system-column on the "
        f"command line; columns are {columns}"
    )
    return InputError(problem, remedy=remedy, file=str(path), row=row.number)
