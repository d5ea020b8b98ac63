"""What README and docs show is what happens."""

import ast
import contextlib
import importlib
import io
import re
import sys
from pathlib import Path

import pytest

from mmrare_judge.backends.base import JudgeSpec
from mmrare_judge.errors import MissingExtraError, RubricError
from mmrare_judge.rubric.model import parse_rubric
from mmrare_judge.yaml import parse_yaml
from support.paths import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    """The code of a document that is in one language; "" is what has none, such as output."""
    found = _BLOCK.findall(document.read_text(encoding="utf-8"))
    return [code for name, code in found if name == language]


def test_the_readmes_example_prints_what_the_readme_says_it_prints() -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "README.md", "exec"), {})
    assert printed.getvalue() in blocks(ROOT / "README.md", "")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_example_in_python_can_be_compiled_and_imports_what_there_is(document: Path) -> None:
    for code in blocks(document, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mmrare_judge"):
                names = [name.name for name in node.names]
                try:
                    module = importlib.import_module(str(node.module))
                    if not all(hasattr(module, name) for name in names):
                        # pytest, which looks for doctests, leaves a module behind whose import
                        # failed for want of an extra.
                        del sys.modules[str(node.module)]
                        module = importlib.import_module(str(node.module))
                except MissingExtraError as error:  # the harness tests run these pages
                    pytest.skip(str(error))
                missing = [name for name in names if not hasattr(module, name)]
                assert not missing, f"{document.name}: {node.module} has no {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_another_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_module_that_the_docs_name_is_there() -> None:
    source = ROOT / "src"
    for document in DOCUMENTS:
        for name in re.findall(r"`([\w/]+\.(?:py|tsv))`", document.read_text(encoding="utf-8")):
            places = [ROOT / name, ROOT / "benchmarks" / name, *source.rglob(name)]
            assert any(place.exists() for place in places), f"{document.name} names {name}"


def test_the_rubric_that_the_docs_show_is_valid() -> None:
    whole, own_scale, per_element, cascade = blocks(ROOT / "docs" / "rubrics.md", "yaml")
    assert len(parse_rubric(whole).criteria) == 2
    added = f"{own_scale}    question: Is it complete?\n    weight: 1\n    needs: [question]\n"
    three = parse_rubric(whole.replace("total_weight: 4", "total_weight: 5") + added)
    assert three.criterion("complete").scale == ("0", "1", "2")
    both = whole.replace("    embedded: doses_and_routes\n", per_element)
    assert (
        parse_rubric(both.replace("needs: [answer]", "needs: [must_include]")).criteria[0].element
    )
    gated = whole.replace("criteria:\n", cascade.replace("exact_match", "dose") + "criteria:\n")
    assert parse_rubric(gated).scoring.gate == "dose"


def test_the_fault_that_the_docs_show_is_said_in_these_words() -> None:
    shown = (ROOT / "docs" / "rubrics.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^    wrong  (.*)$", shown, re.MULTILINE)
    wrong = blocks(ROOT / "docs" / "rubrics.md", "yaml")[0].replace("weight: 3", "wieght: 3")
    with pytest.raises(RubricError) as caught:
        parse_rubric(wrong, file="mine.yaml")
    assert str(caught.value) == said


def test_the_judge_file_that_the_docs_show_is_valid() -> None:
    (settings,) = blocks(ROOT / "docs" / "judging.md", "yaml")
    assert JudgeSpec.model_validate(parse_yaml(settings).data).mode == "json_schema"


def test_the_quickstart_names_every_command_and_exit_code() -> None:
    from mmrare_judge.cli import main as cli

    text = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    commands = [
        str(c.name or getattr(c.callback, "__name__", "")) for c in cli.app.registered_commands
    ]
    names = [*commands, *(str(group.name) for group in cli.app.registered_groups)]
    assert [
        name for name in names if f"`mmrare-judge {name}" not in text and f"`{name}`" not in text
    ] == []
    _, _, codes = (cli.__doc__ or "").partition("Exit codes: ")
    assert " ".join(codes.split()) in " ".join(text.split())
