"""Gold labels out of files: `read_gold`.

A table is long (a row a label) or wide: a column a rater, a column a criterion, or a column for
each rater and criterion together. `exports` gives the rows, `labels` checks what comes of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.gold.exports import LAYOUT, LONG, GoldColumns, gold_rows
from mmrare_judge.calibration.gold.labels import Gold, Problem, checked_gold
from mmrare_judge.calibration.gold.spelling import criterion_id
from mmrare_judge.calibration.statistics.ratings import Scale
from mmrare_judge.data.tables import Row
from mmrare_judge.errors import InputError


def read_gold(
    path: str | Path,
    scales: Mapping[str, Scale],
    *,
    columns: GoldColumns = LONG,
    recode: Mapping[str, str | None] | None = None,
    missing: Collection[str] = (),
) -> Gold:
    """Read gold labels from JSONL, JSON, CSV, TSV, XLSX or Parquet.

    A row of a long table that has neither rater nor label was not labelled, and is left out.
    Exports of Label Studio and Argilla and HealthBench's meta-evaluation are known by their keys.

    Args:
        path: The file; its suffix says the format.
        scales: The declared scale of each criterion; see `scales_of`.
        columns: Which column holds what; naming ``raters``, ``criteria`` or ``cells`` reads a wide
            table.
        recode: The label that a label of the file stands for; one that is not listed stays. A
            label that stands for nothing is missing.
        missing: Labels that stand for a missing one, such as ``99``.

    Raises:
        InputError: A column is missing, or labels are refused; file, rows and fields are named, all
            in one message. Or the file is Parquet, and pandas and pyarrow are not installed.
        MissingExtraError: The file is XLSX or Parquet, and openpyxl or pyarrow is not installed.
    """
    path = Path(path)
    if sum(map(bool, (columns.raters, columns.criteria, columns.cells))) > 1:
        raise InputError("a wide table has raters, criteria or cells as columns, not two of them")
    notes: list[str] = []
    found, laid_out = gold_rows(path, columns, notes)
    rows = iter(found)
    first = next(rows, None)
    if laid_out:
        names = {name: name for name in LAYOUT}
        columns = LONG.model_copy(
            update={**names, "criterion_names": columns.criterion_names, "raters": ()}
        )
    elif first and len(scales) == 1 and columns.criterion not in first.values:
        only = columns.only_criterion or next(iter(scales))
        columns = columns.model_copy(update={"only_criterion": only})
    reader = _Reader(columns, scales, recode or {}, str(path))
    read = chain([first] if first else (), rows)
    labels = (label for row in read for label in reader.labels(row))
    return checked_gold(
        labels, scales, missing=missing, file=str(path), problems=reader.problems, notes=notes
    )


@dataclass
class _Reader:
    """Makes labels of rows, and gathers what is wrong with them."""

    columns: GoldColumns
    scales: Mapping[str, Scale]
    recode: Mapping[str, str | None]
    file: str

    def __post_init__(self) -> None:
        self.problems: list[Problem] = []
        columns = self.columns
        self._asked = columns.asked
        self._named = sorted({columns.item, columns.criterion, columns.rater} & {*self._asked})
        self._criteria: dict[str, str] = {}
        self._cells: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}

    def labels(self, row: Row) -> Iterator[GoldLabel]:
        """The labels of a row."""
        columns, values = self.columns, row.values
        self._check_columns(row)
        if columns.shape == "long" and self._untouched(values):
            return
        blank = [name for name in self._named if _name(values[name]) == ""]
        self.problems += [Problem("is empty", "", row.number, name) for name in blank]
        if blank:
            return
        item = _name(values[columns.item])
        cluster = _name(values.get(columns.cluster)) or item
        system = _name(values.get(columns.system))
        chance = self._inclusion(row)
        for criterion, rater, cell in self._cells_of(values):
            label = self._recoded(_label(cell))
            name = self._criterion(criterion)
            yield GoldLabel(item, system, name, rater, label, cluster, row.number, chance)

    def _check_columns(self, row: Row) -> None:
        for name in self._asked:
            if name not in row.values:
                known = ", ".join(map(str, row.values))
                raise InputError(
                    f"no column {name!r}; there are {known}",
                    remedy="Say which column holds what: --column item=NAME, or GoldColumns",
                    file=self.file, row=row.number, field=name,
                )  # fmt: skip

    def _untouched(self, values: Mapping[str, Any]) -> bool:
        """A row of a labelling sheet that nobody has come to yet."""
        rater = self.columns.only_rater or _name(values[self.columns.rater])
        unnamed = self.columns.only_rater is not None or rater == ""
        return unnamed and _label(values[self.columns.label]) is None

    def _inclusion(self, row: Row) -> float | None:
        cell = row.values.get(self.columns.inclusion)
        if _name(cell) == "":
            return None
        try:
            return float(str(cell))
        except ValueError:
            what = f"{cell!r} is not a probability"
            self.problems.append(Problem(what, "", row.number, self.columns.inclusion))
            return None

    def _recoded(self, label: str | float | None) -> str | float | None:
        name = _name(label)
        return (self.recode[name] or None) if name in self.recode else label

    def _cells_of(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str, object]]:
        columns = self.columns
        criterion = columns.only_criterion or _name(values.get(columns.criterion))
        rater = columns.only_rater or _name(values.get(columns.rater))
        match columns.shape:
            case "long":
                yield criterion, rater, values[columns.label]
            case "wide by rater":
                yield from ((criterion, name, values[name]) for name in columns.raters)
            case "wide by criterion":
                yield from ((name, rater, values[name]) for name in columns.criteria)
            case "wide by both":
                for column, who, what in self._both(tuple(values)):
                    yield what, who, values[column]

    def _both(self, names: tuple[str, ...]) -> list[tuple[str, str, str]]:
        """The columns of each rater and criterion: their name, the rater, the criterion."""
        if names not in self._cells:
            known = {*self.scales, *self.columns.criterion_names}
            pattern = re.escape(self.columns.cells)
            parts = {"rater": ".+", "criterion": "|".join(sorted(map(re.escape, known), key=len))}
            for part, body in parts.items():
                pattern = pattern.replace(re.escape(f"{{{part}}}"), f"(?P<{part}>{body})")
            found = [(name, re.fullmatch(pattern, name)) for name in names]
            try:
                cells = [
                    (name, hit["rater"].strip(), hit["criterion"]) for name, hit in found if hit
                ]
            except IndexError as error:
                problem = f"cells {self.columns.cells!r} names no rater or no criterion"
                raise InputError(problem, remedy="Write it like {rater}_{criterion}") from error
            if not cells:
                raise InputError(
                    f"no column is called like {self.columns.cells!r}; there are "
                    f"{', '.join(names)}",
                    remedy=f"Criteria are: {', '.join(sorted(known))}; criterion_names says how a "
                    "criterion is called in the file",
                    file=self.file,
                )
            self._cells[names] = cells
        return self._cells[names]

    def _criterion(self, name: str) -> str:
        """The criterion of the rubric that a name of the file means; the name if there is none."""
        if name not in self._criteria:
            given = self.columns.criterion_names.get(name, name)
            alike = [id for id in self.scales if id == given]
            alike = alike or [id for id in self.scales if criterion_id(id) == criterion_id(given)]
            self._criteria[name] = alike[0] if len(alike) == 1 else given
        return self._criteria[name]


def _name(cell: object) -> str:
    """A name as text; tables hand out 7.0 where the file says 7."""
    if cell is None or cell != cell:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _label(cell: object) -> str | float | None:
    if cell is None or cell != cell or str(cell).strip() == "":
        return None
    if isinstance(cell, bool):
        return str(cell)  # true is a word for yes, and not 1
    return float(cell) if isinstance(cell, (int, float)) else str(cell)
