"""MMRareBench's columns, read as an `Item`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmrare_judge.cells import entries, identifier, text
from mmrare_judge.errors import InputError
from mmrare_judge.item import RELATIONS, Item, Reference, Track
from mmrare_judge.metadata import json_or_text, metadata_of
from mmrare_judge.notices import Notices
from mmrare_judge.records import built, shortened

LIST_COLUMNS: Mapping[Track, Mapping[str, str]] = {
    "treatment": {"rubric_must_include": "must_include", "rubric_must_not": "must_not"},
    "examination": {
        "key_test_names": "key_tests",
        "must_not": "must_not",
        "red_flags_to_rule_out": "red_flags",
    },
    "diagnosis": {"answer_aliases": "aliases"},
    "cross_image": {"golden_mainline": "key_findings"},
}
"""MMRareBench's list columns, and the field of `Reference` each fills."""

IMAGE_COLUMNS = ("image", "images")
"""Columns that hold images, MMRareBench's and ours: megabytes that only images=True keeps."""

_COMMON = ("index", "question", "answer")


def item_from_columns(
    values: Mapping[str, Any],
    track: Track,
    *,
    images: bool = False,
    notices: Notices,
    tabular: bool = False,
) -> Item:
    """An `Item` from MMRareBench's columns; unknown ones go into ``metadata``.

    Args:
        values: The cells by their column.
        track: The track, which decides what the columns are.
        images: Keep the images.
        notices: Where to remark on what looks mistaken.
        tabular: The row is a table's: the track's list columns have to be there.

    Raises:
        InputError: A column is missing, or a cell cannot be read.

    >>> row = {"index": "1", "question": "What is it?", "answer": "Fabry disease", "age": 40}
    >>> dict(item_from_columns(row, "diagnosis", notices=Notices()).metadata)
    {'age': 40}
    """
    _check_columns(values, track, tabular)
    known = (*_COMMON, "context", "track", *IMAGE_COLUMNS, *LIST_COLUMNS[track])
    if track == "cross_image":
        known = (*known, "relation_type")
    fields = {
        "id": identifier(values["index"], "index"),
        "track": track,
        "question": text(values["question"], "question"),
        "context": text(values.get("context"), "context"),
        "reference": _reference(values, track, notices),
        "images": _images(values.get("image")) if images else (),
        "metadata": metadata_of(values, known=known, notices=notices),
    }
    return built(Item, fields)


def _reference(values: Mapping[str, Any], track: Track, notices: Notices) -> Reference:
    fields: dict[str, Any] = {"answer": text(values["answer"], "answer")}
    for column, field in LIST_COLUMNS[track].items():
        claims = column == "golden_mainline"
        fields[field] = entries(values.get(column), column, claims=claims, notices=notices)
    if track == "cross_image":
        fields["relation"] = _relation(values["relation_type"])
    return built(Reference, fields)


def _check_columns(values: Mapping[str, Any], track: Track, tabular: bool) -> None:
    needed = list(_COMMON)
    if tabular and track != "diagnosis":
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
