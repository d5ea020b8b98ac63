"""What a study is made from, and whether its parts fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.study.grades import JudgeGrades, Place
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.data.items import Item
from mmrare_judge.data.predictions import Prediction
from mmrare_judge.errors import InputError


@dataclass(frozen=True)
class Sources:
    """What a study is made from.

    Attributes:
        grades: The judge's grades.
        gold: The clinicians' labels.
        options: What was decided beforehand.
        items: Items by id, for subgroups and reports; may be empty.
        texts: Predictions by item and system, for lengths and reports; may be empty.
    """

    grades: JudgeGrades
    gold: Gold
    options: StudyOptions
    items: Mapping[str, Item] = field(default_factory=dict)
    texts: Mapping[Place, str] = field(default_factory=dict)

    @cached_property
    def clusters(self) -> Mapping[str, str]:
        """The case of each item that has gold; an item without is a case of its own."""
        return {label.item: label.cluster for label in self.gold.labels}

    @cached_property
    def raters(self) -> tuple[str, ...]:
        """The clinicians, without the adjudicator."""
        return tuple(rater for rater in self.gold.raters if rater != self.options.adjudicator)


def texts_of(predictions: Iterable[Prediction]) -> dict[Place, str]:
    """Predictions by item and system."""
    return {(one.item_id, one.system): one.text for one in predictions}


def labelled_criteria(sources: Sources) -> set[str]:
    """The criteria on which a clinician labelled a graded prediction."""
    scales, graded = sources.gold.scales, sources.grades.first.keys()
    return {
        one.criterion
        for one in sources.gold.labels
        if (one.item, one.system) in graded
        and one.rater in sources.raters
        and not np.isnan(scales[one.criterion].read(one.label))
    }


def check_cases(gold: Gold) -> None:
    """Check that all labels of an item name the same case.

    Raises:
        InputError: They do not.
    """
    cases: dict[str, str] = {}
    for label in gold.labels:
        if cases.setdefault(label.item, label.cluster) != label.cluster:
            raise InputError(
                f"item {label.item!r} is in two cases, {cases[label.item]!r} and {label.cluster!r}",
                remedy="Give an item one case on all its rows",
                row=label.row,
                field="cluster",
            )


def check_adjudicator(sources: Sources) -> None:
    """Check that the adjudicator is among the raters, and not alone.

    Raises:
        InputError: They are not, or there is nobody else.
    """
    name, raters = sources.options.adjudicator, sources.gold.raters
    if name is not None and name not in raters:
        remedy = f"Raters are: {', '.join(raters)}"
        raise InputError(f"no rater {name!r} to adjudicate", remedy=remedy)
    if not sources.raters:
        raise InputError("an adjudicator alone is no panel", remedy="Name no adjudicator")
