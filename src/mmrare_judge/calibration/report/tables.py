"""Rows of a table out of results: columns with a head and a cell, and estimates as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from mmrare_judge.calibration.report.blocks import NONE, REMARK, Table, ends, number
from mmrare_judge.calibration.statistics.estimate import Estimate
from mmrare_judge.calibration.statistics.table import STATISTICS

Rows = Iterable[tuple[tuple[str, ...], Estimate]]
"""Estimates, each under one name or several."""

Row = TypeVar("Row")
Columns = Mapping[str, Callable[[Row], str]]
"""The columns of a table: the head of each, and how its cell is made."""


def table_of(
    caption: str, columns: Columns[Row], rows: Iterable[Row], *, words: int = 1, remarks: int = 0
) -> Table:
    """A table of these columns, a row a result."""
    made = tuple(tuple(cell(row) for cell in columns.values()) for row in rows)
    return Table(caption, tuple(columns), made, words, remarks)


HEAD = ("value", "interval", "method", "units", "cases", "missing", REMARK)
"""The columns of an estimate, after whatever names it."""


def estimates_table(
    caption: str,
    names: tuple[str, ...],
    rows: Rows,
    *,
    more: Mapping[str, Sequence[str]] | None = None,
) -> Table:
    """A table of estimates, each under one name or several.

    What all rows share is said once: how the intervals were made, in the caption; that there is
    nothing to remark, by leaving the column out.

    Args:
        caption: What it shows.
        names: Heads of the columns that name the estimates.
        rows: The names of each estimate, and the estimate.
        more: Further columns, before the remarks.

    >>> found = Estimate(name="kappa", value=None, n=0, clusters=0, reason="no labels")
    >>> estimates_table("Agreement", ("criterion",), [(("dose",), found)]).rows[0][-1]
    'no labels'
    """
    further = more or {}
    shown = []
    for place, (name, estimate) in enumerate(rows):
        *numbers, remark = cells(estimate)
        shown.append((*name, *numbers, *(column[place] for column in further.values()), remark))
    head = (*names, *HEAD[:-1], *further, REMARK)
    table = Table(caption, head, tuple(shown), words=len(names), remarks=1)
    return without_remarks(with_one_method(table))


def cells(estimate: Estimate) -> tuple[str, ...]:
    """The estimate as the cells of `HEAD`.

    >>> cells(Estimate(name="kappa", value=0.5, n=3, clusters=2, reason="only 2 cases"))
    ('0.500', '–', '–', '3', '2', '0', 'only 2 cases')
    """
    interval = estimate.interval
    remarks = [estimate.reason]
    if interval is not None and interval.undefined:
        remarks.append(f"undefined in {interval.undefined} resamples")
    return (
        number(estimate.value),
        ends(estimate),
        f"{interval.method}, {100 * interval.level:g} %" if interval else NONE,
        str(estimate.n),
        str(estimate.clusters),
        str(estimate.missing),
        "; ".join(filter(None, remarks)),
    )


def with_one_method(table: Table) -> Table:
    """The table with the method of its intervals in the caption, where they all have one.

    Where they have several, the caption says at least the level that they share.

    >>> made = Table("Agreement", ("criterion", "method"), (("dose", "bca, 95 %"),))
    >>> with_one_method(made).caption, with_one_method(made).rows
    ('Agreement (intervals: bca, 95 %)', (('dose',),))
    >>> made = Table("Scores", ("score", "method"), (("a", "bca, 95 %"), ("b", "wilson, 95 %")))
    >>> with_one_method(made).caption, with_one_method(made).rows
    ('Scores (intervals: 95 %)', (('a', 'bca'), ('b', 'wilson')))
    """
    place = table.head.index("method")
    methods = {row[place] for row in table.rows} - {NONE}
    levels = {method.rpartition(", ")[2] for method in methods}
    if len(methods) < 2:
        return replace(_without(table, place), caption=_with(table.caption, methods))
    if len(levels) > 1:
        return table
    rows = tuple(
        (*row[:place], row[place].removesuffix(f", {min(levels)}"), *row[place + 1 :])
        for row in table.rows
    )
    return replace(table, caption=_with(table.caption, levels), rows=rows)


def _with(caption: str, intervals: set[str]) -> str:
    return f"{caption} (intervals: {min(intervals)})" if intervals else caption


def without_remarks(table: Table) -> Table:
    """The table without its remarks, where they say nothing, or in its caption, if all the same.

    >>> without_remarks(Table("Agreement", ("criterion", "remark"), (("dose", ""),))).head
    ('criterion',)
    >>> both = (("dose", "few cases"), ("route", "few cases"))
    >>> without_remarks(Table("Agreement", ("criterion", "remark"), both)).caption
    'Agreement; all rows: few cases'
    """
    remarks = {row[-1] for row in table.rows}
    if len(remarks - {""}) > 1 or (any(remarks) and ("" in remarks or len(table.rows) == 1)):
        return table
    note = f"; all rows: {remarks.pop()}" if any(remarks) else ""
    bare = replace(_without(table, len(table.head) - 1), remarks=0)
    return replace(bare, caption=table.caption + note)


def _without(table: Table, place: int) -> Table:
    head, *rows = ((*row[:place], *row[place + 1 :]) for row in (table.head, *table.rows))
    return replace(table, head=head, rows=tuple(rows))


def statistic_title(statistic: str) -> str:
    """How people call a statistic; the name itself where the table has none."""
    row = STATISTICS.get(statistic)
    return row.title if row else statistic
