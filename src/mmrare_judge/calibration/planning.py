"""How many labels a calibration study needs; `label_next` says which ones."""

from __future__ import annotations

from mmrare_judge.calibration.planning_harm import HarmPlan, labels_for_missed_harm
from mmrare_judge.calibration.planning_kappa import KappaPlan, labels_for_kappa
from mmrare_judge.calibration.planning_parts import design_effect
from mmrare_judge.calibration.planning_score import ScorePlan, labels_for_corrected_mean

__all__ = [
    "HarmPlan",
    "KappaPlan",
    "ScorePlan",
    "design_effect",
    "labels_for_corrected_mean",
    "labels_for_kappa",
    "labels_for_missed_harm",
]
