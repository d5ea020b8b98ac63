"""What a study finds about one criterion, and about all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np

from mmrare_judge.calibration.analyses.abstention import guaranteed_threshold, risk_coverage
from mmrare_judge.calibration.analyses.alt_test import alt_test
from mmrare_judge.calibration.analyses.bias import (
    GroupBias,
    compare_judges,
    family_preference,
    leniency_by_group,
    retest,
    subgroup_bias,
    verbosity_slope,
)
from mmrare_judge.calibration.analyses.ceiling import (
    Ceiling,
    NonInferiority,
    human_ceiling,
    non_inferiority,
)
from mmrare_judge.calibration.analyses.confidence import (
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_diagram,
)
from mmrare_judge.calibration.analyses.correction import (
    CorrectedScore,
    corrected_rubric_score,
    corrected_score,
    rogan_gladen,
)
from mmrare_judge.calibration.analyses.recalibration import recalibrate
from mmrare_judge.calibration.report.blocks import (
    BiasFindings,
    ConfidenceFindings,
    CriterionFindings,
    Kind,
)
from mmrare_judge.calibration.report.plots import AxisLimits
from mmrare_judge.calibration.statistics.coefficients import confusion
from mmrare_judge.calibration.statistics.estimate import Estimate, Floats
from mmrare_judge.calibration.statistics.proportions import (
    false_alarm,
    marginal_homogeneity,
    missed_harm,
)
from mmrare_judge.calibration.statistics.ratings import Bools, Ratings, Scale, indexed
from mmrare_judge.calibration.statistics.regression import Slope
from mmrare_judge.calibration.statistics.table import estimates, statistic, unsuited
from mmrare_judge.calibration.study.inputs import (
    JudgeGrades,
    StudyInputs,
    StudyOptions,
    UnitPlace,
    UnitTable,
)
from mmrare_judge.errors import InputError
from mmrare_judge.judging.grade import Grade
from mmrare_judge.judging.verdicts import score_shares
from mmrare_judge.rubric.model import Rubric

POOLED = "all criteria"
"""The name of what is put together from all criteria with the same levels."""

Result = TypeVar("Result")


def criterion_findings(table: UnitTable, options: StudyOptions) -> CriterionFindings:
    """Everything a study finds about one criterion."""
    name, kind = table.criterion.id, table.criterion.kind
    found = _findings(name, kind, table.ratings, table.pair, options.statistic, options)
    return replace(found, coverage=table.coverage)


def pooled_findings(tables: Sequence[UnitTable], options: StudyOptions) -> CriterionFindings | None:
    """The same over all criteria together; ``None`` for one criterion or different levels.

    A unit is then a prediction and a criterion; all units of a case are still one cluster.
    """
    scales = {(t.ratings.scale.categories, t.ratings.scale.points) for t in tables}
    if len(tables) < 2 or len(scales) > 1:
        return None
    raters = _in_common(tables)
    cases = [case for table in tables for case in table.cases]
    whole = stacked([table.ratings.only(*raters) for table in tables], cases)
    pair = stacked([table.pair for table in tables], cases)
    return _findings(POOLED, "overall", whole, pair, options.statistic, options)


def score_findings(ratings: Ratings, pair: Ratings, options: StudyOptions) -> CriterionFindings:
    """The same about whole rubric scores, which are numbers from 0 to 1."""
    return _findings("score", "overall", ratings, pair, options.score_statistic, options)


def _findings(
    name: str, kind: Kind, ratings: Ratings, pair: Ratings, main: str, options: StudyOptions
) -> CriterionFindings:
    resampling = options.resampling
    clinicians = ratings.only(*ratings.raters[1:])
    found = estimates(pair, resampling=resampling)
    human = estimates(clinicians, resampling=resampling) if len(clinicians.raters) > 1 else {}
    ceiling = _tried(lambda: human_ceiling(
        ratings, judge=ratings.raters[0], name=main, resampling=resampling
    ))  # fmt: skip
    judge, theirs = _forest(main, pair, found, ceiling)
    return CriterionFindings(
        name=name, judge=judge, clinicians=theirs, statistics=found, human=human,
        ceiling=ceiling,
        confusion=confusion(pair) if pair.scale.categories else None,
        homogeneity=_tried(lambda: marginal_homogeneity(pair)),
        points=_points(pair), limits=_limits(found),
        non_inferiority=_tested(ratings, main, options),
        alternative=_tried(lambda: alt_test(
            ratings, judge=ratings.raters[0], scoring=options.scoring,
            min_units=options.min_units, resampling=resampling,
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
    margin = options.margin
    if margin is None or main != options.statistic:
        return None
    return _tried(lambda: non_inferiority(
        ratings, judge=ratings.raters[0], margin=margin, name=main, resampling=options.resampling
    ))  # fmt: skip


def _tried(make: Callable[[], Result]) -> Result | None:
    """What is made, or ``None`` where these labels do not allow it: one clinician, weights."""
    try:
        return make()
    except InputError:
        return None


def _points(pair: Ratings) -> tuple[tuple[float, float], ...]:
    numbers = pair.numbers[~np.isnan(pair.numbers).any(axis=1)]
    return tuple((float(a + b) / 2, float(a - b)) for a, b in numbers)


def _limits(found: dict[str, Estimate]) -> AxisLimits | None:
    names = ("leniency", "agreement_limit_low", "agreement_limit_high")
    values = [found[name].value for name in names if name in found]
    known = [value for value in values if value is not None]
    return AxisLimits(*known) if len(known) == len(names) else None


def _in_common(tables: Sequence[UnitTable]) -> tuple[str, ...]:
    """The raters that every criterion has, the judge first."""
    shared = set.intersection(*(set(table.ratings.raters) for table in tables))
    return tuple(rater for rater in tables[0].ratings.raters if rater in shared)


def stacked(parts: Sequence[Ratings], cases: Sequence[str]) -> Ratings:
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


# FOLDED calibration.study.cascade: Whole scores of a cascade, whose gate keeps them from being a mean of criteria.


@dataclass(frozen=True, eq=False)
class Cascade:
    """One entry a graded prediction.

    Attributes:
        judge: The judge's score, 0 to 1; NaN where it left a criterion open.
        gold: The clinicians'; NaN without gold on every criterion.
        inclusion: With which probability it was chosen for gold; ``None`` if alike for all.
    """

    judge: Floats
    gold: Floats
    inclusion: Floats | None


def cascade_points(sources: StudyInputs, tables: Sequence[UnitTable]) -> Cascade:
    """What every prediction scores by the judge, and by the clinicians taken together.

    A prediction whose criteria were chosen for gold one by one has no known probability of having
    all of them, and counts as one without gold.
    """
    first, places = sources.grades.first, tables[0].places
    gold = _floats([_gold(sources.grades.rubric, tables, row) for row in range(len(places))])
    chances = _joint_inclusion(tables)
    return Cascade(
        judge=_floats([first[place].score for place in places]),
        gold=gold if chances is None else np.where(np.isnan(chances), np.nan, gold),
        inclusion=chances,
    )


def _gold(rubric: Rubric, tables: Sequence[UnitTable], row: int) -> float | None:
    """What a prediction scores by the clinicians taken together.

    Where they are split on a gate of two levels, its share of points s is the chance that it is
    met: ``s`` times the score with the gate met, and ``1 - s`` times that without. A gate of more
    levels has to be decided.
    """
    values = {table.criterion.id: float(table.gold[row]) for table in tables}
    gate = next(table for table in tables if table.criterion.id == rubric.scoring.gate)
    id, met = gate.criterion.id, values[gate.criterion.id]
    if len(gate.criterion.levels) > 2:
        values[id] = met = float(gate.decided[row])
    if any(np.isnan(value) for value in values.values()):
        return None
    shares = {name: Fraction(value) for name, value in values.items()}
    if len(gate.criterion.levels) > 2:
        return full_score(rubric, shares)
    with_gate, without = (full_score(rubric, {**shares, id: Fraction(end)}) for end in (1, 0))
    return met * (with_gate or 0.0) + (1 - met) * (without or 0.0)


def _joint_inclusion(tables: Sequence[UnitTable]) -> Floats | None:
    """With which probability a prediction got labels on all criteria; NaN where it is not known."""
    chances = [table.inclusion for table in tables if table.inclusion is not None]
    if not chances:
        return None
    alike = np.all([chance == chances[0] for chance in chances], axis=0)
    return np.where(alike, chances[0], np.nan)


def full_score(rubric: Rubric, shares: Mapping[str, Fraction]) -> float | None:
    """The rubric's score; ``None`` unless every criterion has a share of its points."""
    if len(shares) < len(rubric.criteria):
        return None
    found = score_shares(rubric, shares)
    return None if found is None else float(found)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


# FOLDED calibration.study.scores: Whole rubric scores in a study: how far they agree, and what they are once corrected.

NUMBERS = Scale(level="continuous")
EVERYONE, UNNAMED = "all systems", "not stated"


def score_ratings(sources: StudyInputs) -> tuple[Ratings, Ratings] | None:
    """The scores that judge and clinicians give whole predictions, from 0 to 1.

    A rater's score exists where they labelled every criterion of the rubric. Predictions weigh by
    the inverse of their inclusion probability where there are such; one whose criteria were chosen
    with different ones is left out, since that of having them all is not recorded.

    Returns:
        The judge with every clinician, and the judge with the clinicians' mean; ``None`` where no
        clinician labelled all criteria of any prediction, or the rubric has one criterion only.
    """
    rubric, raters, first = sources.grades.rubric, sources.raters, sources.grades.first
    scores = _clinicians_scores(sources)
    chances = {place: _chance(sources, place) for place in scores if place in first}
    places = [place for place, chance in chances.items() if chance is not None]
    if not places or len(rubric.criteria) < 2:
        return None
    judge = [None if first[place].empty else first[place].score for place in places]
    theirs = [[scores[place].get(rater) for rater in raters] for place in places]
    cases = [sources.clusters[item] for item, _ in places]
    weights = [1 / (chances[place] or 1.0) for place in places]
    name = sources.grades.judge
    whole = [[mine, *row] for mine, row in zip(judge, theirs, strict=True)]
    pair = [[mine, _mean(row)] for mine, row in zip(judge, theirs, strict=True)]
    more: dict[str, Any] = {"clusters": cases, "weights": weights}
    return (
        Ratings.from_labels(whole, NUMBERS, raters=[name, *raters], **more),
        Ratings.from_labels(pair, NUMBERS, raters=[name, "clinicians"], **more),
    )


def _chance(sources: StudyInputs, place: UnitPlace) -> float | None:
    """With which probability a prediction was chosen as a whole; ``None`` where it was not."""
    inclusion = sources.gold.inclusion
    if not inclusion:
        return 1.0
    found = {inclusion.get((*place, one.id)) for one in sources.grades.rubric.criteria}
    return found.pop() if len(found) == 1 else None


def corrected_criteria(tables: Sequence[UnitTable], level: float) -> dict[str, CorrectedScore]:
    """The mean share of points on each criterion over all graded predictions, corrected."""
    return {table.criterion.id: _corrected_criterion(table, level) for table in tables}


def _corrected_criterion(table: UnitTable, level: float) -> CorrectedScore:
    score = corrected_score(
        table.scored, table.gold, clusters=list(table.clusters), inclusion=table.inclusion,
        level=level,
    )  # fmt: skip
    if len(table.criterion.levels) > 2:
        return score
    return score.model_copy(update={"rogan_gladen": _by_rates(table, level)})


def _by_rates(table: UnitTable, level: float) -> Estimate:
    """Rogan and Gladen's correction, which needs levels: a unit that is split is left out.

    It must not stay as one without gold either: the judge's rate is taken from those.
    """
    kept = ~np.isnan(table.decided) | np.isnan(table.gold)
    return rogan_gladen(
        table.scored[kept], table.decided[kept], clusters=np.array(table.clusters)[kept],
        inclusion=None if table.inclusion is None else table.inclusion[kept], level=level,
    )  # fmt: skip


def corrected_systems(
    sources: StudyInputs, tables: Sequence[UnitTable], level: float
) -> dict[str, CorrectedScore]:
    """The rubric score of each system over all its graded predictions, corrected.

    By criterion, where the rubric is a weighted mean and every criterion has gold; a cascade is
    corrected as a whole, from predictions of which every criterion has gold.
    """
    rubric, systems = sources.grades.rubric, sources.grades.systems
    if len(tables) < len(rubric.criteria):
        return {}
    cascade = None if rubric.scoring.rule == "weighted_mean" else cascade_points(sources, tables)
    of_row = tables[0].systems
    # With one criterion its own row says what a row for everyone would.
    parts = {EVERYONE: np.ones(len(of_row), dtype=bool)} if len(tables) > 1 else {}
    if len(systems) > 1:
        parts |= {one or UNNAMED: np.array([one == row for row in of_row]) for one in systems}
    return {name: _corrected(tables, cascade, chosen, level) for name, chosen in parts.items()}


def _corrected(
    tables: Sequence[UnitTable], cascade: Cascade | None, chosen: Bools, level: float
) -> CorrectedScore:
    clusters = [case for case, mine in zip(tables[0].clusters, chosen, strict=True) if mine]
    if cascade is not None:
        return corrected_score(
            cascade.judge[chosen], cascade.gold[chosen], clusters=clusters, level=level,
            inclusion=None if cascade.inclusion is None else cascade.inclusion[chosen],
        )  # fmt: skip
    return corrected_rubric_score(
        {table.criterion.id: table.scored[chosen] for table in tables},
        {table.criterion.id: table.gold[chosen] for table in tables},
        weights={table.criterion.id: float(table.criterion.weight) for table in tables},
        clusters=clusters, inclusion=_inclusions(tables, chosen), level=level,
    )  # fmt: skip


def _inclusions(tables: Sequence[UnitTable], chosen: np.ndarray) -> dict[str, Floats] | None:
    known = {t.criterion.id: t.inclusion[chosen] for t in tables if t.inclusion is not None}
    return known or None


def _clinicians_scores(sources: StudyInputs) -> dict[UnitPlace, dict[str, float | None]]:
    """By prediction and clinician the rubric score; ``None`` where a criterion has no label."""
    rubric = sources.grades.rubric
    shares: dict[UnitPlace, dict[str, dict[str, Fraction]]] = {}
    for label in sources.gold.labels:
        if label.label is None or label.rater not in sources.raters:
            continue
        criterion = rubric.criterion(label.criterion)
        scale = sources.gold.scales[label.criterion]
        level = criterion.levels[scale.categories[int(scale.read(label.label))]]
        by_rater = shares.setdefault((label.item, label.system), {})
        by_rater.setdefault(label.rater, {})[criterion.id] = level.points / criterion.max_points
    scored = {
        place: {rater: full_score(rubric, one) for rater, one in by_rater.items()}
        for place, by_rater in shares.items()
    }
    return {place: one for place, one in scored.items() if any(s is not None for s in one.values())}


def _mean(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


# FOLDED calibration.study.harm: Missed harm and false alarms on the safety criteria of a study.

MISSED, ALARM = "missed harm", "false alarm"


def harm_findings(
    tables: Sequence[UnitTable], level: float
) -> Iterator[tuple[tuple[str, str], Estimate]]:
    """By safety criterion, what the judge let pass and what it flagged in vain.

    A violation is any level below the best one, on which clinicians decided: a tie that nobody
    settled confirms nothing. The judge flags one by any level below the best, too.
    """
    for table in tables:
        if table.criterion.kind != "safety":
            continue
        flagged, violation = _below_best(table.judge), _below_best(table.decided)
        for what, measure in ((MISSED, missed_harm), (ALARM, false_alarm)):
            found = measure(
                flagged, violation, clusters=list(table.clusters), inclusion=table.inclusion,
                level=level,
            )  # fmt: skip
            yield (table.criterion.id, what), found


def _below_best(shares: Floats) -> Floats:
    return np.where(np.isnan(shares), np.nan, shares < 1)


# FOLDED calibration.study.others: The judge of a study against itself on repeats, and beside every other judge.


def other_findings(
    grades: JudgeGrades, tables: Sequence[UnitTable], level: float
) -> Iterator[tuple[str, Estimate]]:
    """Test-retest from repeats, and this judge beside every other."""
    clusters = [case for table in tables for case in table.clusters]
    repeats = _repeats(grades, tables)
    if repeats.shape[1] > 1:
        found = retest(repeats, clusters=clusters, level=level)
        yield "test-retest: same level again", found.agreement
        yield "test-retest: more than one level", found.flipped
        yield "test-retest: spread in points", found.spread
    for name, theirs in grades.others.items():
        yield from _beside(name, theirs, tables, clusters, level)


def _beside(
    name: str,
    grades: Mapping[UnitPlace, Grade],
    tables: Sequence[UnitTable],
    clusters: Sequence[str],
    level: float,
) -> Iterator[tuple[str, Estimate]]:
    """Being right needs a level that clinicians decided on; an error counts soft labels as well."""
    judge, gold, decided = (
        np.concatenate([getattr(table, of) for table in tables])
        for of in ("judge", "gold", "decided")
    )
    other = np.concatenate([_other(grades, table) for table in tables])
    soft = compare_judges(judge, other, gold, clusters=clusters, level=level)
    hard = compare_judges(judge, other, decided, clusters=clusters, level=level)
    yield f"same points as {name}", soft.same
    yield f"accuracy minus that of {name}", hard.accuracy_gain
    yield f"absolute error of {name} minus its own", soft.error_gain


def _repeats(grades: JudgeGrades, tables: Sequence[UnitTable]) -> Floats:
    width = max(len(samples) for samples in grades.repeats.values())
    rows = [
        [_share(one, table) for one in grades.repeats[place]] for table in tables
        for place in table.places
    ]  # fmt: skip
    return np.array([row + [np.nan] * (width - len(row)) for row in rows])


def _other(grades: Mapping[UnitPlace, Grade], table: UnitTable) -> Floats:
    return np.array([
        _share(grades[place], table) if place in grades else np.nan for place in table.places
    ])  # fmt: skip


def _share(grade: Grade, table: UnitTable) -> float:
    """The judge's points; NaN where it gave none, or was not asked about a blank prediction."""
    points = grade.verdict(table.criterion.id).points
    if points is None or grade.empty:
        return float("nan")
    return points / float(table.criterion.max_points)


# FOLDED calibration.study.confidence: The judge's stated confidence in a study, against whether it was right.

BINS = 10


def confidence_findings(tables: Sequence[UnitTable], options: StudyOptions) -> ConfidenceFindings:
    """Reliability, risk against coverage and a threshold, over all criteria together."""
    stated = np.concatenate([table.confidence for table in tables])
    judge = np.concatenate([table.judge_codes for table in tables])
    gold = np.concatenate([table.gold_codes for table in tables])
    cases = [case for table in tables for case in table.clusters]
    right = np.where((judge >= 0) & (gold >= 0), (judge == gold).astype(float), np.nan)
    known = ~np.isnan(stated) & ~np.isnan(right)
    if not known.any():
        return ConfidenceFindings(missing=_missing(stated))
    p, y = stated[known], right[known]
    clusters = [case for case, mine in zip(cases, known, strict=True) if mine]
    level, seed = options.resampling.level, options.resampling.seed
    ece = {
        f"ECE, equal {binning}": expected_calibration_error(
            p, y, bins=BINS, binning=binning, clusters=clusters, seed=seed, level=level
        )
        for binning in ("width", "mass")
    }  # fmt: skip
    return ConfidenceFindings(
        bins=tuple(reliability_diagram(p, y, bins=BINS, clusters=clusters, level=level)),
        brier=brier_score(p, y, bins=BINS, clusters=clusters, level=level),
        scores=(*ece.items(), ("log loss", log_loss(p, y, clusters=clusters, level=level))),
        curve=risk_coverage(p, y),
        threshold=guaranteed_threshold(
            p, y, max_risk=options.max_risk, clusters=clusters, level=level, seed=seed
        ),
        recalibration=recalibrate(p, y, clusters=clusters, seed=seed, level=level),
    )


def _missing(stated: np.ndarray) -> str:
    if np.isnan(stated).all():
        return "the judge stated no confidence; ask for it with confidence: logprobs, or repeats"
    return "no verdict has both a confidence and a gold label"


# FOLDED calibration.study.bias: Bias in a study: by criterion, by system, by length, by family, by subgroup.

POINTS = "Judge minus clinicians, as a share of the points; above 0 the judge is lenient."
UNKNOWN = "not stated"


def bias_findings(sources: StudyInputs, tables: Sequence[UnitTable]) -> tuple[BiasFindings, ...]:
    """All comparisons of judge and clinicians that the sources allow, criteria taken together."""
    _check_names(sources)
    rows = _Rows(sources, tables)
    return (
        rows.by("Leniency by criterion", POINTS, rows.criteria),
        rows.by("Leniency by system", POINTS, rows.systems),
        _length(rows),
        _family(rows),
        *(_subgroup(rows, name) for name in sources.options.subgroups),
    )


def _check_names(sources: StudyInputs) -> None:
    """Refuse a system or a field that exists nowhere: a typing error would look like a finding."""
    systems = sources.grades.systems
    for name in sources.options.family:
        if name not in systems:
            known = ", ".join(systems)
            raise InputError(f"family names system {name!r}, which was not graded",
                             remedy=f"Graded systems are: {known}")  # fmt: skip
    fields = sorted({field for item in sources.items.values() for field in item.metadata})
    for name in sources.options.subgroups if sources.items else ():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"no item has metadata field {name!r} for subgroups",
                             remedy=f"Fields are: {known}")  # fmt: skip


class _Rows:
    """All criteria below each other: a row is a prediction and a criterion."""

    def __init__(self, sources: StudyInputs, tables: Sequence[UnitTable]) -> None:
        self.sources = sources
        self.judge = np.concatenate([table.judge for table in tables])
        self.gold = np.concatenate([table.gold for table in tables])
        self.clusters = [case for table in tables for case in table.clusters]
        self.criteria = [table.criterion.id for table in tables for _ in table.places]
        self.systems = [system or UNKNOWN for table in tables for system in table.systems]
        self.places = [place for table in tables for place in table.places]

    def by(self, title: str, caption: str, groups: Sequence[str]) -> BiasFindings:
        """Leniency within each group that has gold."""
        known = ~np.isnan(self.gold)
        kept = [group for group, has in zip(groups, known, strict=True) if has]
        found = leniency_by_group(
            self.judge[known], self.gold[known], kept, clusters=self.cases(known)
        )
        return BiasFindings(title, caption, tuple(found))

    def cases(self, chosen: np.ndarray) -> list[str]:
        """The cases of some rows."""
        return [case for case, mine in zip(self.clusters, chosen, strict=True) if mine]


def _length(rows: _Rows) -> BiasFindings:
    title, texts = "Length", rows.sources.texts
    caption = (
        "Points that a judge adds when the prediction is e times (2.7 times) as long, at the same "
        "human level."
    )
    words = np.array([len(texts.get(place, "").split()) for place in rows.places], dtype=float)
    known = (words > 0) & ~np.isnan(rows.gold)
    if not known.any():
        return BiasFindings(title, caption, missing="the predictions' texts were not given")
    slope = verbosity_slope(
        rows.judge[known], rows.gold[known], words[known], clusters=rows.cases(known)
    )
    return BiasFindings(title, caption, (_alone("log length", slope),))


def _family(rows: _Rows) -> BiasFindings:
    title, family = "Same family", rows.sources.options.family
    caption = "Points that a judge adds to systems of its own family, at the same human level."
    if not family:
        return BiasFindings(title, caption, missing="no system was declared of the judge's family")
    same = np.array([system in family for system in rows.systems], dtype=float)
    slope = family_preference(rows.judge, rows.gold, same, clusters=rows.clusters)
    return BiasFindings(title, caption, (_alone("own family", slope),))


def _subgroup(rows: _Rows, name: str) -> BiasFindings:
    title = f"Subgroups: {name}"
    caption = "How a group's judging differs from that of all others, at the same human level."
    items = rows.sources.items
    groups = [_group(items[item].metadata.get(name)) if item in items else UNKNOWN
              for item, _ in rows.places]  # fmt: skip
    known = ~np.isnan(rows.gold)
    kept = [group for group, has in zip(groups, known, strict=True) if has]
    if not items:
        return BiasFindings(title, caption, missing="the items were not given")
    if len(set(kept)) < 2:
        alike = f"items with gold are all {kept[0]!r}" if kept else "no item has gold"
        return BiasFindings(title, caption, missing=alike)
    found = _compared(rows, known, kept)
    return BiasFindings(title, caption, found)


def _compared(rows: _Rows, known: np.ndarray, groups: Sequence[str]) -> tuple[GroupBias, ...]:
    judge: Floats = rows.judge[known]
    return tuple(subgroup_bias(judge, rows.gold[known], list(groups), clusters=rows.cases(known)))


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
