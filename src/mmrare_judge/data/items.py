"""What is graded, and against which evidence: `Item`, its `Reference`, and reading them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel, Field, JsonValue

from mmrare_judge.data.cells import (
    Notices,
    absent,
    entries,
    identifier,
    json_or_text,
    metadata_of,
    plain_value,
    text,
)
from mmrare_judge.data.damage import no_answer, spreadsheet_error
from mmrare_judge.data.tables import stream_rows
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record, Text, built, located, shortened

Track = Literal["treatment", "examination", "diagnosis", "cross_image", "other"]
Relation = Literal["confirm", "complement", "contrast"]

TRACKS: tuple[Track, ...] = get_args(Track)[:-1]
"""The benchmark's tracks, each with a rubric of this package; ``other`` is a task of your own."""
RELATIONS: tuple[Relation, ...] = get_args(Relation)

LIST_FIELDS = ("aliases", "must_include", "must_not", "key_tests", "red_flags", "key_findings")
"""The fields of `Reference` that are lists, and that level 2 and per-element criteria can read."""


class Reference(Record):
    """The evidence-grounded reference of one item; which fields are filled depends on the track.

    Attributes:
        answer: The reference answer in full.
        aliases: Accepted other names of the answer (diagnosis).
        must_include: Elements a right treatment plan states.
        must_not: Elements that must not be recommended: treatments, or tests for a work-up.
        key_tests: Names of the tests a right work-up orders.
        red_flags: Conditions a work-up has to rule out.
        key_findings: Findings a cross-image answer has to name.
        relation: How the images relate: confirm, complement or contrast.
    """

    answer: Text = ""
    aliases: tuple[Text, ...] = ()
    must_include: tuple[Text, ...] = ()
    must_not: tuple[Text, ...] = ()
    key_tests: tuple[Text, ...] = ()
    red_flags: tuple[Text, ...] = ()
    key_findings: tuple[Text, ...] = ()
    relation: Relation | None = None


class Item(Record):
    """One question of a benchmark with its reference.

    Attributes:
        id: The item's id, always a string.
        track: ``treatment``, ``examination``, ``diagnosis`` or ``cross_image``; ``other`` for a
            task of your own.
        question: What the model was asked.
        context: The case as the model was given it; empty where the question holds it.
        reference: What a right answer is measured against.
        images: Images as base64 strings; empty unless asked for on loading.
        metadata: Everything else that is known of the item, for subgroups and reports.
    """

    id: Text = Field(min_length=1)
    track: Track
    question: Text
    context: Text = ""
    reference: Reference
    images: tuple[str, ...] = ()
    metadata: Mapping[str, JsonValue] = {}


# --- What a rubric may read of an item

ITEM_FIELDS: tuple[str, ...] = ("question", "context", *Reference.model_fields)
"""What a criterion may need: fields of `Item` that are text, and all fields of `Reference`."""

REQUIRED_FIELDS = ("question", "answer", "relation")
"""Needed fields that must hold something. A list may be empty, and a context may be absent."""


def field_value(item: Item, name: str) -> str | tuple[str, ...] | None:
    """The value of one of `ITEM_FIELDS`."""
    holder: BaseModel = item if name in ("question", "context") else item.reference
    value: str | tuple[str, ...] | None = getattr(holder, name)
    return value


# --- One row

_TRACK_WORDS: Mapping[str, Track] = {
    **{track.replace("_", ""): track for track in get_args(Track)},
    "crossmodal": "cross_image",
}
_IN_CODE = Notices()


class TableRow(Protocol):
    """A row that can say itself as a mapping, such as a pandas Series."""

    def to_dict(self) -> Mapping[Any, Any]:
        """The cells by their column."""


def track_name(word: str) -> Track:
    """The track a word means, whatever its case, spaces and hyphens.

    Raises:
        InputError: No track is called so.

    >>> track_name("Cross-image"), track_name("crossmodal")
    ('cross_image', 'cross_image')
    """
    track = _TRACK_WORDS.get(re.sub(r"[\s_-]+", "", str(word)).casefold())
    if track is None:
        problem = f"unknown track {shortened(word)}; tracks are {', '.join(get_args(Track))}"
        raise InputError(problem, field="track")
    return track


def as_item(
    row: Item | Mapping[str, Any] | TableRow,
    *,
    track: str | None = None,
    default_track: str | None = None,
    images: bool = False,
) -> Item:
    """An `Item` from an item, a mapping or a pandas row.

    A mapping with ``index`` has MMRareBench's columns, and every further column goes into
    ``metadata``; one with ``id`` or ``reference`` has the fields of `Item` and no others.

    Args:
        row: The row; an `Item` is returned as it is.
        track: The track; a row that names another one is an error.
        default_track: The track of a row that names none, such as that of a rubric.
        images: Keep the images; they are left out otherwise.

    Raises:
        InputError: A column is missing or cannot be read, or the track is not known.

    >>> row = {"index": 7, "question": "Diagnosis?", "answer": "FD", "answer_aliases": "Fabry; FD"}
    >>> as_item(row, track="diagnosis").reference.aliases
    ('Fabry', 'FD')
    """
    if isinstance(row, Item):
        _agreed_track(row.track, track)
        return row
    values = row if isinstance(row, Mapping) else _mapping(row)
    return read_row(
        values, track=track, default_track=default_track, images=images, notices=_IN_CODE
    )


def read_row(
    values: Mapping[str, Any],
    *,
    track: str | None,
    images: bool,
    notices: Notices,
    tabular: bool = False,
    default_track: str | None = None,
) -> Item:
    """An `Item` from the cells of one row; in a table every list column has to be there."""
    resolved = _agreed_track(values.get("track"), track, default_track)
    if "index" in values or tabular or not ("id" in values or "reference" in values):
        return _from_columns(values, resolved, images=images, notices=notices, tabular=tabular)
    fields = {name: cell for name, cell in values.items() if not absent(cell)}
    if not images:
        fields.pop("images", None)
    if "id" in fields:
        fields["id"] = identifier(fields["id"], "id")
    if "metadata" in fields:
        fields["metadata"] = plain_value(fields["metadata"])
    return built(Item, {**fields, "track": resolved})


def _mapping(row: object) -> Mapping[str, Any]:
    to_dict = getattr(row, "to_dict", None)
    if not callable(to_dict):
        remedy = "Give an Item, a mapping or a pandas row"
        raise InputError(f"a row cannot be a {type(row).__name__}", remedy=remedy)
    return {str(column): cell for column, cell in to_dict().items()}


def _agreed_track(own: object, given: str | None, default: str | None = None) -> Track:
    wanted = None if given is None else track_name(given)
    said = None if absent(own) or not str(own).strip() else track_name(str(own))
    if wanted and said and wanted != said:
        problem = f"the row says track {said!r}, and {wanted!r} was asked for"
        remedy = "Leave track out, or correct the row"
        raise InputError(problem, remedy=remedy, field="track")
    if agreed := wanted or said or (default and track_name(default)):
        return agreed
    known = f"tracks are {', '.join(get_args(Track))}"
    remedy = (
        "Give track=... (--track on the command line), a track column, or the rubric of one task; "
        f"{known}"
    )
    raise InputError("the track is not known", remedy=remedy)


# --- MMRareBench's columns

_BENCHMARK_LISTS: Mapping[Track, Mapping[str, str]] = {
    "treatment": {"rubric_must_include": "must_include", "rubric_must_not": "must_not"},
    "examination": {
        "key_test_names": "key_tests",
        "must_not": "must_not",
        "red_flags_to_rule_out": "red_flags",
    },
    "diagnosis": {"answer_aliases": "aliases"},
    "cross_image": {"golden_mainline": "key_findings"},
}
_ANY_LISTS = {field: field for field in LIST_FIELDS} | {
    column: field for lists in _BENCHMARK_LISTS.values() for column, field in lists.items()
}

LIST_COLUMNS: Mapping[Track, Mapping[str, str]] = {**_BENCHMARK_LISTS, "other": _ANY_LISTS}
"""The list columns of each track, and the field of `Reference` each fills."""

IMAGE_COLUMNS = ("image", "images")
"""Columns that hold images, MMRareBench's and ours: megabytes that only images=True keeps."""

_COMMON = ("index", "question", "answer")


def _from_columns(
    values: Mapping[str, Any], track: Track, *, images: bool, notices: Notices, tabular: bool
) -> Item:
    """An `Item` from MMRareBench's columns; unknown ones go into ``metadata``."""
    _check_columns(values, track, tabular)
    known = {*_COMMON, "context", "track", *IMAGE_COLUMNS, *LIST_COLUMNS[track]}
    if track in ("cross_image", "other"):
        known.add("relation_type")
    fields = {
        "id": identifier(values["index"], "index"),
        "track": track,
        "question": _text(values, "question", notices),
        "context": _text(values, "context", notices),
        "reference": _reference(values, track, notices),
        "images": _images(values.get("image")) if images else (),
        "metadata": metadata_of(values, known=known, notices=notices),
    }
    return built(Item, fields)


def _text(values: Mapping[str, Any], column: str, notices: Notices) -> str:
    found = text(values.get(column), column, notices)
    if spreadsheet_error(found):
        problem = f"a spreadsheet error, and not what was written: {shortened(found)}"
        remedy = (
            "Put the text back: write it as text, with an apostrophe before it in a spreadsheet"
        )
        raise InputError(problem, remedy=remedy, field=column)
    if instead := no_answer(found):
        notices.count(column, f"{instead} is taken for the text of an item")
    return found


def _reference(values: Mapping[str, Any], track: Track, notices: Notices) -> Reference:
    fields: dict[str, Any] = {"answer": _text(values, "answer", notices)}
    for column, field in LIST_COLUMNS[track].items():
        claims = column == "golden_mainline"
        listed = entries(values.get(column), column, claims=claims, notices=notices)
        fields[field] = (*fields.get(field, ()), *listed)
    stated = values.get("relation_type")
    if track == "cross_image" or (track == "other" and text(stated, "relation_type").strip()):
        fields["relation"] = _relation(stated)
    return built(Reference, fields)


def _check_columns(values: Mapping[str, Any], track: Track, tabular: bool) -> None:
    needed = [column for column in _COMMON if not (track == "other" and column == "answer")]
    if tabular and track not in ("diagnosis", "other"):
        needed += LIST_COLUMNS[track]
    if track == "cross_image":
        needed.append("relation_type")
    missing = [column for column in needed if column not in values]
    if missing:
        present = ", ".join(str(column) for column in values) or "none"
        problem = f"{track} rows need {', '.join(missing)}; columns present are {present}"
        remedy = "Rename or add the column, or give the track the rows belong to"
        raise InputError(problem, remedy=remedy, field=missing[0])


def _relation(value: object) -> str:
    word = text(value, "relation_type").strip().casefold()
    if word not in RELATIONS:
        problem = f"unknown relation {shortened(value)}; relations are {', '.join(RELATIONS)}"
        raise InputError(problem, field="relation_type")
    return word


def _images(value: object) -> tuple[str, ...]:
    """Base64 images; a single one is not split, since a data address holds a ``;``."""
    value = json_or_text(value)
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    return entries(value, "image")


# --- A file


def iter_items(
    path: str | Path,
    *,
    track: str | None = None,
    default_track: str | None = None,
    images: bool = False,
) -> Iterator[Item]:
    """The items of a file, one at a time, as `read_items` has them; ids may repeat.

    Raises:
        InputError: The track is not known; or, on the way, a row cannot be read.

    >>> iter_items("items.tsv", track="surgery")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mmrare_judge.errors.InputError: field 'track': unknown track 'surgery'; tracks are ...
    """
    wanted = None if track is None else track_name(track)
    return (item for _, item in _numbered_items(Path(path), wanted, default_track, images))


def read_items(
    path: str | Path,
    *more: str | Path,
    track: str | None = None,
    default_track: str | None = None,
    images: bool = False,
) -> list[Item]:
    r"""The items of a file or several.

    Args:
        path: A ``.tsv``, ``.csv``, ``.xlsx``, ``.jsonl`` or ``.json`` file.
        *more: Further ones.
        track: The track of its items; a row that names another one is an error.
        default_track: The track of rows that name none, such as that of a rubric.
        images: Keep the images, megabytes an item; they are left out otherwise.

    Raises:
        InputError: A row cannot be read, an id stands twice, or there is no row.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "items.csv")
    ...     _ = file.write_text("index,question,answer\n007,What is it?,Fabry disease\n")
    ...     [item.id for item in read_items(file, track="diagnosis")]
    ['007']
    """
    wanted = None if track is None else track_name(track)
    items: dict[str, Item] = {}
    places: dict[str, tuple[Path, int]] = {}
    for file in (Path(path), *map(Path, more)):
        before = len(items)
        for number, item in _numbered_items(file, wanted, default_track, images):
            if item.id in items:
                first, row = places[item.id]
                where = f"row {row}" if first == file else f"{first}, row {row}"
                problem = f"id {item.id!r} stands here and in {where}"
                remedy = "Give every item an id of its own"
                raise InputError(problem, remedy=remedy, file=str(file), row=number)
            items[item.id], places[item.id] = item, (file, number)
        if len(items) == before:
            raise InputError("no items: the file has no rows", file=str(file))
    return list(items.values())


def _numbered_items(
    path: Path, track: str | None, default_track: str | None, images: bool
) -> Iterator[tuple[int, Item]]:
    notices = Notices(str(path))
    for row in stream_rows(path, without=() if images else IMAGE_COLUMNS, notices=notices):
        try:
            item = read_row(
                row.values,
                track=track,
                default_track=default_track,
                images=images,
                notices=notices,
                tabular=row.tabular,
            )
        except InputError as error:
            raise located(error, path, row.number) from error
        yield row.number, item
    notices.report()
