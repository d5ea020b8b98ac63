"""Where the judge and level 2 contradict each other; a reason to look, never a correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmrare_judge.grade import Disagreement, Level2, Verdict
from mmrare_judge.item import LIST_FIELDS
from mmrare_judge.rubric import Criterion, Rubric


def disagreements(
    rubric: Rubric, verdicts: tuple[Verdict, ...], level2: Level2
) -> tuple[Disagreement, ...]:
    """Judged criteria on which level 2 says the opposite.

    The criterion's ``embedded`` rule tells which of level 2's results speaks to it: coverage of a
    list, violations, the relation, or the token F1 of a diagnosis. Only flat contradictions count:
    the best level where level 2 found nothing, or the worst where it found everything.
    """
    return tuple(_disagreements(rubric, verdicts, level2))


def _disagreements(
    rubric: Rubric, verdicts: tuple[Verdict, ...], level2: Level2
) -> Iterator[Disagreement]:
    for verdict in verdicts:
        criterion = rubric.criterion(verdict.criterion)
        check = _CHECKS.get(criterion.embedded or "")
        if check is None or verdict.points is None or verdict.level is None:
            continue
        share = verdict.points / float(criterion.max_points)
        says = check(criterion, share, level2)
        if says:
            yield Disagreement(criterion=criterion.id, level=verdict.level, level2=says)


def _coverage(criterion: Criterion, share: float, level2: Level2) -> str | None:
    wanted = criterion.for_each or next((n for n in criterion.needs if n in LIST_FIELDS), None)
    covered = next((entry for entry in level2.lists if entry.field == wanted), None)
    if covered is None or covered.coverage is None:
        return None
    found = sum(1 for element in covered.elements if element.found)
    if (share == 1 and found == 0) or (share == 0 and found == len(covered.elements)):
        return f"{found} of {len(covered.elements)} {wanted} elements found"
    return None


def _violations(criterion: Criterion, share: float, level2: Level2) -> str | None:
    if share < 1 or not level2.violations:
        return None
    return "recommended although listed as must-not: " + "; ".join(
        violation.element for violation in level2.violations
    )


def _relation(criterion: Criterion, share: float, level2: Level2) -> str | None:
    found, expected = level2.relation_found, level2.relation_expected
    if found is None or (found == expected) == (share == 1):
        return None
    return f"relation found: {found}, expected: {expected}"


def _diagnosis(criterion: Criterion, share: float, level2: Level2) -> str | None:
    if level2.token_f1 is None or level2.token_f1 not in (0.0, 1.0) or level2.token_f1 == share:
        return None
    return f"token F1 {level2.token_f1:.0f}"


_CHECKS: dict[str, Callable[[Criterion, float, Level2], str | None]] = {
    "coverage": _coverage,
    "violations": _violations,
    "relation": _relation,
    "exact_diagnosis": _diagnosis,
}
