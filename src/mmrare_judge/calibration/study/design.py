"""How a study was made, and what to beware of: the last pages of its report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmrare_judge._version import __version__
from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS
from mmrare_judge.calibration.study.sources import Sources
from mmrare_judge.calibration.study.table import Table

Facts = tuple[tuple[str, str], ...]


def facts(sources: Sources) -> Facts:
    """What the study is about, for the head of its report."""
    grades, options, count = sources.grades, sources.options, len(sources.raters)
    return (
        ("Judge", "; ".join(one.short() for one in grades.signatures) or grades.judge),
        ("Gold", f"{options.gold.name}: {count} clinician{'s' if count > 1 else ''}, "
                 f"{len(sources.gold.units):,} units"),
        ("Date", options.dated.isoformat()),
    )  # fmt: skip


def design(sources: Sources, tables: Sequence[Table]) -> Facts:
    """How the study was made."""
    gold, grades, options = sources.gold, sources.grades, sources.options
    resampling = options.resampling
    return (
        ("gold labels", f"{options.gold.name}; source: {options.gold.source}; licence: "
                        f"{options.gold.licence}"),
        ("hash of the gold labels", gold.hash),
        ("clinicians", ", ".join(sources.raters)),
        ("ties", _ties(sources, tables)),
        ("cases", f"{len({label.cluster for label in gold.labels}):,}, of "
                  f"{len({label.item for label in gold.labels}):,} items"),
        ("graded predictions", f"{len(grades.first):,}, of {len(grades.systems)} systems"),
        ("units with gold", "; ".join(f"{t.criterion.id} {t.with_gold:,}" for t in tables)),
        ("main statistic", options.statistic),
        ("margin of non-inferiority", _margin(sources)),
        ("intervals", f"{resampling.method} bootstrap over cases, {resampling.resamples:,} "
                      f"resamples, seed {resampling.seed}, {resampling.level:.0%}; jackknife-t "
                      f"below {FEW_CLUSTERS} cases"),
        ("rubric", f"{grades.rubric.id} {grades.rubric.version}, {grades.rubric.hash}"),
        ("package", f"mmrare-judge {__version__}"),
    )  # fmt: skip


def caveats(sources: Sources, tables: Sequence[Table]) -> tuple[str, ...]:
    """What to beware of, as far as it can be read off the data."""
    return tuple(_caveats(sources, tables))


def _ties(sources: Sources, tables: Sequence[Table]) -> str:
    by_note: dict[str, list[str]] = {}
    for table in tables:
        by_note.setdefault(table.together.note, []).append(table.criterion.id)
    if len(by_note) == 1:
        return next(iter(by_note))
    return ". ".join(f"{', '.join(names)}: {note}" for note, names in by_note.items())


def _margin(sources: Sources) -> str:
    margin = sources.options.margin
    return "none was declared" if margin is None else f"{margin:g}, declared beforehand"


def _caveats(sources: Sources, tables: Sequence[Table]) -> Iterator[str]:
    grades, gold = sources.grades, sources.gold
    ungraded = {unit[:2] for unit in gold.units} - grades.first.keys()
    if ungraded:
        yield f"{len(ungraded)} predictions with gold labels were not graded; they are left out."
    if grades.unscored:
        kinds = ", ".join(f"{kind} {count}" for kind, count in grades.unscored.items())
        lost = sum(grades.unscored.values())
        yield f"The judge could not be asked about {lost} predictions: {kinds}."
    if len(grades.signatures) > 1:
        yield (
            f"The grades were made in {len(grades.signatures)} ways; a certificate needs one. "
            "Grade anew with one judge, one rubric and one package version."
        )
    blank = sum(grade.empty for grade in grades.first.values())
    if blank:
        yield (
            f"{blank} predictions were blank: the judge was not asked. They score 0 by rule, which "
            "counts in scores, and in nothing that is said of the judge."
        )
    studied = {table.criterion.id for table in tables}
    unlabelled = [one.id for one in grades.rubric.criteria if one.id not in studied]
    if unlabelled:
        yield (
            f"No graded prediction has gold on {', '.join(unlabelled)}: nothing is known of the "
            "judge there."
        )
    yield from _split(tables)
    cases = len({case for table in tables for case in table.cases})
    if cases < FEW_CLUSTERS:
        yield f"There are only {cases} independent cases: intervals are rough."
    if len(sources.raters) == 1:
        yield "There is one clinician: their errors cannot be told from the judge's."
    if gold.inclusion:
        yield (
            "Gold units were not sampled alike: agreement, missed harm and corrected scores are "
            "weighted by inverse inclusion probabilities. Bias, confidence, comparisons with other "
            "judges and the alternative annotator test are not: they speak of the labelled units."
        )


def _split(tables: Sequence[Table]) -> Iterator[str]:
    """Where clinicians have points but no level, what needs a level keeps the easy units."""
    found = []
    for table in tables:
        known = ~np.isnan(table.together.points)
        split = int((known & (table.together.codes < 0)).sum())
        if split:
            found.append(f"{table.criterion.id} ({split} of {int(known.sum())} units)")
    if found:
        yield (
            f"Clinicians are split, and nobody settled it, on {', '.join(found)}: missed harm and "
            "agreement with the clinicians taken together, kappa among it, leave these units out, "
            "and the others are easier. The comparison with every clinician in turn keeps them."
        )
