"""Grades as tables for people; the numbers are the grades' own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from mmrare_judge.certificate import Calibration
from mmrare_judge.judging.grade import Grade
from mmrare_judge.level2.verify import Level2
from mmrare_judge.run.summary import Summary

SHOWN = 200
"""Rows that are printed at most."""

GRADE_COLUMNS = ("item", "system", "track", "score", "coverage", "level 2", "not judged")


def grade_row(grade: Grade) -> tuple[str, ...]:
    """One grade as the cells of `GRADE_COLUMNS`.

    A score of which only a part was judged is shown as the range it lies in, never as a number.
    """
    return (
        grade.item_id,
        grade.system,
        grade.track,
        score_text(grade),
        f"{grade.coverage:.0%}",
        level2_text(grade.level2),
        not_judged_text(grade),
    )


def score_text(grade: Grade) -> str:
    """The score, or the range it lies in where not everything was judged."""
    if grade.score is not None:
        return f"{grade.score:.2f}" + (" (blank)" if grade.empty else "")
    if grade.unscored is not None and grade.coverage == 0:
        return "unscored"
    return f"{grade.bounds.worst:.2f} to {grade.bounds.best:.2f}"


def level2_text(level2: Level2) -> str:
    """Level 2 in a few words.

    >>> level2_text(Level2(token_f1=0.5))
    'token F1 0.50'
    """
    parts = [
        f"{entry.field} {sum(e.found for e in entry.elements)}/{len(entry.elements)}"
        for entry in level2.lists
        if entry.elements and entry.field != "must_not"
    ]
    if level2.violations:
        parts.append(f"{len(level2.violations)} must_not recommended")
    if level2.relation_expected is not None:
        parts.append(f"relation {level2.relation_found or 'unclear'}")
    if level2.token_f1 is not None:
        parts.append(f"token F1 {level2.token_f1:.2f}")
    return ", ".join(parts)


def not_judged_text(grade: Grade) -> str:
    """Criteria that were not judged, by reason."""
    if grade.unscored is not None and grade.coverage == 0:
        return f"everything: {grade.unscored.kind}"
    reasons: dict[str, list[str]] = {}
    for verdict in grade.verdicts:
        if verdict.status != "judged":
            reasons.setdefault(verdict.status, []).append(verdict.criterion)
    return "; ".join(f"{status}: {', '.join(ids)}" for status, ids in reasons.items())


def print_table(
    title: str, columns: Sequence[str], rows: Iterator[Sequence[str]], *, rest_in: str
) -> None:
    """Print the first `SHOWN` rows as a table, and how many more there are.

    Args:
        title: What the rows are.
        columns: The columns' names.
        rows: As many cells a row.
        rest_in: Where the other rows are found.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in islice(rows, SHOWN):
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    console.print(table)
    rest = sum(1 for _ in rows)
    if rest:
        print(f"and {rest} more{rest_in}")


def summary_lines(summaries: Iterable[Summary]) -> Iterable[str]:
    """A few sentences a system and track: what the mean is, and how much of it was judged.

    Of several judges each has its own.
    """
    given = list(summaries)
    several = len({summary.judge for summary in given}) > 1
    for summary in given:
        by = f", by {summary.judge}" if several else ""
        yield (
            f"{summary.system or '(no system named)'}, {summary.track}{by}: "
            f"{summary.graded} graded, {summary.scored} judged in full, "
            f"{summary.coverage:.0%} of the weight judged. {_mean_text(summary)}"
        )


def calibration_line(calibration: Calibration) -> str:
    """Whether the scores come from a judge that was studied against clinicians.

    >>> calibration_line(Calibration())
    'Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`.'
    """
    if calibration.certificate is None:
        return "Judge uncalibrated: no certificate was given; see `mmrare-judge calibrate`."
    why = f": {'; '.join(calibration.reasons)}" if calibration.reasons else ""
    verdict = _VERDICTS[calibration.verdict or "open"]
    return (
        f"Judge {calibration.status}{why}. By its study {verdict}. "
        f"Certificate {calibration.certificate}."
    )


_VERDICTS = {
    "good": "it may stand in for clinicians",
    "bad": "it may not stand in for clinicians",
    "open": "it is not proven that it may stand in for clinicians",
}


def _mean_text(summary: Summary) -> str:
    range_text = f"between {summary.worst:.3f} and {summary.best:.3f}"
    if summary.mean_score is not None and summary.scored == summary.graded:
        return f"Mean score {summary.mean_score:.3f}."
    if summary.mean_partial_score is None:
        return f"Nothing was judged; the mean score lies {range_text}."
    return (
        f"Mean over what was judged {summary.mean_partial_score:.3f}; "
        f"the mean score lies {range_text}."
    )
