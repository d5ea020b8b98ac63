"""Where the judge and level 2 contradict each other; a reason to look, never a correction."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mmrare_judge.data.items import LIST_FIELDS
from mmrare_judge.grade import Disagreement, Verdict
from mmrare_judge.level2.verify import Level2
from mmrare_judge.records import ByIdentity
from mmrare_judge.rubric.model import Criterion, EmbeddedRule, Rubric

Check = Callable[[Criterion, float, Level2], str | None]
"""What level 2 says against a criterion's share of its best points, if it does."""


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
    checked = _checked(rubric)
    for verdict in verdicts:
        if verdict.criterion not in checked or verdict.points is None or verdict.level is None:
            continue
        criterion, most, check = checked[verdict.criterion]
        says = check(criterion, verdict.points / most, level2)
        if says:
            yield Disagreement(criterion=criterion.id, level=verdict.level, level2=says)


@ByIdentity
def _checked(rubric: Rubric) -> dict[str, tuple[Criterion, float, Check]]:
    """The criteria that level 2 speaks to, with the points of their best level."""
    return {
        criterion.id: (criterion, float(criterion.max_points), _CHECKS[criterion.embedded])
        for criterion in rubric.criteria
        if criterion.embedded in _CHECKS
    }


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


_CHECKS: dict[EmbeddedRule | None, Check] = {
    "coverage": _coverage,
    "violations": _violations,
    "relation": _relation,
    "exact_diagnosis": _diagnosis,
}
