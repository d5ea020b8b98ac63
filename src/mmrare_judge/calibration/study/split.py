"""Which cases were used to make or to choose the judge: the verdict rests on the others alone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mmrare_judge.calibration.gold.labels import Gold
from mmrare_judge.calibration.study.inputs import StudyInputs
from mmrare_judge.calibration.study.options import Split
from mmrare_judge.data.items import Item
from mmrare_judge.errors import InputError

Part = Literal["all", "test", "tuning"]


@dataclass(frozen=True)
class StudiedParts:
    """What is studied of the gold labels.

    Attributes:
        part: All; the test part of a split; its tuning part where nothing else has gold.
        studied: That part.
        tuning: The tuning part, where it is not what is studied.
        sentences: What the split means for a reader.
    """

    part: Part
    studied: StudyInputs
    tuning: StudyInputs | None = None
    sentences: tuple[str, ...] = ()


def parts_of(inputs: StudyInputs) -> StudiedParts:
    """The parts of a study by its split; all of it where it has none.

    Raises:
        InputError: The split does not fit the gold labels or the items.
    """
    split = inputs.options.split
    cases = tuning_cases(split, inputs.gold, inputs.items) if split else frozenset()
    if split is None or not cases:
        return StudiedParts("all", inputs)
    sentences = tuple(_sentences(inputs, split, cases))
    tuning, test = (_of_cases(inputs, cases, inside=inside) for inside in (True, False))
    if not test.gold.labels:
        return StudiedParts("tuning", tuning, sentences=sentences)
    return StudiedParts("test", test, tuning, sentences)


def _of_cases(inputs: StudyInputs, cases: Collection[str], *, inside: bool) -> StudyInputs:
    labels = inputs.gold.labels
    labels = labels.take(labels.columns["cluster"].where(lambda case: (case in cases) == inside))
    keys = [
        key for key, case in zip(inputs.grades.first.keys, inputs.cases, strict=True)
        if (case in cases) == inside
    ]  # fmt: skip
    gold = replace(inputs.gold, labels=labels)
    return replace(inputs, grades=inputs.grades.only(keys), gold=gold)


def tuning_cases(split: Split, gold: Gold, items: Mapping[str, Item]) -> frozenset[str]:
    """The cases with gold that were used, named or drawn.

    In each stratum the cases are ordered by a hash of seed and name, and the first so many are
    taken: the same on every machine, whatever the order of rows.

    Raises:
        InputError: A case that is named has no gold, or an item lacks the field of the strata.
    """
    item_of = gold.labels.pairs("cluster", "item")
    for case in split.cases:
        if case not in item_of:
            raise InputError(f"the split names case {case!r}, which has no gold label")
    strata: dict[str, list[str]] = {}
    for case, item in item_of.items():
        strata.setdefault(_stratum(split, items, item), []).append(case)
    drawn = {
        case for cases in strata.values()
        for case in sorted(cases, key=lambda case: _order(split.seed, case))
        [: round(split.tuning * len(cases))]
    }  # fmt: skip
    return frozenset(drawn | set(split.cases))


def _order(seed: int, case: str) -> str:
    return hashlib.sha256(f"{seed}:{case}".encode()).hexdigest()


def _stratum(split: Split, items: Mapping[str, Item], item: str) -> str:
    name = split.strata
    if name is None:
        return ""
    if item not in items or name not in items[item].metadata:
        raise InputError(
            f"the split is by {name!r}, which is not known of item {item!r}",
            remedy="Give the items, with that metadata field",
        )
    return str(items[item].metadata[name])


def _sentences(inputs: StudyInputs, split: Split, cases: Collection[str]) -> Iterator[str]:
    """What the split means for what is measured."""
    total = len(set(inputs.clusters.values()))
    used = f"used to choose {split.used}" if split.used else "used to make or choose the judge"
    if len(cases) == total:
        yield f"All {total} cases with gold were {used}: of unseen cases expect less."
    else:
        yield (
            f"{len(cases)} of {total} cases with gold were {used}. Everything here is of the "
            f"{total - len(cases)} others, unless it says so."
        )
    if split.note:
        yield split.note
