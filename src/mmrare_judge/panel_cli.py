"""``mmrare-judge panel``: what the judges and repeats of a run decided together."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer  # noqa: TID251  the command is written in the command line's own terms

if TYPE_CHECKING:
    pass

Rule = StrEnum("Rule", ["majority", "mean", "median"])
PanelFormat = StrEnum("PanelFormat", ["table", "jsonl", "json"])


def panel_command(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    rule: Annotated[Rule, typer.Option(help="How votes become a decision.")] = Rule.majority,
    rubric: Annotated[
        str | None, typer.Option(help="Rubric name or file; by default the run's own.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Gradings a prediction; by default the run's own.")
    ] = None,
    format: Annotated[
        PanelFormat, typer.Option(help="A table, a panel a line, or all figures as one object.")
    ] = PanelFormat.table,
) -> None:
    """Join the gradings of each prediction, by several judges or repeats, into one decision."""
    from mmrare_judge.panel_display import print_panels
    from mmrare_judge.panels.report import figure_lines
    from mmrare_judge.run.panels import read_panel_figures, read_panels

    way: Any = {"rule": rule.value, "rubric": rubric, "size": size}
    if format is PanelFormat.jsonl:
        for panel in read_panels(run, **way):
            typer.echo(panel.model_dump_json())
        return
    figures = read_panel_figures(run, **way)
    if format is PanelFormat.json:
        typer.echo(figures.model_dump_json(indent=2))
        return
    print_panels(read_panels(run, **way))
    for line in figure_lines(figures):
        typer.echo(line)
