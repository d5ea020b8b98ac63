"""Panels as a table for people; the numbers are the panels' own."""

from __future__ import annotations

from collections.abc import Iterable

from mmrare_judge.display import print_table
from mmrare_judge.panels.panel import Panel

PANEL_COLUMNS = ("item", "system", "track", "score", "coverage", "gradings", "not decided")


def panel_row(panel: Panel) -> tuple[str, ...]:
    """One panel as the cells of `PANEL_COLUMNS`.

    A score of which only a part was decided is shown as the range it lies in, never as a number.
    """
    came = sum(member.unscored is None for member in panel.members)
    return (
        panel.item_id,
        panel.system,
        panel.track,
        panel_score_text(panel),
        f"{panel.coverage:.0%}",
        f"{came} of {panel.size}",
        not_decided_text(panel),
    )


def panel_score_text(panel: Panel) -> str:
    """The score, or the range it lies in where not everything was decided."""
    if panel.score is None:
        return f"{panel.bounds.worst:.2f} to {panel.bounds.best:.2f}"
    return f"{panel.score:.2f}" + (" (blank)" if panel.empty else "")


def not_decided_text(panel: Panel) -> str:
    """Criteria that were not decided, by reason."""
    reasons: dict[str, list[str]] = {}
    for verdict in panel.criteria:
        if verdict.status != "judged":
            reasons.setdefault(verdict.status.replace("_", " "), []).append(verdict.criterion)
    return "; ".join(f"{reason}: {', '.join(ids)}" for reason, ids in reasons.items())


def print_panels(panels: Iterable[Panel]) -> None:
    """Print the first panels as a table."""
    rest_in = ": mmrare-judge panel RUN --format jsonl"
    print_table("Panels", PANEL_COLUMNS, map(panel_row, panels), rest_in=rest_in)
