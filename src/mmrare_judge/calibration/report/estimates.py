"""Estimates as marks of a plot and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mmrare_judge.calibration.plots.intervals import Mark
from mmrare_judge.calibration.report.blocks import REMARK, Table
from mmrare_judge.calibration.report.text import NONE, ends, number
from mmrare_judge.calibration.statistics.estimate import Estimate

HEAD = ("value", "interval", "method", "units", "cases", "missing", REMARK)
"""The columns of an estimate, after whatever names it."""


def mark(estimate: Estimate | None) -> Mark:
    """The estimate as a mark; without a value where there is none.

    >>> mark(Estimate(name="kappa", value=0.5, n=3, clusters=3))
    Mark(value=0.5, low=None, high=None)
    """
    if estimate is None:
        return Mark(None, asked=False)
    interval = estimate.interval
    if interval is None or estimate.value is None:
        return Mark(estimate.value)
    return Mark(estimate.value, interval.low, interval.high)


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


def estimates_table(
    caption: str,
    names: tuple[str, ...],
    rows: Iterable[tuple[tuple[str, ...], Estimate]],
) -> Table:
    """A table of estimates, each under one name or several.

    What all rows share is said once: how the intervals were made, in the caption; that there is
    nothing to remark, by leaving the column out.

    Args:
        caption: What it shows.
        names: Heads of the columns that name the estimates.
        rows: The names of each estimate, and the estimate.

    >>> found = Estimate(name="kappa", value=None, n=0, clusters=0, reason="no labels")
    >>> estimates_table("Agreement", ("criterion",), [(("dose",), found)]).rows[0][-1]
    'no labels'
    """
    table = Table(
        caption=caption,
        head=(*names, *HEAD),
        rows=tuple((*name, *cells(estimate)) for name, estimate in rows),
        words=len(names),
        remarks=1,
    )
    return without_remarks(with_one_method(table))


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
    if len(methods) > 1:
        return _with_one_level(table, place, {text.rpartition(", ")[2] for text in methods})
    note = f" (intervals: {methods.pop()})" if methods else ""
    return replace(_without(table, place), caption=table.caption + note)


def _with_one_level(table: Table, place: int, levels: set[str]) -> Table:
    if len(levels) > 1:
        return table
    level = levels.pop()
    rows = tuple(
        (*row[:place], row[place].removesuffix(f", {level}"), *row[place + 1 :])
        for row in table.rows
    )
    return replace(table, caption=f"{table.caption} (intervals: {level})", rows=rows)


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
