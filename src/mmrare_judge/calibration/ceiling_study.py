"""Who is compared with whom, where a judge stands beside clinicians."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from mmrare_judge.calibration.ceiling_sides import Versus
from mmrare_judge.calibration.references import Comparison, Ties, against, against_others
from mmrare_judge.calibration.statistics.ratings import Bools, Ratings
from mmrare_judge.calibration.statistics.table import Statistic, statistic, unsuited
from mmrare_judge.errors import InputError

TIES: Mapping[str, Ties] = {
    "leave one out, ties dropped": "drop",
    "leave one out, ties split": "split",
}


@dataclass(frozen=True)
class Study:
    """Ratings with the judge in column 0 and clinicians behind, and what is asked of them."""

    ratings: Ratings
    row: Statistic

    @cached_property
    def clinicians(self) -> dict[str, int]:
        """The clinicians' columns by name."""
        return {name: column for column, name in enumerate(self.ratings.raters) if column}

    @cached_property
    def shared(self) -> Bools:
        """The rows that show both sides: a label of the judge, and two clinicians' or more."""
        known = self.ratings.patterns.known
        return np.asarray(known[:, 0] & (known[:, 1:].sum(axis=1) > 1))

    def judged(self, versus: Versus, clinician: int) -> list[Comparison]:
        """The judge's comparisons that stand beside one clinician's."""
        patterns = self.ratings.patterns
        if versus == "pairwise":
            return [against(patterns, 0, clinician, among=self.shared)]
        return [self._others(0, clinician, TIES[versus])]

    def human(self, versus: Versus, clinician: int) -> list[Comparison]:
        """One clinician's comparisons with the other clinicians."""
        patterns = self.ratings.patterns
        if versus == "pairwise":
            others = [column for column in self.clinicians.values() if column != clinician]
            return [against(patterns, clinician, o, among=self.shared) for o in others]
        return [self._others(clinician, clinician, TIES[versus])]

    def _others(self, rater: int, clinician: int, ties: Ties) -> Comparison:
        others = [column for column in self.clinicians.values() if column != clinician]
        return against_others(self.ratings.patterns, rater, clinician, others, ties=ties, also=0)

    def all_human(self, versus: Versus) -> list[Comparison]:
        """The clinicians' comparisons: a pair counts once, both ways where the order matters."""
        columns, patterns = self.clinicians.values(), self.ratings.patterns
        if versus != "pairwise" or not self.row.symmetric:
            return [found for column in columns for found in self.human(versus, column)]
        return [against(patterns, a, b, among=self.shared) for a, b in combinations(columns, 2)]

    def all_judged(self, versus: Versus) -> list[Comparison]:
        """The judge's comparisons."""
        return [found for c in self.clinicians.values() for found in self.judged(versus, c)]


def study_of(ratings: Ratings, judge: str, name: str) -> Study:
    """Check and order what a comparison with clinicians needs.

    Raises:
        InputError: There are too few clinicians, or the statistic cannot be asked of them.
    """
    clinicians = [rater for rater in ratings.raters if rater != judge]
    ordered = ratings.only(judge, *clinicians)
    if len(clinicians) < 2:
        problem = f"a human ceiling needs two clinicians or more, not {len(clinicians)}"
        raise InputError(problem, remedy="Have a second clinician label some of the units")
    row = statistic(name)
    why = unsuited(row, ordered.only(*clinicians[:2]))
    if row.higher_is_better is None:
        why = "it has no better and worse"
    if why:
        raise InputError(f"{name} cannot be compared with clinicians: {why}")
    return Study(ordered, row)
