"""How far a judge agrees with clinicians, and what its scores are worth.

The names here are the public interface; everything else may move any day. Needs the extra
``calibration``: numpy, scipy, scikit-learn, krippendorff and matplotlib, each loaded where it is
used.
"""

import typing as _typing

from mmrare_judge.errors import from_extra as _from_extra
from mmrare_judge.lazy_names import lazy_names as _lazy_names

with _from_extra("calibration"):
    import numpy as _numpy  # noqa: F401  every module below needs it

if _typing.TYPE_CHECKING:
    from mmrare_judge.calibration.analyses.alt_test import AltTest, alt_test
    from mmrare_judge.calibration.analyses.bias import (
        GroupBias,
        compare_judges,
        family_difference,
        family_preference,
        leniency,
        leniency_by_group,
        retest,
        subgroup_bias,
        verbosity_slope,
    )
    from mmrare_judge.calibration.analyses.ceiling import Ceiling, human_ceiling
    from mmrare_judge.calibration.analyses.confidence import (
        BrierScore,
        RiskCoverage,
        Threshold,
        brier_score,
        expected_calibration_error,
        guaranteed_threshold,
        log_loss,
        reliability_diagram,
        risk_coverage,
    )
    from mmrare_judge.calibration.analyses.correction import (
        CorrectedScore,
        corrected_rubric_score,
        corrected_score,
        ppi_mean,
        rogan_gladen,
    )
    from mmrare_judge.calibration.analyses.noninferiority import NonInferiority, non_inferiority
    from mmrare_judge.calibration.analyses.recalibration import (
        Recalibration,
        Recalibrator,
        recalibrate,
    )
    from mmrare_judge.calibration.gold.columns import GoldLabel
    from mmrare_judge.calibration.gold.consensus import (
        Consensus,
        DawidSkene,
        consensus,
        dawid_skene,
        majority,
    )
    from mmrare_judge.calibration.gold.exports import GoldColumns
    from mmrare_judge.calibration.gold.judge import (
        JudgeLabels,
        labels_of,
        level2_grades,
        read_judge_labels,
        scales_of,
    )
    from mmrare_judge.calibration.gold.labels import DataCard, Gold, data_card, gold_from
    from mmrare_judge.calibration.gold.reading import read_gold
    from mmrare_judge.calibration.planning.power import (
        AlternativePlan,
        NonInferiorityPlan,
        labels_for_alternative_test,
        labels_for_noninferiority,
    )
    from mmrare_judge.calibration.planning.sample import candidates_of, label_next, write_sheet
    from mmrare_judge.calibration.planning.sizes import (
        HarmPlan,
        KappaPlan,
        ScorePlan,
        design_effect,
        labels_for_corrected_mean,
        labels_for_kappa,
        labels_for_missed_harm,
    )
    from mmrare_judge.calibration.report.render import write_reports
    from mmrare_judge.calibration.statistics.bootstrap import Resampling
    from mmrare_judge.calibration.statistics.coefficients import Confusion, confusion
    from mmrare_judge.calibration.statistics.estimate import Estimate, Interval
    from mmrare_judge.calibration.statistics.proportions import (
        HomogeneityTest,
        false_alarm,
        marginal_homogeneity,
        missed_harm,
    )
    from mmrare_judge.calibration.statistics.ratings import Ratings, Scale
    from mmrare_judge.calibration.statistics.table import STATISTICS, Statistic, estimate, estimates
    from mmrare_judge.calibration.study.file import StudyFile, read_study_file
    from mmrare_judge.calibration.study.options import GoldSource, Split, StudyOptions, StudyPlan
    from mmrare_judge.calibration.study.study import Study, calibrate, certify, write_study

__all__ = [
    "STATISTICS",
    "AltTest",
    "AlternativePlan",
    "BrierScore",
    "Ceiling",
    "Confusion",
    "Consensus",
    "CorrectedScore",
    "DataCard",
    "DawidSkene",
    "Estimate",
    "Gold",
    "GoldColumns",
    "GoldLabel",
    "GoldSource",
    "GroupBias",
    "HarmPlan",
    "HomogeneityTest",
    "Interval",
    "JudgeLabels",
    "KappaPlan",
    "NonInferiority",
    "NonInferiorityPlan",
    "Ratings",
    "Recalibration",
    "Recalibrator",
    "Resampling",
    "RiskCoverage",
    "Scale",
    "ScorePlan",
    "Split",
    "Statistic",
    "Study",
    "StudyFile",
    "StudyOptions",
    "StudyPlan",
    "Threshold",
    "alt_test",
    "brier_score",
    "calibrate",
    "candidates_of",
    "certify",
    "compare_judges",
    "confusion",
    "consensus",
    "corrected_rubric_score",
    "corrected_score",
    "data_card",
    "dawid_skene",
    "design_effect",
    "estimate",
    "estimates",
    "expected_calibration_error",
    "false_alarm",
    "family_difference",
    "family_preference",
    "gold_from",
    "guaranteed_threshold",
    "human_ceiling",
    "label_next",
    "labels_for_alternative_test",
    "labels_for_corrected_mean",
    "labels_for_kappa",
    "labels_for_missed_harm",
    "labels_for_noninferiority",
    "labels_of",
    "leniency",
    "leniency_by_group",
    "level2_grades",
    "log_loss",
    "majority",
    "marginal_homogeneity",
    "missed_harm",
    "non_inferiority",
    "ppi_mean",
    "read_gold",
    "read_judge_labels",
    "read_study_file",
    "recalibrate",
    "reliability_diagram",
    "retest",
    "risk_coverage",
    "rogan_gladen",
    "scales_of",
    "subgroup_bias",
    "verbosity_slope",
    "write_reports",
    "write_sheet",
    "write_study",
]

_NAMES_BY_MODULE = {
    "analyses.alt_test": "AltTest alt_test",
    "analyses.bias": (
        "GroupBias compare_judges family_difference family_preference leniency "
        "leniency_by_group retest subgroup_bias verbosity_slope"
    ),
    "analyses.ceiling": "Ceiling human_ceiling",
    "analyses.confidence": (
        "BrierScore RiskCoverage Threshold brier_score expected_calibration_error "
        "guaranteed_threshold log_loss reliability_diagram risk_coverage"
    ),
    "analyses.correction": (
        "CorrectedScore corrected_rubric_score corrected_score ppi_mean rogan_gladen"
    ),
    "analyses.noninferiority": "NonInferiority non_inferiority",
    "analyses.recalibration": "Recalibration Recalibrator recalibrate",
    "gold.consensus": "Consensus DawidSkene consensus dawid_skene majority",
    "gold.exports": "GoldColumns",
    "gold.judge": "JudgeLabels labels_of level2_grades read_judge_labels scales_of",
    "gold.columns": "GoldLabel",
    "gold.labels": "DataCard Gold data_card gold_from",
    "gold.reading": "read_gold",
    "planning.power": (
        "AlternativePlan NonInferiorityPlan labels_for_alternative_test labels_for_noninferiority"
    ),
    "planning.sample": "candidates_of label_next write_sheet",
    "planning.sizes": (
        "HarmPlan KappaPlan ScorePlan design_effect labels_for_corrected_mean "
        "labels_for_kappa labels_for_missed_harm"
    ),
    "report.render": "write_reports",
    "statistics.bootstrap": "Resampling",
    "statistics.coefficients": "Confusion confusion",
    "statistics.estimate": "Estimate Interval",
    "statistics.proportions": "HomogeneityTest false_alarm marginal_homogeneity missed_harm",
    "statistics.ratings": "Ratings Scale",
    "statistics.table": "STATISTICS Statistic estimate estimates",
    "study.file": "StudyFile read_study_file",
    "study.options": "GoldSource Split StudyOptions StudyPlan",
    "study.study": "Study calibrate certify write_study",
}
if not _typing.TYPE_CHECKING:  # a type checker would let every misspelt name pass
    __getattr__, __dir__ = _lazy_names(__name__, _NAMES_BY_MODULE)
