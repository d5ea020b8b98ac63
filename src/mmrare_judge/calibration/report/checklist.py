"""The checklist of GRRAS, filled in from a study: what a reviewer asks for, and what is stated.

Source: Kottner and others (2011), Guidelines for Reporting Reliability and Agreement Studies,
Journal of Clinical Epidemiology 64.
"""

from __future__ import annotations

from mmrare_judge.calibration.gold.labels import DataCard
from mmrare_judge.calibration.report.blocks import Findings
from mmrare_judge.calibration.report.tables import statistic_title


def grras(card: DataCard, findings: Findings) -> tuple[tuple[str, str], ...]:
    """The items of the checklist in order, each with what is stated; what is not says where to.

    Args:
        card: The data card of the gold labels.
        findings: What was found.
    """
    design = dict(findings.design)
    facts = dict(findings.facts)
    units = f"{card.clusters:,} cases, {card.items:,} items, {card.units:,} units"
    given = ", ".join(f"{name} {one.given:,}" for name, one in card.raters.items())
    statistic = statistic_title(findings.statistic)
    return (
        ("1 Agreement is named in the title or abstract", findings.title),
        ("2 What rates, and by which instrument", facts.get("Judge", "see the design")),
        ("3 Population of subjects", _stated(card.population, "population")),
        ("4 Population of raters", _stated(card.clinicians, "raters")),
        ("5 What is known already, and why this study", "for the paper to say"),
        ("6 How the sample size was chosen", _stated(card.sampling, "sampling")),
        ("7 How subjects and raters were sampled", _stated(card.sampling, "sampling")),
        ("8 Rating process, and what raters were blind to", _stated(card.blinding, "blinding")),
        ("9 Ratings were made independently", _stated(card.independence, "independence")),
        ("10 Statistical analysis", f"{statistic}; {design.get('intervals', 'see the design')}"),
        ("11 Numbers of raters, subjects and replicates", f"{len(card.raters)} raters; {units}"),
        ("12 Characteristics: training and experience", _stated(card.training, "training")),
        ("12 Labels by each rater", given),
        ("13 Estimates with their uncertainty", "criterion by criterion, each with its interval"),
        ("14 Practical relevance", "the verdict, and what would change it; else for the paper"),
        ("15 Detailed results", "study.json has every number, the certificate the hashes"),
        ("Registration", _stated(card.registration, "registration")),
    )


def _stated(text: str, key: str) -> str:
    return text or f"not stated (gold: {key} in the study file)"
