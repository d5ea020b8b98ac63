"""Labels in columns: a sequence of `GoldLabel` that takes some thirty bytes a label.

A benchmark has millions of labels, and an object a label takes hundreds of bytes. Names are kept
once, and a label is the numbers of its names; it becomes a `GoldLabel` when it is asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Bools

Indices = NDArray[np.signedinteger[Any]]

Unit = tuple[str, str, str]
"""What is labelled: item, system and criterion."""


@dataclass(frozen=True, slots=True)
class GoldLabel:
    """One rater's label of one prediction on one criterion.

    Attributes:
        item: The item.
        system: The model that answered; empty where there is one only.
        criterion: The criterion.
        rater: Who labelled.
        label: The label; ``None`` where the rater gave none.
        cluster: The case the item belongs to; labels of one case are not independent.
        row: The row of the file it was read from.
        inclusion: The probability with which the unit was chosen to be labelled, as the labelling
            sheet says; ``None`` where the units were not sampled with different ones.
    """

    item: str
    system: str
    criterion: str
    rater: str
    label: str | float | None
    cluster: str
    row: int | None = None
    inclusion: float | None = None

    @property
    def unit(self) -> Unit:
        """What is labelled."""
        return self.item, self.system, self.criterion


@dataclass(frozen=True, eq=False)
class Column:
    """One field of all labels.

    Attributes:
        values: Its distinct values.
        codes: For each label the index of its value.
    """

    values: tuple[Any, ...]
    codes: Indices

    @cached_property
    def used(self) -> tuple[Any, ...]:
        """The values that occur, in the order in which they first do."""
        codes, first = np.unique(self.codes, return_index=True)
        return tuple(self.values[code] for code in codes[np.argsort(first)])

    def where(self, wanted: Callable[[Any], bool]) -> Bools:
        """The labels whose value is wanted."""
        return np.asarray([wanted(value) for value in self.values] or [False])[self.codes]

    def mapped(self, new: Callable[[Any], Any]) -> Column:
        """The same with other values, of which two may fall on one."""
        names: dict[Any, int] = {}
        at = [names.setdefault(new(value), len(names)) for value in self.values]
        codes = np.asarray(at, dtype=np.int32)[self.codes] if at else self.codes
        return Column(tuple(names), codes)


NAMES = ("item", "system", "criterion", "rater", "label", "cluster")


@dataclass(frozen=True, eq=False)
class Labels(Sequence[GoldLabel]):
    """Labels in columns; `labels_of` makes them.

    Attributes:
        columns: The fields of `NAMES`.
        row: The row of each label; 0 where it is not known.
        inclusion: The inclusion probability of each; nan where there is none.
    """

    columns: Mapping[str, Column]
    row: Indices
    inclusion: Floats

    def __len__(self) -> int:
        return len(self.row)

    @overload
    def __getitem__(self, at: int) -> GoldLabel: ...
    @overload
    def __getitem__(self, at: slice) -> Labels: ...
    def __getitem__(self, at: int | slice) -> GoldLabel | Labels:
        places = np.arange(len(self))[at]
        if isinstance(at, slice):
            return self.take(places)
        return next(iter(self.take(np.array([places]))))

    def __iter__(self) -> Iterator[GoldLabel]:
        names = [self.columns[name] for name in NAMES]
        rows = zip(*(one.codes for one in names), self.row, self.inclusion, strict=True)
        for *codes, row, chance in rows:
            item, system, criterion, rater, label, cluster = (
                one.values[code] for one, code in zip(names, codes, strict=True)
            )
            chosen = None if np.isnan(chance) else float(chance)
            yield GoldLabel(
                item, system, criterion, rater, label, cluster, int(row) or None, chosen
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as long as a list, and compared like one

    def take(self, chosen: Bools | Indices) -> Labels:
        """Some of the labels, by a mask or by their places."""
        columns = {
            name: Column(one.values, one.codes[chosen]) for name, one in self.columns.items()
        }
        alike = self.inclusion.strides == (0,)  # nobody has one: see `LabelBuilder.labels`
        chances = self.inclusion[:1] if alike else self.inclusion[chosen]
        row = self.row[chosen]
        return Labels(columns, row, np.broadcast_to(chances, row.shape) if alike else chances)

    @cached_property
    def units(self) -> Groups:
        """The labels by what is labelled: item, system and criterion."""
        return self.grouped("item", "system", "criterion")

    @cached_property
    def predictions(self) -> Groups:
        """The labels by item and system."""
        return self.grouped("item", "system")

    def grouped(self, *names: str) -> Groups:
        """The labels by some of their fields, in the order in which groups first occur."""
        together = np.zeros(len(self), dtype=np.int64)
        for name in names:
            column = self.columns[name]
            together = together * max(len(column.values), 1) + column.codes
        _, first, inverse = np.unique(together, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rank = np.empty(len(order), dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        fields = tuple(self.columns[name] for name in names)
        return Groups(fields, first[order], rank[inverse.reshape(-1)])

    def pairs(self, one: str, other: str) -> dict[Any, Any]:
        """For each value of a field that of another with which it comes."""
        groups = self.grouped(one, other)
        columns = (self.columns[one], self.columns[other])
        keys, values = (
            [column.values[code] for code in column.codes[groups.first]] for column in columns
        )
        return dict(zip(keys, values, strict=True))

    def renamed(self, items: Mapping[str, str], systems: Mapping[str, str]) -> Labels:
        """The same under other ids; a case that is called like its item is called like it still."""
        if not items and not systems:
            return self
        item, cluster = self.columns["item"], self.columns["cluster"]
        alone = (
            np.asarray(item.values, dtype=object)[item.codes]
            == (np.asarray(cluster.values, dtype=object)[cluster.codes])
        )
        known = {**dict.fromkeys(cluster.values), **{items.get(name, name): None for name in items}}
        at = {name: number for number, name in enumerate(known)}
        turned = np.asarray([at[items.get(name, name)] if name in items else -1
                             for name in item.values], dtype=np.int32)[item.codes]  # fmt: skip
        codes = np.where(alone & (turned >= 0), turned, cluster.codes)
        changed = {
            "item": item.mapped(lambda name: items.get(name, name)),
            "system": self.columns["system"].mapped(lambda name: systems.get(name, name)),
            "cluster": Column(tuple(at), codes),
        }
        return Labels({**self.columns, **changed}, self.row, self.inclusion)


@dataclass(frozen=True, eq=False)
class Groups(Sequence[tuple[str, ...]]):
    """Labels by some of their fields.

    Attributes:
        fields: The fields.
        first: For each group its first label.
        of: For each label its group.
    """

    fields: tuple[Column, ...]
    first: Indices
    of: Indices

    def __len__(self) -> int:
        return len(self.first)

    @overload
    def __getitem__(self, at: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[str, ...]]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, ...] | Sequence[tuple[str, ...]]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        return tuple(one.values[one.codes[self.first[at]]] for one in self.fields)


class LabelBuilder:
    """Takes labels one by one, and keeps them in columns."""

    def __init__(self) -> None:
        self._names: tuple[dict[Any, int], ...] = tuple({} for _ in NAMES)
        self._codes = tuple(array("i") for _ in NAMES)
        self._rows, self._chances = array("q"), array("d")

    def add(self, label: GoldLabel, value: str | float | None) -> None:
        """Add a label; ``value`` is the level it is read as."""
        given = (label.item, label.system, label.criterion, label.rater, value, label.cluster)
        for names, codes, one in zip(self._names, self._codes, given, strict=True):
            codes.append(names.setdefault(one, len(names)))
        self._rows.append(label.row or 0)
        self._chances.append(float("nan") if label.inclusion is None else label.inclusion)

    def labels(self) -> Labels:
        """What was added."""
        columns = {
            name: Column(tuple(names), np.array(codes, dtype=np.int32))
            for name, names, codes in zip(NAMES, self._names, self._codes, strict=True)
        }
        rows = np.array(self._rows, dtype=np.int32)
        chances = np.array(self._chances, dtype=np.float64)
        if np.isnan(chances).all():  # one cell for all of them
            chances = np.broadcast_to(np.float64(np.nan), rows.shape)
        return Labels(columns, rows, chances)


def in_columns(labels: Iterable[GoldLabel]) -> Labels:
    """Labels in columns.

    >>> label = GoldLabel("1", "m", "safe", "Dr A", "NO", "1")
    >>> in_columns([label])[0] == label
    True
    """
    if isinstance(labels, Labels):
        return labels
    builder = LabelBuilder()
    for label in labels:
        builder.add(label, label.label)
    return builder.labels()
