"""How a study was made, what to beware of, and where judge and clinicians disagree most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mmrare_judge._version import __version__
from mmrare_judge.calibration.report.blocks import CaseBlock, Quote
from mmrare_judge.calibration.statistics.bootstrap import Resampling
from mmrare_judge.calibration.statistics.estimate import FEW_CLUSTERS
from mmrare_judge.calibration.study.inputs import StudyInputs, UnitTable
from mmrare_judge.calibration.study.verdict import conditions_of
from mmrare_judge.judging.grade import Verdict

Facts = tuple[tuple[str, str], ...]


def facts(inputs: StudyInputs) -> Facts:
    """What the study is about, for the head of its report."""
    grades, options, count = inputs.grades, inputs.options, len(inputs.raters)
    return (
        ("Judge", "; ".join(one.short() for one in grades.signatures) or grades.judge),
        ("Gold", f"{options.gold.name}: {count} clinician{'s' if count > 1 else ''}, "
                 f"{len(inputs.gold.units):,} units"),
        ("Date", options.dated.isoformat()),
    )  # fmt: skip


def design(inputs: StudyInputs, tables: Sequence[UnitTable]) -> Facts:
    """How the study was made."""
    gold, grades, options, plan = inputs.gold, inputs.grades, inputs.options, inputs.plan
    resampling, conditions = options.resampling, conditions_of(inputs, tables)
    return (
        ("gold labels", f"{options.gold.name}; source: {options.gold.source}; licence: "
                        f"{options.gold.licence}"),
        ("hash of the gold labels", gold.hash),
        ("clinicians", ", ".join(inputs.raters)),
        ("ties", _ties(inputs, tables)),
        ("cases", f"{len(gold.labels.columns['cluster'].used):,}, of "
                  f"{len(gold.labels.columns['item'].used):,} items"),
        ("graded predictions", f"{len(grades.first):,}, of {len(grades.systems)} systems"),
        ("units with gold", "; ".join(f"{t.criterion.id} {t.with_gold:,}" for t in tables)),
        ("main statistic", options.statistic),
        ("margin of non-inferiority", "none was given" if options.margin is None
                                      else f"{options.margin:g}, {conditions.declared}"),
        *([("reason for the margin", options.margin_reason)] if options.margin_reason else ()),
        *([("plan", f"of {plan.dated}, {plan.hash}")] if plan else ()),
        ("intervals", _intervals(resampling)),
        ("rubric", f"{grades.rubric.id} {grades.rubric.version}, {grades.rubric.hash}"),
        ("package", f"mmrare-judge {__version__}"),
    )  # fmt: skip


def _ties(inputs: StudyInputs, tables: Sequence[UnitTable]) -> str:
    by_note: dict[str, list[str]] = {}
    for table in tables:
        by_note.setdefault(table.together.note, []).append(table.criterion.id)
    if len(by_note) == 1:
        return next(iter(by_note))
    return ". ".join(f"{', '.join(names)}: {note}" for note, names in by_note.items())


def caveats(inputs: StudyInputs, tables: Sequence[UnitTable]) -> Iterator[str]:
    """What to beware of, as far as it can be read off the data."""
    grades, gold = inputs.grades, inputs.gold
    yield from gold.notes
    ungraded = len(gold.labels.predictions) - len(inputs.with_gold)
    if ungraded:
        yield f"{ungraded} predictions with gold labels were not graded; they are left out."
    if grades.unscored:
        kinds = ", ".join(f"{kind} {count}" for kind, count in grades.unscored.items())
        lost = sum(grades.unscored.values())
        yield f"The judge could not be asked about {lost} predictions: {kinds}."
    if len(grades.signatures) > 1:
        yield (
            f"The grades were made in {len(grades.signatures)} ways; a certificate needs one. "
            "Grade anew with one judge, one rubric and one package version."
        )
    blank = int(grades.first.blank_first.sum())
    if blank:
        yield (
            f"{blank} predictions were blank: the judge was not asked. They score 0 by rule, which "
            "counts in scores, and in nothing that is said of the judge."
        )
    unlabelled = conditions_of(inputs, tables).unlabelled
    if unlabelled:
        yield (
            f"No graded prediction has gold on {', '.join(unlabelled)}: nothing is known of the "
            "judge there."
        )
    yield from _split(tables)
    cases = len({case for table in tables for case in table.cases})
    if cases < FEW_CLUSTERS:
        yield f"There are only {cases} independent cases: intervals are rough."
    if len(inputs.raters) == 1:
        yield "There is one clinician: their errors cannot be told from the judge's."
    if gold.inclusion:
        yield (
            "Gold units were not sampled alike: agreement, missed harm and corrected scores are "
            "weighted by inverse inclusion probabilities. Bias, confidence, comparisons with other "
            "judges and the alternative annotator test are not: they speak of the labelled units."
        )


def _split(tables: Sequence[UnitTable]) -> Iterator[str]:
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


# --- the predictions on which judge and clinicians disagree most, told in full

LONGEST = 1500
"""Characters of one text that a report shows; what is cut is said."""


def worst_disagreements(inputs: StudyInputs, tables: Sequence[UnitTable]) -> tuple[CaseBlock, ...]:
    """The largest differences between judge and clinicians, in points as a share of the best."""
    gaps = [
        (-gap, table.predictions[row], number, row)
        for number, table in enumerate(tables)
        for row, gap in enumerate(np.nan_to_num(np.abs(table.judge - table.gold)))
        if gap > 0
    ]
    worst = sorted(gaps, key=lambda gap: gap[:2])[: inputs.options.cases]
    return tuple(_told(inputs, tables[number], row) for *_, number, row in worst)


def _told(inputs: StudyInputs, table: UnitTable, row: int) -> CaseBlock:
    item, system = key = table.predictions[row]
    criterion = table.criterion
    verdict = inputs.grades.first.verdict(row, criterion.id)
    mine = inputs.place_of_label == row
    mine &= inputs.gold.labels.columns["criterion"].where(criterion.id.__eq__)
    labels = [
        f"{label.rater}: {label.label}"
        for label in inputs.gold.labels.take(mine) if label.label is not None
    ]  # fmt: skip
    elements = [f"- {one.element}: {one.level or one.status}" for one in verdict.elements]
    asked = Quote("What was judged", _cut("\n".join([criterion.question, *elements])))
    return CaseBlock(
        title=", ".join(filter(None, (f"Item {item}", system, criterion.id))),
        facts=(("judge", verdict.level or "–"), ("clinicians", ", ".join(labels))),
        quotes=(asked, *_quotes(inputs, key, verdict)),
    )


def _quotes(inputs: StudyInputs, key: tuple[str, str], verdict: Verdict) -> Iterator[Quote]:
    item = inputs.items.get(key[0])
    texts = {
        "The question": item and item.question,
        "The reference": item and item.reference.answer,
        "The prediction": inputs.texts.get(key),
        "The judge's reasoning": verdict.reasoning,
    }
    yield from (Quote(title, _cut(text)) for title, text in texts.items() if text)
    for evidence in (quoted for one in (verdict, *verdict.elements) for quoted in one.evidence):
        where = "found in the prediction" if evidence.found else "not found in the prediction"
        yield Quote(f"Quoted by the judge, {where}", _cut(evidence.quote))


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]} [... {len(text) - LONGEST:,} characters more]"


def _intervals(resampling: Resampling) -> str:
    method = "percentile" if resampling.method == "influence" else str(resampling.method)
    head = "what each case adds, one case of chance among them; of numbers "
    return (
        f"{head if resampling.method == 'influence' else ''}{method} bootstrap over cases, "
        f"{resampling.resamples:,} resamples, seed {resampling.seed}, {resampling.level:.0%}; "
        f"jackknife-t below {FEW_CLUSTERS} cases"
    )
