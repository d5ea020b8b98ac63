"""The benchmark of quotes in small: on the packaged examples and a few of the shared texts."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import resources
from types import ModuleType
from typing import Any

import pytest

from support.paths import ROOT


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quotes", ROOT / "benchmarks" / "quotes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK: Any = _load()
PACKAGED = resources.files("mmrare_judge.examples") / "predictions.jsonl"
TEXTS: list[str] = [json.loads(line)["prediction"] for line in PACKAGED.read_text().splitlines()]
SHARED: list[str] = BENCHMARK.medrbench(60) if BENCHMARK.DATA.is_dir() else []


@pytest.mark.parametrize("name", sorted(BENCHMARK.REWRITES))
def test_a_faithful_quote_is_found_in_whatever_way_it_is_rewritten(name: str) -> None:
    rng, missed, tried = BENCHMARK.random.Random(name), [], 0
    for text in TEXTS:
        for span in BENCHMARK.spans(rng, text, 3):
            tried += 1
            quote = BENCHMARK.REWRITES[name](rng, span)
            if not BENCHMARK.is_found(quote, text):
                missed.append(quote)
    assert len(missed) <= 0.02 * tried, missed


@pytest.mark.skipif(not SHARED, reason="the shared data is not beside this repository")
def test_at_least_99_of_100_rewritten_quotes_of_the_shared_texts_are_found() -> None:
    cases = [BENCHMARK.is_found(quote, text) for _, quote, text in BENCHMARK.faithful(SHARED)]
    assert sum(cases) >= BENCHMARK.LEAST_FAITHFUL * len(cases)


def test_no_quote_with_another_number_unit_or_negation_is_found() -> None:
    texts = TEXTS + SHARED
    found = [
        quote for _, quote, text in BENCHMARK.changed(texts) if BENCHMARK.is_found(quote, text)
    ]
    assert found == []
