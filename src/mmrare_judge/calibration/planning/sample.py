"""Which units to label next, and the sheets that clinicians fill in.

What a judge graded becomes `Candidate` units; a `LabelDesign` sets strata and probabilities, where
nothing is random; `drawn` draws; a sheet shows nothing of what the judge said, and comes back as
gold with the probabilities, so that corrected scores stay unbiased.
"""

from __future__ import annotations

import csv
import heapq
import io
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import chain
from math import sqrt
from pathlib import Path
from typing import Literal

import numpy as np

from mmrare_judge.calibration.gold.columns import Unit
from mmrare_judge.calibration.gold.exports import LONG, gold_rows
from mmrare_judge.calibration.statistics.estimate import Codes, Floats
from mmrare_judge.calibration.study.grades import VerdictColumns, grades_of_judge
from mmrare_judge.data.cells import absent, identifier
from mmrare_judge.data.tables import Row
from mmrare_judge.errors import InputError, OutputError
from mmrare_judge.files import write_whole
from mmrare_judge.judging.grade import Grade
from mmrare_judge.records import Record
from mmrare_judge.rubric.model import Rubric

# --- candidates

UNSTATED = 0.8
"""How often a verdict without a stated confidence is taken to be right."""

DOUBTFUL = 0.5
"""The same where the judge could not decide, or level 2 contradicts it."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that could be labelled.

    Attributes:
        unit: Item, system and criterion.
        cluster: The case.
        level: The judge's level; ``None`` where it did not decide.
        confidence: Its confidence, 0 to 1; ``None`` where it is not known.
        stratum: A further group that has to be represented, such as a rare-disease category.
    """

    unit: Unit
    cluster: str
    level: str | None
    confidence: float | None = None
    stratum: str = ""


def candidates_of(
    grades: Iterable[Grade],
    *,
    judge: str | None = None,
    rubric: Rubric | None = None,
    clusters: Mapping[str, str] | None = None,
    strata: Mapping[str, str] | None = None,
) -> tuple[Candidate, ...]:
    """All units that one judge graded; of several samples, the first.

    A blank prediction is scored by rule and nothing is to be learnt from it, but the corrected
    score speaks of it too: it stays in.

    Args:
        grades: The grades.
        judge: The judge, where the grades are those of several.
        rubric: The rubric; may be left out for a built-in one.
        clusters: The case of each item; the item itself where it is left out.
        strata: By item, a group that has to be represented.

    Raises:
        InputError: There is no grade, or several judges or rubrics without a choice.
        RubricError: The rubric is not the one that the grades were made by.
    """
    chosen = grades_of_judge(grades, judge=judge, rubric=rubric).first
    cases, groups = clusters or {}, strata or {}
    columns = [(name, one) for name in chosen.verdicts if (one := chosen.on(name)) is not None]
    return tuple(
        Candidate(
            unit=(item, system, name),
            cluster=cases.get(item, item),
            level=verdicts.levels[verdicts.level[place]] if verdicts.level[place] >= 0 else None,
            confidence=_confidence(verdicts, place),
            stratum=groups.get(item, ""),
        )
        for place, (item, system) in enumerate(chosen.keys)
        for name, verdicts in columns if verdicts.known[place]
    )  # fmt: skip


def _confidence(verdicts: VerdictColumns, place: int) -> float | None:
    stated = float(verdicts.confidence[place])
    return DOUBTFUL if verdicts.contradicted[place] else None if np.isnan(stated) else stated


# --- design

By = Literal["unit", "prediction", "case"]

CLASSES = 4
"""Into so many classes of worth a group is cut."""


@dataclass(frozen=True)
class Stratum:
    """Draws that are all chosen with the same probability.

    Attributes:
        name: What its members share.
        draws: What can be drawn as a whole: single units, predictions or cases.
        taken: How many of them are.
    """

    name: str
    draws: tuple[tuple[Candidate, ...], ...]
    taken: int

    @property
    def inclusion(self) -> float:
        """The probability of each of its draws."""
        return self.taken / len(self.draws)


@dataclass(frozen=True)
class LabelDesign:
    """How to sample.

    Attributes:
        strata: The strata, by name.
        by: What is drawn as a whole.
    """

    strata: tuple[Stratum, ...]
    by: By

    @property
    def inclusion(self) -> dict[Unit, float]:
        """The probability of every unit that could be drawn, drawn or not."""
        return {
            one.unit: stratum.inclusion
            for stratum in self.strata
            for draw in stratum.draws
            for one in draw
        }


def label_design(
    candidates: Sequence[Candidate],
    budget: int,
    *,
    by: By = "prediction",
    floor: float = 0.5,
    classes: int = CLASSES,
) -> LabelDesign:
    """Settle strata and probabilities; nothing is random here.

    What labelling a unit is worth is ``sqrt(c (1 - c) / N)``: c the judge's confidence, N how many
    units of the criterion got the same level from it. So what the judge doubts is worth more, and
    so are rare levels. A draw is worth the root mean square of its units, and an even share
    (``floor``) is mixed in. Strata are the given ones (for single units also criterion and level)
    cut into classes of about equal total worth. Within a stratum all are alike, ``n / N``, and
    `allocate` sets n.

    Source: the judge's doubt: Zrnic and Candès (2024), Active statistical inference; one over the
    root of the size: Bankier (1988), Power allocations.

    Its arguments are those of `label_next`.

    Raises:
        InputError: A value is impossible, or the budget is too small for the strata.

    >>> units = [Candidate((str(n), "m", "safe"), str(n), "YES") for n in range(40)]
    >>> set(label_design(units, 10).inclusion.values())
    {0.25}
    """
    _check(candidates, budget, by, floor, classes)
    draws = _draws(candidates, by)
    members = [tuple(candidates[row] for row in rows) for rows in draws]
    squares = _squared_worth(candidates)
    roots = np.array([float(np.sqrt(squares[rows].mean())) for rows in draws])
    worth = _mixed(roots, floor)
    names = _names([_group(some, by) for some in members], worth, classes)
    rows_of = {name: np.flatnonzero(names == name) for name in sorted(set(names))}
    taken = allocate(
        [len(rows) for rows in rows_of.values()],
        [float(np.sqrt((worth[rows] ** 2).mean())) for rows in rows_of.values()],
        [float(np.mean([len(members[row]) for row in rows])) for rows in rows_of.values()],
        budget,
    )
    strata = (
        Stratum(name, tuple(members[row] for row in rows), count)
        for (name, rows), count in zip(rows_of.items(), taken, strict=True)
    )
    return LabelDesign(tuple(strata), by)


def _check(
    candidates: Sequence[Candidate], budget: int, by: str, floor: float, classes: int
) -> None:
    if not candidates:
        raise InputError("there is nothing to label", remedy="Grade first: `mmrare-judge grade`")
    unit, times = Counter(one.unit for one in candidates).most_common(1)[0]
    if times > 1:
        raise InputError(f"{' / '.join(unit)} is there {times} times", remedy="Name a unit once")
    for one in candidates:
        if one.confidence is not None and not 0 <= one.confidence <= 1:
            name = " / ".join(one.unit)
            raise InputError(f"confidence {one.confidence:g} of {name} must lie from 0 to 1")
    if by not in ("unit", "prediction", "case"):
        raise InputError(f"by {by!r} is unknown", remedy="It is unit, prediction or case")
    if budget < 1:
        raise InputError(f"a budget of {budget} labels is too small")
    if not 0 < floor <= 1:
        raise InputError(
            f"floor {floor:g} must be above 0 and at most 1",
            remedy="Without an even share some units could never be drawn",
        )
    if classes < 1:
        raise InputError(f"{classes} classes are too few")


def _draws(candidates: Sequence[Candidate], by: By) -> list[list[int]]:
    draws: dict[tuple[str, ...], list[int]] = {}
    for row, one in enumerate(candidates):
        key = {"unit": one.unit, "prediction": one.unit[:2], "case": (one.cluster,)}[by]
        draws.setdefault(key, []).append(row)
    return list(draws.values())


def _squared_worth(candidates: Sequence[Candidate]) -> Floats:
    """``c (1 - c) / N`` of each unit; c counts as one half at least, or where it is undecided."""
    kinds = [(one.unit[2], one.level) for one in candidates]
    counts = Counter(kinds)
    stated = [UNSTATED if one.confidence is None else one.confidence for one in candidates]
    decided = [one.level is not None for one in candidates]
    sure = np.where(decided, np.maximum(stated, DOUBTFUL), DOUBTFUL)
    return np.asarray(sure * (1 - sure) / np.array([counts[kind] for kind in kinds]))


def _mixed(worth: Floats, floor: float) -> Floats:
    mean = float(worth.mean())
    if mean == 0:  # the judge is certain of everything
        return np.ones_like(worth)
    return np.asarray((1 - floor) * worth / mean + floor)


def _group(members: Sequence[Candidate], by: By) -> str:
    given = sorted({one.stratum for one in members} - {""})
    if by == "unit":
        given += [f"{members[0].unit[2]}: {members[0].level or 'undecided'}"]
    return ", ".join(given)


def _names(groups: Sequence[str], worth: Floats, classes: int) -> np.ndarray:
    among = np.array(groups, dtype=object)
    names = among.copy()
    for group in set(groups):
        rows = np.flatnonzero(among == group)
        numbers = _classes(worth[rows], classes)
        names[rows] = [", ".join(filter(None, [group, f"worth {n}"])) for n in numbers]
    return names


def _classes(worth: Floats, classes: int) -> Codes:
    """Classes 1, 2, ... of about equal total worth; what is worth the same is in the same one."""
    values, of = np.unique(worth.round(9), return_inverse=True)
    totals = np.bincount(of, weights=worth, minlength=len(values))
    middles = (np.cumsum(totals) - totals / 2) / totals.sum()
    used = np.unique(np.floor(middles * classes + 1e-9), return_inverse=True)[1]
    return np.asarray(used[of] + 1, dtype=np.int64)


def allocate(
    members: Sequence[int], spreads: Sequence[float], costs: Sequence[float], budget: float
) -> list[int]:
    """How many members of each stratum to draw, at least one of each.

    The next one always goes to the stratum with the greatest ``N s / sqrt(c n (n + 1))``: N
    members, s their spread, c what one costs, n drawn so far. Without rounding that is Neyman's
    ``n`` in proportion to ``N s / sqrt(c)``. In whole numbers and at equal costs no other
    allocation gives a smaller variance, and a larger budget never takes any member away.

    Source: Wright (2012), The American Statistician 66.

    Args:
        members: Members of each stratum, 1 or more.
        spreads: Their spread, above 0.
        costs: The cost of one member of each, above 0.
        budget: What may be spent.

    Raises:
        InputError: The budget is too small for one of each.

    >>> allocate([100, 10], [1.0, 4.0], [1, 1], 14)
    [10, 4]
    """
    drawn = [1] * len(members)
    left = budget - sum(costs)
    if left < -1e-9:
        raise InputError(
            f"a budget of {budget:g} labels is too small for {len(members)} strata",
            remedy=f"One draw of each takes {sum(costs):.0f} labels; raise the budget, or make "
            "fewer strata",
        )

    def urgency(stratum: int) -> float:
        n = drawn[stratum]
        return -members[stratum] * spreads[stratum] / sqrt(costs[stratum] * n * (n + 1))

    queue = [(urgency(h), h) for h in range(len(members)) if members[h] > 1]
    heapq.heapify(queue)
    while queue:
        _, h = heapq.heappop(queue)
        if costs[h] > left + 1e-9:
            break
        drawn[h], left = drawn[h] + 1, left - costs[h]
        if drawn[h] < members[h]:
            heapq.heappush(queue, (urgency(h), h))
    return drawn


# --- draw


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
    labels: list[SampledUnit] = []
    strata = []
    for stratum in design.strata:
        draws = sorted(stratum.draws, key=partial(_draw_number, seed))[: stratum.taken]
        chosen = [
            SampledUnit(unit=one.unit, cluster=one.cluster, inclusion=stratum.inclusion)
            for one in chain.from_iterable(draws)
        ]
        labels += chosen
        members = len(stratum.draws)
        strata.append(SampledStratum(
            name=stratum.name, members=members, drawn=len(draws), labels=len(chosen)
        ))  # fmt: skip
    labels.sort(key=partial(_order, seed))
    weights = 1 / np.array([one.inclusion for one in labels])
    effect = float((weights**2).mean() / weights.mean() ** 2)
    population = len(design.inclusion)
    cases = len({one.cluster for one in labels})
    return LabelSample(
        units=tuple(labels), strata=tuple(strata), by=design.by, population=population,
        seed=seed, weight_effect=effect,
        sentence=f"{len(labels)} of {population} units to label, in {cases} cases, from "
        f"{len(strata)} strata; unequal weights alone inflate the variance of a mean "
        f"{effect:.2f} times.",
    )  # fmt: skip


def _draw_number(seed: int, draw: tuple[Candidate, ...]) -> bytes:
    return _number(seed, "draw", *min(one.unit for one in draw))


def _order(seed: int, one: SampledUnit) -> tuple[bytes, str, bytes]:
    """Cases in random order, and not in that of the draw: nothing about the judge shows in it."""
    case = _number(seed, "order", one.cluster)
    return case, one.cluster, _number(seed, "order", *one.unit[:2])


def _number(*key: object) -> bytes:
    """A random number that depends on nothing but the key."""
    return blake2b(json.dumps(key).encode(), digest_size=8).digest()


# --- sheets

UNIT = ("item", "system", "criterion")
GOLD = (*UNIT, "cluster", "inclusion", "rater", "label")
"""The columns of a sheet, in the long layout that `read_gold` reads."""


def write_sheet(
    sample: LabelSample,
    path: Path,
    *,
    rater: str = "",
    key: Path | None = None,
    labelled: Collection[Unit] = (),
    texts: Mapping[tuple[str, str], str] | None = None,
) -> int:
    """Write a sheet to be labelled, as CSV: never with anything that the judge said.

    Args:
        sample: What to label.
        path: The sheet; it must not exist, for there may be labels in it.
        rater: Who labels; otherwise the column stays blank, for the rater to fill in.
        key: Where to put the probabilities instead, with all units of the sample. A probability
            tells a little of the judge: units that it doubts, and rare levels, have greater ones.
        labelled: Units that were labelled before, and are left out.
        texts: By item and system the prediction, to be shown.

    Returns:
        How many rows the sheet has.

    Raises:
        InputError: A unit that was labelled before is not in the sample, or has no text.
        OutputError: A file exists, or cannot be written.
    """
    _check_labelled(sample, labelled)
    for file in filter(None, (path, key)):
        _check_absent(file)
    units = [
        dict(zip(UNIT, one.unit, strict=True))
        | {"cluster": one.cluster, "inclusion": repr(one.inclusion), "rater": rater}
        for one in sample.units
    ]
    rows = [row for row, one in zip(units, sample.units, strict=True) if one.unit not in labelled]
    columns = [name for name in GOLD if key is None or name != "inclusion"]
    if texts is not None:
        columns.append("prediction")
        for row in rows:
            row["prediction"] = _shown((row["item"], row["system"], row["criterion"]), texts)
    if key is not None:
        _write(key, [*UNIT, "inclusion"], units)
    _write(path, columns, rows)
    return len(rows)


def join_labels(files: Sequence[Path], key: Path, out: Path) -> int:
    """Join filled-in sheets, of one rater or several, with the probabilities of their key.

    Sheets of earlier, smaller samples with the same seed join too: the latest key holds for all.
    Rows that nobody has come to are left out.

    Args:
        files: The sheets.
        key: The key of the last sample.
        out: The gold file to write, as CSV; it must not exist.

    Returns:
        How many labels there are.

    Raises:
        InputError: A labelled unit is not in the key, or a file cannot be read.
        OutputError: The file exists, or cannot be written.
    """
    _check_absent(out)
    chances = {unit: row.values.get("inclusion") for unit, row in _rows(key)}
    joined = []
    for file in files:
        for unit, row in _rows(file):
            if _blank(row, "label"):
                continue
            if unit not in chances:
                problem = f"{' / '.join(unit)} was labelled and is not in {key}"
                remedy = "Take the key of the last sample, drawn with the same seed"
                raise InputError(problem, remedy=remedy, file=str(file), row=row.number)
            joined.append({**row.values, "inclusion": chances[unit]})
    _write(out, GOLD, joined)
    return len(joined)


def labelled_units(files: Iterable[Path]) -> frozenset[Unit]:
    """The units that have a label in these sheets or gold files.

    Raises:
        InputError: A file cannot be read, or has no such columns.
    """
    return frozenset(
        unit for file in files for unit, row in _rows(file) if not _blank(row, "label")
    )


def _rows(file: Path) -> Iterator[tuple[Unit, Row]]:
    for row in gold_rows(file, LONG, [])[0]:
        missing = [name for name in UNIT if name not in row.values]
        if missing:
            problem = f"no column {missing[0]!r}; there are {', '.join(row.values)}"
            raise InputError(problem, file=str(file), row=row.number, field=missing[0])
        item, criterion = (identifier(row.values[name], name) for name in ("item", "criterion"))
        system = "" if _blank(row, "system") else identifier(row.values["system"], "system")
        yield (item, system, criterion), row


def _blank(row: Row, column: str) -> bool:
    cell = row.values.get(column)
    return absent(cell) or str(cell).strip() == ""


def _check_labelled(sample: LabelSample, labelled: Collection[Unit]) -> None:
    lost = sorted(set(labelled) - {one.unit for one in sample.units})
    if lost:
        raise InputError(
            f"{' / '.join(lost[0])} was labelled and is not in this sample, nor are "
            f"{len(lost) - 1} more",
            remedy="Draw with the same grades, seed and options and no smaller budget; labels of "
            "units that were picked otherwise have no known probability",
        )


def _check_absent(path: Path) -> None:
    if path.exists():
        raise OutputError(f"{path} exists already and may hold labels; name another file")


def _shown(unit: Unit, texts: Mapping[tuple[str, str], str]) -> str:
    """A prediction that a spreadsheet takes for text: it is not to be trusted with a formula."""
    text = texts.get(unit[:2])
    if text is None:
        problem = f"there is no prediction of system {unit[1]!r} for item {unit[0]!r}"
        raise InputError(problem, remedy="Pass the predictions that were graded")
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    stream = io.StringIO()
    table = csv.DictWriter(stream, columns, extrasaction="ignore", restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_whole(path, stream.getvalue())
