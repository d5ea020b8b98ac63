"""Everything that a study finds: one question a function, from the tables of all criteria.

Agreement, whole scores, missed harm, repeats and other judges, confidence, bias: in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import compress
from typing import TypeVar

import numpy as np

from mmrare_judge.calibration.analyses import bias, confidence
from mmrare_judge.calibration.analyses.alt_test import alt_test
from mmrare_judge.calibration.analyses.bias import GroupBias
from mmrare_judge.calibration.analyses.ceiling import Ceiling, human_ceiling
from mmrare_judge.calibration.analyses.noninferiority import NonInferiority, non_inferiority
from mmrare_judge.calibration.analyses.recalibration import recalibrate
from mmrare_judge.calibration.report.blocks import (
    AgreementLimits,
    BiasFindings,
    ConfidenceFindings,
    CriterionFindings,
    Findings,
    Kind,
)
from mmrare_judge.calibration.statistics.coefficients import confusion
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.proportions import (
    false_alarm,
    marginal_homogeneity,
    missed_harm,
)
from mmrare_judge.calibration.statistics.ratings import Ints, Ratings, Scale, indexed
from mmrare_judge.calibration.statistics.regression import Slope
from mmrare_judge.calibration.statistics.table import estimates, statistic, unsuited
from mmrare_judge.calibration.study.grades import GradeColumns, JudgeGrades
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable
from mmrare_judge.calibration.study.options import StudyOptions
from mmrare_judge.calibration.study.remarks import degenerate, lost_quotes
from mmrare_judge.calibration.study.scores import corrected, score_ratings
from mmrare_judge.errors import InputError

POOLED = "all criteria"
"""The name of what is put together from all criteria with the same levels."""

Result = TypeVar("Result")


def measured(inputs: StudyInputs, tables: Sequence[UnitTable]) -> Findings:
    """Everything that can be measured, before a word is said about it."""
    options, level, raters = inputs.options, inputs.options.resampling.level, len(inputs.raters)
    criteria = tuple(_criteria(inputs, tables))
    return Findings(
        title="", facts=(), tone="open", verdict=(),
        statistic=options.statistic,
        criteria=criteria,
        no_ceiling="" if raters > 1 else
                   f"a human ceiling needs two clinicians, and there is {raters}",
        remarks=tuple(_remarks(inputs, tables, criteria)),
        bias=_bias(inputs, tables),
        confidence=_confidence(tables, options),
        corrected=corrected(inputs, tables, level),
        harm=tuple(_harm(tables, level)),
        others=tuple(_others(inputs.grades, tables, level)),
    )  # fmt: skip


def _remarks(
    inputs: StudyInputs, tables: Sequence[UnitTable], criteria: Sequence[CriterionFindings]
) -> Iterator[str]:
    for table, one in zip(tables, criteria, strict=False):  # what is pooled follows the criteria
        levels = table.ratings.scale.categories
        yield from degenerate(one, table.judge_codes, table.gold_codes, levels)
    yield from lost_quotes(inputs.grades.first.quotes[inputs.grades.first.rows])


def on_tuning(inputs: StudyInputs, tables: Sequence[UnitTable]) -> Iterator[tuple[str, Estimate]]:
    """Judge and clinicians by criterion, on the part that was used to make or choose the judge."""
    name, resampling = inputs.options.statistic, inputs.options.resampling
    for table in tables:
        judge = table.ratings.raters[0]
        ceiling = _tried(partial(
            human_ceiling, table.ratings, judge=judge, name=name, resampling=resampling
        ))  # fmt: skip
        mine, theirs = _forest(name, table.pair, {}, ceiling)
        if mine.value is not None:
            yield f"{table.criterion.id}, on the part used for tuning: judge", mine
        if theirs is not None and theirs.value is not None:
            yield f"{table.criterion.id}, on the part used for tuning: clinicians", theirs


# --- agreement: by criterion, over all criteria, of whole scores


LONGEST_TITLE = 40
"""A criterion's question is its title up to so many characters; else its id is."""


def _criteria(inputs: StudyInputs, tables: Sequence[UnitTable]) -> Iterator[CriterionFindings]:
    options = inputs.options
    for one in tables:
        id, kind = one.criterion.id, one.criterion.kind
        found = _agreement(id, kind, one.ratings, one.pair, options.statistic, options)
        question = one.criterion.question
        title = question if len(question) <= LONGEST_TITLE else ""
        yield replace(found, coverage=one.coverage, title=title)
    if len(tables) > 1 and len({(s.categories, s.points) for s in map(_scale, tables)}) == 1:
        # A unit is now a prediction and a criterion; all units of a case are still one cluster.
        shared = set.intersection(*(set(table.ratings.raters) for table in tables))
        raters = [rater for rater in tables[0].ratings.raters if rater in shared]
        cases = [case for table in tables for case in table.cases]
        whole = _stacked([table.ratings.only(*raters) for table in tables], cases)
        pair = _stacked([table.pair for table in tables], cases)
        yield _agreement(POOLED, "overall", whole, pair, options.statistic, options)
    scores = score_ratings(inputs)
    if scores is not None:
        yield _agreement("score", "overall", *scores, options.score_statistic, options)


def _scale(table: UnitTable) -> Scale:
    return table.ratings.scale


def _agreement(
    name: str, kind: Kind, ratings: Ratings, pair: Ratings, main: str, options: StudyOptions
) -> CriterionFindings:
    resampling, (judge, *others) = options.resampling, ratings.raters
    clinicians = ratings.only(*others)
    found = estimates(pair, resampling=resampling)
    ceiling = _tried(lambda: human_ceiling(ratings, judge=judge, name=main, resampling=resampling))
    mine, theirs = _forest(main, pair, found, ceiling)
    return CriterionFindings(
        name=name, judge=mine, clinicians=theirs, statistics=found, ceiling=ceiling,
        human=estimates(clinicians, resampling=resampling) if len(others) > 1 else {},
        confusion=confusion(pair) if pair.scale.categories else None,
        homogeneity=_tried(lambda: marginal_homogeneity(pair)),
        points=_points(pair), limits=_limits(found),
        non_inferiority=_tested(ratings, main, options),
        alternative=_tried(lambda: alt_test(
            ratings, judge=judge, scoring=options.scoring, min_units=options.min_units,
            resampling=resampling,
        )) if kind != "overall" or name == POOLED else None,
        kind=kind,
    )  # fmt: skip


def _forest(
    main: str, pair: Ratings, found: dict[str, Estimate], ceiling: Ceiling | None
) -> tuple[Estimate, Estimate | None]:
    """What the forest plot shows: judge and clinicians by the same rule; else the judge alone."""
    side = None if ceiling is None else ceiling.side("pairwise")
    if side is not None and side.judge.value is not None and side.clinicians.value is not None:
        return side.judge, side.clinicians
    theirs = None if side is None or side.clinicians.value is not None else side.clinicians
    if main in found:
        return found[main], theirs
    reason = unsuited(statistic(main), pair) or "it was not computed"
    return Estimate(name=main, value=None, n=0, clusters=0, reason=reason), theirs


def _tested(ratings: Ratings, main: str, options: StudyOptions) -> NonInferiority | None:
    margin, resampling = options.margin, options.resampling
    if margin is None or main != options.statistic:
        return None
    return _tried(lambda: non_inferiority(
        ratings, judge=ratings.raters[0], margin=margin, name=main, resampling=resampling
    ))  # fmt: skip


def _tried(make: Callable[[], Result]) -> Result | None:
    """What is made, or ``None`` where these labels do not allow it: one clinician, weights."""
    try:
        return make()
    except InputError:
        return None


def _points(pair: Ratings) -> tuple[tuple[float, float], ...]:
    if len(pair.scale.categories) == 2:  # two levels make no plot of differences
        return ()
    numbers = pair.numbers[~np.isnan(pair.numbers).any(axis=1)]
    return tuple((float(a + b) / 2, float(a - b)) for a, b in numbers)


def _limits(found: dict[str, Estimate]) -> AgreementLimits | None:
    names = ("leniency", "agreement_limit_low", "agreement_limit_high")
    values = [found[name].value for name in names if name in found]
    known = [value for value in values if value is not None]
    return AgreementLimits(*known) if len(known) == len(names) else None


def _stacked(parts: Sequence[Ratings], cases: Sequence[str]) -> Ratings:
    """Ratings of the same raters below each other; ``cases`` has the case of each row."""
    first = parts[0].scale
    return Ratings(
        codes=np.concatenate([part.codes for part in parts]),
        numbers=np.concatenate([part.numbers for part in parts]),
        scale=Scale(level=first.level, categories=first.categories, points=first.points),
        raters=parts[0].raters,
        clusters=indexed(cases),
        weights=np.concatenate([part.weights for part in parts]),
    )


# --- missed harm and false alarms

MISSED, ALARM = "missed harm", "false alarm"


def _harm(tables: Sequence[UnitTable], level: float) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """By safety criterion, what the judge let pass and what it flagged in vain.

    A violation is what the rubric declares to be one (`Criterion.violations`), the same for judge
    and clinicians, on which clinicians decided: a tie that nobody settled confirms nothing.
    """
    for table in tables:
        if table.criterion.kind != "safety":
            continue
        flagged, violation = (_violates(table, of) for of in (table.judge_codes, table.gold_codes))
        for what, measure in ((MISSED, missed_harm), (ALARM, false_alarm)):
            found = measure(
                flagged, violation, clusters=list(table.clusters), inclusion=table.inclusion,
                level=level,
            )  # fmt: skip
            yield (table.criterion.id, what), found


def _violates(table: UnitTable, codes: Ints) -> Floats:
    return np.where(codes < 0, np.nan, np.isin(codes, table.ratings.scale.positives))


# --- the judge against itself on repeats, and beside every other judge


def _others(
    grades: JudgeGrades, tables: Sequence[UnitTable], level: float
) -> Iterator[tuple[str, Estimate]]:
    """Test-retest from repeats, and this judge beside every other."""
    clusters = [case for table in tables for case in table.clusters]
    repeats = _repeats(grades, tables)
    if repeats.shape[1] > 1:
        found = bias.retest(repeats, clusters=clusters, level=level)
        yield "test-retest: same level again", found.agreement
        yield "test-retest: more than one level", found.flipped
        yield "test-retest: spread in points", found.spread
    judge, gold, decided = (
        np.concatenate([getattr(table, of) for table in tables])
        for of in ("judge", "gold", "decided")
    )
    for name, theirs in grades.others.items():
        other = _of_judge(theirs, tables)
        # Being right needs a level that clinicians decided on; an error counts soft labels as well.
        soft = bias.compare_judges(judge, other, gold, clusters=clusters, level=level)
        hard = bias.compare_judges(judge, other, decided, clusters=clusters, level=level)
        yield f"same points as {name}", soft.same
        yield f"accuracy minus that of {name}", hard.accuracy_gain
        yield f"absolute error of {name} minus its own", soft.error_gain


def _of_judge(given: GradeColumns, tables: Sequence[UnitTable]) -> Floats:
    """Another judge's points, all criteria below each other."""
    places = np.array([given.row_of.get(key, -1) for key in tables[0].predictions])
    rows = np.where(places >= 0, given.rows[places], -1)
    return np.concatenate([_shares(given, table, rows) for table in tables])


def _repeats(grades: JudgeGrades, tables: Sequence[UnitTable]) -> Floats:
    return np.concatenate([_shares(grades.first, table, grades.first.samples) for table in tables])


def _shares(graded: GradeColumns, table: UnitTable, rows: Ints) -> Floats:
    return graded.shares(table.criterion.id, float(table.criterion.max_points), rows)


# --- the judge's stated confidence, against whether it was right

BINS = 10


def _confidence(tables: Sequence[UnitTable], options: StudyOptions) -> ConfidenceFindings:
    """Reliability, risk against coverage and a threshold, over all criteria together."""
    stated = np.concatenate([table.confidence for table in tables])
    judge = np.concatenate([table.judge_codes for table in tables])
    gold = np.concatenate([table.gold_codes for table in tables])
    cases = [case for table in tables for case in table.clusters]
    right = np.where((judge >= 0) & (gold >= 0), (judge == gold).astype(float), np.nan)
    known = ~np.isnan(stated) & ~np.isnan(right)
    if not known.any():
        return ConfidenceFindings(missing=_missing(stated))
    p, y, clusters = stated[known], right[known], list(compress(cases, known))
    level, seed = options.resampling.level, options.resampling.seed
    ece = [
        (f"ECE, equal {binning}", confidence.expected_calibration_error(
            p, y, bins=BINS, binning=binning, clusters=clusters, seed=seed, level=level
        ))
        for binning in ("width", "mass")
    ]  # fmt: skip
    log_loss = confidence.log_loss(p, y, clusters=clusters, level=level)
    return ConfidenceFindings(
        bins=tuple(confidence.reliability_diagram(p, y, bins=BINS, clusters=clusters, level=level)),
        brier=confidence.brier_score(p, y, bins=BINS, clusters=clusters, level=level),
        scores=(*ece, ("log loss", log_loss)),
        curve=confidence.risk_coverage(p, y),
        threshold=confidence.guaranteed_threshold(
            p, y, max_risk=options.max_risk, clusters=clusters, level=level, seed=seed
        ),
        recalibration=recalibrate(p, y, clusters=clusters, seed=seed, level=level),
    )


def _missing(stated: np.ndarray) -> str:
    if np.isnan(stated).all():
        return "the judge stated no confidence; ask for it with confidence: logprobs, or repeats"
    return "no verdict has both a confidence and a gold label"


# --- bias: by criterion, by system, by length, by family, by subgroup

POINTS = "Judge minus clinicians, as a share of the points; above 0 the judge is lenient."
LENGTH = (
    "Points that a judge adds when the prediction is e times (2.7 times) as long, at the same "
    "human level."
)
FAMILY = (
    "Points that the judge adds to systems of its own family beyond what {} to them (difference in "
    "differences)."
)
FAMILY_ALONE = (
    "Points that the judge adds to systems of its own family, at the same human level. Without "
    "another judge in the file a preference cannot be told apart from quality that the labels do "
    "not show."
)
SUBGROUP = "How a group's judging differs from that of all others, at the same human level."
UNKNOWN = "not stated"


def _bias(inputs: StudyInputs, tables: Sequence[UnitTable]) -> tuple[BiasFindings, ...]:
    """All comparisons of judge and clinicians that the inputs allow, criteria taken together."""
    _check_names(inputs)
    rows = _Rows(tables)
    return (
        BiasFindings("Leniency by criterion", POINTS, rows.leniency(rows.criteria)),
        BiasFindings("Leniency by system", POINTS, rows.leniency(rows.systems)),
        _length(rows, inputs),
        _family(rows, inputs, tables),
        *(_subgroup(rows, inputs, name) for name in inputs.options.subgroups),
    )


def _check_names(inputs: StudyInputs) -> None:
    """Refuse a system or a field that exists nowhere: a typing error would look like a finding."""
    systems = inputs.grades.systems
    for name in inputs.options.family:
        if name not in systems:
            known = ", ".join(systems)
            raise InputError(f"family names system {name!r}, which was not graded",
                             remedy=f"Graded systems are: {known}")  # fmt: skip
    fields = sorted({field for item in inputs.items.values() for field in item.metadata})
    for name in inputs.options.subgroups if inputs.items else ():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"no item has metadata field {name!r} for subgroups",
                             remedy=f"Fields are: {known}")  # fmt: skip


class _Rows:
    """The units with gold of all criteria below each other: a row is a prediction and criterion."""

    def __init__(self, tables: Sequence[UnitTable]) -> None:
        gold = np.concatenate([table.gold for table in tables])
        kept = ~np.isnan(gold)
        self.gold = gold[kept]
        self.judge = np.concatenate([table.judge for table in tables])[kept]
        self.cases = list(compress((c for t in tables for c in t.clusters), kept))
        self.criteria = list(compress((t.criterion.id for t in tables for _ in t.clusters), kept))
        self.keys = list(compress((key for t in tables for key in t.predictions), kept))
        self.systems = [system or UNKNOWN for _, system in self.keys]

    def leniency(self, groups: Sequence[str]) -> tuple[GroupBias, ...]:
        """Leniency within each group."""
        return tuple(bias.leniency_by_group(self.judge, self.gold, groups, clusters=self.cases))


def _length(rows: _Rows, inputs: StudyInputs) -> BiasFindings:
    words = np.array([len(inputs.texts.get(key, "").split()) for key in rows.keys], dtype=float)
    known = words > 0
    if not known.any():
        return BiasFindings("Length", LENGTH, missing="the predictions' texts were not given")
    cases = list(compress(rows.cases, known))
    slope = bias.verbosity_slope(rows.judge[known], rows.gold[known], words[known], clusters=cases)
    return BiasFindings("Length", LENGTH, (_alone("log length", slope),))


def _family(rows: _Rows, inputs: StudyInputs, tables: Sequence[UnitTable]) -> BiasFindings:
    title, family, others = "Same family", inputs.options.family, inputs.grades.others
    if not family:
        missing = "no system was declared of the judge's family"
        return BiasFindings(title, FAMILY_ALONE, missing=missing)
    if not others:
        same = np.array([system in family for system in rows.systems], dtype=float)
        slope = bias.family_preference(rows.judge, rows.gold, same, clusters=rows.cases)
        return BiasFindings(title, FAMILY_ALONE, (_alone("own family", slope),))
    judge = np.concatenate([table.judge for table in tables])
    theirs = np.column_stack([_of_judge(given, tables) for given in others.values()])
    same = np.array(
        [key[1] in family for table in tables for key in table.predictions], dtype=float
    )
    cases = [case for table in tables for case in table.clusters]
    slope = bias.family_difference(judge, theirs, same, clusters=cases)
    caption = FAMILY.format(f"{', '.join(others)} {'adds' if len(others) == 1 else 'add'}")
    return BiasFindings(title, caption, (_alone("own family, beside other judges", slope),))


def _subgroup(rows: _Rows, inputs: StudyInputs, name: str) -> BiasFindings:
    title, items = f"Subgroups: {name}", inputs.items
    if not items:
        return BiasFindings(title, SUBGROUP, missing="the items were not given")
    groups = [_group(items[item].metadata.get(name)) if item in items else UNKNOWN
              for item, _ in rows.keys]  # fmt: skip
    if len(set(groups)) < 2:
        alike = f"items with gold are all {groups[0]!r}" if groups else "no item has gold"
        return BiasFindings(title, SUBGROUP, missing=alike)
    found = bias.subgroup_bias(rows.judge, rows.gold, groups, clusters=rows.cases)
    return BiasFindings(title, SUBGROUP, tuple(found))


def _group(value: object) -> str:
    if value is None or value == "":
        return UNKNOWN
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or UNKNOWN
    return str(value)


def _alone(name: str, slope: Slope) -> GroupBias:
    """One comparison that is no family: nothing to adjust for."""
    p = slope.p_value
    return GroupBias(group=name, estimate=slope.estimate, p_value=p, p_holm=p, p_bh=p)
