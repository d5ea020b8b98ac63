"""How often the 95 % intervals of agreement statistics and of corrected scores hold the truth.

20 to 200 cases, 1 and 4 units a case (whose labels go together), three prevalences, kappa .3 to .9,
two scales, two and three raters; sensitivity among the statistics of two raters::

    cd benchmarks; python -m soundness.coverage

Coverage is counted among the intervals that are given; where labels vary too little there is none.
The agreement statistics are computed for all studies of a cell at once, by the formulas of
`bounded_interval`; on some studies the library is asked too, and has to say the same. Prints the
tables that ``docs/statistics.md`` holds; exits with 1 where coverage falls short.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import stats

from mmrare_judge.calibration import corrected_score, estimates
from mmrare_judge.calibration.statistics.influence import LEAST_DISPUTED, LEAST_OFF, LEAST_SHARED
from mmrare_judge.calibration.statistics.ratings import Patterns
from mmrare_judge.calibration.statistics.table import Statistic, statistic, unsuited
from soundness.labels import Floats, Labels, Population, draw, ratings_of

NAMES = (
    "cohen_kappa", "cohen_kappa_linear", "cohen_kappa_quadratic", "fleiss_kappa", "alpha_nominal",
    "alpha_ordinal", "gwet_ac1", "gwet_ac2_linear", "gwet_ac2_quadratic", "percent_agreement",
)  # fmt: skip
CASES = (20, 30, 40, 60, 100, 200)
KAPPAS = (0.3, 0.5, 0.7, 0.9)
GIVEN = 0.2
"""Cells in which fewer of the studies have an interval are not counted: they are selected ones."""

_STEP = 1e-4


class Cell(NamedTuple):
    """One kind of study."""

    cases: int
    units: int
    prevalence: float
    kappa: float
    levels: int
    raters: int


class Found(NamedTuple):
    """What one statistic's intervals did in one cell."""

    covered: float
    given: float


def grid() -> Iterator[Cell]:
    """Every kind of study."""
    kinds = itertools.product(CASES, (1, 4), (0.5, 0.2, 0.07), KAPPAS, (2, 3), (2, 3))
    return (Cell(*kind) for kind in kinds)


def studies_of(random: np.random.Generator, cell: Cell, studies: int) -> Labels:
    """Labels of raters who are all alike."""
    population = Population(cell.levels, cell.prevalence)
    right = [population.clinician(cell.kappa)] * cell.raters
    return draw(random, population, right, studies=studies, cases=cell.cases, units=cell.units)


def patterns_of(levels: int, raters: int) -> Patterns:
    """All rows of labels there can be."""
    codes = np.array(list(itertools.product(range(levels), repeat=raters)), dtype=np.int64)
    return Patterns(codes, codes.astype(np.float64), levels, (1,) if levels == 2 else ())


def truth_of(row: Statistic, cell: Cell) -> float:
    """The statistic's value in the population."""
    population = Population(cell.levels, cell.prevalence)
    patterns = patterns_of(cell.levels, cell.raters)
    given = population.given(population.clinician(cell.kappa))
    chances = np.prod([given[:, column] for column in patterns.codes.T], axis=0)
    return float(row.compute(patterns, 1e9 * (population.truth @ chances)[None, :])[0])


def limits(row: Statistic, labels: Labels, levels: int) -> tuple[Floats, Floats]:
    """The interval of each study; nan where there is none."""
    cases, units, raters = labels.shape[1:]
    patterns = patterns_of(levels, raters)
    place = (labels.astype(np.int64) * levels ** np.arange(raters)[::-1]).sum(axis=-1)
    held = (place[..., None] == np.arange(len(patterns.codes))).sum(axis=2).astype(np.float64)
    total = held.sum(axis=1)
    chance = np.ones_like(total)
    for column in patterns.codes.T:
        shares = np.stack(
            [total[:, column == level].sum(axis=1) for level in range(levels)], axis=1
        )
        chance *= shares[:, column] / (cases * units)
    weights = total + units * chance
    step = _STEP * max(cases * units / len(patterns.codes), 1.0)
    value, slopes = row.compute(patterns, weights), np.zeros_like(weights)
    for number in range(len(patterns.codes)):
        moved = weights.copy()
        moved[:, number] += step
        slopes[:, number] = (row.compute(patterns, moved) - value) / step
    slopes[weights == 0] = 0
    seen, guessed = np.einsum("rgp,rp->rg", held, slopes), units * slopes
    middle = (seen.sum(axis=1) + (chance * guessed).sum(axis=1)) / (cases + 1)
    apart, guess = seen - middle[:, None], guessed - middle[:, None]
    second = (apart**2).sum(axis=1) + (chance * guess**2).sum(axis=1)
    disputed = (labels.max(axis=-1) != labels.min(axis=-1)).any(axis=-1).sum(axis=1)
    few = disputed < LEAST_DISPUTED
    fourth = (apart**4).sum(axis=1) + np.where(few, 0, (chance * guess**4).sum(axis=1))
    square = np.where(few, (apart**2).sum(axis=1), second)
    counts = np.stack([(labels == level).sum(axis=(1, 2, 3)) for level in range(levels)], axis=1)
    mode = counts.argmax(axis=1)
    given = np.stack([(labels == level).sum(axis=-1) >= 2 for level in range(levels)], axis=-1)
    given[np.arange(len(labels)), :, :, mode] = False
    shared = given.any(axis=(2, 3)).sum(axis=1)
    widened = np.where((shared < LEAST_SHARED) & (row.one_class is None), 1.5, 1.0)
    with np.errstate(all="ignore"):
        unsure = np.maximum(fourth - square**2 / cases, 1e-300)
        freedom = np.clip(2 * second**2 / unsure, 1, cases - 1)
        scaled = 2 * (value - row.low) / (row.high - row.low) - 1
        error = np.sqrt(second * cases / (cases - 1)) * 2 / (row.high - row.low)
        reach = stats.t.ppf(0.975, freedom) * error / (1 - scaled**2)
        low, high = (
            row.low + (row.high - row.low) * (np.tanh(np.arctanh(scaled) + end) + 1) / 2
            for end in (-reach, widened * reach)
        )
    high = np.where(few, row.high, high)
    point = row.compute(patterns, total)
    low, high = np.fmin(low, point), np.fmax(high, point)
    off = (counts.sum(axis=1) - counts.max(axis=1)) / raters
    withheld = np.isnan(point) | (error <= 1e-12) | ((row.one_class is None) & (off < LEAST_OFF))
    return np.where(withheld, np.nan, low), np.where(withheld, np.nan, high)


def agreement(
    random: np.random.Generator, studies: int, checked: int, cells: list[Cell]
) -> tuple[dict[tuple[str, Cell], Found], float]:
    """Coverage by statistic and cell, and the greatest difference from the library's limits."""
    found, apart = {}, 0.0
    for cell in cells:
        labels = studies_of(random, cell, studies)
        ratings = [ratings_of(one, cell.levels) for one in labels[:checked]]
        asked = [estimates(one, [n for n in NAMES if not unsuited(statistic(n), one)])
                 for one in ratings]  # fmt: skip
        for name in NAMES:
            row = statistic(name)
            if unsuited(row, ratings_of(labels[0], cell.levels)):
                continue
            low, high = limits(row, labels, cell.levels)
            for number, one in enumerate(asked):
                interval = one[name].interval
                theirs = (interval.low, interval.high) if interval else (np.nan, np.nan)
                ends = np.array([low[number], high[number]])
                if np.isnan(ends).all() and interval is None:
                    continue
                apart = max(apart, float(np.nan_to_num(np.abs(ends - theirs), nan=9.0).max()))
            truth, given = truth_of(row, cell), ~np.isnan(low)
            inside = (low <= truth + 1e-9) & (truth <= high + 1e-9)
            covered = float(inside[given].mean()) if given.any() else 1.0
            found[name, cell] = Found(covered, float(given.mean()))
    return found, apart


def sensitivity(random: np.random.Generator, studies: int) -> dict[tuple[str, Cell], Found]:
    """Coverage of sensitivity, asked of the library."""
    found = {}
    for cases, units, prevalence, kappa in itertools.product(
        (20, 40, 100, 200), (1, 4), (0.5, 0.2, 0.07), (0.5, 0.9)
    ):
        cell = Cell(cases, units, prevalence, kappa, 2, 2)
        truth, inside, given = truth_of(statistic("sensitivity"), cell), 0, 0
        for one in studies_of(random, cell, studies):
            interval = estimates(ratings_of(one, 2), ["sensitivity"])["sensitivity"].interval
            if interval is not None:
                given += 1
                inside += interval.low <= truth <= interval.high
        found["sensitivity", cell] = Found(inside / max(given, 1), given / studies)
    return found


def corrected(random: np.random.Generator, studies: int) -> dict[tuple[str, Cell], Found]:
    """Coverage of corrected scores: gold on so many cases, of 600 that the judge graded."""
    found = {}
    for cases, units, prevalence in itertools.product((20, 40, 100, 200), (1, 4), (0.5, 0.2, 0.07)):
        counts = {"ppi": [0, 0], "rogan-gladen": [0, 0]}
        cell = Cell(cases, units, prevalence, 0.7, 2, 2)
        population = Population(2, prevalence)
        right = [population.judge(1.0, 0.7), 1.0]
        drawn = draw(random, population, right, studies=studies, cases=600, units=units)
        clusters = np.repeat(np.arange(600), units)
        for one in drawn:
            judge, gold = one.reshape(-1, 2).astype(float).T
            gold[cases * units :] = np.nan
            score = corrected_score(judge, gold, clusters=clusters, binary=True)
            for estimate in (score.ppi, score.rogan_gladen):
                if estimate is not None and estimate.interval is not None:
                    interval = estimate.interval
                    counts[estimate.name][0] += 1
                    counts[estimate.name][1] += interval.low <= prevalence <= interval.high
        for name, (given, inside) in counts.items():
            found[name, cell] = Found(inside / max(given, 1), given / studies)
    return found


def print_table(found: dict[tuple[str, Cell], Found], cases: tuple[int, ...]) -> None:
    """A row a statistic: mean coverage and the worst cell at each number of cases."""
    print("| statistic | " + " | ".join(f"{number} cases" for number in cases) + " |")
    print("|---|" + "---|" * len(cases))
    for name in dict.fromkeys(name for name, _ in found):
        entries = []
        for number in cases:
            here = [f for (n, cell), f in found.items() if n == name and cell.cases == number]
            shown = [one.covered for one in here if one.given >= GIVEN]
            none = 1 - np.mean([one.given for one in here])
            entries.append(f"{np.mean(shown):.1%}, worst {min(shown):.1%}, none {none:.0%}")
        print(f"| `{name}` | " + " | ".join(entries) + " |")


def main() -> int:
    """Run the grid and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=400, help="studies a cell")
    parser.add_argument("--checked", type=int, default=1, help="of them asked of the library too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    found, apart = agreement(random, options.studies, options.checked, list(grid()))
    print_table(found, CASES)
    few = max(options.studies // 4, 10)
    others = sensitivity(random, few) | corrected(random, options.studies)
    print()
    print_table(others, (20, 40, 100, 200))
    everything = found | others
    counted = [one.covered for one in everything.values() if one.given >= GIVEN]
    short = [one for one in counted if one < 0.93]
    print(
        f"\n{len(counted)} cells, mean {np.mean(counted):.1%}, {len(short)} below 93 %, "
        f"least {min(counted):.1%}; from the library's limits {apart:.1e} at most"
    )
    return int(min(counted) < 0.85 or np.mean(counted) < 0.94 or apart > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
