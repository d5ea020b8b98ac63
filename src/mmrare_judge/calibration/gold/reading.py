"""Gold labels out of files: long tables, and wide ones with a column a rater or a criterion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mmrare_judge.calibration.gold.labels import Gold, GoldLabel, gold_from
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.data.tables import Row, stream_rows
from mmrare_judge.errors import InputError, from_extra
from mmrare_judge.records import Record

PARQUET = (".parquet", ".pq")


class GoldColumns(Record):
    """Which column holds what.

    Attributes:
        item: The item.
        system: The model that answered; may be absent from the file.
        criterion: The criterion; not read where ``criteria`` are columns or ``only_criterion``
            is given.
        rater: Who labelled; not read where ``raters`` are columns.
        label: The label; not read from wide tables.
        cluster: The case; the item if the file has no such column.
        inclusion: The probability with which the unit was chosen to be labelled; may be absent
            from the file where all were alike.
        raters: In a wide table, the columns that are raters.
        criteria: In a wide table, the columns that are criteria.
        only_criterion: The criterion of the whole file, where no column says it.
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
    only_criterion: str | None = None

    @property
    def shape(self) -> Literal["long", "wide by rater", "wide by criterion"]:
        """How the table is laid out."""
        if self.raters:
            return "wide by rater"
        return "wide by criterion" if self.criteria else "long"


LONG = GoldColumns()
"""The long layout: item, system, criterion, rater, label, cluster, inclusion."""


def read_gold(
    path: str | Path,
    scales: Mapping[str, Scale],
    *,
    columns: GoldColumns = LONG,
    recode: Mapping[str, str] | None = None,
) -> Gold:
    """Read gold labels from JSONL, JSON, CSV, TSV, XLSX or Parquet.

    A row of a long table that has neither rater nor label was not labelled, and is left out.

    Args:
        path: The file; its suffix says the format.
        scales: The declared scale of each criterion; see `scales_of`.
        columns: Which column holds what; naming ``raters`` or ``criteria`` reads a wide table.
        recode: The label that a label of the file stands for; one that is not listed stays.

    Raises:
        InputError: A column is missing, or a label is refused; file, row and field are named. Or
            the file is Parquet, and pandas and pyarrow are not installed.
        MissingExtraError: The file is XLSX or Parquet, and openpyxl or pyarrow is not installed.
    """
    path = Path(path)
    if columns.raters and columns.criteria:
        raise InputError("a wide table has raters or criteria as columns, not both")
    rows = _parquet(path) if path.suffix.casefold() in PARQUET else stream_rows(path)
    labels = [label for row in rows for label in _labels(row, columns, str(path))]
    if recode:
        labels = [replace(label, label=_recoded(label.label, recode)) for label in labels]
    return gold_from(labels, scales, file=str(path))


def _labels(row: Row, columns: GoldColumns, file: str) -> Iterator[GoldLabel]:
    needed = _needed(columns)
    for name in needed:
        if name not in row.values:
            problem = f"no column {name!r}; there are {', '.join(map(str, row.values))}"
            remedy = "Say which column holds what: --column item=NAME, or GoldColumns"
            raise InputError(problem, remedy=remedy, file=file, row=row.number, field=name)
    if columns.shape == "long" and _untouched(row.values, columns):
        return
    for name in {columns.item, columns.criterion, columns.rater} & set(needed):
        if _name(row.values[name]) == "":
            raise InputError("is empty", file=file, row=row.number, field=name)
    item = _name(row.values[columns.item])
    cluster = _name(row.values.get(columns.cluster)) or item
    system = _name(row.values.get(columns.system))
    chance = _inclusion(row, columns.inclusion, file)
    for criterion, rater, cell in _cells(row.values, columns):
        yield GoldLabel(item, system, criterion, rater, _label(cell), cluster, row.number, chance)


def _untouched(values: Mapping[str, Any], columns: GoldColumns) -> bool:
    """A row of a labelling sheet that nobody has come to yet."""
    return _name(values[columns.rater]) == "" and _label(values[columns.label]) is None


def _inclusion(row: Row, column: str, file: str) -> float | None:
    cell = row.values.get(column)
    if _name(cell) == "":
        return None
    try:
        return float(str(cell))
    except ValueError as error:
        problem = f"{cell!r} is no probability"
        raise InputError(problem, file=file, row=row.number, field=column) from error


def _recoded(label: str | float | None, recode: Mapping[str, str]) -> str | float | None:
    return label if label is None else recode.get(_name(label), label)


def _needed(columns: GoldColumns) -> Sequence[str]:
    needed = [columns.item, *columns.raters, *columns.criteria]
    if not columns.criteria and columns.only_criterion is None:
        needed.append(columns.criterion)
    if not columns.raters:
        needed.append(columns.rater)
    return [*needed, columns.label] if columns.shape == "long" else needed


def _cells(values: Mapping[str, Any], columns: GoldColumns) -> Iterator[tuple[str, str, object]]:
    criterion = columns.only_criterion or _name(values.get(columns.criterion))
    match columns.shape:
        case "long":
            yield criterion, _name(values[columns.rater]), values[columns.label]
        case "wide by rater":
            yield from ((criterion, rater, values[rater]) for rater in columns.raters)
        case "wide by criterion":
            rater = _name(values[columns.rater])
            yield from ((criterion, rater, values[criterion]) for criterion in columns.criteria)


def _name(cell: object) -> str:
    """A name as text; tables hand out 7.0 where the file says 7."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _label(cell: object) -> str | float | None:
    if cell is None or cell != cell or cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell)  # True is not 1: it has to be a declared category to be let in
    if isinstance(cell, (int, float)):
        return float(cell)
    return str(cell)


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
