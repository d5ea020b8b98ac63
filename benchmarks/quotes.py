"""How often quotes are found that a judge copied in its own spelling, and those it changed.

From each text twenty spans are taken and rewritten as judges rewrite what they copy: spaces, signs,
digits, markup, damage by JSON. All of them say what the text says, and should be found. From each
text twenty more get one number, unit or negation changed, and should not be::

    python benchmarks/quotes.py                 # the shared medrbench texts, a few minutes
    python benchmarks/quotes.py --most 50       # fifty of them

Exits with 1 if less than 99 % of the faithful ones are found, or more than 0.1 % of the changed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mmrare_judge import Item, load_rubric
from mmrare_judge.data.items import Reference
from mmrare_judge.judging.evidence import Sources, look_up
from mmrare_judge.judging.questions import Questions

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "medrbench"
LEAST_FAITHFUL, MOST_CHANGED = 0.99, 0.001
SPANS = 20

Rewrite = Callable[[random.Random, str], str]
"""Writes a span in another way."""


def _replaced(pattern: str, by: str | Callable[[re.Match[str]], str]) -> Rewrite:
    return lambda _, span: re.sub(pattern, by, span)


def _table(**pairs: str) -> Rewrite:
    table = str.maketrans(pairs)
    return lambda _, span: span.translate(table)


def _sprinkled(mark: str) -> Rewrite:
    """A mark at some places between words."""

    def rewrite(rng: random.Random, span: str) -> str:
        words = span.split(" ")
        return " ".join(mark + word if rng.random() < 0.2 else word for word in words)

    return rewrite


def _wrapped(before: str, behind: str) -> Rewrite:
    """Markup around some words."""

    def rewrite(rng: random.Random, span: str) -> str:
        def wrap(match: re.Match[str]) -> str:
            return f"{before}{match[0]}{behind}" if rng.random() < 0.2 else match[0]

        return re.sub(r"(?<!\S)[A-Za-z]{3,}(?![^\s.,;)])", wrap, span)

    return rewrite


def _entities(_: random.Random, span: str) -> str:
    return "".join(f"&#{ord(c)};" if not c.isalnum() and not c.isspace() else c for c in span)


_UNITS = "mg|mcg|g|kg|mL|L|Gy|mm|cm|weeks?|days?|months?|hours?|years?|mmol|IU|units?|%|mEq"
_ARABIC, _PERSIAN, _WIDE, _HINDI = (
    {str(n): chr(zero + n) for n in range(10)} for zero in (0x660, 0x6F0, 0xFF10, 0x966)
)

_LATEX = {
    "≥": r"\geq", "≤": r"\leq", "×": r"\times", "→": r"\to", "±": r"\pm", "µ": r"\mu",
    "°": r"^\circ", "%": r"\%",
}  # fmt: skip
_NAMED = {
    "≥": "&ge;", "≤": "&le;", "→": "&rarr;", "×": "&times;", "±": "&plusmn;", "°": "&deg;",
    "µ": "&micro;", "<": "&lt;", ">": "&gt;", "&": "&amp;",
}  # fmt: skip

REWRITES: dict[str, Rewrite] = {
    "as it is": lambda _, span: span,
    "white space": _replaced(r"\s+", " "),
    "line breaks": _replaced(r" (?=\w)", "\n"),
    "line breaks as text": _replaced(r"\n+(?=[A-Z])", r"\\n"),
    "no-break spaces": _replaced(r"(?<=\d) (?=[A-Za-z])", "\u202f"),
    "number and unit joined": _replaced(rf"(?<=\d) (?=(?:{_UNITS})\b)", ""),
    "number and unit apart": _replaced(rf"(?<=\d)(?=(?:{_UNITS})\b)", " "),
    "capitals": lambda _, span: span.upper(),
    "signs in ASCII": _replaced(
        "[≥≤→×±≠–—−µ°]",
        lambda m: {"≥": ">=", "≤": "<=", "→": "->", "×": "x", "±": "+/-", "≠": "!=", "µ": "mc"}.get(
            m[0], "-" if m[0] in "–—−" else m[0]
        ),
    ),
    "comparison signs": _replaced("[<>]=", lambda m: {"<=": "≤", ">=": "≥"}[m[0]]),
    "spaces around signs": _replaced(r"\s*([<>≤≥=±×→/])\s*", r" \1 "),
    "no spaces around signs": _replaced(r"\s*([<>≤≥=±×→/])\s*", r"\1"),
    "dashes": _replaced(r"[-–—]", lambda m: "–" if m[0] == "-" else "-"),
    "micro sign": _replaced(r"\b(?:mc|µ|μ)(?=g\b|L\b|mol\b)", "µ"),
    "degree sign": _replaced(r"\s*°\s*(?=C)", "˚"),
    "digits grouped": _replaced(r"(?<![\d.,])([1-9]\d{0,2})(\d{3})(?![\d.,])", r"\1,\2"),
    "digits not grouped": _replaced(r"(?<=\b\d),(?=\d{3}\b(?![.,]\d))", ""),
    "Arabic digits": _table(**_ARABIC),
    "Persian digits": _table(**_PERSIAN),
    "wide digits": _table(**_WIDE),
    "Devanagari digits": _table(**_HINDI),
    "curly quotes": _table(**{"'": "’", '"': "”"}),
    "straight quotes": _table(**{"’": "'", "‘": "'", "“": '"', "”": '"'}),
    "Markdown left out": _replaced(r"\*\*|[*`]|(?m:^#+ )", ""),
    "Markdown added": _wrapped("**", "**"),
    "list marks left out": _replaced(r"(?m)(?<=\n)\s*(?:[-*•]|\d{1,2}\.)(?:\s+(?=[^\d\s])|\Z)", ""),
    "HTML added": _wrapped("<b>", "</b>"),
    "HTML line breaks": _replaced(r"\n", "<br/>"),
    "entities": _entities,
    "links added": _wrapped("[", "](https://example.org/a?b=c)"),
    "LaTeX": _replaced("[≥≤×→±µ°%]", lambda m: f"${_LATEX[m[0]]}$"),
    "LaTeX damaged by JSON": _replaced(
        "[≥≤×→±µ°%]", lambda m: f"${_LATEX[m[0]].replace(chr(92) + 't', chr(9))}$"
    ),
    "invisible characters": _sprinkled("\u200b"),
    "soft hyphens": _replaced(r"(?<=[a-z]{4})(?=[a-z]{4})", "\u00ad"),
    "one letter lost": lambda rng, span: (
        _once(rng, span, r"(?<=[a-z]{6})[a-z](?=[a-z]{3})", lambda _: "") or span
    ),
    "two letters swapped": lambda rng, span: (
        _once(rng, span, r"(?<=[a-z]{4})[a-z]{2}(?=[a-z]{3})", lambda two: two[::-1]) or span
    ),
    "articles left out": _replaced(r"(?<=[a-z] )(?:the|a|an) (?=[a-z]{4})", ""),
    "named entities": _replaced("[≥≤→×±°µ<>&]", lambda m: _NAMED[m[0]]),
    "JSON codes": _replaced("[^\\x00-\\x7f]", lambda m: f"\\\\u{ord(m[0]):04x}"),
    "dots for the middle": lambda _, span: _with_gap(span),
}
"""What judges do to a quote without changing what it says."""


def _with_gap(span: str) -> str:
    words = span.split(" ")
    third = len(words) // 3
    return " ".join([*words[:third], ". . .", *words[-third:]]) if third >= 4 else span


def _once(rng: random.Random, span: str, pattern: str, by: Callable[[str], str]) -> str | None:
    places = list(re.finditer(pattern, span))
    if not places:
        return None
    place = rng.choice(places)
    return span[: place.start()] + by(place[0]) + span[place.end() :]


def _other_number(rng: random.Random, span: str) -> str | None:
    def other(number: str) -> str:
        place = rng.randrange(len(number))
        digits = [d for d in "123456789" if d != number[place]]
        return number[:place] + rng.choice(digits) + number[place + 1 :]

    return _once(rng, span, r"(?<![\w.,])\d+(?![\w,.])", other)


def _other_unit(rng: random.Random, span: str) -> str | None:
    units = {
        "mg": "mcg", "mcg": "mg", "g": "mg", "kg": "g", "mL": "L", "L": "mL", "Gy": "cGy",
        "mm": "cm", "cm": "mm", "weeks": "days", "week": "day", "days": "weeks", "day": "week",
        "months": "weeks", "month": "week", "hours": "minutes", "years": "months", "year": "month",
        "daily": "weekly", "weekly": "daily", "once": "twice", "twice": "once", "%": "‰",
    }  # fmt: skip
    return _once(rng, span, rf"(?<![\w%])(?:{'|'.join(units)})(?!\w)", units.__getitem__)


def _other_negation(rng: random.Random, span: str) -> str | None:
    dropped = _once(rng, span, r"\b(?:not|no|without|never|avoid)\s", lambda _: "")
    if dropped is not None:
        return dropped
    verbs = (
        r"\b(?:is|are|was|were|should|may|can|recommend|with|include|includes|showed|reveals?)\b"
    )
    return _once(rng, span, verbs, lambda word: "without" if word == "with" else f"{word} not")


CHANGES: dict[str, Callable[[random.Random, str], str | None]] = {
    "number": _other_number,
    "unit": _other_unit,
    "negation": _other_negation,
}
"""What makes another thing of a quote; ``None`` where there is nothing to change."""


def spans(rng: random.Random, text: str, number: int) -> Iterator[str]:
    """Spans of six to thirty words, as long as a quote may be."""
    words = list(re.finditer(r"\S+", text))
    for _ in range(number if len(words) > 6 else 0):
        length = rng.randint(6, min(30, len(words)))
        first = rng.randrange(len(words) - length + 1)
        yield text[words[first].start() : words[first + length - 1].end()][:400]


def is_found(quote: str, text: str) -> bool:
    """Whether all of a quote is found in a text."""
    item = Item(id="1", track="treatment", question="Plan?", reference=Reference(answer="Rest."))
    questions = Questions(load_rubric("treatment"), item, text)
    found = look_up((quote,), questions.all[0], Sources(questions))
    return all(entry["match"] in ("exact", "normalised", "approximate") for entry in found)


def faithful(texts: Iterable[str], seed: int = 1) -> Iterator[tuple[str, str, str]]:
    """Name of the rewrite, quote and text."""
    rng = random.Random(seed)
    for text in texts:
        for span in spans(rng, text, SPANS):
            name = rng.choice(sorted(REWRITES))
            rewritten = REWRITES[name](rng, span)
            if rng.random() < 0.5 and "dots" not in name:
                yield f"{name}, in the text", span, f"Plan. {rewritten} And so on."
            else:
                yield name, rewritten, text


def changed(texts: Iterable[str], seed: int = 2) -> Iterator[tuple[str, str, str]]:
    """Name of the change, quote and text."""
    rng = random.Random(seed)
    for text in texts:
        for span in spans(rng, text, SPANS):
            name = rng.choice(sorted(CHANGES))
            quote = CHANGES[name](rng, span)
            if quote is not None and quote not in text:
                yield name, quote, text


def medrbench(most: int | None) -> list[str]:
    """Predictions and references of the shared texts."""
    texts = []
    for path in sorted(DATA.glob("*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            texts += [
                row[name] for name in ("prediction_full", "answer", "context") if row.get(name)
            ]
    random.Random(0).shuffle(texts)
    return [text[:20_000] for text in texts[:most]]


def counted(kind: str, cases: Iterable[tuple[str, str, str]], *, right: bool, show: int) -> float:
    """Print the share found, by name, and examples of what went wrong; the share of all."""
    found: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for name, quote, text in cases:
        there = is_found(quote, text)
        total[name] += 1
        found[name] += there
        if there != right and show > 0:
            show -= 1
            print(f"  {name}: {quote!r}")
    share = found.total() / max(1, total.total())
    print(f"{kind}: {share:.4%} of {total.total():,} found")
    for name in sorted(total):
        print(f"  {name:26} {found[name]:6} of {total[name]:6}")
    return share


def main() -> int:
    """Measure, print, and tell whether the targets are met."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--most", type=int, help="texts at most")
    parser.add_argument("--show", type=int, default=0, help="wrong ones to print")
    options = parser.parse_args()
    texts = medrbench(options.most)
    kept = counted("faithful", faithful(texts), right=True, show=options.show)
    false = counted("changed", changed(texts), right=False, show=options.show)
    return int(kept < LEAST_FAITHFUL or false > MOST_CHANGED)


if __name__ == "__main__":
    sys.exit(main())
