"""The alternative annotator test in a report."""

from __future__ import annotations

from mmrare_judge.calibration.analyses.alt_test import AltTest
from mmrare_judge.calibration.plots.epsilon import NEEDED, epsilon_plot
from mmrare_judge.calibration.report.blocks import REMARK, Figure, Table
from mmrare_judge.calibration.report.estimates import without_remarks
from mmrare_judge.calibration.report.text import number, p_value, with_ends


def epsilon_figure(test: AltTest, *, name: str = "epsilon", about: str = "") -> Figure:
    """The winning rate at every epsilon, kappa beside it."""
    return Figure(
        name=name,
        title="Winning rate at every epsilon" + (f" ({about})" if about else ""),
        caption=" ".join(filter(None, (_beside(test), _advantage(test), test.reason))),
        svg=epsilon_plot([(row.epsilon, row.winning_rate) for row in test.grid], name=name),
        missing=test.reason or "no clinician has enough units",
        table=_grid(test),
    )


def _beside(test: AltTest) -> str:
    """Passing at 0.2 is easy, so kappa stands beside it."""
    easy = f"Passed means {NEEDED} or more; at an epsilon of 0.2 that is easy."
    if test.kappa is None or test.clinicians_kappa is None:
        return easy
    return (
        f"{easy} Beside it, Cohen's kappa: judge {with_ends(test.kappa, 2)}, clinicians among "
        f"themselves {with_ends(test.clinicians_kappa, 2)}."
    )


def _advantage(test: AltTest) -> str:
    if test.advantage is None:
        return ""
    return f"Average advantage probability ρ = {number(test.advantage)}."


def _grid(test: AltTest) -> Table:
    return Table(
        caption=f"By {test.scoring.replace('neg_rmse', 'negative RMSE')}, {test.errors} errors",
        head=("epsilon", "winning rate ω", "outcome"),
        rows=tuple(
            (number(row.epsilon, 2), number(row.winning_rate, 2), _outcome(row.passed))
            for row in test.grid
        ),
        words=0,
        remarks=1,
    )


def _outcome(passed: bool | None) -> str:
    return {True: "passed", False: "not passed", None: "no outcome"}[passed]


def clinicians_table(test: AltTest, *, about: str = "") -> Table:
    """The contests one by one, with the p-value at every epsilon."""
    epsilons = [row.epsilon for row in test.grid]
    table = Table(
        caption="The judge's contest with each clinician"
        + (f" ({about})" if about else "")
        + "; advantage: the share of units on which one is at least as near to the other "
        "clinicians as the other is",
        head=(
            "clinician", "units", "cases", "judge's advantage", "clinician's advantage",
            *(f"p at {number(epsilon, 2)}" for epsilon in epsilons), REMARK,
        ),
        rows=tuple(
            (
                one.clinician, str(one.n), str(one.clusters), number(one.judge_advantage),
                number(one.clinician_advantage),
                *(p_value(one.p_values.get(epsilon)) for epsilon in epsilons), one.left_out,
            )
            for one in test.clinicians
        ),
        remarks=1,
    )  # fmt: skip
    return without_remarks(table)
