"""A study's numbers at a glance."""

from __future__ import annotations

from mmrare_judge.calibration.report.blocks import CriterionFindings, Findings, Key
from mmrare_judge.calibration.report.text import ends, number, percent
from mmrare_judge.calibration.statistics.table import statistic
from mmrare_judge.calibration.study.harm import MISSED


def keys(findings: Findings) -> tuple[Key, ...]:
    """A few numbers at a glance."""
    title = statistic(findings.statistic).title
    found = [_key(title, one) for one in findings.criteria if _main(one, findings.statistic)]
    for (name, what), harm in findings.harm:
        if what == MISSED and harm.value is not None:
            found.append(
                Key(f"Missed harm, {name}", percent(harm.value), f"{ends(harm)}, n {harm.n}")
            )
    found += [
        Key(f"Corrected score, {name}", number(score.ppi.value), f"{ends(score.ppi)}; raw "
            f"{number(score.raw.value)}")
        for name, score in list(findings.corrected.items())[:1]
        if score.ppi.value is not None
    ]  # fmt: skip
    return tuple(found[:6])


def _main(one: CriterionFindings, name: str) -> bool:
    return one.judge.name == name and one.judge.value is not None


def _key(title: str, one: CriterionFindings) -> Key:
    human = one.clinicians
    beside = f"; clinicians {number(human.value, 2)}" if human and human.value is not None else ""
    return Key(f"{title}, {one.name}", number(one.judge.value, 2), f"{ends(one.judge, 2)}{beside}")
