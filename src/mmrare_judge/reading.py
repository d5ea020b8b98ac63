"""Items read from a file: `read_items`, and `iter_items` for one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmrare_judge.columns import IMAGE_COLUMNS
from mmrare_judge.errors import InputError
from mmrare_judge.item import Item, Track
from mmrare_judge.notices import Notices
from mmrare_judge.records import located
from mmrare_judge.rows import read_row, track_name
from mmrare_judge.tables_io import Row, stream_rows


def iter_items(
    path: str | Path, *, track: str | None = None, images: bool = False
) -> Iterator[Item]:
    """The items of a file, one at a time; doubled ids are not looked for.

    Args:
        path: A ``.tsv``, ``.csv``, ``.xlsx``, ``.jsonl`` or ``.json`` file.
        track: The track of its items, where no column ``track`` says it.
        images: Keep the images, megabytes an item; they are left out otherwise.

    Raises:
        InputError: The track is not known; or, on the way, a row cannot be read.

    >>> iter_items("items.tsv", track="surgery")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    mmrare_judge.errors.InputError: field 'track': unknown track 'surgery'; tracks are ...
    """
    wanted = None if track is None else track_name(track)
    return (item for _, item in _numbered_items(Path(path), wanted, images))


def read_items(path: str | Path, *, track: str | None = None, images: bool = False) -> list[Item]:
    r"""The items of a file.

    Args:
        path: A ``.tsv``, ``.csv``, ``.xlsx``, ``.jsonl`` or ``.json`` file.
        track: The track of its items, where no column ``track`` says it.
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
    rows: dict[str, int] = {}
    for number, item in _numbered_items(Path(path), wanted, images):
        if item.id in items:
            problem = f"id {item.id!r} stands here and in row {rows[item.id]}"
            remedy = "Give every item an id of its own"
            raise InputError(problem, remedy=remedy, file=str(path), row=number)
        items[item.id], rows[item.id] = item, number
    if not items:
        raise InputError("no items: the file has no rows", file=str(path))
    return list(items.values())


def _numbered_items(path: Path, track: Track | None, images: bool) -> Iterator[tuple[int, Item]]:
    notices = Notices(str(path))
    for row in stream_rows(path, drop=() if images else IMAGE_COLUMNS, notices=notices):
        yield row.number, _item(row, path, track, images, notices)


def _item(row: Row, path: Path, track: Track | None, images: bool, notices: Notices) -> Item:
    try:
        return read_row(
            row.values, track=track, images=images, notices=notices, tabular=row.tabular
        )
    except InputError as error:
        raise located(error, path, row.number) from error
