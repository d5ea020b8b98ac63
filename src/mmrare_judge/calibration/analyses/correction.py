"""The benchmark score once the judge's errors are corrected, with the other answers beside it.

First the prediction-powered mean: the judge's points on all units, mended by gold labels on some.
Then, for binary criteria, the correction by sensitivity and specificity (Rogan and Gladen). Last
the scores made of them, of one criterion and of a rubric. Throughout ``judge`` and ``gold`` hold
points, nan where there are none; ``clusters`` names the case of each unit (several systems answer
one case), ``inclusion`` is the probability with which it was chosen for gold labels, and ``level``
is nominal coverage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.statistics.estimate import (
    FEW_CLUSTERS,
    Codes,
    Estimate,
    Floats,
    Interval,
    Mask,
    binary,
    cluster_codes,
    count_clusters,
    floats,
    group_sums,
    normal_quantile,
    sampling_weights,
    t_quantile,
    two_sided,
)
from mmrare_judge.calibration.statistics.proportions import design_share, rule_of_three
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record

# --- what a prediction-powered mean is made of: two means and each case's share in both

ROUNDING = 1e-10
"""A case's share in an error below this part of what one unit weighs is taken to be rounding."""


@dataclass(frozen=True)
class Parts:
    """A prediction-powered mean, taken apart: ``mean = gold_mean - lam * judge_gap``.

    Attributes:
        gold_mean: Weighted mean of the gold labels.
        judge_gap: The judge's weighted mean on the labelled units minus its mean on all units.
        gold_sums: Each cluster's share in the error of ``gold_mean``; exactly 0 where the clusters
            do not differ.
        judge_sums: Each cluster's share in the error of ``judge_gap``, in the same way.
        labelled: How many units have gold.
        labelled_clusters: How many clusters have some.
        effective_clusters: What they are worth where they weigh unequally (Kish's
            ``(sum w)^2 / sum w^2`` over the clusters' weights).
        off_mode: Gold labels other than the most frequent one.
        off_cases: Clusters that hold one.
        abstained: Units without a verdict of the judge.
        flawless: The judge gave the gold points wherever there are some.
    """

    gold_mean: float
    judge_gap: float
    gold_sums: Floats
    judge_sums: Floats
    labelled: int
    labelled_clusters: int
    effective_clusters: float
    off_mode: int
    off_cases: int
    abstained: int
    flawless: bool

    def tuned(self) -> float:
        """The weight on the judge that makes the variance least; 0 for a judge that never varies.

        Regression through the origin of the clusters' gold parts on their judge parts. Not below
        0: a judge that errs the wrong way round is left out, not turned around.
        """
        spread = float(self.judge_sums @ self.judge_sums)
        if spread == 0:
            return 0.0
        return max(0.0, float(self.gold_sums @ self.judge_sums) / spread)


def mean_parts(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
) -> tuple[Parts | None, Codes]:
    """The two means and each cluster's share in their errors; no parts without gold.

    With ``w`` the normalised weights of the labelled, a unit's share in the error of the gold mean
    is ``w (y - mean_w y)``. Its share in that of the gap is ``w (f - mean_w f) - (f - mean f) / N``
    or, for a uniform gold sample, where the gap is ``(N-n)/N`` times that of labelled and
    unlabelled, each unit's deviation from its own side's mean.

    >>> parts, codes = mean_parts([1, 0, 1, 1], [1, 0, None, None])
    >>> parts.gold_mean, parts.judge_gap
    (0.5, -0.25)
    """
    labels = floats(gold, "gold")
    points = floats(judge, "judge", length=len(labels))
    codes = cluster_codes(clusters, len(labels))
    labelled = ~np.isnan(labels)
    weights = sampling_weights(inclusion, labelled)
    if not labelled.any():
        return None, codes
    shares = weights / weights.sum()
    judged = ~np.isnan(points)
    filled = np.where(judged, points, points[judged].mean() if judged.any() else 0.0)
    gold_mean = float(weights[labelled] @ labels[labelled] / weights.sum())
    judge_mean = float(weights @ filled / weights.sum())
    overall = float(filled.mean())
    gold_error = shares * (np.where(labelled, labels, 0.0) - gold_mean)
    if inclusion is None:
        judge_error = _two_sample_error(filled, labelled)
    else:
        judge_error = shares * (filled - judge_mean) - (filled - overall) / len(filled)
    weight = float(shares.max())
    levels, counts = np.unique(labels[labelled], return_counts=True)
    off = labelled & (labels != levels[counts.argmax()])
    return Parts(
        gold_mean=gold_mean,
        judge_gap=judge_mean - overall,
        gold_sums=_sums(gold_error, codes, weight * float(np.abs(labels[labelled]).max())),
        judge_sums=_sums(judge_error, codes, weight * float(np.abs(filled).max())),
        labelled=int(labelled.sum()),
        labelled_clusters=count_clusters(codes[labelled]),
        effective_clusters=float(1 / (group_sums(shares, codes) ** 2).sum()),
        off_mode=int(off.sum()),
        off_cases=count_clusters(codes[off]),
        abstained=int((~judged).sum()),
        flawless=bool((points[labelled] == labels[labelled]).all()),
    ), codes


def _two_sample_error(points: Floats, labelled: Mask) -> Floats:
    errors = np.zeros_like(points)
    if labelled.all():
        return errors
    for side, sign in ((labelled, 1.0), (~labelled, -1.0)):
        errors[side] = sign * (points[side] - points[side].mean()) / side.sum()
    return np.asarray(errors * (~labelled).mean())


def _sums(errors: Floats, codes: Codes, scale: float) -> Floats:
    # Labels that are all alike leave sums of some 1e-17, and an interval of that width.
    sums = group_sums(errors, codes)
    return np.where(np.abs(sums) > ROUNDING * scale, sums, 0.0)


# --- prediction-powered means

MIN_CLUSTERS = 5
"""Below so many labelled clusters no variance is worth printing."""

MIN_OFF_MODE = 5
"""Nor where fewer gold labels, or labels of fewer cases, differ from the most frequent one."""

FEW_LABELLED, FEW_OFF_CASES = 50, 8
"""Where of so few labelled cases fewer hold such a label, and less than a third, t is too short: by
simulation it covers 84 to 92 %, and half as wide again 92 to 96 %."""


@dataclass(frozen=True)
class CorrectedMean:
    """A mean corrected by gold labels.

    Attributes:
        estimate: The mean with its interval.
        lam: The weight on the judge: 0 is the labelled-only mean.
        standard_error: Of the mean; ``None`` where it cannot be told.
    """

    estimate: Estimate
    lam: float | None
    standard_error: float | None


def ppi_mean(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    lam: float | None = None,
    level: float = 0.95,
) -> CorrectedMean:
    """The mean gold label of all units, from gold on some and the judge on all (PPI++).

    ``mean(lam f) over all + weighted mean(y - lam f) over labelled`` (Angelopoulos, Duchi and
    Zrnic 2023). All units stand in the first term, the labelled too; with a uniform gold sample
    this is the published estimator, whose lambda is ``lam (N - n) / N``. ``lam`` is tuned to the
    least variance. Unequal inclusion probabilities enter as normalised inverse weights. The
    variance sums the errors within clusters; the interval is Student's t on the labelled clusters
    (what they are worth, where they weigh unequally), less one degree of freedom for a tuned
    ``lam``. It is the interval for new cases of the same kind, not only for these N.

    A unit without a verdict of the judge stays in, and carries the judge's mean: the labels mend
    that like any other error of the judge, and the target stays whole.

    ``strata`` names the stratum of every unit, with gold or without, where the gold was drawn by
    strata. With ``w_h`` the share of all units in stratum h, ``theta_h`` and ``v_h`` its own
    corrected mean and variance, the mean is ``sum_h w_h theta_h`` and its variance
    ``sum_h w_h^2 v_h``, with the degrees of freedom of Satterthwaite (Fisch et al. 2024,
    Stratified prediction-powered inference, arXiv:2406.04291). One ``lam`` serves all strata. The
    shares are taken as known. The strata must not share cases.

    ``lam`` fixes the weight on the judge instead of tuning it; with 0, which ignores the judge, the
    estimate is named ``labelled`` and counts the labelled units only.

    Returns:
        The corrected mean. No value without gold. No interval with fewer than 5 labelled clusters,
        where fewer than 5 labels, or those of fewer than 5 clusters, differ from the most frequent
        one, or where no cluster differs from another: at two or three events among forty labels a
        t interval covers far too seldom. With few such clusters it is made half as wide again.
        With strata: no value where one of them has no gold, and no interval where one has fewer
        than 2 labelled clusters or where a cluster lies in several.

    Raises:
        InputError: ``lam`` is negative or no number.

    >>> mended = ppi_mean([1, 1, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 1] + [None] * 3, lam=1)
    >>> round(mended.estimate.value, 4)
    0.55
    """
    if lam is not None and not 0 <= lam < float("inf"):
        raise InputError(f"lam {lam} must be 0 or more")
    name = "labelled" if lam == 0 else "ppi"
    parts, codes = mean_parts(judge, gold, clusters=clusters, inclusion=inclusion)
    n, groups = len(codes), count_clusters(codes)
    if parts is None:
        missing = Estimate(
            name=name, value=None, n=n, clusters=groups, reason="no unit has a gold label"
        )
        return CorrectedMean(missing, None, None)
    if strata is not None:
        split = _split(judge, gold, codes, inclusion, strata)
        return _stratified(parts, split, lam, name, n, groups, level)
    weight = parts.tuned() if lam is None else lam
    return _combined([parts], [weight], [1.0], name, n, groups, level, tuned=lam is None)


def _combined(
    parts: list[Parts],
    lams: list[float],
    weights: list[float],
    name: str,
    n: int,
    clusters: int,
    level: float,
    *,
    tuned: bool,
) -> CorrectedMean:
    """A weighted sum of corrected means over the same units, with one clustered variance.

    Named ``labelled`` it counts the labelled units and clusters (the fewest, where the parts
    differ) in place of ``n`` and ``clusters``.
    """
    terms = list(zip(parts, lams, weights, strict=True))
    value = float(sum(w * (part.gold_mean - lam * part.judge_gap) for part, lam, w in terms))
    groups = min(part.labelled_clusters for part in parts)
    spent = 1 + int(tuned and any(lams))
    reason, error, interval = _refusal(parts, groups - spent), None, None
    if not reason:
        errors = np.sum([w * (p.gold_sums - lam * p.judge_sums) for p, lam, w in terms], axis=0)
        error = float(np.sqrt(groups / (groups - spent) * (errors @ errors)))
        worth = max(1.0, min(part.effective_clusters for part in parts) - spent)
        half = t_quantile(two_sided(level), worth) * error * (1.5 if _sparse(parts) else 1.0)
        low, high = value - half, value + half
        interval = Interval(low=low, high=high, level=level, method="clustered t")
    missing = max(part.abstained for part in parts)
    if name == "labelled":
        n, clusters, missing = min(part.labelled for part in parts), groups, 0
    reason = "; ".join(filter(None, [reason, *_caveats(parts, lams, name, reason)]))
    estimate = Estimate(
        name=name, value=value, interval=interval, n=n, clusters=clusters, missing=missing,
        reason=reason,
    )  # fmt: skip
    return CorrectedMean(estimate, lams[0] if len(lams) == 1 else None, error)


THIN_SHARE = 0.5
"""Strata with few labels off the most frequent one, holding this share of all units, make the
interval half as wide again: by simulation it covers 86 to 97 % else, and 95 to 100 % with it."""


class _Strata(NamedTuple):
    shares: dict[str, float]
    parts: dict[str, Parts | None]
    shared_clusters: int


def _split(
    judge: ArrayLike,
    gold: ArrayLike,
    codes: Codes,
    inclusion: ArrayLike | None,
    strata: ArrayLike,
) -> _Strata:
    labels, points = floats(gold, "gold"), floats(judge, "judge")
    chances = None if inclusion is None else floats(inclusion, "inclusion")
    names = np.asarray(strata, dtype=object)
    if names.shape != labels.shape or any(one is None or one != one for one in names):
        raise InputError(
            f"strata must name the stratum of each of {len(labels)} units",
            remedy="name it for units without gold too",
        )
    of = cluster_codes(strata, len(labels))
    shares: dict[str, float] = {}
    parts: dict[str, Parts | None] = {}
    for code in np.unique(of):
        inside = of == code
        name = str(names[inside][0])
        some = None if chances is None else chances[inside]
        shares[name] = float(inside.mean())
        parts[name], _ = mean_parts(
            points[inside], labels[inside], clusters=codes[inside], inclusion=some
        )
    pairs = np.unique(np.column_stack([codes, of]), axis=0)
    _, strata_of_cluster = np.unique(pairs[:, 0], return_counts=True)
    return _Strata(shares, parts, int((strata_of_cluster > 1).sum()))


def _stratified(
    whole: Parts,
    strata: _Strata,
    lam: float | None,
    name: str,
    n: int,
    clusters: int,
    level: float,
) -> CorrectedMean:
    """The strata's corrected means, weighted by their shares; ``whole`` is all of them at once."""
    empty = [stratum for stratum, part in strata.parts.items() if part is None]
    if empty:
        reason = f"no unit has a gold label in stratum {', '.join(empty)}"
        return CorrectedMean(
            Estimate(name=name, value=None, n=n, clusters=clusters, reason=reason), None, None
        )
    parts = {stratum: part for stratum, part in strata.parts.items() if part is not None}
    terms = [(strata.shares[stratum], part) for stratum, part in parts.items()]
    weight = _tuned_over(terms) if lam is None else lam
    spent = int(lam is None and weight > 0)
    value = float(sum(w * (part.gold_mean - weight * part.judge_gap) for w, part in terms))
    freedom = sum(part.labelled_clusters - 1 for part in parts.values()) - spent
    thin = sum(w for w, part in terms if _sparse([part])) >= THIN_SHARE
    reason, error, interval = _stratum_refusal(parts, strata.shared_clusters), None, None
    reason = reason or _refusal([whole], freedom)
    if not reason:
        variances = [w**2 * _variance(part, weight) for w, part in terms]
        # The common weight on the judge costs one degree of freedom, of all strata together.
        error = math.sqrt(sum(variances) * (freedom + spent) / freedom)
        spread = sum(
            v**2 / max(1.0, part.effective_clusters - 1)
            for v, (_, part) in zip(variances, terms, strict=True)
        )
        worth = max(1.0, sum(variances) ** 2 / spread - spent) if spread else 1.0
        wider = 1.5 if thin or _sparse([whole]) else 1.0
        half = t_quantile(two_sided(level), worth) * error * wider
        interval = Interval(
            low=value - half, high=value + half, level=level, method="stratified clustered t"
        )
        if error == 0:
            reason, error, interval = "no interval: labels differ between strata only", None, None
    missing = whole.abstained
    if name == "labelled":
        n, clusters, missing = whole.labelled, whole.labelled_clusters, 0
    alike = [stratum for stratum, part in parts.items() if part.off_mode == 0 and not reason]
    short = f"labels are all alike in stratum {', '.join(alike)}: the interval is too short"
    wide = (
        "few labels of large strata differ from the others, so the interval is half as wide again"
    )
    caveats = [
        *_caveats([whole], [weight], name, reason),
        short if alike and not thin else "",
        wide if thin and not reason and not _sparse([whole]) else "",
    ]
    reason = "; ".join(filter(None, [reason, *caveats]))
    estimate = Estimate(
        name=name, value=value, interval=interval, n=n, clusters=clusters, missing=missing,
        reason=reason,
    )  # fmt: skip
    return CorrectedMean(estimate, weight, error)


def _tuned_over(terms: list[tuple[float, Parts]]) -> float:
    spread = sum(w**2 * float(part.judge_sums @ part.judge_sums) for w, part in terms)
    if spread == 0:
        return 0.0
    both = sum(w**2 * float(part.gold_sums @ part.judge_sums) for w, part in terms)
    return max(0.0, both / spread)


def _variance(part: Parts, lam: float) -> float:
    errors = part.gold_sums - lam * part.judge_sums
    return part.labelled_clusters / (part.labelled_clusters - 1) * float(errors @ errors)


def _stratum_refusal(parts: Mapping[str, Parts], shared: int) -> str:
    if few := [stratum for stratum, part in parts.items() if part.labelled_clusters < 2]:
        return f"no interval: 1 labelled cluster in stratum {', '.join(few)}, and 2 are the least"
    if shared:
        return f"no interval: {shared} clusters lie in several strata, which are not independent"
    return ""


def _refusal(parts: list[Parts], freedom: int) -> str:
    groups = min(part.labelled_clusters for part in parts)
    if groups < MIN_CLUSTERS or freedom < 1:
        return f"no interval: {groups} labelled clusters, and {MIN_CLUSTERS} are the least"
    best = max(parts, key=lambda part: part.off_mode)
    if best.off_mode == 0:
        return f"no interval: all {best.labelled} gold labels are alike"
    if best.off_mode < MIN_OFF_MODE:
        return f"no interval: {_rare(best)}; {MIN_OFF_MODE} are the least"
    if best.off_cases < min(MIN_OFF_MODE, groups / 3):
        return f"no interval: {_in_cases(best)}; {MIN_OFF_MODE} are the least"
    if not any(part.gold_sums.any() for part in parts):
        return f"no interval: the {best.labelled} gold labels differ within clusters only"
    return ""


def _sparse(parts: list[Parts]) -> bool:
    best = max(parts, key=lambda part: part.off_cases)
    groups = best.labelled_clusters
    return groups <= FEW_LABELLED and best.off_cases < min(FEW_OFF_CASES, groups / 3)


def _in_cases(part: Parts) -> str:
    return f"gold labels differ from the others in only {part.off_cases} cases"


def _rare(part: Parts) -> str:
    return f"only {part.off_mode} of {part.labelled} gold labels differ from the others"


def _caveats(parts: list[Parts], lams: list[float], name: str, refusal: str) -> Iterator[str]:
    groups = min(part.labelled_clusters for part in parts)
    if groups < FEW_CLUSTERS and not refusal:
        yield f"only {groups} labelled clusters: the interval is rough"
    if _sparse(parts) and not refusal:
        best = max(parts, key=lambda part: part.off_cases)
        yield f"{_in_cases(best)}, so the interval is made half as wide again"
    if name != "labelled" and not any(lams):
        yield "the judge's points do not help; this is the labelled-only mean"
    rare = [part for part in parts if part.off_mode < MIN_OFF_MODE]
    if rare and not refusal:
        yield (
            f"on {len(rare)} of {len(parts)} criteria "
            f"{_rare(min(rare, key=lambda part: part.off_mode))}, so the interval is too short"
        )
    if any(lams) and any(part.flawless for part in parts) and not refusal:
        fewest = min(part.labelled_clusters for part in parts if part.flawless)
        yield (
            "the judge agreed with every label, so the interval takes its error to be zero; by the "
            f"rule of three in {fewest} clusters up to {rule_of_three(fewest):.1%} wrong verdicts "
            "cannot be excluded"
        )


# --- a binary judge's rate, corrected by its sensitivity and specificity

MIN_CELL = 5
"""Gold-positive and gold-negative labels below which sensitivity and specificity are refused."""

MIN_YOUDEN = 0.1
"""Sensitivity + specificity - 1 below which the correction divides by next to nothing."""


class BinaryTest(NamedTuple):
    """What is known of a binary judge, each share with the sample size it is worth.

    Attributes:
        rate: The share it calls positive (the apparent prevalence).
        n: Size of the sample the rate is from.
        sensitivity: Its share of positives among the gold-positive.
        n_positive: Gold-positive units.
        specificity: Its share of negatives among the gold-negative.
        n_negative: Gold-negative units.
    """

    rate: float
    n: float
    sensitivity: float
    n_positive: float
    specificity: float
    n_negative: float

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1."""
        return self.sensitivity + self.specificity - 1

    @property
    def prevalence(self) -> float:
        """``(rate + specificity - 1) / (sensitivity + specificity - 1)`` (Rogan, Gladen 1978)."""
        return (self.rate + self.specificity - 1) / self.youden

    def pseudo(self, z: float) -> BinaryTest:
        """With the pseudo-counts of Lang and Reiczigel: ``z^2/2`` and 1 of either kind."""
        n = self.n + z**2
        return BinaryTest(
            rate=(self.n * self.rate + z**2 / 2) / n,
            n=n,
            sensitivity=(self.n_positive * self.sensitivity + 1) / (self.n_positive + 2),
            n_positive=self.n_positive + 2,
            specificity=(self.n_negative * self.specificity + 1) / (self.n_negative + 2),
            n_negative=self.n_negative + 2,
        )

    def variances(self) -> tuple[float, float, float]:
        """Binomial variances of rate, sensitivity and specificity."""
        return (
            self.rate * (1 - self.rate) / self.n,
            self.sensitivity * (1 - self.sensitivity) / self.n_positive,
            self.specificity * (1 - self.specificity) / self.n_negative,
        )


def lang_reiczigel(test: BinaryTest, *, level: float = 0.95) -> Interval:
    """Interval for the prevalence where the test's errors are estimated too.

    With primes for the shares after pseudo-counts (Lang and Reiczigel 2014, equations 4 to 17)::

        V  = (AP'(1-AP')/n' + P'^2 Se'(1-Se')/n1' + (1-P')^2 Sp'(1-Sp')/n0') / (Se' + Sp' - 1)^2
        dP = 2 z^2 (P' Se'(1-Se')/n1' - (1-P') Sp'(1-Sp')/n0')
        P' + dP -+ z sqrt(V), cut to 0..1

    The three samples must be independent.

    Raises:
        InputError: ``Se' + Sp'`` is 1 or less.

    >>> blood = BinaryTest(4060 / 11284, 11284, 178 / 179, 179, 358 / 359, 359)
    >>> interval = lang_reiczigel(blood)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.349, 0.372)
    """
    z = normal_quantile(two_sided(level))
    primed = test.pseudo(z)
    if primed.youden <= 0:
        raise InputError(
            f"sensitivity {test.sensitivity:g} + specificity {test.specificity:g} - 1 is not above "
            "0 after pseudo-counts: such a test says nothing of the prevalence"
        )
    share = primed.prevalence
    rate, sensitivity, specificity = primed.variances()
    shift = 2 * z**2 * (share * sensitivity - (1 - share) * specificity)
    variance = rate + share**2 * sensitivity + (1 - share) ** 2 * specificity
    half = z * math.sqrt(variance) / primed.youden
    middle = share + shift
    found = Interval(low=middle - half, high=middle + half, level=level, method="lang-reiczigel")
    return found.cut(0.0, 1.0)


def rogan_gladen(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """The gold-positive share of a binary criterion, from the judge's rate and its errors.

    ``(AP + Sp - 1) / (Se + Sp - 1)``, cut to 0..1, with the interval of `lang_reiczigel`. With a
    uniform gold sample the rate ``AP`` is taken from the units without gold, so that the three
    samples are independent; with unequal inclusion probabilities from all units, because what was
    left over is then no fair sample, and ``Se`` and ``Sp`` are weighted. Clusters and weights enter
    as effective sample sizes. Where the samples are not independent after all, because one case has
    units with and without gold or because ``AP`` takes in the labelled, the interval is too wide.

    Returns:
        The estimate. No value, with the reason, where gold-positive or gold-negative labels are
        fewer than 5, where nothing is left without gold, or where sensitivity + specificity - 1 is
        below 0.1 or not told apart from 0: the judge carries no information then.

    >>> rogan_gladen([1, 0, 1, 0], [1, 0, None, None]).reason
    'gold-positive labels with a verdict: 1, gold-negative: 1; 5 of each are the least'
    """
    labels = binary(gold, "gold")
    verdicts = binary(judge, "judge", length=len(labels))
    codes = cluster_codes(clusters, len(labels))
    judged, labelled = ~np.isnan(verdicts), ~np.isnan(labels)
    weights = sampling_weights(inclusion, labelled)
    rated = judged if inclusion is not None else judged & ~labelled
    positive, negative = (judged & (labels == side) for side in (1, 0))
    abstained = int((~judged).sum())
    blank = Estimate(
        name="rogan-gladen", value=None, n=len(labels), clusters=count_clusters(codes),
        missing=abstained,
    )  # fmt: skip
    reason = _too_few(int(positive.sum()), int(negative.sum()), int(rated.sum()))
    if reason:
        return blank.model_copy(update={"reason": reason})

    def share(values: Floats, weights: Floats, mask: Mask) -> tuple[float, float]:
        found = design_share(values[mask], weights[mask], codes[mask], level=level)
        assert found is not None, "the cells were counted before"
        return found.value, found.n_effective

    test = BinaryTest(
        *share(verdicts, np.ones_like(weights), rated),
        *share(verdicts, weights, positive),
        *share(1 - verdicts, weights, negative),
    )
    reason = _uninformative(test, level)
    if reason:
        return blank.model_copy(update={"reason": reason})
    if abstained:
        reason = (
            f"{abstained} units without a verdict are left out: this is the share of the others"
        )
    value, interval = min(1.0, max(0.0, test.prevalence)), lang_reiczigel(test, level=level)
    return blank.model_copy(update={"value": value, "interval": interval, "reason": reason})


def _too_few(positive: int, negative: int, rated: int) -> str:
    if min(positive, negative) < MIN_CELL:
        return (
            f"gold-positive labels with a verdict: {positive}, gold-negative: {negative}; "
            f"{MIN_CELL} of each are the least"
        )
    return "" if rated else "every unit has gold: there is nothing left to correct"


def _uninformative(test: BinaryTest, level: float) -> str:
    primed = test.pseudo(normal_quantile(two_sided(level)))
    _, sensitivity, specificity = primed.variances()
    error = math.sqrt(sensitivity + specificity)
    figures = f"sensitivity {test.sensitivity:.2f} + specificity {test.specificity:.2f} - 1"
    if test.youden < MIN_YOUDEN:
        return f"{figures} is {test.youden:.2f}: the judge hardly knows good from bad"
    if primed.youden - normal_quantile(two_sided(level)) * error <= 0:
        return f"{figures} is {test.youden:.2f}, but with so few labels not told apart from 0"
    return ""


class CorrectedScore(Record):
    """A score, raw and corrected.

    Attributes:
        raw: The judge's mean, as a benchmark would print it; its interval knows of the sampling
            only, not of the judge's errors.
        labelled: The mean of the gold labels alone (the classical estimate).
        ppi: The prediction-powered mean: what to print.
        rogan_gladen: The correction by sensitivity and specificity; ``None`` unless binary.
        lam: The weight on the judge in ``ppi``, by criterion for a rubric score.
        graded: Units.
        with_gold: Units that have gold labels.
        abstained: Units on which the judge gave no verdict.
    """

    raw: Estimate
    labelled: Estimate
    ppi: Estimate
    rogan_gladen: Estimate | None = None
    lam: dict[str, float]
    graded: int
    with_gold: int
    abstained: int


def corrected_score(
    judge: ArrayLike,
    gold: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    inclusion: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    binary: bool = False,
    level: float = 0.95,
) -> CorrectedScore:
    """One criterion's (or one score's) mean over a benchmark, raw and corrected.

    The formulas are those of `ppi_mean` and `rogan_gladen`; ``raw`` and ``labelled`` are plain
    means with clustered t intervals. ``strata``, as in `ppi_mean`, are for ``ppi`` and ``labelled``
    only. ``binary``: the criterion is met or not (1 or 0), which adds the Rogan-Gladen correction.

    >>> score = corrected_score([1, 1, 1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0, None, None])
    >>> score.raw.value, score.labelled.value, score.lam["score"] > 0
    (0.625, 0.5, True)
    """
    points, labels = floats(judge, "judge"), floats(gold, "gold")
    design: _Design = {"clusters": clusters, "inclusion": inclusion, "level": level}
    ppi = ppi_mean(points, labels, strata=strata, **design)
    return CorrectedScore(
        raw=raw_mean(points, clusters=clusters, level=level),
        labelled=ppi_mean(points, labels, lam=0, strata=strata, **design).estimate,
        ppi=ppi.estimate,
        rogan_gladen=rogan_gladen(points, labels, **design) if binary else None,
        lam={} if ppi.lam is None else {"score": ppi.lam},
        graded=len(points),
        with_gold=int((~np.isnan(labels)).sum()),
        abstained=int(np.isnan(points).sum()),
    )


class _Design(TypedDict):
    clusters: ArrayLike | None
    inclusion: ArrayLike | None
    level: float


def raw_mean(
    judge: ArrayLike, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """The plain mean of what the judge gave, with a clustered t interval.

    Units without a verdict are left out and counted.

    >>> raw_mean([1, 0, None, 1, 0]).value
    0.5
    """
    points = floats(judge, "judge")
    codes = cluster_codes(clusters, len(points))
    known = ~np.isnan(points)
    given = points[known]
    result = ppi_mean(given, given, clusters=codes[known], lam=0, level=level).estimate
    changes = {"name": "raw", "missing": int((~known).sum())}
    if result.value is None:
        changes["reason"] = "the judge gave no verdict on any unit"
    else:
        changes["reason"] = result.reason.replace("labelled ", "").replace("gold labels", "points")
    return result.model_copy(update=changes)


def corrected_rubric_score(
    judge: Mapping[str, ArrayLike],
    gold: Mapping[str, ArrayLike],
    *,
    weights: Mapping[str, float],
    clusters: ArrayLike | None = None,
    inclusion: Mapping[str, ArrayLike] | None = None,
    level: float = 0.95,
) -> CorrectedScore:
    """A weighted rubric score, corrected criterion by criterion.

    ``sum_k a_k mean_k`` with ``a_k`` the normalised weights and ``mean_k`` the prediction-powered
    mean of criterion k, each with its own tuned weight on the judge. The variance is that of the
    sum: the errors of one case are added over criteria before they are squared. Points are shares
    of the maximum; criteria may have gold on different units.

    Returns:
        The score; without a value where a criterion with weight has no gold at all.

    Raises:
        InputError: The three mappings do not name the same criteria, their vectors differ in
            length, or a weight is negative or no number.

    >>> verdicts = {"dose": [1, 1, 0, 0, 1, 1], "monitoring": [0, 0, 0, 1, 1, 0]}
    >>> weights = {"dose": 2, "monitoring": 1}
    >>> round(corrected_rubric_score(verdicts, verdicts, weights=weights).ppi.value, 4)
    0.5556
    """
    names = _criteria(judge, gold, weights)
    scale = sum(weights.values())
    shares = [weights[name] / scale for name in names]
    points, labels = _columns(judge, names, "judge"), _columns(gold, names, "gold")
    found = []
    for name, given, known in zip(names, points, labels, strict=True):
        chances = None if inclusion is None else inclusion[name]
        part, codes = mean_parts(given, known, clusters=clusters, inclusion=chances)
        found.append(part)
    raw = raw_mean(np.stack(points, axis=1) @ np.asarray(shares), clusters=codes, level=level)
    graded, groups = len(codes), count_clusters(codes)
    parts = [part for part in found if part is not None]
    if len(parts) < len(names):
        empty = ", ".join(name for name, part in zip(names, found, strict=True) if part is None)
        reason = f"no gold label for {empty}"
        ppi = Estimate(name="ppi", value=None, n=graded, clusters=groups, reason=reason)
        labelled, lams, parts = ppi.model_copy(update={"name": "labelled"}), [], []
    else:
        lams = [part.tuned() for part in parts]
        ppi, labelled = (
            _combined(parts, some, shares, name, graded, groups, level, tuned=tuned).estimate
            for some, name, tuned in ((lams, "ppi", True), ([0.0] * len(names), "labelled", False))
        )
    return CorrectedScore(
        raw=raw,
        labelled=labelled,
        ppi=ppi,
        lam=dict(zip(names, lams, strict=False)),
        graded=graded,
        with_gold=min((part.labelled for part in parts), default=0),
        abstained=raw.missing,
    )


def _criteria(
    judge: Mapping[str, ArrayLike], gold: Mapping[str, ArrayLike], weights: Mapping[str, float]
) -> list[str]:
    if not set(judge) == set(gold) == set(weights):
        raise InputError(
            f"judge has criteria {sorted(judge)}, gold {sorted(gold)}, weights {sorted(weights)}"
        )
    if not all(0 <= weight < float("inf") for weight in weights.values()):
        raise InputError(f"weights {dict(weights)} must not be negative, infinite or missing")
    if not any(weights.values()):
        raise InputError(f"weights {dict(weights)} must not all be 0")
    return [name for name in judge if weights[name] > 0]


def _columns(by_name: Mapping[str, ArrayLike], names: Sequence[str], of: str) -> list[Floats]:
    first = floats(by_name[names[0]], f"{of} of {names[0]}")
    return [floats(by_name[name], f"{of} of {name}", length=len(first)) for name in names]
