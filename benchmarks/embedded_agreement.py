"""How far level 2 and the embedded judge agree with people, and with an order that is known.

Run: python benchmarks/embedded_agreement.py [folder of the shared data]

Two measurements, both on data that stand beside the repository:

- K-QA: "is this statement stated in the answer", against the majority of three physicians;
- medrbench: the reference verbatim, half of its list, and the reference of another case have to
  score in that order.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from mmrare_judge.data.items import Item, Reference, Track
from mmrare_judge.judging.embedded_judge import EmbeddedJudge
from mmrare_judge.judging.questions import Questions
from mmrare_judge.level2.document import read_document
from mmrare_judge.level2.elements import compile_element, match_element
from mmrare_judge.level2.terms import Terms
from mmrare_judge.level2.verify import verify
from mmrare_judge.rubric.model import Rubric, load_rubric

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
PROBES = ("reference_verbatim", "first_half_of_list", "other_case_reference")
PAIRS = ((PROBES[0], PROBES[1]), (PROBES[1], PROBES[2]), (PROBES[0], PROBES[2]))

Order = Literal["above", "tie", "below"]
Score = Callable[[Item, str], Fraction | None]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def quarter(question: str) -> int:
    """0 to 3, from the hash of the question: all claims of a question fall in one quarter."""
    return int(hashlib.sha256(question.encode()).hexdigest(), 16) % 4


def kqa(folder: Path, quarters: Iterable[int] = range(4)) -> tuple[list[bool], list[bool]]:
    """The physicians' majority and ours on the claims of some quarters: is it stated?"""
    terms, wanted = Terms.default(), set(quarters)
    gold: list[bool] = []
    ours: list[bool] = []
    for claim in rows(folder / "kqa" / "claims.jsonl"):
        if quarter(claim["question"]) in wanted:
            element = compile_element(claim["criterion"], terms, question=claim["question"])
            gold.append(claim["majority_label"] == "Entailment")
            ours.append(match_element(read_document(claim["prediction"], terms), element).found)
    return gold, ours


def items(folder: Path, track: Track) -> dict[str, Item]:
    """The medrbench items of a track, by id."""
    return {
        row["index"]: Item(
            id=row["index"],
            track=track,
            question=row["question"],
            context=row["context"],
            reference=Reference(
                answer=row["answer"],
                must_include=tuple(row.get("rubric_must_include", ())),
                key_tests=tuple(row.get("key_test_names", ())),
            ),
        )
        for row in rows(folder / "medrbench" / f"{track}_items.jsonl")
    }


def probes(folder: Path, track: Track) -> dict[str, dict[str, str]]:
    """The probes of each item, by kind."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows(folder / "medrbench" / f"{track}_probes.jsonl"):
        found[row["index"]][row["kind"]] = row["prediction"]
    return found


def level2_coverage(item: Item, prediction: str) -> Fraction | None:
    """Level 2: the share of the track's main list that is found."""
    elements = verify(prediction, item).lists[0].elements
    return Fraction(sum(match.found for match in elements), len(elements)) if elements else None


def judged_by(rubric: Rubric) -> Score:
    """The embedded judge: the mean of points over best points, of the questions it answered."""
    judge = EmbeddedJudge()

    def score(item: Item, prediction: str) -> Fraction | None:
        questions = Questions(rubric, item, prediction)
        answers = judge.judge(questions)
        points = [
            question.levels[level].points / max(one.points for one in question.levels.values())
            for question in questions.all
            if (level := answers[question.key].level) is not None
        ]
        return sum(points, Fraction(0)) / len(points) if points else None

    return score


def orders(folder: Path, track: Track, score: Score) -> dict[tuple[str, str], Counter[Order]]:
    """How often the first probe of each pair scores above the second, the same, and below."""
    known = items(folder, track)
    counts: dict[tuple[str, str], Counter[Order]] = {pair: Counter() for pair in PAIRS}
    for index, texts in probes(folder, track).items():
        scores = {kind: score(known[index], text) for kind, text in texts.items()}
        for upper, lower in PAIRS:
            high, low = scores.get(upper), scores.get(lower)
            if high is not None and low is not None:
                counts[upper, lower][_order(high, low)] += 1
    return counts


def _order(high: Fraction, low: Fraction) -> Order:
    if high == low:
        return "tie"
    return "above" if high > low else "below"


def _print_kqa(folder: Path) -> None:
    from sklearn.metrics import cohen_kappa_score

    for name, quarters in (("all", range(4)), ("even", (0, 2)), ("odd", (1, 3))):
        gold, ours = kqa(folder, quarters)
        table = Counter(zip(gold, ours, strict=True))
        print(
            f"K-QA {name:5} claims {len(gold):3}  kappa {cohen_kappa_score(gold, ours):.3f}  "
            f"hit {table[True, True]}, false {table[False, True]}, missed {table[True, False]}, "
            f"rightly not {table[False, False]}"
        )


def _print_orders(folder: Path) -> None:
    tracks: tuple[Track, ...] = ("treatment", "examination")
    for track in tracks:
        scores: dict[str, Score] = {
            "level 2": level2_coverage,
            track: judged_by(load_rubric(track)),
            f"{track}_elements": judged_by(load_rubric(f"{track}_elements")),
        }
        for name, score in scores.items():
            for (upper, lower), count in orders(folder, track, score).items():
                total = count.total()
                print(
                    f"{track:11} {name:20} {upper:18} over {lower:20} above {count['above']:3} "
                    f"tie {count['tie']:3} below {count['below']:3} of {total:3}: "
                    f"{100 * count['above'] / total:.1f} %"
                )


if __name__ == "__main__":
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    if not (data / "kqa").is_dir():
        sys.exit(f"{data} holds no kqa; name the folder of the data that kqa and medrbench are in")
    _print_kqa(data)
    _print_orders(data)
