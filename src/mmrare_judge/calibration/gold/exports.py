"""Tables and exports as others make them, row by row: what `read_gold` reads from.

`GoldColumns` says which column holds what, `gold_rows` gives the rows.

Delimited files with any usual separator and encoding, sheets with titles above the header and
merged cells, Parquet; and the JSON of Label Studio, Argilla and HealthBench's meta-evaluation, each
known by its keys and laid out as a long table.
"""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mmrare_judge.data.tables import Row, sheet_records, stream_rows
from mmrare_judge.errors import InputError, from_extra
from mmrare_judge.records import Record

PARQUET = (".parquet", ".pq")
DELIMITED = (".csv", ".tsv", ".tab", ".txt")
SEPARATORS = (",", ";", "\t", "|")

LAYOUT = ("item", "system", "criterion", "rater", "label", "cluster")
"""The columns of an export that is laid out as a long table."""


class GoldColumns(Record):
    """Which column holds what, and where the table stands in its file.

    Attributes:
        item: The item.
        system: The model that answered; may be absent from the file.
        criterion: The criterion; not read where ``criteria`` or ``cells`` are columns or
            ``only_criterion`` is given. May be absent where the rubric has one criterion only.
        rater: Who labelled; not read where ``raters`` or ``cells`` are columns or ``only_rater`` is
            given.
        label: The label; not read from wide tables.
        cluster: The case; the item if the file has no such column.
        inclusion: The probability with which the unit was chosen to be labelled; may be absent
            from the file where all were alike.
        raters: In a wide table, the columns that are raters.
        criteria: In a wide table, the columns that are criteria.
        cells: In a wide table, how the columns of each rater and criterion are called, such as
            ``{rater}_{criterion}``.
        criterion_names: What a criterion of the file is called in the rubric, where it is not like
            its id.
        only_criterion: The criterion of the whole file, where no column says it.
        only_rater: The rater of the whole file, where no column says it.
        sheet: The sheet of a workbook that has several.
        header: The row of the header; two rows where raters stand above their criteria.
        fill_down: Columns whose blank cells take what stands above, as merged cells need.
        separator: What separates the cells of a delimited file; found by the header if left out.
    """

    item: str = "item"
    system: str = "system"
    criterion: str = "criterion"
    rater: str = "rater"
    label: str = "label"
    cluster: str = "cluster"
    inclusion: str = "inclusion"
    raters: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    cells: str = ""
    criterion_names: Mapping[str, str] = {}
    only_criterion: str | None = None
    only_rater: str | None = None
    sheet: str = ""
    header: tuple[int, ...] = Field(default=(1,), min_length=1, max_length=2)
    fill_down: tuple[str, ...] = ()
    separator: str = Field(default="", max_length=1)

    @property
    def shape(self) -> Literal["long", "wide by rater", "wide by criterion", "wide by both"]:
        """How the table is laid out."""
        if self.cells:
            return "wide by both"
        if self.raters:
            return "wide by rater"
        return "wide by criterion" if self.criteria else "long"

    @property
    def asked(self) -> Sequence[str]:
        """The columns that the file has to have."""
        shape, asked = self.shape, [self.item, *self.raters, *self.criteria]
        if shape in ("long", "wide by rater") and self.only_criterion is None:
            asked.append(self.criterion)
        if shape in ("long", "wide by criterion") and self.only_rater is None:
            asked.append(self.rater)
        return [*asked, self.label] if shape == "long" else asked


LONG = GoldColumns()
"""The long layout: item, system, criterion, rater, label, cluster, inclusion."""


def gold_rows(path: Path, columns: GoldColumns, notes: list[str]) -> tuple[Iterable[Row], bool]:
    """The rows of a file of labels, and whether an export was laid out as a long table for it.

    Args:
        path: The file; its suffix says the format.
        columns: Where the table stands in the file, and how its columns are called.
        notes: Where to say what was read in another way than it may seem.

    Raises:
        InputError: The file cannot be read.
    """
    suffix = path.suffix.casefold()
    if suffix in PARQUET:
        return _parquet(path), False
    if suffix in DELIMITED:
        return _table(_delimited(path, columns, notes), columns, path, even=True), False
    if suffix == ".xlsx":
        return _table(_sheet(path, columns), columns, path, even=False), False
    rows = list(stream_rows(path))
    for known, unfold in EXPORTS:
        if rows and known(rows[0].values):
            try:
                found = [
                    Row(dict(zip(LAYOUT, cells, strict=True)), row.number, False)
                    for row in rows
                    for cells in unfold(row.values, columns)
                ]
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                problem = f"is not the export that it begins like: {error}"
                raise InputError(problem, file=str(path)) from error
            return found, True
    return rows, False


# --- tables


def _table(
    records: Iterable[Sequence[Any]], columns: GoldColumns, path: Path, *, even: bool
) -> Iterator[Row]:
    """Rows under the header, with what is filled down; blank rows are left out.

    In an ``even`` table every row has as many cells as the header; a sheet leaves out empty ones.
    """
    numbered = enumerate(records, 1)
    top = list(islice(numbered, max(SEARCHED, *columns.header)))
    heads = [cells for number, cells in top if number in columns.header]
    names = _names(heads, path, max(columns.header))
    _check_header(names, top[:SEARCHED], columns, path)
    above: dict[str, Any] = {}
    for number, cells in chain(top, numbered):
        if number <= max(columns.header) or all(_blank(cell) for cell in cells):
            continue
        beyond = any(not _blank(cell) for cell in cells[len(names) :])
        if beyond or (even and len(cells) < len(names)):
            problem = f"{len(cells)} cells, where the header has {len(names)}"
            remedy = "Look for a separator or a quote that is missing or too many"
            raise InputError(problem, remedy=remedy, file=str(path), row=number)
        padded = [*cells, *[None] * (len(names) - len(cells))]
        values = {name: cell for name, cell in zip(names, padded, strict=False) if name}
        for name in columns.fill_down:
            if name in values and _blank(values[name]):
                values[name] = above.get(name)
            above[name] = values.get(name)
        yield Row(values, number, True)


SEARCHED = 20
"""Rows among which a header is looked for that is not where it should be."""


def _check_header(
    names: Sequence[str], top: Sequence[tuple[int, Sequence[Any]]], columns: GoldColumns, path: Path
) -> None:
    missing = [name for name in columns.asked if name not in names]
    for number, cells in top if missing else ():
        if set(columns.asked) <= {str(cell).strip() for cell in cells}:
            raise InputError(
                f"no column {missing[0]!r}; there are {', '.join(filter(None, names))}",
                remedy=f"Row {number} has it: --column header={number}",
                file=str(path), row=max(columns.header), field=missing[0],
            )  # fmt: skip


def _names(heads: Sequence[Sequence[Any]], path: Path, row: int) -> list[str]:
    """The columns' names; of two header rows ``upper | lower``, the upper filled to the right."""
    if not heads or all(_blank(cell) for cell in heads[-1]):
        problem = "no header: the first row has to name the columns"
        remedy = "" if row == 1 else f"header says row {row}, and there is nothing"
        raise InputError(problem, remedy=remedy, file=str(path))
    width = max(map(len, heads))
    parts: list[list[str]] = []
    for place, head in enumerate(heads):
        texts = ["" if _blank(cell) else str(cell).strip() for cell in head]
        texts += [""] * (width - len(texts))
        parts.append(_filled_right(texts) if place < len(heads) - 1 else texts)
    names = [" | ".join(filter(None, column)) for column in zip(*parts, strict=True)]
    lowest = parts[-1]
    names = [name if low else "" for name, low in zip(names, lowest, strict=True)]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        problem = f"the header has {twice[0]!r} more than once"
        remedy = "Rename one of the columns, or name both header rows: header=1,2"
        raise InputError(problem, remedy=remedy, file=str(path), row=row, field=twice[0])
    return names


def _filled_right(texts: Iterable[str]) -> list[str]:
    """A merged head stands in its first cell only."""
    last, found = "", []
    for text in texts:
        last = text or last
        found.append(last)
    return found


def _blank(cell: object) -> bool:
    return cell is None or cell != cell or str(cell).strip() == ""


def _delimited(path: Path, columns: GoldColumns, notes: list[str]) -> Iterator[list[str]]:
    encoding = _encoding(path, notes)
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        separator = columns.separator
        if not separator:
            head = [line.rstrip("\r\n") for line in islice(file, max(columns.header))]
            separator = _separator(head, path, columns)
            file.seek(0)
        try:
            yield from csv.reader(file, delimiter=separator, strict=True)
        except csv.Error as error:
            remedy = "Look for a stray quote, or name the separator: --column separator=';'"
            raise InputError(
                f"not a well-formed table: {error}", remedy=remedy, file=str(path)
            ) from error


def _encoding(path: Path, notes: list[str]) -> str:
    try:
        with path.open("rb") as file:
            if file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE):
                return "utf-16"
            file.seek(0)
            decoder = getincrementaldecoder("utf-8-sig")()
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=str(path)) from error
    except UnicodeDecodeError:
        notes.append(f"{path.name} is not UTF-8; it was read as Windows-1252.")
        return "cp1252"
    return "utf-8-sig"


def _separator(lines: Sequence[str], path: Path, columns: GoldColumns) -> str:
    """The separator by which the header has the columns that are asked for, or else the most."""
    head = "\n".join(lines)
    found = {}
    for separator in SEPARATORS:
        rows = list(csv.reader(io.StringIO(head), delimiter=separator))
        names = [cell.strip() for cell in rows[-1]] if rows else []
        found[separator] = (sum(name in names for name in columns.asked), len(names))
    likely = "\t" if path.suffix.casefold() in (".tsv", ".tab") else ","
    return max(SEPARATORS, key=lambda one: (*found[one], one == likely))


def _sheet(path: Path, columns: GoldColumns) -> list[list[Any]]:
    try:
        return list(sheet_records(path, columns.sheet))
    except InputError as error:
        if "sheets:" not in error.problem:
            raise
        remedy = "Name one: --column sheet=NAME"
        raise InputError(error.problem, remedy=remedy, file=str(path)) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=str(path)) from error


def _parquet(path: Path) -> Iterator[Row]:
    with from_extra("parquet"):
        from pyarrow import ArrowException  # noqa: TID251  this is the door
        from pyarrow.parquet import read_table  # noqa: TID251
    try:
        rows = read_table(path).to_pylist()
    except ArrowException as error:
        raise InputError(f"not a Parquet file: {error}", file=str(path)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot be read: {reason}", file=str(path)) from error
    for number, values in enumerate(rows, start=1):
        yield Row(values, number, True)


# --- exports of annotation tools

Cells = tuple[object, object, object, object, object, object]
"""The cells of `LAYOUT`."""


def _label_studio(task: Mapping[str, Any], columns: GoldColumns) -> Iterator[Cells]:
    """A task with its annotations (https://labelstud.io/guide/task_format)."""
    head = _head(columns, task["data"], task)
    for annotation in task["annotations"]:
        if annotation.get("was_cancelled"):
            continue
        who = annotation["completed_by"]
        rater = (who.get("email") or who["id"]) if isinstance(who, Mapping) else who
        for result in annotation["result"]:
            value = result["value"]
            kinds = [kind for kind in ("choices", "rating", "number") if kind in value]
            if kinds:  # what is not a choice or a number is a remark or a marked span
                yield _long(head, result["from_name"], rater, _only_one(value[kinds[0]]))


def _argilla(record: Mapping[str, Any], columns: GoldColumns) -> Iterator[Cells]:
    """A record of Argilla 2 (``to_json``), or of a feedback dataset of Argilla 1."""
    head = _head(columns, record.get("metadata") or {}, record.get("fields") or {}, record)
    responses = record["responses"] or ()
    if isinstance(responses, Mapping):
        given = [
            (name, one["value"], one) for name, several in responses.items() for one in several
        ]
    else:
        given = [
            (name, value["value"], one)
            for one in responses
            for name, value in (one.get("values") or {}).items()
        ]
    for name, value, one in given:
        if one.get("status", "submitted") == "submitted":
            yield _long(head, name, one.get("user_id"), _only_one(value))


def _argilla_flat(record: Mapping[str, Any], columns: GoldColumns) -> Iterator[Cells]:
    """A record of Argilla 2 as ``to_list(flatten=True)`` or a data set of the hub has it."""
    head = _head(columns, record)
    for key in [key for key in record if key.endswith(".responses")]:
        values, users = record[key] or (), record.get(f"{key}.users") or ()
        states = record.get(f"{key}.status") or ["submitted"] * len(values)
        for value, user, status in zip(values, users, states, strict=True):
            if status in ("submitted", None):
                yield _long(head, key.removesuffix(".responses"), user, _only_one(value))


def _healthbench(row: Mapping[str, Any], columns: GoldColumns) -> Iterator[Cells]:
    """A row of HealthBench's meta-evaluation: whether a completion meets one criterion."""
    for rater, met in zip(row["anonymized_physician_ids"], row["binary_labels"], strict=True):
        item, case = row["completion_id"], row.get("prompt_id")
        yield item, None, columns.only_criterion or row["category"], rater, met, case


def _head(columns: GoldColumns, *sources: Mapping[str, Any]) -> tuple[object, object, object]:
    """Item, system and case of a record, from the first source that has them."""
    found = [
        next((source[name] for source in sources if source.get(name) is not None), None)
        for name in (columns.item, columns.system, columns.cluster)
    ]
    if found[0] is None:
        known = ", ".join(dict.fromkeys(name for source in sources for name in source))
        remedy = "Say which field names the item: --column item=NAME, or item=id for the record's"
        problem = f"no field {columns.item!r}; there are {known}"
        raise InputError(problem, remedy=remedy, field=columns.item)
    return found[0], found[1], found[2]


def _long(
    head: tuple[object, object, object], criterion: object, rater: object, label: object
) -> Cells:
    item, system, cluster = head
    return item, system, criterion, rater, label, cluster


def _only_one(value: object) -> object:
    """The label of a question; a question with several answers has no level."""
    if isinstance(value, list):
        if len(value) > 1:
            raise ValueError(
                f"several labels, {json.dumps(value, ensure_ascii=False)}, on one question"
            )
        return value[0] if value else None
    return value


EXPORTS: tuple[
    tuple[
        Callable[[Mapping[str, Any]], bool],
        Callable[[Mapping[str, Any], GoldColumns], Iterator[Cells]],
    ],
    ...,
] = (
    (lambda row: "annotations" in row and "data" in row, _label_studio),
    (lambda row: "responses" in row and "fields" in row, _argilla),
    (lambda row: any(key.endswith(".responses.users") for key in row), _argilla_flat),
    (lambda row: {"binary_labels", "anonymized_physician_ids"} <= row.keys(), _healthbench),
)
"""How an export is known by its first record, and what lays it out."""
