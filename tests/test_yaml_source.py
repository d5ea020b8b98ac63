import pytest

from mmrare_judge.yaml import YamlError, parse_yaml


def test_every_value_knows_its_line() -> None:
    source = parse_yaml("a: 1\nb:\n  - c: 2\n  - c: 3\n")
    assert source.data == {"a": 1, "b": [{"c": 2}, {"c": 3}]}
    assert [source.line(path) for path in [("a",), ("b", 1, "c")]] == [1, 4]


def test_a_path_that_is_not_there_has_the_line_of_its_parent() -> None:
    assert parse_yaml("a:\n  b: 1\n").line(("a", "c", "d")) == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("a: 1\na: 2\n", 2, "given twice", id="doubled key"),
        pytest.param("levels:\n  NO: 1\n", 2, 'write it in quotes: "NO"', id="key read as false"),
        pytest.param("levels:\n  0: 1\n", 2, "write it in quotes", id="key read as a number"),
        pytest.param("a: [1\nb: 2\n", 2, "expected", id="not YAML"),
        pytest.param("? [a, b]\n: 1\n", 1, "single word", id="a list as key"),
        pytest.param("a: 1\nb: 2\x00\n", 2, r"U\+0000", id="NUL"),
        pytest.param("a: 1\nb: \ud800\n", 2, r"U\+D800", id="lone surrogate"),
        pytest.param("a: " + "[" * 3000 + "]" * 3000, 1, "too deeply", id="nesting"),
        pytest.param("- " * 3000, None, "too deeply", id="nesting without brackets"),
        pytest.param("a: " + "1:" * 1000 + "1", 1, "a number of 2001 char", id="base of 60"),
        pytest.param("a: '" + "x" * 500_000, None, "more than 500000", id="half a megabyte"),
        pytest.param(
            f"a: &a {'x' * 1000}\nb: [{'*a,' * 1000}]", 1, "aliases repeat", id="a long text often"
        ),
        pytest.param("a: !!bool x", None, "cannot be read", id="a tag that does not fit"),
        pytest.param("a: &a [*a]\n", None, "contains itself", id="an alias of itself"),
        pytest.param("a: 2026-13-01\n", None, "month", id="a date that is none"),
    ],
)
def test_what_is_refused_names_its_line_where_it_is_known(
    text: str, line: int | None, words: str
) -> None:
    with pytest.raises(YamlError, match=words) as caught:
        parse_yaml(text)
    assert caught.value.line == line


def test_yaml_cannot_make_objects() -> None:
    with pytest.raises(YamlError):
        parse_yaml("a: !!python/object/apply:os.getcwd []")


def test_an_empty_document_is_nothing() -> None:
    assert parse_yaml("").data is None
