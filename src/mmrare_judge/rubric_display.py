"""A rubric as readable text."""

from __future__ import annotations

from mmrare_judge.rubric_reading import load_rubric


def describe_rubric(name: str) -> str:
    """A rubric as readable text.

    >>> describe_rubric("diagnosis").splitlines()[0]
    'diagnosis 1.0: Diagnosis, three yes-or-no criteria with a cascade'
    """
    rubric = load_rubric(name)
    lines = [f"{rubric.id} {rubric.version}: {rubric.title}", f"track {rubric.track}", rubric.hash]
    lines += ["", rubric.source, "", rubric.instructions]
    for criterion in rubric.criteria:
        share = criterion.weight / rubric.total_weight
        lines.append(f"{criterion.id} ({criterion.kind}, weight {share} of the score)")
        lines.append(f"  {criterion.question}")
        lines.append(f"  reads: {', '.join(criterion.needs)}")
        for label, level in criterion.levels.items():
            quote = ", quote needed" if level.quote else ""
            lines.append(f"  {label} ({level.points} points{quote}): {level.meaning}")
        if criterion.for_each:
            lines.append(f"  one verdict for each entry of {criterion.for_each}")
        lines.append("")
    return "\n".join(lines)
