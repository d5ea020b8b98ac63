"""The checklist of GRRAS: what is stated, and where to state what is not."""

from __future__ import annotations

from mmrare_judge.calibration import data_card, gold_from
from mmrare_judge.calibration.gold.columns import GoldLabel
from mmrare_judge.calibration.report.checklist import grras
from mmrare_judge.calibration.statistics.ratings import Scale
from support.report_studies import full_findings

SCALES = {"safe": Scale(level="nominal", categories=("NO", "YES"))}
GOLD = gold_from(
    [GoldLabel("1", "m", "safe", rater, "YES", "case") for rater in ("Dr A", "Dr B")], SCALES
)


def checklist(**stated: str) -> dict[str, str]:
    card = data_card(GOLD, name="n", source="s", licence="MIT", **stated)
    return dict(grras(card, full_findings()))


def test_all_fifteen_items_are_there_in_order() -> None:
    numbers = [item.split()[0] for item in checklist()]
    assert list(dict.fromkeys(n for n in numbers if n.isdigit())) == [str(n) for n in range(1, 16)]


def test_what_the_study_states_stands_in_its_item() -> None:
    found = checklist(
        raters="two haematologists", training="one hour on ten pilot plans",
        blinding="to the system", sampling="stratified, 200 planned", independence="alone",
        registration="osf.io/abc, 2026-01-02",
    )  # fmt: skip
    assert found["4 Population of raters"] == "two haematologists"
    assert found["8 Rating process, and what raters were blind to"] == "to the system"
    assert found["9 Ratings were made independently"] == "alone"
    assert found["12 Characteristics: training and experience"] == "one hour on ten pilot plans"
    assert found["Registration"] == "osf.io/abc, 2026-01-02"


def test_what_is_not_stated_says_where_to_state_it() -> None:
    missing = "not stated (gold: blinding in the study file)"
    assert checklist()["8 Rating process, and what raters were blind to"] == missing


def test_counts_come_from_the_labels() -> None:
    numbers = checklist()["11 Numbers of raters, subjects and replicates"]
    assert numbers == "2 raters; 1 cases, 1 items, 1 units"
    assert checklist()["12 Labels by each rater"] == "Dr A 1, Dr B 1"
