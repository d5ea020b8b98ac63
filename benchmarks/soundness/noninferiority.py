"""How often a judge on the margin is called non-inferior, and how often one as good as clinicians.

The first, at a true deficit of exactly the margin, must stay at 2.5 %; the second is the power. The
whole grid: 20 to 200 cases, 1 and 4 units a case, three prevalences, three kappas of the
clinicians, two scales, two to five clinicians, labels missing in some::

    cd benchmarks; python -m soundness.noninferiority

The test is done for all studies of a cell at once, by the formulas of `least_difference`; on some
studies of every cell the library is asked too, and has to say the same. Prints the table that
``docs/statistics.md`` holds; exits with 1 if a cell exceeds 2.5 % by more than chance.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from mmrare_judge.calibration import non_inferiority
from mmrare_judge.calibration.statistics.influence import LEAST_OFF
from soundness.labels import KAPPA, Floats, Labels, Population, draw, ratings_of

MARGIN = 0.1
LEVEL = 0.025
CASES = (20, 30, 40, 60, 100, 200)
MISSING = 0.15


class Cell(NamedTuple):
    """One kind of study."""

    cases: int
    units: int
    prevalence: float
    kappa: float
    levels: int
    clinicians: int
    missing: float


def grid() -> Iterator[Cell]:
    """Every kind of study; labels are missing in every fourth."""
    kinds = itertools.product(
        CASES, (1, 4), (0.5, 0.2, 0.07), (0.6, 0.7, 0.85), (2, 3), (2, 3, 4, 5)
    )
    for number, kind in enumerate(kinds):
        yield Cell(*kind, missing=MISSING if number % 4 == 3 and kind[5] > 2 else 0.0)


def studies_of(random: np.random.Generator, cell: Cell, studies: int, deficit: float) -> Labels:
    """Labels of a judge and clinicians; the judge is worse by the deficit."""
    population = Population(cell.levels, cell.prevalence)
    right = population.clinician(cell.kappa)
    judge = population.judge(right, cell.kappa - deficit)
    return draw(
        random, population, [judge] + [right] * cell.clinicians, studies=studies,
        cases=cell.cases, units=cell.units, missing=cell.missing,
    )  # fmt: skip


class Tables:
    """The pairs of raters of many studies as tables, and kappa with its slopes."""

    def __init__(self, labels: Labels, cost: Floats) -> None:
        self.labels, self.cost, self.size = labels.astype(np.int64), cost, len(cost)
        known = labels >= 0
        self.shared = known[..., 0] & (known[..., 1:].sum(axis=-1) > 1)
        self.pairs = list(itertools.combinations(range(labels.shape[-1]), 2))
        self.known = known & self.shared[..., None]
        self.hot = (self.labels[..., None] == np.arange(self.size)) & self.known[..., None]
        self.hot = self.hot.astype(np.float64)
        self.counts = np.stack(
            [np.einsum("rgmk,rgml->rkl", self.hot[..., a, :], self.hot[..., b, :])
             for a, b in self.pairs], axis=1,
        )  # fmt: skip
        judged = np.array([a == 0 for a, _ in self.pairs])
        self.weight = np.where(judged, 1 / judged.sum(), -1 / (~judged).sum())
        given = self.hot[..., 0, :].sum(axis=(1, 2))
        self.judge = given / np.maximum(given.sum(axis=1, keepdims=True), 1)
        self.guessed = self.counts.copy()
        for place, (first, _) in enumerate(self.pairs):
            if first == 0:
                others = self.counts[:, place].sum(axis=1)
                self.guessed[:, place] = self.judge[:, :, None] * others[:, None, :]

    def difference(self, share: Floats) -> tuple[Floats, Floats]:
        """Judge minus clinicians had the judge guessed in a share of cases; and the slopes."""
        mixed = share[:, None, None, None]
        counts = (1 - mixed) * self.counts + mixed * self.guessed
        n = counts.sum(axis=(2, 3), keepdims=True)
        with np.errstate(all="ignore"):
            shares = counts / n
            rows, columns = shares.sum(axis=3), shares.sum(axis=2)
            seen = (self.cost * shares).sum(axis=(2, 3))
            expected = np.einsum("kl,rpk,rpl->rp", self.cost, rows, columns)
            along = np.einsum("kl,rpl->rpk", self.cost, columns)[..., None]
            across = np.einsum("kl,rpk->rpl", self.cost, rows)[:, :, None, :]
            seen_, expected_ = seen[..., None, None], expected[..., None, None]
            slopes = (
                seen_ / expected_**2 * (along + across - 2 * expected_)
                - (self.cost - seen_) / expected_
            ) / n
            kappas = 1 - seen / expected
        return kappas @ self.weight, slopes * self.weight[:, None, None]

    def rejected(self, margin: float) -> np.ndarray:
        """Whether a deficit of the margin is rejected, by study."""
        studies, cases = self.labels.shape[:2]
        point, _ = self.difference(np.zeros(studies))
        share = np.zeros(studies)
        low, high = np.zeros(studies), np.ones(studies)
        for _ in range(25):
            share = (low + high) / 2
            above = self.difference(share)[0] > -margin
            low, high = np.where(above, share, low), np.where(above, high, share)
        value, slopes = self.difference(share)
        second, third = self._moments(slopes, share)
        t = stats.t.ppf(1 - LEVEL, cases - 1)
        with np.errstate(all="ignore"):
            error = np.sqrt(second * cases / (cases - 1))
            skew = np.clip(third / second**1.5, -1, 0)
            statistic = (point - value) / error
        proven = (statistic > t + skew * (t**2 - 1) / 6) & (point > -margin)
        enough = (self.off() >= LEAST_OFF) & (np.abs(value + margin) < 1e-4)
        return np.asarray(proven & enough)

    def _moments(self, slopes: Floats, share: Floats) -> tuple[Floats, Floats]:
        studies = np.arange(len(share))[:, None, None]
        own = np.zeros(self.labels.shape[:3])
        guess = np.zeros((*self.labels.shape[:3], self.size))
        for place, (first, second) in enumerate(self.pairs):
            both = self.known[..., first] & self.known[..., second]
            other = np.maximum(self.labels[..., second], 0)
            if first:
                mine = np.maximum(self.labels[..., first], 0)
                own += both * slopes[studies, place, mine, other]
            else:
                by_label = slopes[studies, place, :, other]
                guess += both[..., None] * by_label
        mine = np.maximum(self.labels[..., 0], 0)
        seen = (own + np.take_along_axis(guess, mine[..., None], axis=-1)[..., 0]).sum(axis=2)
        chances = self.judge[:, None, None, :]
        mean = (guess * chances).sum(axis=-1)
        apart = guess - mean[..., None]
        guessed, spread, skew = (
            part.sum(axis=2)
            for part in (own + mean, (apart**2 * chances).sum(-1), (apart**3 * chances).sum(-1))
        )
        part = share[:, None]
        middle = ((1 - part) * seen + part * guessed).mean(axis=1, keepdims=True)
        seen, guessed = seen - middle, guessed - middle
        second = (1 - part) * seen**2 + part * (guessed**2 + spread)
        third = (1 - part) * seen**3 + part * (guessed**3 + 3 * guessed * spread + skew)
        return np.asarray(second.sum(axis=1)), np.asarray(third.sum(axis=1))

    def off(self) -> Floats:
        """Labels a clinician off the most frequent level."""
        given = self.hot[..., 1:, :].sum(axis=(1, 2, 3))
        off = given.sum(axis=1) - given.max(axis=1)
        return np.asarray(off / (self.labels.shape[-1] - 1))


def passed(labels: Labels, levels: int) -> np.ndarray:
    """Which studies call the judge non-inferior."""
    cost = Population(levels, 0.5).cost
    size = labels[0].size * labels.shape[-1] * levels
    step = max(1, 8_000_000 // size)
    parts = [labels[start : start + step] for start in range(0, len(labels), step)]
    return np.concatenate([Tables(part, cost).rejected(MARGIN) for part in parts])


def by_library(labels: Labels, levels: int) -> list[bool]:
    """The same, asked of the library one study at a time."""
    outcomes = [
        non_inferiority(ratings_of(one, levels), judge="judge", margin=MARGIN, name=KAPPA[levels])
        for one in labels
    ]
    return [outcome.verdict == "non-inferior" for outcome in outcomes]


def main() -> int:
    """Run the grid and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=400, help="studies a cell")
    parser.add_argument("--checked", type=int, default=1, help="of them asked of the library too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    found: dict[Cell, tuple[float, float]] = {}
    differing = asked = 0
    for cell in grid():
        shares = []
        for deficit, count in ((MARGIN, options.studies), (0.0, options.studies // 2)):
            labels = studies_of(random, cell, count, deficit)
            verdicts = passed(labels, cell.levels)
            some = labels[: options.checked]
            differing += sum(
                a != b for a, b in zip(verdicts, by_library(some, cell.levels), strict=False)
            )
            asked += len(some)
            shares.append(float(verdicts.mean()))
        found[cell] = (shares[0], shares[1])
    print_table(found)
    # Of some 860 cells the worst lies about 3.3 standard errors above the level by chance.
    limit = LEVEL + 3.5 * (LEVEL * (1 - LEVEL) / options.studies) ** 0.5
    worst = max(found, key=lambda cell: found[cell][0])
    print(f"\nworst cell {found[worst][0]:.1%} {worst}; a cell may show {limit:.1%} by chance")
    print(f"library asked {asked} times, another verdict {differing} times")
    return int(found[worst][0] > limit or differing > 0)


def print_table(found: dict[Cell, tuple[float, float]]) -> None:
    """A row for each number of cases and units."""
    print(
        "| cases | units a case | wrongly proven, mean | worst cell | "
        "as good and proven, prevalence .5 | .2 | .07 |"
    )
    print("|---|---|---|---|---|---|---|")
    for cases, units in itertools.product(CASES, (1, 4)):
        here = {cell: shares for cell, shares in found.items() if cell[:2] == (cases, units)}
        wrong = [shares[0] for shares in here.values()]
        power = [
            np.mean([shares[1] for cell, shares in here.items() if cell.prevalence == prevalence])
            for prevalence in (0.5, 0.2, 0.07)
        ]
        cells = " | ".join(f"{share:.0%}" for share in power)
        print(f"| {cases} | {units} | {np.mean(wrong):.1%} | {max(wrong):.1%} | {cells} |")


if __name__ == "__main__":
    sys.exit(main())
