"""The benchmark score once the judge's errors are corrected, with the other answers beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mmrare_judge.calibration.ppi import combine, ppi_mean
from mmrare_judge.calibration.ppi_parts import Parts, mean_parts
from mmrare_judge.calibration.rogan_gladen import rogan_gladen
from mmrare_judge.calibration.statistics.estimate import (
    Codes,
    Estimate,
    Floats,
    cluster_codes,
    count_clusters,
    floats,
)
from mmrare_judge.errors import InputError
from mmrare_judge.records import Record


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
    binary: bool = False,
    level: float = 0.95,
) -> CorrectedScore:
    """One criterion's (or one score's) mean over a benchmark, raw and corrected.

    The formulas are those of `ppi_mean` and `rogan_gladen`; ``raw`` and ``labelled`` are plain
    means with clustered t intervals.

    Args:
        judge: The judge's points on every graded unit; nan where it gave no verdict.
        gold: The clinicians' points; nan where there are none.
        clusters: The case of each unit.
        inclusion: The probability with which each unit was chosen for gold labels.
        binary: The criterion is met or not (1 or 0): adds the Rogan-Gladen correction.
        level: Nominal coverage.

    >>> score = corrected_score([1, 1, 1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0, None, None])
    >>> score.raw.value, score.labelled.value, score.lam["score"] > 0
    (0.625, 0.5, True)
    """
    points, labels = floats(judge, "judge"), floats(gold, "gold")
    ppi = ppi_mean(points, labels, clusters=clusters, inclusion=inclusion, level=level)
    labelled = ppi_mean(
        points, labels, clusters=clusters, inclusion=inclusion, lam=0, level=level
    ).estimate
    correction = None
    if binary:
        correction = rogan_gladen(
            points, labels, clusters=clusters, inclusion=inclusion, level=level
        )
    return CorrectedScore(
        raw=raw_mean(points, clusters=clusters, level=level),
        labelled=labelled,
        ppi=ppi.estimate,
        rogan_gladen=correction,
        lam={} if ppi.lam is None else {"score": ppi.lam},
        graded=len(points),
        with_gold=int((~np.isnan(labels)).sum()),
        abstained=int(np.isnan(points).sum()),
    )


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
    sum: the errors of one case are added over criteria before they are squared. Criteria may have
    gold on different units.

    Args:
        judge: By criterion, the judge's points as shares of the maximum, one per graded unit.
        gold: The same from clinicians; nan where there is no gold.
        weights: By criterion, its weight in the rubric.
        clusters: The case of each unit.
        inclusion: By criterion, the probability with which each unit was chosen for gold labels.
        level: Nominal coverage.

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
    chances = [None if inclusion is None else inclusion[name] for name in names]
    parts, codes = _all_parts(points, labels, clusters, chances)
    raw = raw_mean(_weighted(points, shares), clusters=codes, level=level)
    graded, groups = len(codes), count_clusters(codes)
    empty = [name for name, part in zip(names, parts, strict=True) if part is None]
    known = [part for part in parts if part is not None]
    if empty:
        ppi = labelled = _no_gold(empty, graded, groups)
        lams: list[float] = []
    else:
        lams = [part.tuned() for part in known]
        ppi, labelled = (
            combine(known, some, shares, name=name, tuned=tuned, n=graded, clusters=groups,
                    level=level).estimate
            for some, name, tuned in ((lams, "ppi", True), ([0.0] * len(names), "labelled", False))
        )  # fmt: skip
    return CorrectedScore(
        raw=raw,
        labelled=labelled.model_copy(update={"name": "labelled"}),
        ppi=ppi,
        lam=dict(zip(names, lams, strict=False)),
        graded=graded,
        with_gold=min((part.labelled for part in known), default=0) if not empty else 0,
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


def _all_parts(
    points: Sequence[Floats],
    labels: Sequence[Floats],
    clusters: ArrayLike | None,
    inclusions: Sequence[ArrayLike | None],
) -> tuple[list[Parts | None], Codes]:
    parts: list[Parts | None] = []
    for given, gold, inclusion in zip(points, labels, inclusions, strict=True):
        part, codes = mean_parts(given, gold, clusters=clusters, inclusion=inclusion)
        parts.append(part)
    return parts, codes


def _weighted(points: Sequence[Floats], shares: Sequence[float]) -> Floats:
    return np.asarray(np.stack(points, axis=1) @ np.asarray(shares))


def _no_gold(names: Sequence[str], graded: int, clusters: int) -> Estimate:
    reason = f"no gold label for {', '.join(names)}"
    return Estimate(name="ppi", value=None, n=graded, clusters=clusters, reason=reason)
