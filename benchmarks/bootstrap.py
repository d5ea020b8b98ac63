"""How fast a bootstrap of four agreement statistics is, beside the same one as a loop.

Makes labels of 10,000 items by 3 raters, draws 10,000 resamples of clusters and computes Cohen's
kappa, Krippendorff's alpha, Gwet's AC1 and macro-F1 on each, all at once. Then does some resamples
the usual way, resampling rows and calling scikit-learn and krippendorff, and extrapolates::

    python benchmarks/bootstrap.py --resamples 10000 --loop 20

AC1 has no library among the dependencies; the loop computes it with numpy. Two designs: every item
a cluster of its own, and items in cases of four, where hardly two cases look alike. Exits with 1 if
either takes longer than ``--limit`` seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial

import numpy as np

from mmrare_judge.calibration.statistics.bootstrap import (
    Functional,
    Resampling,
    cluster_table,
    replicates,
    resampled,
)
from mmrare_judge.calibration.statistics.coefficients import cohen_kappa
from mmrare_judge.calibration.statistics.estimate import Floats
from mmrare_judge.calibration.statistics.ratings import Compute, Label, Patterns, Ratings, Scale
from mmrare_judge.calibration.statistics.table import statistic

SCALE = Scale(level="ordinal", categories=("0", "1", "2"))


def make_ratings(items: int, size: int) -> Ratings:
    """Three raters who copy the truth seven times in ten; one label in twenty is missing."""
    random = np.random.default_rng(1)
    truth = random.choice(3, size=items, p=[0.2, 0.6, 0.2])
    guesses = random.choice(3, size=(items, 3), p=[0.2, 0.6, 0.2])
    codes = np.where(random.random((items, 3)) < 0.7, truth[:, None], guesses)
    absent = random.random((items, 3)) < 0.05
    rows: list[list[Label]] = [
        [None if lost else str(code) for code, lost in zip(*row, strict=True)]
        for row in zip(codes.tolist(), absent.tolist(), strict=True)
    ]
    clusters = [item // size for item in range(items)]
    return Ratings.from_labels(rows, SCALE, raters=["judge", "a", "b"], clusters=clusters)


def first_two(compute: Compute, patterns: Patterns) -> Functional:
    """A statistic of two raters, of the first two columns."""
    pair = Patterns(
        patterns.codes[:, :2], patterns.numbers[:, :2], patterns.categories, patterns.positive
    )
    return partial(compute, pair)


def vectorised(ratings: Ratings, resamples: int) -> tuple[float, dict[str, Floats]]:
    """Seconds, and the replicates."""
    started = time.perf_counter()
    patterns = ratings.patterns
    functionals: dict[str, Functional] = {
        "cohen_kappa": first_two(cohen_kappa, patterns),
        "alpha_nominal": partial(statistic("alpha_nominal").compute, patterns),
        "gwet_ac1": partial(statistic("gwet_ac1").compute, patterns),
        "macro_f1": first_two(statistic("macro_f1").compute, patterns),
    }
    samples = resampled(cluster_table(ratings), Resampling(resamples=resamples))
    found = replicates(functionals, samples)
    return time.perf_counter() - started, found


def ac1(codes: Floats) -> float:
    """Gwet's AC1 of one sample, the short way."""
    counts = np.stack([(codes == category).sum(axis=1) for category in range(3)], axis=1)
    labels = counts.sum(axis=1)
    pairs = labels >= 2
    equal = (counts * (counts - 1)).sum(axis=1)[pairs] / (labels * (labels - 1))[pairs]
    share = (counts[labels > 0] / labels[labels > 0, None]).mean(axis=0)
    chance = (share * (1 - share)).sum() / 2
    return float((equal.mean() - chance) / (1 - chance))


def looped(ratings: Ratings, resamples: int) -> tuple[float, dict[str, Floats]]:
    """Seconds for some resamples by the libraries, and the replicates."""
    from krippendorff import alpha
    from sklearn.metrics import cohen_kappa_score, f1_score

    random = np.random.default_rng(0)
    members = [np.flatnonzero(ratings.clusters == c) for c in range(ratings.clusters.max() + 1)]
    started = time.perf_counter()
    found: dict[str, list[float]] = {n: [] for n in ("cohen_kappa", "alpha", "gwet_ac1", "f1")}
    for _ in range(resamples):
        drawn = random.integers(0, len(members), len(members))
        codes = ratings.codes[np.concatenate([members[cluster] for cluster in drawn])]
        first, second = codes[(codes[:, :2] >= 0).all(axis=1), :2].T
        counts = np.stack([(codes == category).sum(axis=1) for category in range(3)], axis=1)
        found["cohen_kappa"].append(cohen_kappa_score(first, second))
        found["alpha"].append(alpha(value_counts=counts, level_of_measurement="nominal"))
        found["gwet_ac1"].append(ac1(codes.astype(float)))
        found["f1"].append(f1_score(second, first, average="macro"))
    return time.perf_counter() - started, {name: np.array(v) for name, v in found.items()}


def report(items: int, size: int, resamples: int, loop: int) -> float:
    """Measure one design, print it, and give the seconds of the vectorised bootstrap."""
    ratings = make_ratings(items, size)
    kinds = len(cluster_table(ratings).multiplicity)
    print(f"{items:,} items in cases of {size}: {kinds:,} kinds of cases")
    seconds, fast = vectorised(ratings, resamples)
    took, slow = looped(ratings, loop)
    whole = took / loop * resamples
    print(f"  vectorised: {resamples:,} resamples in {seconds:.2f} s")
    print(f"  loop: {loop} resamples in {took:.1f} s, so {resamples:,} in {whole:.0f} s")
    print(f"  ratio: {whole / seconds:.0f}")
    for (name, quick), plain in zip(fast.items(), slow.values(), strict=True):
        print(
            f"    {name}: mean {quick.mean():.4f} (loop {plain.mean():.4f}), SE {quick.std():.4f}"
        )
    return seconds


def main() -> int:
    """Measure both designs."""
    parser = argparse.ArgumentParser(description="Speed of the cluster bootstrap.")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--loop", type=int, default=20, help="resamples of the loop to measure")
    parser.add_argument("--limit", type=float, default=5.0, help="seconds the bootstrap may take")
    options = parser.parse_args()
    import krippendorff  # noqa: F401  so that neither measurement pays for the imports
    import sklearn.metrics  # noqa: F401

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the target is one core

    times = [report(options.items, size, options.resamples, options.loop) for size in (1, 4)]
    return 0 if max(times) < options.limit else 1


if __name__ == "__main__":
    sys.exit(main())
