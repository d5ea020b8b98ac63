"""One row, read as an `Item`: our own fields, or MMRareBench's columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from mmrare_judge.cells import absent, identifier
from mmrare_judge.columns import item_from_columns
from mmrare_judge.errors import InputError
from mmrare_judge.item import TRACKS, Item, Track
from mmrare_judge.metadata import plain
from mmrare_judge.notices import Notices
from mmrare_judge.records import built, shortened

_TRACK_WORDS: Mapping[str, Track] = {
    **{track.replace("_", ""): track for track in TRACKS},
    "crossmodal": "cross_image",
}
_IN_CODE = Notices()


class Series(Protocol):
    """A row that can say itself as a mapping, such as a pandas Series."""

    def to_dict(self) -> Mapping[Any, Any]:
        """The cells by their column."""
        ...


def track_name(word: str) -> Track:
    """The track a word means, whatever its case, spaces and hyphens.

    Raises:
        InputError: No track is called so.

    >>> track_name("Cross-image"), track_name("crossmodal")
    ('cross_image', 'cross_image')
    """
    track = _TRACK_WORDS.get(re.sub(r"[\s_-]+", "", str(word)).casefold())
    if track is None:
        known = ", ".join(TRACKS)
        raise InputError(f"unknown track {shortened(word)}; tracks are {known}", field="track")
    return track


def as_item(
    row: Item | Mapping[str, Any] | Series, *, track: str | None = None, images: bool = False
) -> Item:
    """An `Item` from an item, a mapping or a pandas row.

    A mapping with ``index`` has MMRareBench's columns, and every further column goes into
    ``metadata``; one with ``id`` or ``reference`` has the fields of `Item` and no others.

    Args:
        row: The row; an `Item` is returned as it is.
        track: The track, where the row does not say it itself.
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
    return read_row(values, track=track, images=images, notices=_IN_CODE)


def read_row(
    values: Mapping[str, Any],
    *,
    track: str | None,
    images: bool,
    notices: Notices,
    tabular: bool = False,
) -> Item:
    """An `Item` from the cells of one row; in a table every list column has to be there."""
    resolved = _agreed_track(values.get("track"), track)
    if "index" in values or tabular or not ("id" in values or "reference" in values):
        return item_from_columns(values, resolved, images=images, notices=notices, tabular=tabular)
    return _from_fields(values, resolved, images)


def _mapping(row: object) -> Mapping[str, Any]:
    to_dict = getattr(row, "to_dict", None)
    if not callable(to_dict):
        remedy = "Give an Item, a mapping or a pandas row"
        raise InputError(f"a row cannot be a {type(row).__name__}", remedy=remedy)
    return {str(column): cell for column, cell in to_dict().items()}


def _agreed_track(own: object, given: str | None) -> Track:
    wanted = None if given is None else track_name(given)
    said = None if absent(own) or not str(own).strip() else track_name(str(own))
    if wanted and said and wanted != said:
        problem = f"the row says track {said!r}, and {wanted!r} was asked for"
        remedy = "Leave track out, or correct the row"
        raise InputError(problem, remedy=remedy, field="track")
    agreed = wanted or said
    if agreed is None:
        known = f"tracks are {', '.join(TRACKS)}"
        remedy = f"Give track=... (--track on the command line), or a track column; {known}"
        raise InputError("the track is not known", remedy=remedy)
    return agreed


def _from_fields(values: Mapping[str, Any], track: Track, images: bool) -> Item:
    fields = {name: cell for name, cell in values.items() if not absent(cell)}
    if not images:
        fields.pop("images", None)
    if "id" in fields:
        fields["id"] = identifier(fields["id"], "id")
    if "metadata" in fields:
        fields["metadata"] = plain(fields["metadata"])
    return built(Item, {**fields, "track": track})
