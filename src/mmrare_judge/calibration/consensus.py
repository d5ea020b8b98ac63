"""One label from several clinicians: majority, Dawid-Skene, or the mean of their points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mmrare_judge.calibration.dawid_skene import dawid_skene
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Ints, Ratings
from mmrare_judge.errors import InputError

Rule = Literal["majority", "dawid_skene", "mean"]


@dataclass(frozen=True, eq=False)
class Consensus:
    """What the clinicians say together, unit by unit.

    Attributes:
        codes: The category's index; -1 where there is none: no label, a tie nobody settled, or a
            continuous scale.
        points: The category's points; where votes are tied or averaged, the mean of the points;
            NaN without a label.
        tied: Units whose majority is tied.
        settled: Of those, the ones an adjudicator settled.
        note: How it was made, in a sentence.
    """

    codes: Ints
    points: Floats
    tied: int
    settled: int
    note: str


def consensus(
    ratings: Ratings, *, rule: Rule = "majority", adjudicator: str | None = None
) -> Consensus:
    """Take clinicians' labels together.

    ``majority``: the most frequent label. A tie goes to the adjudicator's label where one is named
    and labelled the unit; else the unit has no category, and its points are the soft label: the
    mean of the points of all its labels. ``dawid_skene``: the most probable category by maximum
    likelihood (`dawid_skene`), its points the expected points under the posterior. ``mean``: the
    mean of the points, and a category only where all labels are equal. A continuous scale has no
    categories, and its points are the mean.

    Args:
        ratings: The clinicians' labels.
        rule: How they are taken together.
        adjudicator: A rater who is asked about ties only, and counts in nothing else.

    Raises:
        InputError: There is no such adjudicator, the rule is unknown, or the scale does not suit.

    >>> from mmrare_judge.calibration.statistics.ratings import Scale
    >>> scale = Scale(level="ordinal", categories=("0", "1", "2"))
    >>> rows = [["2", "2", "1"], ["0", "1", None], [None, None, None]]
    >>> found = consensus(Ratings.from_labels(rows, scale))
    >>> found.codes.tolist(), found.points.tolist(), found.tied
    ([2, -1, -1], [2.0, 0.5, nan], 1)
    """
    voters = [rater for rater in ratings.raters if rater != adjudicator]
    if adjudicator is not None and adjudicator not in ratings.raters:
        known = ", ".join(ratings.raters)
        raise InputError(f"no rater {adjudicator!r} to adjudicate", remedy=f"Raters are: {known}")
    if not voters:
        raise InputError("an adjudicator alone is no panel", remedy="Name no adjudicator")
    votes = ratings.only(*voters)
    if not ratings.scale.categories or rule == "mean":
        return _mean(votes)
    if rule == "dawid_skene":
        return _dawid_skene(votes)
    if rule == "majority":
        judge = None if adjudicator is None else ratings.only(adjudicator).codes[:, 0]
        return _majority(votes, judge)
    raise InputError(f"rule {rule!r}", remedy="Known are: majority, dawid_skene, mean")


def _majority(votes: Ratings, adjudicated: Ints | None) -> Consensus:
    counts = votes.patterns.counts[votes.pattern_of_unit]
    leading = counts == counts.max(axis=1, keepdims=True, initial=0)
    labelled = counts.sum(axis=1) > 0
    tied = labelled & (leading.sum(axis=1) > 1)
    codes = np.where(labelled & ~tied, counts.argmax(axis=1), -1)
    settled = np.zeros(len(codes), dtype=bool)
    if adjudicated is not None:
        settled = tied & (adjudicated >= 0)
        codes = np.where(settled, adjudicated, codes)
    points = np.where(codes >= 0, _points(votes)[codes], _mean_points(votes))
    note = "majority of the clinicians"
    if tied.any():
        note += f"; {int(tied.sum())} ties, {int(settled.sum())} of them settled by adjudication"
        if not settled[tied].all():
            note += ", the others left out of what needs a level and averaged in points"
    return Consensus(codes, points, int(tied.sum()), int(settled.sum()), note)


def _mean(votes: Ratings) -> Consensus:
    known = votes.codes >= 0
    first = votes.codes.max(axis=1, initial=-1)
    alike = (known & (votes.codes == first[:, None])).sum(axis=1) == known.sum(axis=1)
    has_categories = bool(votes.scale.categories)
    codes = (
        np.where(alike & (first >= 0), first, -1) if has_categories else np.full(votes.units, -1)
    )
    note = "mean of the clinicians' points"
    if has_categories:
        note += "; a level only where all of them agree"
    return Consensus(codes.astype(np.int64), _mean_points(votes), 0, 0, note)


def _dawid_skene(votes: Ratings) -> Consensus:
    units, raters = np.nonzero(votes.codes >= 0)
    labels = votes.codes[units, raters]
    categories = range(len(votes.scale.categories))
    fit = dawid_skene(units.tolist(), raters.tolist(), labels.tolist(), categories=categories)
    codes, points = np.full(votes.units, -1), np.full(votes.units, np.nan)
    rows = np.array(fit.items, dtype=np.int64)
    codes[rows] = [-1 if label is None else label for label in fit.labels()]
    points[rows] = fit.posteriors @ _points(votes)
    note = f"Dawid-Skene, {fit.iterations} steps" + ("" if fit.converged else ", not converged")
    return Consensus(codes, points, 0, 0, note)


def _points(votes: Ratings) -> Floats:
    """The points of each category; NaN on a nominal scale without points."""
    given = votes.scale.points or (float("nan"),) * len(votes.scale.categories)
    return np.asarray(given, dtype=np.float64)


def _mean_points(votes: Ratings) -> Floats:
    known = ~np.isnan(votes.numbers)
    counts = known.sum(axis=1)
    totals = np.where(known, votes.numbers, 0.0).sum(axis=1)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)
