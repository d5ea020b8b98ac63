"""One label from several clinicians: majority, Dawid-Skene, or the mean of their points.

`dawid_skene` and `majority` take plain lists of ratings; `consensus` takes `Ratings`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmrare_judge.calibration.statistics.estimate import Floats, Mask
from mmrare_judge.calibration.statistics.ratings import Ints, Ratings
from mmrare_judge.errors import InputError

Cube = NDArray[np.float64]
"""Items by raters by categories: how often each rater gave each category to each item."""


@dataclass(frozen=True)
class DawidSkene:
    """The fitted model.

    Attributes:
        items: Item ids, in the order of the rows of ``posteriors``.
        raters: Rater ids, in the order of ``error_rates``.
        categories: The schema's categories.
        posteriors: Items by categories: the probability of each being true.
        prevalence: Probability of each category.
        error_rates: Raters by true by given category; nan where a rater met no such item.
        rated: Whether an item has any rating.
        log_likelihood: Of the ratings at the fitted parameters, each rating by itself: without the
            constant that counts the orders in which repeated ratings may have come.
        iterations: EM steps taken.
        converged: Whether the log-likelihood had come to rest.
    """

    items: tuple[object, ...]
    raters: tuple[object, ...]
    categories: tuple[object, ...]
    posteriors: Floats
    prevalence: Floats
    error_rates: Floats
    rated: Mask
    log_likelihood: float
    iterations: int
    converged: bool

    def labels(self) -> tuple[object, ...]:
        """The most probable category of each item.

        ``None`` where two are equally probable, and for an item that nobody rated.
        """
        top = self.posteriors.max(axis=1, keepdims=True)
        ties = np.isclose(self.posteriors, top, rtol=0, atol=1e-9)
        settled = self.rated & (ties.sum(axis=1) == 1)
        return tuple(
            self.categories[place] if clear else None
            for place, clear in zip(ties.argmax(axis=1).tolist(), settled, strict=True)
        )


def dawid_skene(
    items: Sequence[object],
    raters: Sequence[object],
    labels: Sequence[object],
    *,
    categories: Sequence[object],
    tolerance: float = 1e-9,
    max_iterations: int = 10_000,
) -> DawidSkene:
    """Maximum likelihood of truth and rater errors by EM (Dawid and Skene 1979).

    Likelihood of item i: ``sum_j p_j prod_k prod_l pi_k(j, l)^(n_ikl)``. E: posterior of each
    category given p and pi; M: p as the mean posterior, pi as posterior-weighted shares. It starts
    from the vote shares and stops when a step gains less than ``tolerance`` in log-likelihood.
    A rater may rate an item several times; missing ratings are missing at random. Where a rater
    met no item of a category, the ratings say nothing of the errors there, and each answer counts
    as equally probable. It takes three raters: with fewer, many sets of errors fit equally well.

    Args:
        items: One entry per rating.
        raters: One entry per rating.
        labels: One entry per rating; ``None`` where missing.
        categories: The schema's categories, seen or not.
        tolerance: Least gain in log-likelihood to go on for.
        max_iterations: When to give up.

    Returns:
        The fit; ``converged`` is false where it gave up. Items without any rating keep the
        prevalence as posterior.

    Raises:
        InputError: A label is none of the categories, a category is named twice, or there is no
            rating.

    >>> fit = dawid_skene("aaabbb", "xyzxyz", [1, 1, 0, 0, 0, 0], categories=[0, 1])
    >>> fit.labels(), fit.converged
    ((1, 0), True)
    """
    counts, names, who = _rating_counts(items, raters, labels, categories)
    if not counts.any():
        raise InputError("there is no rating to fit")
    posteriors = _vote_shares(counts)
    last, now, iterations = -np.inf, -np.inf, 0
    converged = False
    while not converged and iterations < max_iterations:
        prevalence, errors = _maximise(counts, posteriors)
        posteriors, now = _expect(counts, prevalence, errors)
        converged, last = now - last < tolerance, now
        iterations += 1
    return DawidSkene(
        items=names, raters=who, categories=tuple(categories), posteriors=posteriors,
        prevalence=prevalence, error_rates=errors, rated=np.asarray(counts.any(axis=(1, 2))),
        log_likelihood=now, iterations=iterations, converged=converged,
    )  # fmt: skip


def majority(
    items: Sequence[object],
    raters: Sequence[object],
    labels: Sequence[object],
    *,
    categories: Sequence[object],
) -> tuple[dict[object, object], dict[object, dict[object, float]]]:
    """Each item's most frequent label, and its soft label.

    Ties are ``None``: they go to adjudication, or the soft label (the vote shares) is used.
    Items without any rating are ``None`` with an empty soft label.

    >>> votes, soft = majority("aabb", "xyxy", [1, 1, 0, 1], categories=[0, 1])
    >>> votes, soft["b"]
    ({'a': 1, 'b': None}, {0: 0.5, 1: 0.5})
    """
    counts, names, _ = _rating_counts(items, raters, labels, categories)
    votes = counts.sum(axis=1)
    winners: dict[object, object] = {}
    soft: dict[object, dict[object, float]] = {}
    for name, row in zip(names, votes, strict=True):
        leading = np.flatnonzero(row == row.max())
        winners[name] = categories[leading[0]] if row.any() and len(leading) == 1 else None
        shares = (row / row.sum()).tolist() if row.any() else []
        soft[name] = dict(zip(categories, shares, strict=False))
    return winners, soft


def _rating_counts(
    items: Sequence[object],
    raters: Sequence[object],
    labels: Sequence[object],
    categories: Sequence[object],
) -> tuple[Cube, tuple[object, ...], tuple[object, ...]]:
    """Counts by item, rater and category; item and rater ids in order of appearance."""
    if not len(items) == len(raters) == len(labels):
        raise InputError(f"{len(items)} items, {len(raters)} raters and {len(labels)} labels")
    places = {category: k for k, category in enumerate(categories)}
    if len(places) < len(categories):
        raise InputError(f"a category is named twice in {list(categories)}")
    odd = [row for row, label in enumerate(labels) if label is not None and label not in places]
    if odd:
        raise InputError(
            f"label {labels[odd[0]]!r} is none of {list(categories)}",
            remedy=f"rows {', '.join(map(str, odd[:10]))}",
        )
    names, who = tuple(dict.fromkeys(items)), tuple(dict.fromkeys(raters))
    row_of = {name: i for i, name in enumerate(names)}
    column_of = {name: j for j, name in enumerate(who)}
    counts = np.zeros((len(names), len(who), len(places)))
    for item, rater, label in zip(items, raters, labels, strict=True):
        if label is not None:
            counts[row_of[item], column_of[rater], places[label]] += 1
    return counts, names, who


def _vote_shares(counts: Cube) -> Floats:
    votes = counts.sum(axis=1)
    totals = votes.sum(axis=1, keepdims=True)
    overall = votes.sum(axis=0) / votes.sum()
    return np.asarray(np.where(totals > 0, votes / np.maximum(totals, 1), overall))


def _maximise(counts: Cube, posteriors: Floats) -> tuple[Floats, Floats]:
    rated = counts.any(axis=(1, 2))
    prevalence = posteriors[rated].mean(axis=0)
    # Products of matrices: einsum of three indices is ten times slower on large panels.
    flat = posteriors.T @ counts.reshape(len(counts), -1)
    given = flat.reshape(-1, *counts.shape[1:]).swapaxes(0, 1)
    totals = given.sum(axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return prevalence, np.where(totals > 0, given / totals, np.nan)


def _expect(counts: Cube, prevalence: Floats, errors: Floats) -> tuple[Floats, float]:
    # A log of 0 must stay out of the product with a count of 0; -1e300 acts as minus infinity.
    with np.errstate(divide="ignore"):
        unknown = -np.log(errors.shape[2])
        logs = np.nan_to_num(np.log(errors), nan=unknown, neginf=-1e300)
        start = np.nan_to_num(np.log(prevalence), neginf=-1e300)
    joint = start + counts.reshape(len(counts), -1) @ logs.swapaxes(1, 2).reshape(-1, len(start))
    top = joint.max(axis=1, keepdims=True)
    weights = np.exp(joint - top)
    sums = weights.sum(axis=1, keepdims=True)
    rated = counts.any(axis=(1, 2))
    return weights / sums, float((top + np.log(sums))[rated].sum())


# --- ratings of a study taken together

ConsensusRule = Literal["majority", "dawid_skene", "mean"]


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
    ratings: Ratings, *, rule: ConsensusRule = "majority", adjudicator: str | None = None
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
    codes, note = np.full(votes.units, -1), "mean of the clinicians' points"
    if votes.scale.categories:
        codes = np.where(alike & (first >= 0), first, -1)
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
