"""What a system answered: `Prediction`, read from files, and joined with the items."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, JsonValue, model_validator

from mmrare_judge.data.cells import (
    ESCAPE_REMARK,
    Notices,
    absent,
    identifier,
    metadata_of,
    text,
    unboxed,
)
from mmrare_judge.data.damage import doubtful_answer, no_answer
from mmrare_judge.data.items import IMAGE_COLUMNS, Item
from mmrare_judge.data.joining import TRIED, join_ids
from mmrare_judge.data.tables import EXCEL_REMARK, Row, may_be_cut, stream_rows
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, Text, built, count_unstorable, located

_log = logging.getLogger("mmrare_judge")

NO_ANSWER = "no answer was recorded"
DOUBTFUL_REMARK = (
    "a word that may stand for no answer, such as 'n/a' or '-', is graded as the answer it may be"
)

ID_COLUMNS = ("index", "item_id", "id")
TEXT_COLUMNS = ("prediction", "response", "text")
SYSTEM_COLUMNS = ("system", "model")


@dataclass(frozen=True)
class PredictionColumns:
    """What was said of a table's columns; the rest is looked for, see `read_predictions`."""

    system: str | None = None
    text_column: str | None = None
    system_column: str | None = None
    id_column: str | None = None

    def fields(self, values: Mapping[str, Any], notices: Notices) -> dict[str, Any]:
        """The fields of a `Prediction` in one row.

        Raises:
            InputError: A column is missing or cannot be read, or two could be meant.

        >>> PredictionColumns().fields({"index": 7, "prediction": None}, Notices())
        {'item_id': '7', 'system': '', 'metadata': {}, 'text': ''}
        """
        item_id = _column(values, self.id_column, ID_COLUMNS, "id")
        answer = _column(values, self.text_column, TEXT_COLUMNS, "text")
        system = self._system_column(values)
        known = [item_id, answer, *([system] if system else []), *IMAGE_COLUMNS]
        return {
            "item_id": identifier(values[item_id], item_id),
            "system": _system(values[system], system) if system else self.system or "",
            "metadata": metadata_of(values, known=known, notices=notices),
            **_answer(values[answer], answer, notices),
        }

    def has_text(self, values: Collection[str]) -> bool:
        """Whether some column may hold the answer."""
        names = (self.text_column,) if self.text_column else TEXT_COLUMNS
        return any(name in values for name in names)

    def _system_column(self, values: Mapping[str, Any]) -> str | None:
        usual = any(name in values for name in SYSTEM_COLUMNS)
        if self.system is not None or not (self.system_column or usual):
            return None
        return _column(values, self.system_column, SYSTEM_COLUMNS, "system")


def _system(cell: object, column: str) -> str:
    name = text(cell, column)
    return "" if no_answer(name) else name


def _answer(cell: object, column: str, notices: Notices) -> dict[str, Any]:
    """The text of an answer, why there is none to grade, and notes on both."""
    cell = unboxed(cell)
    if cell is not None and absent(cell):
        return {"text": "", "missing": f"the missing value {cell}"}
    if isinstance(cell, (date, time, timedelta)):
        return {"text": str(cell), "missing": f"the date {cell} that a spreadsheet made of it"}
    given = text(cell, column, notices)
    found: dict[str, Any] = {"text": given}
    notes = [ESCAPE_REMARK] if isinstance(cell, str) and given != cell else []
    if instead := no_answer(given):
        found["missing"] = instead
    elif doubtful_answer(given):
        notes.append(DOUBTFUL_REMARK)
        notices.count(column, DOUBTFUL_REMARK)
    return {**found, "notes": tuple(notes)} if notes else found


def _column(values: Collection[str], asked: str | None, usual: tuple[str, ...], what: str) -> str:
    names = usual if asked is None else (asked,)
    found = [name for name in names if name in values]
    if len(found) == 1:
        return found[0]
    problem = f"no column for the {what}: {' or '.join(names)}; columns are {', '.join(values)}"
    if found:
        problem = f"{' and '.join(found)} could each hold the {what}"
    remedy = f"Say which column it is: {what}_column=..., or --{what}-column on the command line"
    raise InputError(problem, remedy=remedy)


class Prediction(Record):
    r"""One answer of one system to one item.

    A prediction without an answer (``missing``) is unscored; an answer of empty text scores 0.

    Attributes:
        item_id: The item it answers.
        text: The answer; ``None`` and NaN are read as empty text.
        missing: Where no answer was recorded, what stands in its place; else empty.
        system: The model that answered; empty if not known.
        metadata: Everything else that is known of the answer.
        notes: What was done to the text on the way here, or may have been, in sentences.

    >>> Prediction(item_id="7", text="5\x00\x00 mg").notes
    ('2 characters that no text file can hold were replaced',)
    """

    item_id: Text = Field(min_length=1)
    text: Text
    system: Text = ""
    missing: Text = ""
    metadata: Mapping[str, JsonValue] = {}
    notes: tuple[Text, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, fields: Any) -> Any:
        """Say what is missing and what `Text` will replace: afterwards nobody can tell."""
        if not isinstance(fields, Mapping):
            return fields
        if "text" in fields and absent(fields["text"]):
            fields = {**fields, "text": ""}
        count = count_unstorable(fields["text"]) if isinstance(fields.get("text"), str) else 0
        notes = [f"{count} characters that no text file can hold were replaced"] if count else []
        if fields.get("missing"):
            notes.append(f"{NO_ANSWER}: in its place is {fields['missing']}")
        known = tuple(fields.get("notes", ()))
        new = tuple(note for note in notes if note not in known)
        return {**fields, "notes": (*known, *new)} if new else fields


def read_predictions(
    path: str | Path,
    *more: str | Path,
    system: str | None = None,
    text_column: str | None = None,
    system_column: str | None = None,
    id_column: str | None = None,
) -> list[Prediction]:
    r"""The predictions of a file or several, VLMEvalKit's result tables among them.

    Columns not named by an argument are looked for: the id in ``index``, ``item_id`` or ``id``;
    the text in ``prediction``, ``response`` or ``text``; the system in ``system`` or ``model``.
    Two of them in one row are an error, not a choice. Further columns go into ``metadata``,
    images are left out.

    Args:
        path: A ``.jsonl``, ``.json``, ``.csv``, ``.tsv`` or ``.xlsx`` file.
        *more: Further ones. Of several files, the name of one that names no system is its system.
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
    columns = PredictionColumns(system, text_column, system_column, id_column)
    return predictions_in([Path(path), *map(Path, more)], columns)


def predictions_in(paths: Sequence[Path], columns: PredictionColumns) -> list[Prediction]:
    """`read_predictions`, with what is known of the columns in one value."""
    if columns.system is not None and columns.system_column is not None:
        raise InputError("system and system_column exclude each other", remedy="Give one of them")
    if len(paths) == 1:
        return _predictions_of(paths[0], columns)
    found: dict[tuple[str, str], tuple[Path, Prediction]] = {}
    for path in paths:
        for prediction in _predictions_of(path, columns):
            named = prediction if prediction.system else _named(prediction, path.stem)
            key = (named.system, named.item_id)
            if key in found:
                raise InputError(
                    f"system {named.system!r} answers item {named.item_id!r} here and in "
                    f"{found[key][0]}",
                    remedy="Give every file once. If they hold two systems, give them other names, "
                    "or say which column tells the systems apart: --system-column",
                    file=str(path),
                )
            found[key] = path, named
    return [prediction for _, prediction in found.values()]


def _named(prediction: Prediction, system: str) -> Prediction:
    return prediction.model_copy(update={"system": system})


def _predictions_of(path: Path, columns: PredictionColumns) -> list[Prediction]:
    notices = Notices(str(path))
    rows: dict[tuple[str, str], int] = {}
    predictions: list[Prediction] = []
    lacking: list[Row] = []
    for row in stream_rows(path, without=IMAGE_COLUMNS, notices=notices):
        if row.tabular or columns.has_text(row.values):
            prediction = _prediction(row, path, columns, notices)
        else:  # as harnesses write a request that failed; an error if no row has an answer
            lacking.append(row)
            prediction = _without_answer(row, path, columns, notices)
        key = (prediction.system, prediction.item_id)
        if key in rows:
            raise _doubled(prediction, row, rows[key], path)
        rows[key] = row.number
        predictions.append(prediction)
    if not predictions:
        raise InputError("no predictions: the file has no rows", file=str(path))
    if len(lacking) == len(predictions):
        _prediction(lacking[0], path, columns, notices)
    notices.report()
    _say_what_is_missing(path, predictions)
    return predictions


def _say_what_is_missing(path: Path, predictions: Sequence[Prediction]) -> None:
    missing = Counter(prediction.missing for prediction in predictions if prediction.missing)
    empty = sum(not (prediction.text or prediction.missing) for prediction in predictions)
    if missing:
        kinds = "; ".join(f"{what} ({number})" for what, number in missing.most_common(5))
        remark = f"{NO_ANSWER}, and these predictions will be unscored. In its place: {kinds}"
        _log.warning("%s: in %d of %d rows %s", path, missing.total(), len(predictions), remark)
    if empty:
        remark = "the answer is empty, which scores 0"
        _log.warning("%s: in %d of %d rows %s", path, empty, len(predictions), remark)


def _prediction(row: Row, path: Path, columns: PredictionColumns, notices: Notices) -> Prediction:
    try:
        fields = row.values
        # A stored Prediction is read back as it is, unless other columns are asked for.
        if columns != PredictionColumns() or not _is_stored(fields):
            fields = columns.fields(row.values, notices)
        prediction = built(Prediction, fields)
    except InputError as error:
        raise located(error, path, row.number) from error
    if may_be_cut(path, prediction.text):
        return prediction.model_copy(update={"notes": (*prediction.notes, EXCEL_REMARK)})
    return prediction


def _without_answer(
    row: Row, path: Path, columns: PredictionColumns, notices: Notices
) -> Prediction:
    values = {**row.values, columns.text_column or TEXT_COLUMNS[0]: None}
    found = _prediction(Row(values, row.number, row.tabular), path, columns, notices)
    return built(Prediction, {**found.model_dump(), "missing": "a row without an answer"})


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


# --- Predictions joined with their items

_SHOWN = 10


@dataclass(frozen=True)
class Pairing:
    """What `pair_up` found; nothing that went in is missing.

    Attributes:
        pairs: Every prediction with its item, in the predictions' order.
        predictions_without_item: Predictions whose id no item has.
        items_without_prediction: For each system the ids of the items it has not answered, in
            the items' order; a system that answered all of them is not in it. Without any
            prediction it holds all ids under the empty name.
        items: All items.
    """

    pairs: tuple[tuple[Prediction, Item], ...]
    predictions_without_item: tuple[Prediction, ...]
    items_without_prediction: Mapping[str, tuple[str, ...]]
    items: tuple[Item, ...] = ()

    def problems(self) -> tuple[str, ...]:
        """One line for every system and kind of missing partner; none when all are paired."""
        strangers: dict[str, list[str]] = {}
        for prediction in self.predictions_without_item:
            strangers.setdefault(prediction.system, []).append(prediction.item_id)
        kinds = {
            "no item for its prediction": strangers,
            "no prediction for the item": self.items_without_prediction,
        }
        lines = [
            _line(system, what, ids)
            for what, found in kinds.items()
            for system, ids in found.items()
        ]
        return (*lines, TRIED) if strangers else tuple(lines)

    def describe(self) -> str:
        """The pairing in words: one line of figures, then the problems."""
        systems = len({prediction.system for prediction, _ in self.pairs})
        items = len({item.id for _, item in self.pairs})
        head = f"{len(self.pairs)} predictions paired: systems {systems}, items {items}"
        return "\n".join((head, *self.problems()))


def pair_up(predictions: Iterable[Prediction], items: Sequence[Item]) -> Pairing:
    """Every prediction with the item of its id, and what has no partner.

    Ids that differ in spelling are joined as `mmrare_judge.data.joining.join_ids` says; the
    prediction then has the item's id, and a note of its own.

    Raises:
        InputError: Two items have the same id.

    >>> from mmrare_judge.data.items import Reference
    >>> item = Item(id="007", track="treatment", question="Plan?", reference=Reference())
    >>> answers = [Prediction(item_id="7", text="Rest."), Prediction(item_id="8", text="None.")]
    >>> pairing = pair_up(answers, [item])
    >>> pairing.pairs[0][0].notes
    ("its id '7' was read as the item's id '007'",)
    >>> [prediction.item_id for prediction in pairing.predictions_without_item]
    ['8']
    """
    by_id, given = _by_id(items), list(predictions)
    ids: dict[str, list[str]] = {}
    for prediction in given:
        ids.setdefault(prediction.system, []).append(prediction.item_id)
    answered = {system: join_ids(theirs, by_id) for system, theirs in (ids or {"": []}).items()}
    pairs: list[tuple[Prediction, Item]] = []
    strangers: list[Prediction] = []
    for prediction in given:
        id = answered[prediction.system].get(prediction.item_id)
        if id is None:
            strangers.append(prediction)
        else:
            pairs.append((_renamed(prediction, id), by_id[id]))
    unanswered: dict[str, tuple[str, ...]] = {}
    for system, found in answered.items():
        partners = set(found.values())
        if without := tuple(id for id in by_id if id not in partners):
            unanswered[system] = without
    return Pairing(tuple(pairs), tuple(strangers), unanswered, tuple(items))


def _renamed(prediction: Prediction, id: str) -> Prediction:
    if prediction.item_id == id:
        return prediction
    note = f"its id {prediction.item_id!r} was read as the item's id {id!r}"
    return prediction.model_copy(update={"item_id": id, "notes": (*prediction.notes, note)})


def _by_id(items: Sequence[Item]) -> dict[str, Item]:
    by_id: dict[str, Item] = {}
    for item in items:
        if item.id in by_id:
            remedy = "Give every item an id of its own"
            raise InputError(f"two items have the id {item.id!r}", remedy=remedy)
        by_id[item.id] = item
    return by_id


def _line(system: str, what: str, ids: Sequence[str]) -> str:
    who = f"system {system!r}" if system else "system not named"
    return f"{who}: {what}: {some_of(ids)}"


def some_of(ids: Sequence[str]) -> str:
    """The first ten ids, and how many more there are.

    >>> some_of(["7", "8"])
    '7, 8'
    """
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{', '.join(ids[:_SHOWN])}{more}"
