"""Which units to label next: a stratified random sample with known probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np

from mmrare_judge.calibration.gold.labels import Unit
from mmrare_judge.calibration.planning.design import (
    CLASSES,
    By,
    LabelDesign,
    Stratum,
    label_design,
)
from mmrare_judge.calibration.planning.frame import Candidate
from mmrare_judge.records import Record


class SampledUnit(Record):
    """A unit to label.

    Attributes:
        unit: Item, system and criterion.
        cluster: The case.
        inclusion: The probability with which it was chosen, above 0 to 1.
    """

    unit: Unit
    cluster: str
    inclusion: float


class SampledStratum(Record):
    """A stratum, and how much of it was drawn.

    Attributes:
        name: What its members share: the given stratum, criterion and level where units are drawn
            one by one, and the class of worth, 1 the least.
        members: What could be drawn: units, predictions or cases.
        drawn: How many were.
        labels: Labels that these take.
    """

    name: str
    members: int
    drawn: int
    labels: int


class LabelSample(Record):
    """What to label next.

    Attributes:
        units: The units in the order to label them: cases in random order, each in one piece.
        strata: The strata they are from.
        by: What was drawn as a whole.
        population: Units that could have been drawn.
        seed: The seed.
        weight_effect: By how much the unequal weights alone inflate the variance of a mean (Kish).
        sentence: The sample in words.
    """

    units: tuple[SampledUnit, ...]
    strata: tuple[SampledStratum, ...]
    by: By
    population: int
    seed: int
    weight_effect: float
    sentence: str


def label_next(
    candidates: Sequence[Candidate],
    budget: int,
    *,
    by: By = "prediction",
    floor: float = 0.5,
    classes: int = CLASSES,
    seed: int = 0,
) -> LabelSample:
    """Choose what to label next, so that corrected scores stay unbiased.

    See `label_design` for how probabilities are set. They come with the sample, and belong into
    ``inclusion`` of `ppi_mean`, `corrected_score` and `missed_harm`; a labelling sheet carries
    them, and `read_gold` reads them back.

    Args:
        candidates: Everything that could be labelled; see `candidates_of`.
        budget: Labels, by each rater. Whole predictions or cases are drawn until the next one is
            expected to exceed it; if they differ in size, it may be somewhat more or fewer.
        by: What is drawn as a whole. Labels of one prediction cost a clinician less than as many
            of different ones, and corrected rubric scores need whole predictions.
        floor: How much of an even sample is kept, above 0 to 1. At 0.5 no weight is more than
            about twice that of an even sample; at 1 it is an even sample.
        classes: Into how many classes of worth a group is cut at most.
        seed: Of the random numbers.

    Raises:
        InputError: A value is impossible, or the budget is too small for the strata.

    >>> levels = ["YES"] * 36 + ["NO"] * 4
    >>> units = [Candidate((str(n), "m", "safe"), str(n), one) for n, one in enumerate(levels)]
    >>> sample = label_next(units, 12, by="unit", floor=0.2)
    >>> [(one.name, one.drawn, one.members) for one in sample.strata]
    [('safe: NO, worth 1', 3, 4), ('safe: YES, worth 1', 9, 36)]
    """
    return drawn(label_design(candidates, budget, by=by, floor=floor, classes=classes), seed=seed)


def drawn(design: LabelDesign, *, seed: int = 0) -> LabelSample:
    """Draw a sample by a design.

    In each stratum those with the least random numbers are taken. A number depends on seed and
    name alone, so with the same seed a larger budget draws the same ones and more.

    >>> units = [Candidate((str(n), "m", "safe"), str(n), "YES") for n in range(40)]
    >>> few, more = (drawn(label_design(units, n)).units for n in (4, 8))
    >>> {one.unit for one in few} < {one.unit for one in more}
    True
    """
    chosen = [(stratum, _first(stratum, seed)) for stratum in design.strata]
    labels = [one for stratum, draws in chosen for one in _units(stratum, draws)]
    labels.sort(key=lambda one: _order(one, seed))
    weights = 1 / np.array([one.inclusion for one in labels])
    effect = float((weights**2).mean() / weights.mean() ** 2)
    population = len(design.inclusion)
    return LabelSample(
        units=tuple(labels), strata=tuple(_summary(*one) for one in chosen), by=design.by,
        population=population, seed=seed, weight_effect=effect,
        sentence=_sentence(labels, population, len(chosen), effect),
    )  # fmt: skip


def _first(stratum: Stratum, seed: int) -> list[tuple[Candidate, ...]]:
    def number(draw: tuple[Candidate, ...]) -> bytes:
        return _number(seed, "draw", *min(one.unit for one in draw))

    return sorted(stratum.draws, key=number)[: stratum.taken]


def _units(stratum: Stratum, draws: Sequence[tuple[Candidate, ...]]) -> Iterator[SampledUnit]:
    for one in (one for draw in draws for one in draw):
        yield SampledUnit(unit=one.unit, cluster=one.cluster, inclusion=stratum.inclusion)


def _summary(stratum: Stratum, draws: Sequence[tuple[Candidate, ...]]) -> SampledStratum:
    labels = sum(map(len, draws))
    members = len(stratum.draws)
    return SampledStratum(name=stratum.name, members=members, drawn=len(draws), labels=labels)


def _order(one: SampledUnit, seed: int) -> tuple[bytes, str, bytes]:
    """Cases in random order, and not in that of the draw: nothing about the judge shows in it."""
    case = _number(seed, "order", one.cluster)
    return case, one.cluster, _number(seed, "order", *one.unit[:2])


def _number(*key: object) -> bytes:
    """A random number that depends on nothing but the key."""
    return blake2b(json.dumps(key).encode(), digest_size=8).digest()


def _sentence(labels: Sequence[SampledUnit], population: int, strata: int, effect: float) -> str:
    cases = len({one.cluster for one in labels})
    return (
        f"{len(labels)} of {population} units to label, in {cases} cases, from {strata} strata; "
        f"unequal weights alone inflate the variance of a mean {effect:.2f} times."
    )
